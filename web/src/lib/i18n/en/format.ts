export const format = {
  never: 'never',
  justNow: 'just now',
  units: { d: 'd', h: 'h', min: 'min', s: 's' },
  ago: (time: string) => `${time} ago`
};
