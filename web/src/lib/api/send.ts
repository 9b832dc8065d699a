/** A call with a large body: `fetch` does not say how far it is. */
import { refusal } from '../api';
import * as keys from '../account/keys';
import { ApiError } from '../errors';
import { t } from '../i18n/i18n.svelte';

interface Sent {
  body?: Blob | null;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Bytes that have gone out. */
  progress?: (sent: number) => void;
}

/** Gives the status and the headers of the answer. */
export function send(method: string, address: string, { body = null, headers = {}, signal, progress }: Sent): Promise<{ status: number; header: (name: string) => string | null }> {
  const key = keys.sessionKey() ?? '';
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    for (const [name, value] of Object.entries({ ...(key ? { 'X-Session-Key': key } : {}), ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress?.(event.loaded);
    request.onload = () => {
      const header = (name: string) => request.getResponseHeader(name);
      if (request.status >= 200 && request.status < 300) return resolve({ status: request.status, header });
      let said: unknown;
      try {
        said = JSON.parse(request.responseText);
      } catch {
        // A proxy's page, or nothing.
      }
      reject(refusal(said, request.status, header('retry-after'), key));
    };
    request.onerror = () => reject(new ApiError('network', t.errors.network));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort());
    if (signal?.aborted) return request.onabort(new ProgressEvent('abort'));
    request.send(body);
  });
}
