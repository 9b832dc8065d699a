/** Numbers and times for people. */
const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Sizes count in 1,024, as memory does; three digits are enough. */
export function bytes(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '–';
  let size = Math.abs(value);
  let unit = 0;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  // 1,023.7 kB would be drawn as "1024 kB".
  if (unit > 0 && unit < UNITS.length - 1 && Math.round(size) >= 1024) {
    size /= 1024;
    unit += 1;
  }
  const sign = value < 0 ? '-' : '';
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${sign}${trim(size.toFixed(digits))} ${UNITS[unit]}`;
}

/** "1.9 / 3 GB" where both share a unit, else "800 MB / 3 GB"; only the first without a limit. */
export function bytesOf(used: number | null | undefined, total: number | null | undefined): string {
  if (used == null) return total ? `– / ${bytes(total)}` : '–';
  if (!total) return bytes(used);
  const [number, unit] = bytes(used).split(' ');
  const [, unitOfTotal] = bytes(total).split(' ');
  return unit === unitOfTotal ? `${number} / ${bytes(total)}` : `${bytes(used)} / ${bytes(total)}`;
}

export function rate(perSecond: number | null | undefined): string {
  return perSecond == null ? '–' : `${bytes(perSecond)}/s`;
}

export function percent(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '–';
  return `${value < 9.95 && value > 0 ? trim(value.toFixed(1)) : Math.round(value)} %`;
}

function trim(number: string): string {
  return number.includes('.') ? number.replace(/\.?0+$/, '') : number;
}

/** "3 d 4 h", "12 min", "8 s": the two largest parts. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes > 0) return `${minutes} min`;
  return `${seconds} s`;
}

/** "just now", "5 min ago". */
export function ago(time: string | null | undefined, now: number): string {
  if (!time) return 'never';
  const passed = now - Date.parse(time);
  if (Number.isNaN(passed)) return 'never';
  // The larger part is enough: nobody needs "2 d 3 h ago".
  return passed < 45_000 ? 'just now' : `${duration(passed).split(' ').slice(0, 2).join(' ')} ago`;
}

/** Whole seconds until a time, never below 0; null when there is none. */
export function secondsUntil(time: string | null | undefined, now: number): number | null {
  if (!time) return null;
  const left = Date.parse(time) - now;
  return Number.isNaN(left) ? null : Math.max(0, Math.ceil(left / 1000));
}

const two = (value: number) => String(value).padStart(2, '0');

/** "20:14:02" in the browser's own time zone. */
export function clock(time: string | number | Date): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '--:--:--' : `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function dateTime(time: string | null | undefined): string {
  if (!time) return 'never';
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return 'never';
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

export const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
