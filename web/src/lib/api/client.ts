/** Sends a typed call of the HTTP API: the types are openapi-fetch's, and what is sent is this, which is a tenth of its size. */
import type { Client } from 'openapi-fetch';
import type { paths } from '../paths';

export interface Asked {
  method: string;
  address: string;
  /** As the API's description has it: with placeholders, without a query. */
  path: string;
  headers: Record<string, string>;
  body?: BodyInit;
  signal?: AbortSignal;
}

interface Options {
  params?: { path?: Record<string, string | number>; query?: Record<string, unknown> };
  body?: unknown;
  bodySerializer?: (body: unknown) => BodyInit;
  headers?: Record<string, string>;
  parseAs?: 'json' | 'text' | 'blob';
  signal?: AbortSignal;
}

interface Answer {
  data?: unknown;
  error?: unknown;
  response: Response;
}

/** The placeholders filled in, and what is asked for behind it. */
export function addressOf(path: string, { path: places = {}, query = {} }: NonNullable<Options['params']> = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const place = places[name];
    if (place === undefined) throw new Error(`${path} lacks its ${name}`);
    return encodeURIComponent(place);
  });
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== null) asked.append(name, String(value));
  return asked.size > 0 ? `${filled}?${asked}` : filled;
}

const read = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    // A proxy's page, or nothing.
    return text;
  }
};

/** A function for each method that the API knows. */
export function createClient(send: (asked: Asked) => Promise<Response>) {
  const sender =
    (method: string) =>
    async (path: string, { params, body, bodySerializer = JSON.stringify, headers, parseAs = 'json', signal }: Options = {}): Promise<Answer> => {
      const response = await send({
        method,
        address: addressOf(path, params),
        path,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : bodySerializer(body),
        signal
      });
      if (!response.ok) return { error: read(await response.text()), response };
      if (parseAs === 'blob') return { data: await response.blob(), response };
      const text = await response.text();
      if (parseAs === 'text') return { data: text, response };
      return { data: text === '' ? undefined : (JSON.parse(text) as unknown), response };
    };
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
  return Object.fromEntries(methods.map((method) => [method, sender(method)])) as unknown as Pick<Client<paths>, (typeof methods)[number]>;
}
