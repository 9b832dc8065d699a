/** What a server's state is called, how it looks, and what may be asked of it. */
import { secondsUntil } from '../format';
import { isMoving } from './moves';
import type { Permission, PowerAction, Server, ServerStatus } from '../types';
import { t } from '../i18n/i18n.svelte';
import { inOurWords } from '../i18n/sentences';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'off';

const TONES: Record<ServerStatus, Tone> = {
  installing: 'info',
  install_failed: 'bad',
  stopped: 'off',
  starting: 'warn',
  running: 'ok',
  paused: 'warn',
  stopping: 'warn',
  crashed: 'bad',
  suspended: 'warn',
  unknown: 'off'
};
const BUSY: readonly ServerStatus[] = ['installing', 'starting', 'stopping'];

export const statusLabel = (status: ServerStatus): { label: string; tone: Tone; busy: boolean } => ({
  label: (t.servers.status as Record<string, string>)[status] ?? status,
  tone: TONES[status] ?? 'off',
  busy: BUSY.includes(status)
});

const FROM: Record<PowerAction, ServerStatus[]> = {
  start: ['stopped', 'crashed', 'install_failed'],
  stop: ['starting', 'running', 'paused'],
  restart: ['starting', 'running', 'paused'],
  kill: ['starting', 'running', 'paused', 'stopping'],
  resume: ['paused']
};

export const can = (server: Server, permission: Permission) => server.permissions.includes(permission);

/** Whether the action makes sense now and the caller may ask for it. */
export const may = (server: Server, action: PowerAction) =>
  can(server, 'power') && !isMoving(server.move) && FROM[action].includes(server.status);

export const takesCommands = (status: ServerStatus) => status === 'starting' || status === 'running' || status === 'stopping';

/** One sentence under the state: why it is so and what comes next; empty when there is nothing to say. */
export function because(server: Server, now: number): string {
  const parts: string[] = [];
  if (server.status === 'crashed') {
    if (server.oomKilled) parts.push(t.servers.because.memory);
    else if (server.statusReason) parts.push(reason(server));
    else if (server.exitCode != null) parts.push(t.servers.because.exited(server.exitCode));
    const seconds = secondsUntil(server.restartAt, now);
    if (seconds !== null) parts.push(seconds > 0 ? t.servers.because.restartsIn(seconds) : t.servers.because.restartsNow);
  } else if (server.status === 'unknown') {
    parts.push(
      server.statusReason
        ? reason(server)
        : server.nodeOnline
          ? t.servers.because.noDocker
          : t.servers.because.offline
    );
  } else if (server.status === 'stopping') {
    const seconds = secondsUntil(server.stopDeadline, now);
    if (seconds !== null) parts.push(seconds > 0 ? t.servers.because.stopping(seconds) : t.servers.because.killing);
  } else if (server.status === 'paused') {
    parts.push(t.servers.because.paused);
  } else if (server.statusReason) {
    parts.push(reason(server));
  }
  return parts.join(' ');
}

/** Why the panel says that it is so: its own sentences in the page's language, others in the words of a node or an engine. */
function reason(server: Server): string {
  const { statusCode: code, nodeName, exitCode } = server;
  if (code === 'exited') return t.servers.because.exited(exitCode ?? 0);
  // A newer panel may know more codes than the page that came with an older one.
  const known = code ? (t.servers.reasons as Partial<Record<typeof code, string | ((node: string) => string)>>)[code] : undefined;
  if (known === undefined) return sentence(inOurWords(server.statusReason ?? ''));
  return typeof known === 'string' ? known : known(nodeName ?? server.nodeId);
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
