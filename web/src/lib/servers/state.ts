/** What a server's state is called, how it looks, and what may be asked of it. */
import { secondsUntil } from '../format';
import { isMoving } from './moves';
import type { Permission, PowerAction, Server, ServerStatus } from '../types';

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'off';

const STATUSES: Record<ServerStatus, { label: string; tone: Tone; busy?: boolean }> = {
  installing: { label: 'Installing', tone: 'info', busy: true },
  install_failed: { label: 'Install failed', tone: 'bad' },
  stopped: { label: 'Stopped', tone: 'off' },
  starting: { label: 'Starting', tone: 'warn', busy: true },
  running: { label: 'Running', tone: 'ok' },
  paused: { label: 'Paused', tone: 'warn' },
  stopping: { label: 'Stopping', tone: 'warn', busy: true },
  crashed: { label: 'Crashed', tone: 'bad' },
  suspended: { label: 'Suspended', tone: 'warn' },
  unknown: { label: 'Unknown', tone: 'off' }
};

export const statusLabel = (status: ServerStatus) => STATUSES[status] ?? { label: status, tone: 'off' as const };

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
    if (server.oomKilled) parts.push('It ran out of memory and was ended by the system.');
    else if (server.statusReason) parts.push(sentence(server.statusReason));
    else if (server.exitCode != null) parts.push(`The game ended by itself with exit code ${server.exitCode}.`);
    const seconds = secondsUntil(server.restartAt, now);
    if (seconds !== null) parts.push(seconds > 0 ? `Starts again in ${seconds} s.` : 'Starts again now.');
  } else if (server.status === 'unknown') {
    parts.push(
      server.statusReason
        ? sentence(server.statusReason)
        : server.nodeOnline
          ? 'Docker does not answer on its machine. Players may still be connected; this heals by itself.'
          : 'Its machine is offline. Players may still be connected; this heals by itself.'
    );
  } else if (server.status === 'stopping') {
    const seconds = secondsUntil(server.stopDeadline, now);
    if (seconds !== null) parts.push(seconds > 0 ? `Saving and closing; killed in ${seconds} s if it has not ended.` : 'Being killed.');
  } else if (server.status === 'paused') {
    parts.push('Somebody had Docker pause it: it stands still, and players can do nothing.');
  } else if (server.statusReason) {
    parts.push(sentence(server.statusReason));
  }
  return parts.join(' ');
}

function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return '';
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}
