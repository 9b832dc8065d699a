/** What a small line is drawn from. */

export interface Point {
  /** Milliseconds since 1970. */
  time: number;
  /** Percent of one core. */
  cpu: number;
}

const WINDOW = 600_000;
/** Older and newer points in order, each time once, of the last ten minutes. */
export function mergePoints(known: Point[], more: Point[]): Point[] {
  const byTime = new Map([...known, ...more].map((point) => [point.time, point]));
  const sorted = [...byTime.values()].sort((a, b) => a.time - b.time);
  const last = sorted.at(-1)?.time ?? 0;
  return sorted.filter(({ time }) => time >= last - WINDOW);
}
