import { describe, expect, it } from 'vitest';
import { ApiError } from '../errors';
import { AT_A_TIME, Queue, type Transport, type Upload } from './queue';

const MIB = 1024 * 1024;
const file = (name: string, size: number) => ({ path: `/${name}`, file: { name, size, lastModified: 1, slice: () => null } as unknown as File });
const until = async (what: () => boolean) => {
  for (let tries = 0; !what(); tries += 1) {
    if (tries > 500) throw new Error('not within 500 turns');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
};

function made(over: Partial<Transport> = {}) {
  const log: string[] = [];
  const transport: Transport = {
    whole: async (upload) => void log.push(`whole ${upload.path}${upload.replace ? ' replace' : ''}`),
    create: async (upload) => (log.push(`create ${upload.path}`), `/up${upload.path}`),
    offset: async () => 0,
    piece: async (_url, of, from) => Math.min(of.size, from + 64 * MIB),
    remove: async (url) => void log.push(`remove ${url}`),
    freePath: async (path) => `${path} (2)`,
    ...over
  };
  const queue = new Queue(transport, () => {}, () => Promise.resolve());
  return { queue, log, states: () => queue.list.map((one) => one.state).join(' ') };
}

describe('uploads', () => {
  it('are three at a time', async () => {
    let now = 0;
    let most = 0;
    const { queue, states } = made({
      whole: async () => {
        most = Math.max(most, (now += 1));
        await new Promise((resolve) => setTimeout(resolve, 2));
        now -= 1;
      }
    });
    queue.add(Array.from({ length: 9 }, (_, at) => file(`f${at}`, 1)));
    await until(() => /^(done ?){9}$/.test(states()));
    expect(most).toBe(AT_A_TIME);
  });

  it('go on where a broken connection left off', async () => {
    const from: number[] = [];
    let broken = 0;
    const { queue, states } = made({
      offset: async () => 70 * MIB,
      piece: async (_url, of, begin) => {
        from.push(begin / MIB);
        if (begin === 64 * MIB && (broken += 1) === 1) throw new ApiError('network', '');
        return Math.min(of.size, begin + 64 * MIB);
      }
    });
    queue.add([file('big', 200 * MIB)]);
    await until(() => states() === 'done');
    expect(from).toEqual([0, 64, 70, 134, 198]);
  });

  it('ask about what is there already, once for all where that was said', async () => {
    const there = new Set(['/a', '/b', '/c']);
    const { queue, log, states } = made({
      whole: async (upload) => {
        if (!upload.replace && there.has(upload.path)) throw new ApiError('exists', '', 409);
        log.push(`${upload.path}${upload.replace ? ' replaced' : ''}`);
      }
    });
    queue.add([file('a', 1), file('b', 1), file('c', 1), file('d', 1)]);
    await until(() => states() === 'conflict conflict conflict done');
    await queue.answer(queue.list[0] as Upload, 'both', false);
    await until(() => states() === 'done conflict conflict done');
    await queue.answer(queue.list[1] as Upload, 'replace', true);
    await until(() => states() === 'done done done done');
    expect(log).toEqual(['/d', '/a (2)', '/b replaced', '/c replaced']);
  });

  it('are paused, and taken back', async () => {
    const { queue, log, states } = made({ piece: (_url, _of, _from, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))) });
    queue.add([file('big', 3 * MIB)]);
    await until(() => queue.list[0]?.url !== null && states() === 'running');
    queue.pause(queue.list[0] as Upload);
    await until(() => states() === 'paused');
    queue.cancel(queue.list[0] as Upload);
    expect(queue.list).toEqual([]);
    await until(() => log.includes('remove /up/big'));
  });

  it('fail for good where the panel says no', async () => {
    const { queue, states } = made({ create: async () => { throw new ApiError('disk_full', 'full', 507); } });
    queue.add([file('big', 3 * MIB)]);
    await until(() => states() === 'failed');
    expect(queue.list[0]?.error?.code).toBe('disk_full');
  });

  it('are offered again after a reload, for the same file only', async () => {
    const { queue, states } = made({ offset: async () => 2 * MIB });
    queue.restore([{ path: '/big', size: 3 * MIB, name: 'big', modified: 1, url: '/up/big', replace: false }]);
    expect(queue.resume(queue.list[0] as Upload, file('other', 3 * MIB).file)).toBe(false);
    expect(states()).toBe('missing');
    expect(queue.resume(queue.list[0] as Upload, file('big', 3 * MIB).file)).toBe(true);
    await until(() => states() === 'done');
  });
});
