/** The program under test: started by the tests, with a folder of its own, on ports that nobody else has. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BINARY =
  process.env.PANEL_BINARY ?? fileURLToPath(new URL('../../../target/debug/ctrl-alt-play', import.meta.url));
export const ADMIN = { username: 'admin', password: 'correct horse battery' };

export interface Server {
  id: string;
  name: string;
  status: string;
  exitCode?: number;
  ports: { internal: number; external: number; protocol: string }[];
}

/** Waits until `look` gives something, and says for how long it did not. */
export async function until<T>(what: string, look: () => T | Promise<T>, seconds = 20): Promise<NonNullable<T>> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export class Panel {
  readonly folder: string;
  readonly #own: boolean;
  #child: ChildProcess | null = null;
  #log = '';
  #port = 0;
  #token = '';
  #made = new Set<string>();

  private constructor(folder?: string) {
    this.#own = folder === undefined;
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'cap-e2e-'));
  }

  /** Started, and nobody's yet. */
  static async fresh(folder?: string): Promise<Panel> {
    const panel = new Panel(folder);
    await panel.start();
    await until('the setup link is printed', () => /\/setup#token=\S+\s/.test(panel.#log));
    return panel;
  }

  /** Started, with the account `ADMIN`. */
  static async claimed(folder?: string): Promise<Panel> {
    const panel = await Panel.fresh(folder);
    await panel.claim();
    return panel;
  }

  /** Makes the account `ADMIN`. */
  async claim() {
    const setupToken = this.setupLink.split('token=')[1];
    const { token } = await this.call<{ token: string }>('POST', '/api/setup', { ...ADMIN, setupToken });
    this.#token = token;
  }

  get url() {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** As it is printed. */
  get setupLink(): string {
    const link = /http:\/\/\S+\/setup#token=\S+/.exec(this.#log)?.[0];
    if (!link) throw new Error(`no setup link was printed:\n${this.#log}`);
    return link;
  }

  /** Again on the same port once it had one. */
  async start() {
    const child = spawn(BINARY, ['serve'], {
      env: {
        PATH: process.env.PATH,
        ...(process.env.DOCKER_HOST ? { DOCKER_HOST: process.env.DOCKER_HOST } : {}),
        DATA_DIR: this.folder,
        BIND: '127.0.0.1',
        MDNS: 'off',
        // The tests publish sources of templates on loopback.
        FETCH_ALLOW: '127.0.0.1',
        PORT: String(this.#port),
        WEBSOCKET_PORT: '0',
        HEALTH_PORT: 'off',
        SFTP_PORT: '0'
      },
      stdio: ['ignore', 'pipe', 'pipe']
    });
    this.#child = child;
    this.#log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
    const port = await until('the panel listens', () => {
      if (child.exitCode !== null) throw new Error(`the panel ended with ${child.exitCode}:\n${this.#log}`);
      return /Listening on http:\/\/[^\s/]+:(\d+)/.exec(this.#log)?.[1];
    });
    this.#port = Number(port);
    await until('the panel answers', () =>
      fetch(`${this.url}/health`).then(
        (answer) => answer.ok,
        () => false
      )
    );
  }

  /** As a power cut would. */
  async kill(signal: NodeJS.Signals = 'SIGKILL') {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Signs in by itself where the account was made in the browser. */
  async call<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    if (this.#token === '' && path !== '/api/setup' && path !== '/api/session') {
      this.#token = (await this.call<{ token: string }>('POST', '/api/session', ADMIN)).token;
    }
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.#token === '' ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      body: body === undefined ? undefined : JSON.stringify(body)
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** What is no JSON. */
  async text(path: string): Promise<string> {
    const answer = await fetch(this.url + path, { headers: { authorization: `Bearer ${this.#token}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.text();
  }

  /** Asked without signing in, which would end it. */
  async needsSetup(): Promise<boolean> {
    return ((await (await fetch(`${this.url}/api/setup`)).json()) as { needed: boolean }).needed;
  }

  /** A server that can be started: `startup` is one of the scripts of `cap-test/busybox`. */
  async server(name: string, startup: string, more: Record<string, unknown> = {}): Promise<Server> {
    const made = await this.call<Server>('POST', '/api/servers', {
      name,
      image: 'cap-test/busybox',
      startup,
      limits: { memory: 64 * 1024 * 1024 },
      ...more
    });
    this.#made.add(made.id);
    return this.state(made.id, 'stopped');
  }

  async power(id: string, action: string, then: string) {
    await this.call('POST', `/api/servers/${id}/power`, { action });
    return this.state(id, then);
  }

  state(id: string, status: string): Promise<Server> {
    return until(`server ${id} is ${status}`, async () => {
      const server = await this.call<Server>('GET', `/api/servers/${id}`);
      return server.status === status ? server : null;
    });
  }

  async #servers(): Promise<Server[]> {
    return this.call<Server[]>('GET', '/api/servers');
  }

  /** Nothing of it is left: neither containers nor files. */
  async close() {
    for (const { id } of await this.#servers().catch(() => [])) {
      this.#made.add(id);
      await this.call('DELETE', `/api/servers/${id}`).catch(() => {});
    }
    await this.kill('SIGTERM');
    for (const id of this.#made) {
      execFileSync('docker', ['rm', '-f', `ctrl-alt-play-${id}`], { stdio: 'ignore' });
    }
    if (this.#own) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ports that nobody has at the moment. */
export async function freePort(protocol: 'tcp' | 'udp' = 'tcp'): Promise<number> {
  if (protocol === 'udp') {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, resolve));
    const { port } = socket.address();
    await new Promise<void>((resolve) => socket.close(resolve));
    return port;
  }
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, resolve));
  const address = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** One question to a game of Quake's family; empty where nothing answers within half a second. */
export async function quake(port: number, question: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    return await new Promise<string>((resolve) => {
      const timer = setTimeout(() => resolve(''), 500);
      socket.once('message', (answer) => {
        clearTimeout(timer);
        resolve(answer.toString('latin1'));
      });
      socket.once('error', () => resolve(''));
      socket.send(Buffer.concat([Buffer.from([255, 255, 255, 255]), Buffer.from(question)]), port, '127.0.0.1');
    });
  } finally {
    socket.close();
  }
}
