/** What makes the page quick: little to load, something to see at once, HTTP/2 by TLS. The figures are the bench's. */
import { ADMIN } from './parts/panel.ts';
import { expect, test } from './parts/test.ts';

test('the frame is there before the scripts, and few files make the list', async ({ admin: page, panel }) => {
  const files: string[] = [];
  page.on('request', (request) => files.push(new URL(request.url()).pathname));
  let go = () => {};
  const held = new Promise<void>((resolve) => (go = resolve));
  await page.route('**/_app/**', async (route) => {
    await held;
    await route.fallback();
  });
  await page.goto(`${panel.url}/servers`, { waitUntil: 'commit' });
  await expect(page.locator('#frame .side')).toBeVisible();
  await expect(page.locator('main')).toHaveCount(0);
  go();
  await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
  await expect(page.locator('#frame')).toHaveCount(0);
  const scripts = files.filter((path) => path.endsWith('.js'));
  expect(scripts.length, scripts.join('\n')).toBeLessThanOrEqual(12);
  // Asked once, by the shell, though the page asks too.
  expect(files.filter((path) => path === '/api/me')).toHaveLength(1);
  expect(files.filter((path) => path === '/api/servers')).toHaveLength(1);
});

test('somebody who is not signed in sees no frame of a page that is not for him', async ({ page, panel }) => {
  await page.goto(`${panel.url}/servers`, { waitUntil: 'commit' });
  await expect(page.locator('#frame')).toBeHidden();
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
});

test('the small lines of all servers are one call', async ({ admin: page, panel }) => {
  test.slow();
  const servers = [await panel.server('Line 1', 'game'), await panel.server('Line 2', 'game')];
  for (const { id } of servers) await panel.power(id, 'start', 'running');
  const calls: string[] = [];
  page.on('request', (request) => calls.push(new URL(request.url()).pathname));
  await page.goto(`${panel.url}/servers`);
  await expect.poll(() => calls.filter((path) => path === '/api/servers/trends').length).toBe(1);
  await expect(page.getByRole('heading', { name: 'Line 2' })).toBeVisible();
  expect(calls.filter((path) => path.endsWith('/stats'))).toEqual([]);
  for (const { id } of servers) await panel.power(id, 'kill', 'stopped');
});

test.describe('by TLS', () => {
  test.use({ ignoreHTTPSErrors: true });

  test('the page comes by HTTP/2, and its WebSocket all the same', async ({ page, panel }) => {
    const url = panel.url.replace('http:', 'https:');
    await page.goto(`${url}/sign-in`);
    expect(await page.evaluate(() => (performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming).nextHopProtocol)).toBe('h2');
    await page.getByLabel('User name').fill(ADMIN.username);
    await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    const socket = page.waitForEvent('websocket');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
    expect((await socket).url()).toMatch(/^wss:/);
    // What happens now is seen, and so the socket works.
    await panel.server('Seen by the socket', 'game');
    await expect(page.getByRole('heading', { name: 'Seen by the socket' })).toBeVisible();
    await expect(page.getByText('Live updates are blocked.')).toHaveCount(0);
  });
});
