import { describe, expect, it } from 'vitest';
import { passwordProblem, setupToken, usernameProblem } from './password';

describe('what is typed at setup', () => {
  it('counts bytes of passwords', () => {
    expect(passwordProblem('123456789')).not.toBeNull();
    expect(passwordProblem('1234567890')).toBeNull();
    expect(passwordProblem('éééééé')).toBeNull();
    expect(passwordProblem('x'.repeat(1025))).not.toBeNull();
  });
  it('knows user names', () => {
    expect(usernameProblem('mira.k-1_x')).toBeNull();
    for (const name of ['', 'a b', 'é', 'x'.repeat(33)]) expect(usernameProblem(name)).not.toBeNull();
  });
  it('finds the token in a link, a fragment or alone', () => {
    expect(setupToken('http://pi:3000/setup#token=abc123')).toBe('abc123');
    expect(setupToken('token=abc123')).toBe('abc123');
    expect(setupToken('  abc123 \n')).toBe('abc123');
    expect(setupToken('')).toBe('');
    expect(setupToken('#token=%E0%A4%A')).toBe('%E0%A4%A');
  });
});
