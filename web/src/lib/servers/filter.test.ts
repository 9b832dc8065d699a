import { describe, expect, it } from 'vitest';
import type { Server } from '../types';
import { ALL, shown, type Marked } from './filter';

const server = (name: string, more: Partial<Server> = {}) => ({ id: name, name, status: 'stopped', nodeId: 'local', nodeName: 'Local', image: 'game', ports: [], ...more }) as unknown as Server;
const none: Marked = { isFavourite: () => false, tags: () => [] };
const names = (list: Server[]) => list.map((one) => one.name);

describe('the list of servers', () => {
  const list = [server('World 48'), server('world 8'), server('Arena', { status: 'running', nodeId: 'attic', nodeName: 'Attic', ports: [{ internal: 1, external: 27960, protocol: 'udp' }] })];
  it('has running ones first, and 8 before 48', () => {
    expect(names(shown(list, ALL, 'state', none))).toEqual(['Arena', 'world 8', 'World 48']);
    expect(names(shown(list, ALL, 'node', none))).toEqual(['Arena', 'world 8', 'World 48']);
    expect(names(shown([...list, server('aardvark')], ALL, 'name', none))).toEqual(['aardvark', 'Arena', 'world 8', 'World 48']);
  });
  it('is found by every word of what one sees', () => {
    const by = (text: string) => names(shown(list, { ...ALL, text }, 'name', none));
    expect(by('WORLD')).toEqual(['world 8', 'World 48']);
    expect(by('48 wor')).toEqual(['World 48']);
    expect(by('attic')).toEqual(['Arena']);
    expect(by('27960')).toEqual(['Arena']);
    expect(by('arena world')).toEqual([]);
  });
  it('is filtered by state, node, tag and favourites', () => {
    const marked: Marked = { isFavourite: (id) => id === 'World 48', tags: (id) => (id === 'world 8' ? ['league'] : []) };
    expect(names(shown(list, { ...ALL, status: 'running' }, 'name', marked))).toEqual(['Arena']);
    expect(names(shown(list, { ...ALL, node: 'local' }, 'name', marked))).toEqual(['World 48', 'world 8']);
    expect(names(shown(list, { ...ALL, tag: 'league' }, 'name', marked))).toEqual(['world 8']);
    expect(names(shown(list, { ...ALL, favourites: true }, 'name', marked))).toEqual(['World 48']);
    expect(names(shown(list, { ...ALL, text: 'league' }, 'name', marked))).toEqual(['world 8']);
    expect(names(shown(list, ALL, 'state', marked))[0]).toBe('World 48');
  });
});
