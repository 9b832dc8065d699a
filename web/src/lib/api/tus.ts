/** Uploads in pieces that go on after a break: tus 1.0. */
import { send } from './send';
import { ApiError } from '../errors';
import { filesBase } from './files';

/** Proxies often refuse bodies above 100 MB. */
export const PIECE = 64 * 1024 * 1024;
const VERSION = { 'Tus-Resumable': '1.0.0' };

/** As tus writes what is told of a file: names, and values in base64. */
const metadata = (values: Record<string, string>) => Object.entries(values).map(([name, value]) => [name, base64(value)].join(' ')).join(',');
const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** Announces a file; gives the address of its upload. */
export async function create(server: string, path: string, size: number, replace: boolean, signal: AbortSignal): Promise<string> {
  const answer = await send('POST', `${filesBase(server)}/uploads`, {
    headers: { ...VERSION, 'Upload-Length': String(size), 'Upload-Metadata': metadata({ path, replace: String(replace) }) },
    signal
  });
  const location = answer.header('location');
  if (!location) throw new ApiError('unexpected', 'Location');
  // A proxy may have made it an address of another host: only where it leads on the panel counts.
  return new URL(location, window.location.href).pathname;
}

/** How much of it has arrived. */
export async function offset(url: string, signal: AbortSignal): Promise<number> {
  const answer = await send('HEAD', url, { headers: VERSION, signal });
  return Number(answer.header('upload-offset') ?? 0);
}

/** The piece that begins at `from`; gives where the next one begins. */
export async function piece(url: string, file: Blob, from: number, signal: AbortSignal, progress: (sent: number) => void): Promise<number> {
  const end = Math.min(file.size, from + PIECE);
  const answer = await send('PATCH', url, {
    body: file.slice(from, end),
    headers: { ...VERSION, 'Upload-Offset': String(from), 'Content-Type': 'application/offset+octet-stream' },
    signal,
    progress: (sent) => progress(from + sent)
  });
  return Number(answer.header('upload-offset') ?? end);
}

export async function remove(url: string) {
  await send('DELETE', url, { headers: VERSION });
}
