import { expect, test } from 'vitest';
import { sftpAddress } from './address';

test('an address is one that clients take', () => {
  expect(sftpAddress('panel.home', { username: 'ann.k3j4', port: 2022 })).toBe('sftp://ann.k3j4@panel.home:2022');
  expect(sftpAddress('[fd00::1]', { username: 'a_b.c-d', port: 22 })).toBe('sftp://a_b.c-d@[fd00::1]:22');
});
