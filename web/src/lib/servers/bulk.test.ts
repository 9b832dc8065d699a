import { expect, it } from 'vitest';
import type { Server } from '../types';
import { each, type Result } from './bulk';

const server = (id: string, status: string) => ({ id, name: id, status, permissions: ['power'] }) as unknown as Server;

it('asks a few at a time, goes on after a failure, and leaves out what cannot be asked', async () => {
  let [now, most] = [0, 0];
  let last: Result[] = [];
  const list = [...Array.from({ length: 20 }, (_, at) => server(`s${at}`, 'stopped')), server('up', 'running')];
  await each(
    list,
    'start',
    async (id) => {
      most = Math.max(most, (now += 1));
      await new Promise((done) => setTimeout(done, 2));
      now -= 1;
      if (id === 's3') throw new Error('no');
    },
    (results) => (last = results)
  );
  expect(most).toBe(4);
  expect(last.filter((one) => one.state === 'done')).toHaveLength(19);
  expect(last.find((one) => one.id === 's3')).toMatchObject({ state: 'failed' });
  expect(last.find((one) => one.id === 'up')?.state).toBe('skipped');
});
