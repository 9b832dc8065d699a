export const ports = {
  title: 'Ports',
  external: 'Players connect to',
  internal: 'In the container',
  protocol: 'Protocol',
  externalOf: (at: number) => `Port ${at}, players connect to`,
  internalOf: (at: number) => `Port ${at}, in the container`,
  protocolOf: (at: number) => `Port ${at}, protocol`,
  remove: (at: number) => `Remove port ${at}`,
  add: 'Add a port',
  nobody: 'No ports: nobody can join over the network. Add the port that the game listens on; bots and the like need none.',
  first: 'The first port is the one in the address to copy.',
  range: 'Between 1 and 65535.',
  twice: (port: number, protocol: string) => `${port} ${protocol} is listed twice.`
};
