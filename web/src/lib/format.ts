/** Numbers and times for people, as their language writes them. */
import { i18n, t } from './i18n/i18n.svelte';
/** Making one is slow. */
const NUMBERS = new Map<string, Intl.NumberFormat>();
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
  const digits = unit === 0 || size >= 100 ? 0 : 1;
  return `${number(value < 0 ? -size : size, digits)} ${UNITS[unit]}`;
}

/** "1.9 / 3 GB" where both share a unit, else "800 MB / 3 GB"; only the first without a limit. */
export function bytesOf(used: number | null | undefined, total: number | null | undefined): string {
  if (used == null) return total ? `– / ${bytes(total)}` : '–';
  if (!total) return bytes(used);
  const [amount, unit] = bytes(used).split(' ');
  const [, unitOfTotal] = bytes(total).split(' ');
  return unit === unitOfTotal ? `${amount} / ${bytes(total)}` : `${bytes(used)} / ${bytes(total)}`;
}

export function rate(perSecond: number | null | undefined): string {
  return perSecond == null ? '–' : `${bytes(perSecond)}/s`;
}

export function percent(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '–';
  return `${number(value, value < 9.95 && value > 0 ? 1 : 0)} %`;
}

/** With at most so many digits behind the point. */
export function number(value: number, digits = 0): string {
  const key = `${i18n.locale} ${digits}`;
  let format = NUMBERS.get(key);
  if (!format) NUMBERS.set(key, (format = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: digits, useGrouping: false })));
  return format.format(value);
}

/** "3 d 4 h", "12 min", "8 s": the two largest parts. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const { d, h, min, s } = t.format.units;
  if (days > 0) return hours > 0 ? `${days} ${d} ${hours} ${h}` : `${days} ${d}`;
  if (hours > 0) return minutes > 0 ? `${hours} ${h} ${minutes} ${min}` : `${hours} ${h}`;
  if (minutes > 0) return `${minutes} ${min}`;
  return `${seconds} ${s}`;
}

/** "just now", "5 min ago". */
export function ago(time: string | null | undefined, now: number): string {
  if (!time) return t.format.never;
  const passed = now - Date.parse(time);
  if (Number.isNaN(passed)) return t.format.never;
  // The larger part is enough: nobody needs "2 d 3 h ago".
  return passed < 45_000 ? t.format.justNow : t.format.ago(duration(passed).split(' ').slice(0, 2).join(' '));
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
  if (!time) return t.format.never;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return t.format.never;
  return new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'short' }).format(date);
}
