import { describe, expect, it } from 'vitest';
import { causeOf, gslVariable, javaImages, moreMemory, moreProcesses, type LogLine } from './causes';

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
    ['Could not establish connection to Steam servers. (GSL token expired)', 'gslToken', ''],
    ['Logging into anonymous gameserver account. (Account not found)', 'gslToken', ''],
    ['java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory or process limits', 'processes', ''],
    ['bash: fork: retry: Resource temporarily unavailable', 'processes', ''],
    ['[0.021s][warning][os,thread] Failed to start thread: pthread_create failed (EAGAIN)', 'processes', ''],
    ['SteamCMD needs 250MB of free disk space to update', 'steamDisk', '250MB'],
    ["Error! App '740' state is 0x202 after update job.", 'steamDisk', ''],
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

it('allows four times as many processes, within what a server may have', () => {
  expect(moreProcesses(512)).toBe(2048);
  expect(moreProcesses(8000)).toBe(16_384);
  expect(moreProcesses(16_384)).toBe(16_384);
});

describe('more memory', () => {
  it('is half as much again, within what there is', () => {
    expect(moreMemory(2 * GIB, 16 * GIB)).toBe(3 * GIB);
    expect(moreMemory(64 * 1024 ** 2, 16 * GIB)).toBe(GIB / 4);
    expect(moreMemory(12 * GIB, 16 * GIB)).toBe(16 * GIB);
    expect(moreMemory(16 * GIB, 8 * GIB)).toBe(16 * GIB);
  });
});

describe('another Java', () => {
  const images = [8, 11, 17, 21].map((version) => ({ label: `Java ${version}`, reference: `ghcr.io/pelican-eggs/yolks:java_${version}` }));
  const names = (needed: string, present = images[1]?.reference ?? '') => javaImages(images, present, needed).map((one) => one.label);

  it('is the one that is needed, else the nearest', () => {
    expect(names('17')).toEqual(['Java 17', 'Java 21', 'Java 8']);
    expect(names('16')).toEqual(['Java 17', 'Java 21', 'Java 8']);
    expect(names('9', images[3]?.reference)).toEqual(['Java 11', 'Java 17', 'Java 8']);
    expect(names('')).toEqual(['Java 21', 'Java 17', 'Java 8']);
    expect(javaImages([{ label: 'Game', reference: 'example.com/game:1' }], '', '17')).toEqual([]);
    // The same version by another name is no help.
    expect(javaImages([{ label: 'x', reference: 'eclipse-temurin:17-jre' }], 'openjdk:17', '21')).toEqual([]);
  });
});

it('knows the variable of a token for Steam', () => {
  const of = (...names: string[]) => gslVariable(names.map((env_variable) => ({ env_variable })))?.env_variable ?? null;
  expect([of('MAP', 'STEAM_ACC'), of('SRCDS_GSLT'), of('STEAM_GSLT'), of('MAP', 'STEAM_USER')]).toEqual(['STEAM_ACC', 'SRCDS_GSLT', 'STEAM_GSLT', null]);
});
