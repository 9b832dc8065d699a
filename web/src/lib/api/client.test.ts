import { describe, expect, it } from 'vitest';
import { addressOf, createClient, type Asked } from './client';

describe('a call', () => {
  const sent: Asked[] = [];
  const client = (answer: Response) => createClient((asked) => (sent.push(asked), Promise.resolve(answer)));

  it('has its placeholders filled in, and its query behind it', () => {
    expect(addressOf('/api/servers/{id}/users/{user}', { path: { id: 'a/b', user: 'é' } })).toBe('/api/servers/a%2Fb/users/%C3%A9');
    expect(addressOf('/api/x', { query: { tail: 5, query: 'a b&c', absent: undefined } })).toBe('/api/x?tail=5&query=a+b%26c');
    expect(() => addressOf('/api/servers/{id}', {})).toThrow('lacks its id');
  });

  it('sends JSON, or what it is told to, and no type where there is no body', async () => {
    sent.length = 0;
    await client(new Response(null, { status: 204 })).POST('/api/servers/{id}/power', { params: { path: { id: 'x' } }, body: { action: 'start' } });
    expect(sent[0]).toMatchObject({ method: 'POST', address: '/api/servers/x/power', headers: { 'Content-Type': 'application/json' }, body: '{"action":"start"}' });
    await client(new Response(null, { status: 204 })).POST('/api/templates', { body: 'name: x' as never, bodySerializer: (body: unknown) => body as string, headers: { 'Content-Type': 'application/yaml' } });
    expect(sent[1]).toMatchObject({ headers: { 'Content-Type': 'application/yaml' }, body: 'name: x' });
    await client(new Response('[]')).GET('/api/servers');
    expect(sent[2]).toMatchObject({ headers: {}, body: undefined });
  });

  it('gives what was answered, or the error, also where that is no JSON', async () => {
    expect((await client(new Response('[1]')).GET('/api/servers')).data).toEqual([1]);
    expect((await client(new Response(null, { status: 204 })).DELETE('/api/session')).data).toBeUndefined();
    expect((await client(new Response('{"error":{"code":"busy"}}', { status: 503 })).GET('/api/me')).error).toEqual({ error: { code: 'busy' } });
    expect((await client(new Response('<h1>', { status: 502 })).GET('/api/me')).error).toBe('<h1>');
    expect((await client(new Response('log', {})).GET('/api/servers/{id}/install-log', { params: { path: { id: 'x' } }, parseAs: 'text' })).data).toBe('log');
  });
});
