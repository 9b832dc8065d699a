export const charts = {
  none: 'No data yet',
  usage: 'Usage over the last 10 minutes',
  cpu: 'CPU',
  of: (cores: number) => `of ${cores} %`,
  cpuOfCore: 'CPU, percent of one core',
  memory: 'Memory',
  network: 'Network',
  received: 'Received',
  sent: 'Sent',
  disk: 'Disk'
};
