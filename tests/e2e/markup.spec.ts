/** Names come from people: shown as they are on every page, never run. */
import { consoleOf, expect, HOSTILE, is, test } from './parts/test.ts';

const NAMES = [HOSTILE, '"><script>window.__p=1</script>', "<svg/onload='window.__p=1'>", 'javascript:window.__p=1'];

test('names, reasons and lines are text on every page', async ({ admin: page, panel }) => {
  const servers = [];
  for (const name of NAMES) servers.push(await panel.server(name, `flood '${HOSTILE.replaceAll('"', '')}'`));
  const failed = await panel.call<{ id: string }>('POST', '/api/servers', {
    name: `failed ${HOSTILE}`,
    image: '127.0.0.1:9/absent',
    environment: { GREETING: HOSTILE }
  });
  await panel.state(failed.id, 'install_failed');
  // Accounts have plain names; their browsers call themselves what they like.
  await panel.call('POST', '/api/users', { username: 'plain.name', password: 'quite long enough', role: 'user' });
  const signedIn = await fetch(`${panel.url}/api/session`, {
    method: 'POST',
    body: JSON.stringify({ username: 'admin', password: 'correct horse battery' }),
    headers: { 'content-type': 'application/json', 'user-agent': HOSTILE }
  });
  expect(signedIn.status).toBe(200);

  const [first] = servers;
  const paths = [
    '/servers',
    `/servers/${first?.id}`,
    `/servers/${first?.id}/startup`,
    `/servers/${first?.id}/users`,
    `/servers/${first?.id}/settings`,
    `/servers/${failed.id}`,
    `/servers/${failed.id}/startup`,
    '/servers/new',
    '/nodes',
    '/users',
    '/account',
    `/servers/${encodeURIComponent('<b>nobody')}`,
    `/sign-in?next=${encodeURIComponent('javascript:window.__p=1')}`
  ];
  for (const path of paths) {
    await page.goto(panel.url + path);
    await expect(page.locator('main').getByRole('heading', { level: 1 }).or(page.getByText('Could not show this server')).first()).toBeVisible();
    await expect(page.locator('.skeleton')).toHaveCount(0);
    expect(await page.evaluate(() => (window as { __p?: number }).__p), path).toBeUndefined();
    await expect(page.locator('img[src="x"], [onerror], [onload]')).toHaveCount(0);
  }
  await page.goto(`${panel.url}/servers`);
  for (const name of NAMES) await expect(page.getByRole('link', { name, exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'List', exact: true }).click();
  for (const name of NAMES) await expect(page.getByRole('main').getByText(name, { exact: true }).first()).toBeVisible();

  await page.keyboard.press('Control+k');
  await page.keyboard.type('<img');
  await expect(page.getByRole('dialog')).toContainText(HOSTILE);
  await page.keyboard.press('Escape');

  await page.goto(`${panel.url}/servers/${first?.id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await is(page, 'running');
  await expect(consoleOf(page)).toContainText('<img src=x onerror=window.__p=1>');
  await expect(page).toHaveTitle(`${HOSTILE} · Ctrl-Alt-Play`);
  await panel.call('POST', `/api/servers/${first?.id}/power`, { action: 'kill' });

  // The form that asks for the name to delete it shows and compares it as text too.
  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Delete …' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill(HOSTILE);
  await page.getByRole('button', { name: 'Delete permanently' }).click();
  await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
  await expect(page.getByText(`${HOSTILE} deleted`)).toBeVisible();
});
