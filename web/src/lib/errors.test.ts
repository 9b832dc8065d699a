import { describe, expect, it } from 'vitest';
import { ApiError, asError, errorFrom } from './errors';

describe('errorFrom', () => {
  it('reads the panel’s own answers', () => {
    const error = errorFrom({ error: { code: 'invalid', message: 'No.', fields: { name: 'too long' } } }, 422);
    expect(error).toMatchObject({ code: 'invalid', message: 'No.', status: 422, fields: { name: 'too long' } });
    expect(error.hint).not.toBe('');
  });
  it('takes what a proxy in between answers', () => {
    expect(errorFrom('<html>', 502).code).toBe('unexpected');
    expect(errorFrom(undefined, 502).message).toContain('502');
    expect(errorFrom({ error: 'x' }, 500).code).toBe('unexpected');
    expect(errorFrom(null, 429, '7').hint).toBe('Wait 7 seconds, then try again.');
  });
  it('makes an error of anything thrown', () => {
    expect(asError('x').code).toBe('unexpected');
    const known = new ApiError('forbidden', 'No.');
    expect(asError(known)).toBe(known);
  });
});
