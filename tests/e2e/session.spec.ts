/** What a browser has to have to be signed in, and what a game's page on another port of the same host gets of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { ADMIN, type Panel } from './parts/panel.ts';
import { callAs, clean, expect, keyOf, test, watch } from './parts/test.ts';

async function signInByForm(page: Page, panel: Panel) {
  await page.goto(`${panel.url}/sign-in`);
  await fillIn(page);
}

async function fillIn(page: Page) {
  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
}

test('a game’s page on the same host gets a cookie that opens nothing, and its own do no harm', async ({ page, panel }) => {
  const got: string[] = [];
  const game = createServer((request, response) => {
    got.push(request.headers.cookie ?? '');
    const foreign = Array.from({ length: 40 }, (_, at) => `session=${'x'.repeat(at)}; Path=/api${at % 2 ? '' : '/me'}`);
    response.setHeader('set-cookie', [...foreign, 'session=a.b; Path=/api/live', 'device=x.y.z; Path=/api']);
    response.setHeader('content-type', 'text/html');
    response.end('<h1>Map</h1>');
  });
  await new Promise<void>((resolve) => game.listen(0, '127.0.0.1', resolve));
  try {
    await signInByForm(page, panel);
    await page.goto(`http://127.0.0.1:${(game.address() as AddressInfo).port}/`);
    await expect(page.getByRole('heading', { name: 'Map' })).toBeVisible();
    expect(got[0]).toContain('session=');
    const cookies = (got[0] ?? '').split('; ').filter((pair) => pair.startsWith('session='));
    const value = (cookies[0] ?? '').slice('session='.length);
    const tries: Record<string, string>[] = [
      { cookie: cookies.join('; ') },
      { authorization: `Bearer ${value}` },
      { cookie: cookies.join('; '), 'x-session-key': value }
    ];
    for (const headers of tries) {
      expect((await fetch(`${panel.url}/api/me`, { headers })).status).toBe(401);
    }
    // The panel's page goes on, with all those cookies beside its own; also its socket.
    await page.goto(`${panel.url}/nodes`);
    await expect(page.getByText(/all well|needs attention/i).first()).toBeVisible();
    expect((await callAs(page, 'GET', '/api/me')).status).toBe(200);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await expect(page).toHaveURL(/\/sign-in/);
    await fillIn(page);
  } finally {
    game.close();
  }
});

test('two tabs are one sign-in', async ({ page, panel }) => {
  await signInByForm(page, panel);
  const other = watch(await page.context().newPage());
  await other.goto(`${panel.url}/servers`);
  await expect(other.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
  await other.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/sign-in.*ended=1/);
  await expect(page.getByText('Your session has ended')).toBeVisible();
  // What one signs in to, the other has too.
  await fillIn(page);
  await other.goto(`${panel.url}/account`);
  await expect(other.getByText('· this browser')).toBeVisible();
  await clean(other);
});

test('a browser whose storage was cleared signs in again, and is told why', async ({ page, panel }) => {
  await page.goto(`${panel.url}/servers`);
  await expect(page.getByText('no longer signed in')).toHaveCount(0);
  await signInByForm(page, panel);
  await page.evaluate(() => localStorage.clear());
  await page.goto(`${panel.url}/nodes`);
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fnodes/);
  await expect(page.getByText('This browser is no longer signed in. Sign in again.')).toBeVisible();
  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Nodes', exact: true })).toBeVisible();
  expect(await keyOf(page)).not.toBeNull();
});
