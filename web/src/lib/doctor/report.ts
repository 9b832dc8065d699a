/** A check-up's report, as it is shown and as it is copied. */
import type { DoctorFinding, DoctorLevel, DoctorReport } from '../types';
import { t } from '../i18n/i18n.svelte';

const WORST_FIRST: DoctorLevel[] = ['problem', 'warning', 'note', 'ok'];
const TONES: Record<DoctorLevel, string> = { problem: 'bad', warning: 'warn', note: 'info', ok: 'ok' };

export const word = (level: DoctorLevel) => t.doctor.levels[level];
export const tone = (level: DoctorLevel) => TONES[level];
export const keyOf = (finding: { code: string; about?: string | null }) => `${finding.code} ${finding.about ?? ''}`;

/** What wants to be read, worst first; and what is as it should be. */
export function sorted(report: DoctorReport): { loud: DoctorFinding[]; fine: DoctorFinding[] } {
  const rank = (finding: DoctorFinding) => WORST_FIRST.indexOf(finding.level);
  const all = [...report.findings].sort((a, b) => rank(a) - rank(b));
  return { loud: all.filter(({ level }) => level !== 'ok'), fine: all.filter(({ level }) => level === 'ok') };
}

/** One sentence for the whole. */
export function verdict({ summary }: DoctorReport): string {
  const parts = [
    summary.problem > 0 ? t.doctor.problems(summary.problem) : '',
    summary.warning > 0 ? t.doctor.warnings(summary.warning) : '',
    summary.note > 0 ? t.doctor.notes(summary.note) : ''
  ].filter(Boolean);
  return parts.length === 0 ? t.doctor.allWell : parts.join(', ');
}

/** Text and commands of a piece of advice, which stand between backticks. */
export function pieces(advice: string): { text: string; command: boolean }[] {
  return advice
    .split('`')
    .map((text, at) => ({ text, command: at % 2 === 1 }))
    .filter(({ text }) => text !== '');
}

/** For a message to somebody who helps, in English whatever the page speaks. There is no secret in a report. */
export function asText(report: DoctorReport): string {
  const facts = Object.entries(report.facts).map(([name, value]) => `${name}: ${value}`);
  const line = (finding: DoctorFinding) =>
    `[${finding.level}] ${finding.code}${finding.about ? ` (${finding.about})` : ''}: ${finding.detail}${finding.new ? ' (new)' : ''}`;
  const { loud, fine } = sorted(report);
  const over = report.gone.map(({ code, about }) => `gone: ${code}${about ? ` (${about})` : ''}`);
  const changed = report.changed.map(({ what, before, now }) => `changed: ${what}: ${before || 'none'} → ${now || 'none'}`);
  const since = report.since && (over.length > 0 || changed.length > 0) ? ['', `since ${report.since}`, ...over, ...changed] : [];
  return [`Ctrl-Alt-Play check-up, ${report.at}`, ...facts, '', ...loud.map(line), ...fine.map(line), ...since, ''].join('\n');
}
