/** Another machine, as far as the panel can tell: the real agent in a process and a folder of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BINARY } from './panel.ts';

export class Agent {
  readonly folder = mkdtempSync(join(tmpdir(), 'cap-e2e-agent-'));
  readonly #settings: Record<string, string>;
  #child: ChildProcess | null = null;
  /** Containers that may be left when the panel has forgotten them. */
  readonly servers = new Set<string>();

  constructor(panel: string, node: string, secret: string) {
    this.#settings = { PANEL_URL: panel, NODE_ID: node, AGENT_SECRET: secret };
  }

  /** As the line would make it, without installing anything. */
  static of(line: string): Agent {
    const word = (flag: string) => {
      const found = new RegExp(`--${flag} (\\S+)`).exec(line)?.[1];
      if (!found) throw new Error(`no --${flag} in: ${line}`);
      return found.replace(/^'|'$/g, '');
    };
    // The panel of the tests listens on loopback only, whatever the line calls it.
    const port = new URL(word('agents').replace(/^ws/, 'http')).port;
    return new Agent(`ws://127.0.0.1:${port}`, word('node'), word('secret'));
  }

  start(): this {
    this.#child = spawn(BINARY, ['agent'], {
      env: {
        PATH: process.env.PATH,
        ...(process.env.DOCKER_HOST ? { DOCKER_HOST: process.env.DOCKER_HOST } : {}),
        ...this.#settings,
        DATA_DIR: this.folder,
        HEALTH_PORT: 'off'
      },
      stdio: 'ignore'
    });
    return this;
  }

  /** As a power cut would. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async close() {
    await this.kill();
    for (const id of this.servers) execFileSync('docker', ['rm', '-f', `ctrl-alt-play-${id}`], { stdio: 'ignore' });
    rmSync(this.folder, { recursive: true, force: true });
  }
}
