/** A finding in the page's language, and in the panel's own English words where that has none. */
import type { DoctorFinding } from '../types';
import { i18n, t } from '../i18n/i18n.svelte';
import { inOurWords } from '../i18n/sentences';

export interface Words {
  title: string;
  detail: string;
  advice: string | null;
}

const COMMAND = /`[^`]*`/g;
const commandsOf = (advice: string): string[] => advice.match(COMMAND) ?? [];
const places = (text: string): number => new Set(text.match(/\{\d\}/g)).size;

export const titleOf = (found: { code: string; title: string }): string => t.findings[found.code]?.title ?? found.title;

/** Those of a node begin with its name, those of a backup with its server and the day. */
function detailOf({ code, detail }: DoctorFinding): string {
  const whole = inOurWords(detail);
  const at = code === 'node_problem' && whole === detail ? detail.indexOf(': ') : -1;
  return at < 0 ? whole : `${detail.slice(0, at)}: ${inOurWords(detail.slice(at + 2))}`;
}

export function wordsOf(finding: DoctorFinding): Words {
  const known = t.findings[finding.code];
  const advice = finding.advice ?? null;
  // The commands are this machine's: those of the panel's own advice.
  const commands = advice === null ? [] : commandsOf(advice);
  const own = advice === null ? undefined : known?.advice?.find((text) => places(text) === commands.length);
  return {
    title: titleOf(finding),
    detail: known?.detail ?? detailOf(finding),
    advice: own?.replace(/\{(\d)\}/g, (_, at: string) => commands[Number(at) - 1] ?? '') ?? (advice === null ? null : inOurWords(advice))
  };
}

/** Whether something of it is in English though the page is not: for the browser's voice. */
export const isEnglish = (shown: string, original: string | null | undefined): boolean => i18n.language !== 'en' && shown === original;
