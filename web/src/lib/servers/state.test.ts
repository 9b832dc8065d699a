import { describe, expect, it } from 'vitest';
import type { Server } from '../types';
import { i18n } from '../i18n/i18n.svelte';
import { because, may } from './state';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const server = (part: Partial<Server>): Server => ({
  id: 'a',
  revision: '1',
  name: 'A',
  nodeId: 'local',
  nodeName: 'Box',
  image: 'x',
  startup: '',
  environment: {},
  limits: { memory: 0, swap: 0, disk: 0, io: 500, cpu: 0, processes: 512 },
  ports: [],
  status: 'stopped',
  createdAt: '2026-01-01T00:00:00Z',
  permissions: ['view', 'power'],
  nodeOnline: true,
  blockLan: false,
  needsRestart: false,
  ...part
});

describe('may', () => {
  it('offers what makes sense in a state', () => {
    const offered = (status: Server['status']) => (['start', 'stop', 'restart', 'kill', 'resume'] as const).filter((action) => may(server({ status }), action));
    expect(offered('stopped')).toEqual(['start']);
    expect(offered('install_failed')).toEqual(['start']);
    expect(offered('running')).toEqual(['stop', 'restart', 'kill']);
    expect(offered('paused')).toEqual(['stop', 'restart', 'kill', 'resume']);
    expect(offered('stopping')).toEqual(['kill']);
    expect(offered('installing')).toEqual([]);
    expect(offered('unknown')).toEqual([]);
  });
  it('offers nothing without the permission', () => {
    expect(may(server({ permissions: ['view', 'console'] }), 'start')).toBe(false);
  });
});

describe('because', () => {
  it('names a crash’s reason and counts down to the restart', () => {
    expect(because(server({ status: 'crashed', exitCode: 3, restartAt: '2026-01-01T00:00:12Z' }), NOW)).toBe('The game exited with code 3. Restarts in 12 s.');
    expect(because(server({ status: 'crashed', oomKilled: true, exitCode: 137 }), NOW)).toContain('ran out of memory');
    expect(because(server({ status: 'crashed', statusReason: 'crashed 3 times in 10 minutes' }), NOW)).toBe('Crashed 3 times in 10 minutes.');
  });
  it('says whose fault an unknown state is', () => {
    expect(because(server({ status: 'unknown', nodeOnline: false }), NOW)).toContain('machine is offline');
    expect(because(server({ status: 'unknown' }), NOW)).toContain('Docker is not responding');
  });
  it('says the panel’s own sentences in the page’s language', async () => {
    const lost = server({ status: 'unknown', statusCode: 'node_offline', statusReason: 'Its node Box is offline.' });
    expect(because(lost, NOW)).toBe('Its node Box is offline.');
    expect(because(server({ status: 'stopped', statusCode: 'exited', exitCode: 3, statusReason: 'It ended with code 3.' }), NOW)).toBe('The game exited with code 3.');
    await i18n.load('de');
    expect(because(lost, NOW)).toBe('Seine Node Box ist offline.');
    // A code that the page does not know yet.
    expect(because(server({ status: 'unknown', statusCode: 'newer' as never, statusReason: 'something new' }), NOW)).toBe('Something new.');
    await i18n.load('en');
  });
  it('counts down to the kill while stopping', () => {
    expect(because(server({ status: 'stopping', stopDeadline: '2026-01-01T00:00:30Z' }), NOW)).toContain('force-stopped in 30 s');
  });
  it('says what paused means', () => expect(because(server({ status: 'paused' }), NOW)).toContain('stands still'));
  it('is silent when all is well', () => expect(because(server({ status: 'running' }), NOW)).toBe(''));
});
