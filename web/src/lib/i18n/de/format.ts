import type { format as English } from '../en/format';

export const format: typeof English = {
  never: 'nie',
  justNow: 'gerade eben',
  units: { d: 'Tg.', h: 'Std.', min: 'Min.', s: 's' },
  ago: (time) => `vor ${time}`
};
