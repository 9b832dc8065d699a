/** How friends get in: addresses, the router's numbers, and the public page of a server. */
import { AxeBuilder } from '@axe-core/playwright';
import { HOSTILE, NARROW, another, clean, expect, test, watch } from './parts/test.ts';
import { freePort } from './parts/panel.ts';

test('a server is shared, seen and started by a friend, and revoked', async ({ admin: page, panel, browser }) => {
  const { id } = await panel.server(`World ${HOSTILE}`, 'game', { ports: [{ internal: 25565, external: await freePort(), protocol: 'tcp' }] });
  await page.goto(`${panel.url}/servers/${id}/friends`);
  await expect(page.getByText('Not shared.')).toBeVisible();
  await expect(page.getByText('Not known yet. Set it below.')).toBeVisible();

  const address = page.getByLabel('Public address of this machine');
  await address.fill('http://nonsense:1');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Use a name such as play.example.org or an IP address, without a port.')).toBeVisible();
  await address.fill('2001:db8::7');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Public address saved')).toBeVisible();
  await expect(page.getByText(/^\[2001:db8::7\]:\d+$/)).toBeVisible();
  await expect(page.getByRole('img', { name: 'QR code: From the internet' })).toBeVisible();
  await expect(page.getByRole('row').filter({ hasText: 'TCP' })).toBeVisible();

  const router = page.getByLabel('Let the router forward these ports by itself');
  await expect(router).not.toBeChecked();
  await router.check();
  await expect(page.getByText('The router is asked as long as the server runs')).toBeVisible();
  await page.reload();
  await expect(router).toBeChecked();
  await router.uncheck();
  await expect(page.getByText('The router is not asked any more')).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: 'Reached from outside' })).toContainText('Unknown');

  await page.getByLabel('Friends may start this server').check();
  await page.getByLabel('Note for friends').fill(`Version 1.21\n${HOSTILE}`);
  await page.getByRole('button', { name: 'Share', exact: true }).click();
  await expect(page.getByText('Public page saved')).toBeVisible();
  const link = await page.getByText(/\/s\/[a-z2-9]{26}$/).innerText();
  for (const size of [page.viewportSize()!, NARROW]) {
    await page.setViewportSize(size);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(size.width);
  }

  // Without any account.
  for (const [viewport, colorScheme] of [[{ width: 1440, height: 900 }, 'light'], [NARROW, 'dark']] as const) {
    const context = await browser.newContext({ viewport, colorScheme, locale: 'en-GB' });
    const friend = watch(await context.newPage());
    await friend.goto(link);
    await expect(friend.getByRole('heading', { level: 1, name: `World ${HOSTILE}` })).toBeVisible();
    await expect(friend.getByText(/^\[2001:db8::7\]:\d+$/)).toBeVisible();
    await expect(friend.getByText('Version 1.21')).toBeVisible();
    await expect(friend.getByRole('navigation')).toHaveCount(0);
    expect(await friend.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
    if (colorScheme === 'light') {
      await friend.getByRole('button', { name: 'Start server' }).click();
      await expect(friend.getByText('The server is starting.', { exact: false })).toBeVisible();
    }
    await expect(friend.locator('.state[data-state=running]')).toBeVisible({ timeout: 30_000 });
    await expect(friend.getByRole('button', { name: 'Start server' })).toHaveCount(0);
    expect((await new AxeBuilder({ page: friend }).analyze()).violations.map((found) => found.id)).toEqual([]);
    await clean(friend);
    await context.close();
  }

  await page.getByRole('button', { name: 'Revoke link' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke link' }).click();
  await expect(page.getByText('Not shared.')).toBeVisible();
  const late = await another(browser, panel);
  await late.goto(link);
  await expect(late.getByRole('heading', { name: 'This link is not valid' })).toBeVisible();
  await clean(late);
});

test('a link that is none says so, in German too', async ({ browser, panel }) => {
  const context = await browser.newContext({ locale: 'de-DE' });
  const page = watch(await context.newPage());
  await page.goto(`${panel.url}/s/abcdefghjkmnpqrstuvwxyz234`);
  await expect(page.getByRole('heading', { name: 'Dieser Link ist nicht gültig' })).toBeVisible();
  await clean(page);
  await context.close();
});
