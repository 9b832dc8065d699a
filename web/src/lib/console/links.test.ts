import { describe, expect, it } from 'vitest';
import { split } from './links';

const found = (text: string) => split(text).flatMap((span) => (span.href ? [span.href] : []));

describe('links in a line', () => {
  it('keeps all of the text', () => {
    const text = 'see https://a.example/x?y=1, or (http://b.example/) now';
    expect(split(text).map((span) => span.text).join('')).toBe(text);
    expect(found(text)).toEqual(['https://a.example/x?y=1', 'http://b.example/']);
  });
  it('ends before what ends the sentence, not within brackets of its own', () => {
    expect(found('https://a.example/wiki/Server_(game).')).toEqual(['https://a.example/wiki/Server_(game)']);
    expect(found('[https://a.example/x]')).toEqual(['https://a.example/x']);
  });
  it('knows no other schemes', () => {
    expect(found('javascript://x file:///etc/passwd ftp://x data:text/html,x //x.example')).toEqual([]);
  });
  it('shows a name in foreign letters as it is asked for', () => {
    expect(found('https://аррӏе.example')).toEqual(['https://xn--80ak6aa92e.example/']);
  });
  it('survives what is no address', () => {
    expect(found('http:// https://[ http://:99999/')).toEqual([]);
  });
});
