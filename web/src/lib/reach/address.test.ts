import { expect, it } from 'vitest';
import { hostPort } from './address';

it('puts IPv6 addresses into brackets, once', () => {
  expect(hostPort('play.example.org', 25565)).toBe('play.example.org:25565');
  expect(hostPort('2001:db8::1', 25565)).toBe('[2001:db8::1]:25565');
  expect(hostPort('[2001:db8::1]', 25565)).toBe('[2001:db8::1]:25565');
});
