import { n, number } from './numbers';

export const doctor = {
  notCopied: 'Could not copy the report',
  printed: 'On the machine, ctrl-alt-play doctor prints it.',
  title: 'Check-up',
  about: 'Looks for problems that keep people from playing and says how to fix them. Writes 8 MB to the disk to measure its speed.',
  copy: 'Copy as text',
  checking: 'Checking …',
  check: 'Check now',
  failed: 'Check-up failed',
  notLoaded: 'Could not load the last check-up',
  loading: 'Loading the last check-up',
  since: (time: string) => `Since ${time}`,
  gone: (what: string) => `Resolved: ${what}`,
  findings: 'Findings',
  fine: (count: number) => `${number(count)} OK`,
  never: 'Not checked yet.',
  alsoThere: 'on the machine does the same, even while the panel is not running.',
  new: 'new',
  levels: {
    problem: 'Problem',
    warning: 'Warning',
    note: 'Note',
    ok: 'OK'
  },
  allWell: 'No problems found',
  problems: (count: number) => n(count, '# problem', '# problems'),
  warnings: (count: number) => n(count, '# warning', '# warnings'),
  notes: (count: number) => n(count, '# note', '# notes'),
  none: 'none'
};
