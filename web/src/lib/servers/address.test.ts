import { describe, expect, it } from 'vitest';
import { isLoopback, lanAddress, serverAddress } from './address';
import type { Port } from '../types';

const ports: Port[] = [
  { internal: 25565, external: 25570, protocol: 'tcp' },
  { internal: 19132, external: 19132, protocol: 'udp' }
];
const networks = { lo: '127.0.0.1', docker0: '172.17.0.1', 'br-12ab': '172.18.0.1', wlan0: '192.168.1.20/24' };

describe('isLoopback', () => {
  it.each(['localhost', 'LOCALHOST', 'panel.localhost', '127.0.0.1', '127.9.8.7', '::1', '[::1]'])('%s is', (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  it.each(['attic.local', '192.168.1.2', '128.0.0.1', 'localhost.example', '127.example'])('%s is not', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe('lanAddress', () => {
  it('leaves out loopback, bridges of engines and link-local ones', () => {
    expect(lanAddress(networks)).toBe('192.168.1.20');
    expect(lanAddress({ docker0: '172.17.0.1', lo: '127.0.0.1', eth0: '169.254.3.4' })).toBeNull();
    expect(lanAddress(null)).toBeNull();
  });
  it('likes home networks best, then other IPv4, then IPv6', () => {
    expect(lanAddress({ a: '2001:db8::5', b: '203.0.113.9', c: '10.0.0.3', d: '192.168.0.9' })).toBe('192.168.0.9');
    expect(lanAddress({ a: '2001:db8::5', b: '203.0.113.9' })).toBe('203.0.113.9');
  });
});

describe('serverAddress', () => {
  it('is the name by which the browser reaches the panel, with the first port', () => {
    expect(serverAddress('attic.local', ports, { local: true, networks })).toMatchObject({ text: 'attic.local:25570', onlyHere: false });
  });
  it('is the address in the home network when the browser sits on the machine itself', () => {
    expect(serverAddress('localhost', ports, { local: true, networks })).toMatchObject({ text: '192.168.1.20:25570', onlyHere: false });
  });
  it('says so when no such address is known', () => {
    expect(serverAddress('localhost', ports, { local: true, networks: {} })).toMatchObject({ text: 'localhost:25570', onlyHere: true });
  });
  it('is the other machine’s own on another node', () => {
    expect(serverAddress('attic.local', ports, { local: false, networks: { eth0: '192.168.1.77' } })?.text).toBe('192.168.1.77:25570');
  });
  it('puts IPv6 in brackets', () => {
    expect(serverAddress('[2001:db8::5]', ports, { local: true })?.text).toBe('[2001:db8::5]:25570');
  });
  it('is none without a port', () => {
    expect(serverAddress('attic.local', [], { local: true })).toBeNull();
  });
});
