import { describe, expect, it } from 'vitest';
import { causeOf, moreMemory, type LogLine } from './causes';

const log = (...texts: string[]): LogLine[] => texts.map((text) => ({ stream: 'stdout', text }));
const GIB = 1024 ** 3;

describe('the cause of a crash', () => {
  it.each([
    ['You need to agree to the EULA in order to run the server. Go to eula.txt for more info.', 'eula', ''],
    ['Exception in thread "main" java.lang.OutOfMemoryError: Java heap space', 'memory', ''],
    ['has been compiled by a more recent version of the Java Runtime (class file version 65.0), this version', 'java', '21'],
    ['Unsupported Java detected (67.0). Only up to Java 21 is supported.', 'java', '21'],
    ['**** FAILED TO BIND TO PORT!', 'port', ''],
    ['driver failed programming external connectivity: Bind for 0.0.0.0:25565 failed: port is already allocated', 'port', '25565'],
    ['listen tcp :8080: bind: address already in use', 'port', ''],
    ['Error: listen EADDRINUSE: address already in use :::3000', 'port', '3000'],
    ['exec /usr/bin/game: exec format error', 'architecture', ''],
    ['no matching manifest for linux/arm64/v8 in the manifest list entries', 'architecture', 'linux/arm64/v8'],
    ['write /data/world: no space left on device', 'disk', ''],
    ['Error: Unable to access jarfile server.jar', 'file', 'server.jar'],
    ['./game: error while loading shared libraries: libfoo.so.1: cannot open shared object file', 'file', 'libfoo.so.1'],
    ['/bin/sh: 1: ./start.sh: Permission denied', 'permission', './start.sh'],
    ['/bin/sh: ./start.sh: not found', 'file', './start.sh']
  ])('%s', (line, kind, detail) => {
    expect(causeOf(log('Loading', line, 'bye'))).toEqual({ kind, detail });
  });

  it('reads what an engine says of an image', () => {
    expect(causeOf([], 'manifest for a/b:c not found: manifest unknown')?.kind).toBe('imageMissing');
    expect(causeOf([], 'pull access denied for a/b, repository does not exist')?.kind).toBe('imageDenied');
    expect(causeOf([], 'dial tcp: lookup registry.example: no such host')?.kind).toBe('registryAway');
  });

  it('looks at the last run alone, through colours', () => {
    const earlier = [...log('java.lang.OutOfMemoryError'), { stream: 'system', text: 'Starting the server.' }];
    expect(causeOf([...earlier, ...log('Done', 'Segmentation fault')])).toBeNull();
    expect(causeOf([...earlier, ...log('\x1b[31mexec format\x1b[0m error')])?.kind).toBe('architecture');
    // A player may type what looks like it; only the console's own line begins a run.
    expect(causeOf(log('exec format error', 'Starting the server.'))?.kind).toBe('architecture');
    expect(causeOf(log('Done', 'bye'))).toBeNull();
  });
});

describe('more memory', () => {
  it('is half as much again, within what there is', () => {
    expect(moreMemory(2 * GIB, 16 * GIB)).toBe(3 * GIB);
    expect(moreMemory(64 * 1024 ** 2, 16 * GIB)).toBe(GIB / 4);
    expect(moreMemory(12 * GIB, 16 * GIB)).toBe(16 * GIB);
    expect(moreMemory(16 * GIB, 8 * GIB)).toBe(16 * GIB);
  });
});
