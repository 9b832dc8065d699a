/** Nothing needs a reload: what others do shows, and what breaks heals. */
import { execFileSync } from 'node:child_process';
import { createServer, request, type Server as Proxy } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { ADMIN, Panel } from './parts/panel.ts';
import { another, badge, clean, consoleOf, expect, is, say, signIn, test } from './parts/test.ts';

test('what is done on one page shows on the other', async ({ admin: page, panel, browser }) => {
  const { id } = await panel.server('Seen twice', 'game');
  const other = await another(browser, panel);
  await other.goto(`${panel.url}/servers`);
  await page.goto(`${panel.url}/servers/${id}`);
  const card = other.locator('article.server', { hasText: 'Seen twice' });
  await expect(card.locator('.state')).toHaveText('Stopped');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(card.locator('.state')).toHaveText('Running');
  await expect(card.locator('dd').first()).toContainText('%');
  await card.getByRole('link').click();
  await expect(consoleOf(other)).toContainText('Ready');
  await say(page, 'hello, other page');
  await expect(consoleOf(other)).toContainText('You said: hello, other page');

  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Settings' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Seen by both');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByRole('heading', { name: 'Seen by both' })).toBeVisible();
  await other.getByRole('button', { name: 'Stop', exact: true }).click();
  await is(page, 'stopped');
  await panel.call('DELETE', `/api/servers/${id}`);
  await expect(other.getByText('Could not show this server')).toBeVisible();
  await clean(other);
  await other.context().close();
});

test('a panel that dies is missed, and found again', async ({ page }) => {
  const panel = await Panel.claimed();
  try {
    await signIn(page.context(), panel);
    const { id } = await panel.server('Survivor', 'game');
    await panel.power(id, 'start', 'running');
    await page.goto(`${panel.url}/servers/${id}`);
    await is(page, 'running');
    await panel.kill();
    await expect(page.getByText('Connection lost.')).toBeVisible();
    await panel.start();
    await expect(page.getByText('Connection lost.')).toHaveCount(0, { timeout: 30_000 });
    // The game never noticed, and both ends talk again.
    await is(page, 'running');
    await say(page, 'still there?');
    await expect(consoleOf(page)).toContainText('You said: still there?');
    await panel.power(id, 'stop', 'stopped');
    await is(page, 'stopped');
  } finally {
    await panel.close();
  }
});

/** A reverse proxy that carries requests and knows no WebSockets, as many do until somebody allows them. */
async function proxyWithoutSockets(to: string): Promise<Proxy> {
  const { hostname, port } = new URL(to);
  const proxy = createServer((asked, answer) => {
    const { upgrade: _, connection: __, ...headers } = asked.headers;
    const onward = request({ hostname, port, method: asked.method, path: asked.url, headers }, (came) => {
      answer.writeHead(came.statusCode ?? 502, came.headers);
      came.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  });
  proxy.on('upgrade', (_asked, socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'));
  await new Promise<void>((done) => proxy.listen(0, '127.0.0.1', done));
  return proxy;
}

test('behind a proxy that does not pass WebSockets the page asks instead, and says so', async ({ page }) => {
  const panel = await Panel.claimed();
  const proxy = await proxyWithoutSockets(panel.url);
  try {
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const { id } = await panel.server('Behind a proxy', 'game');
    await signIn(page.context(), panel, ADMIN, url);
    await page.goto(`${url}/servers/${id}`);
    await expect(page.getByText('does not pass WebSockets')).toBeVisible({ timeout: 20_000 });
    await expect(page.getByText('Connection lost.')).toHaveCount(0);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await is(page, 'running');
    await expect(consoleOf(page)).toContainText('Ready');
    await say(page, 'by the long way');
    await expect(consoleOf(page)).toContainText('You said: by the long way');
    // Lines that come with each answer again are shown once.
    await expect(consoleOf(page).getByText('You said: by the long way')).toHaveCount(1);
    await panel.kill();
    await expect(page.getByText('Connection lost.')).toBeVisible({ timeout: 20_000 });
    await panel.start();
    await expect(page.getByText('does not pass WebSockets')).toBeVisible({ timeout: 40_000 });
    await panel.power(id, 'stop', 'stopped');
    await is(page, 'stopped');
  } finally {
    proxy.closeAllConnections();
    proxy.close();
    await panel.close();
  }
});

test('a full disk is said on every page, and the words go when there is room', async ({ page }) => {
  test.skip(process.getuid?.() !== 0, 'mounting a small disk needs root');
  const disk = mkdtempSync(join(tmpdir(), 'cap-e2e-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0777', 'cap-e2e', disk]);
  const folder = join(disk, 'data');
  mkdirSync(folder);
  let panel: Panel | undefined;
  try {
    panel = await Panel.claimed(folder);
    await signIn(page.context(), panel);
    await page.goto(`${panel.url}/users`);
    await expect(page.getByRole('heading', { name: 'Users' })).toBeVisible();
    const ballast = join(disk, 'ballast');
    const fill = () => {
      for (const size of [1 << 20, 1 << 16, 1 << 12, 1]) {
        try {
          for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
        } catch {
          // That much does not fit any more.
        }
      }
    };
    // The panel's file may have room inside for a while.
    let refused = 0;
    for (let at = 0; at < 400 && refused === 0; at += 1) {
      fill();
      const body = { username: `user${at}`, password: ADMIN.password, role: 'user' };
      await panel.call('POST', '/api/users', body).catch((error: Error) => {
        expect(error.message).toContain('507');
        refused += 1;
      });
    }
    expect(refused).toBe(1);
    const banner = page.locator('.banner.bad');
    await expect(banner).toBeVisible();
    await page.getByRole('link', { name: 'Account' }).click();
    await expect(banner).toContainText(/full|space|save/i);
    rmSync(ballast);
    await expect(banner).toHaveCount(0, { timeout: 20_000 });
  } finally {
    await panel?.close();
    execFileSync('umount', ['-l', disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});

test('a crash says its exit code, and when it tries again', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Fragile', 'exit-with 7 1');
  await page.goto(`${panel.url}/servers/${id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByText('Crashed with exit code 7')).toBeVisible();
  await expect(badge(page)).toHaveAttribute('data-state', /crashed|starting|running/);
});
