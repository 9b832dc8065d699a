/** From the link that the binary prints to a game that somebody can play, as somebody does who has never been here. */
import type { Page } from '@playwright/test';
import { ADMIN, freePort, Panel, quake, until, type Server } from './parts/panel.ts';
import { expect, is, NARROW, say, test } from './parts/test.ts';

async function evening(page: Page, panel: Panel) {
  await page.goto(panel.setupLink);
  await expect(page.getByText('Setup token taken from the link')).toBeVisible();
  expect(page.url()).not.toContain('token');
  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Create account' }).click();

  await expect(page.getByRole('heading', { name: 'Start your first world' })).toBeVisible();
  await page.getByRole('main').getByRole('link', { name: 'New server' }).click();
  await page.getByLabel('Find a game').fill('arena');
  await page.getByRole('button', { name: /^OpenArena/ }).click();
  await page.getByLabel('Name', { exact: true }).fill('Friday arena');
  const port = await freePort('udp');
  await page.getByLabel('Port 1, players connect to').fill(String(port));
  // The template's own game, from an image that was made on this machine, whose account has no home.
  await page.getByText('More settings').click();
  await page.getByLabel('Image', { exact: true }).fill('cap-test/openarena');
  await page.getByLabel('Startup command', { exact: true }).fill('HOME=/data openarena-server +set net_port 27960 +map oa_dm1');
  const plan = page.getByLabel('What will happen');
  await expect(plan).toContainText('cap-test/openarena');
  await expect(plan).toHaveAttribute('aria-busy', 'false');
  await page.getByRole('button', { name: 'Create server, start later' }).click();

  await expect(page.getByRole('heading', { name: 'Friday arena' })).toBeVisible();
  await is(page, 'stopped');
  await expect(page.getByText('No output yet. Start the server')).toBeVisible();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  // The state follows the game's own words, with no reload.
  await is(page, 'running');
  await expect(page.getByRole('log')).toContainText('arenas parsed');
  await expect(page.getByRole('main').getByText(`:${port}`).first()).toBeVisible();

  const info = await until('the game answers on its port', () => quake(port, 'getinfo xxx'));
  expect(info).toContain('infoResponse');
  expect(info).toContain('oa_dm1');
  expect(await quake(port, 'getstatus\n')).not.toContain('Sarge');
  await say(page, 'addbot Sarge 1');
  await until('Sarge plays', async () => (await quake(port, 'getstatus\n')).includes('Sarge'));
  await say(page, 'say hello from the panel');
  await expect(page.getByRole('log')).toContainText('hello from the panel');

  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await is(page, 'stopped');
  const [server] = await panel.call<Server[]>('GET', '/api/servers');
  expect(server).toMatchObject({ status: 'stopped', exitCode: 0 });
  expect(await quake(port, 'getinfo xxx')).toBe('');

  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Delete …' }).click();
  const dialog = page.getByRole('dialog');
  const remove = dialog.getByRole('button', { name: 'Delete permanently' });
  await dialog.getByRole('textbox').fill('Friday aren');
  await expect(remove).toBeDisabled();
  await dialog.getByRole('textbox').fill('Friday arena');
  await remove.click();
  await expect(page.getByRole('heading', { name: 'Start your first world' })).toBeVisible();
  expect(await panel.call('GET', '/api/servers')).toEqual([]);
}

for (const [name, viewport] of [
  ['wide', { width: 1440, height: 900 }],
  ['narrow', NARROW]
] as const) {
  test.describe(name, () => {
    test.use({ viewport, hasTouch: name === 'narrow' });
    test(`a first evening, ${name}`, async ({ page }) => {
      const panel = await Panel.fresh();
      try {
        await evening(page, panel);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(over, 'nothing sticks out to the right').toBeLessThanOrEqual(0);
      } finally {
        await panel.close();
      }
    });
  });
}
