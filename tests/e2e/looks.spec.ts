/** What can be checked of the looks by a machine: contrast, names, roles, and that nothing sticks out. */
import { AxeBuilder } from '@axe-core/playwright';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { until } from './parts/panel.ts';
import { expect, NARROW, signIn, test } from './parts/test.ts';

/** What axe calls wrong and is not; each with its reason. */
const EXCEPT: string[] = [];

async function check(page: Page, where: string) {
  await expect(page.locator('main h1').first()).toBeVisible();
  await expect(page.locator('.skeleton')).toHaveCount(0);
  // What is half faded in has half its contrast.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished)));
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().disableRules(EXCEPT).analyze();
  const found = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.target.join(' ')} (${node.any[0]?.message ?? ''})`).join('; ')}`);
  expect(found, where).toEqual([]);
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(over, `${where}: something sticks out`).toBeLessThanOrEqual(0);
}

for (const theme of ['dark', 'light'] as const) {
  test(`every page in the ${theme} theme`, async ({ page, panel, admin }) => {
    test.slow();
    await page.context().clearCookies();
    await page.addInitScript((chosen) => localStorage.setItem('theme', chosen), theme);
    await page.goto(`${panel.url}/sign-in`);
    await expect(page.locator('html')).toHaveAttribute('data-theme', theme);
    await check(page, 'sign-in');
    expect(admin).toBe(page);
    await signIn(page.context(), panel);
    const running = await panel.server(`Looks ${theme}`, 'markup');
    await panel.power(running.id, 'start', 'running');
    const failed = await panel.call<{ id: string }>('POST', '/api/servers', {
      name: `Failed ${theme}`,
      image: '127.0.0.1:9/absent'
    });
    await panel.state(failed.id, 'install_failed');
    const paths = ['/servers', `/servers/${running.id}`, `/servers/${running.id}/startup`, `/servers/${running.id}/users`, `/servers/${running.id}/settings`, `/servers/${failed.id}`, '/servers/new', '/templates', '/templates/sources', '/templates/minecraft-paper', '/templates/any-image', '/nodes', '/nodes/local', '/nodes/absent-node', '/users', '/settings', '/account', '/nowhere'];
    for (const path of paths) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(panel.url + path);
      await check(page, `${path}, wide`);
      await page.setViewportSize(NARROW);
      await check(page, `${path}, narrow`);
    }
    await page.goto(`${panel.url}/nodes`);
    await page.getByRole('button', { name: 'Add node' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill(`Looks ${theme}`);
    await check(page, 'the dialog of a new node');
    await page.getByRole('dialog').getByRole('button', { name: 'Add node' }).click();
    await expect(page.getByText('Waiting for the agent …')).toBeVisible();
    await check(page, 'the line of a new node');
    await page.keyboard.press('Escape');
    await page.goto(`${panel.url}/nodes/looks-${theme}`);
    await check(page, 'a node that is waited for');
    await page.goto(`${panel.url}/servers/new`);
    await page.getByRole('button', { name: /^Luanti/ }).click();
    await expect(page.getByLabel('What will happen').getByRole('listitem').first()).toBeVisible();
    await check(page, 'the form of a new server');
    await panel.power(running.id, 'kill', 'stopped');
  });

  test(`files, backups, players and friends in the ${theme} theme`, async ({ page, panel, admin }) => {
    test.slow();
    await page.addInitScript((chosen) => localStorage.setItem('theme', chosen), theme);
    expect(admin).toBe(page);
    const { id } = await panel.server(`Newer ${theme}`, 'game');
    const at = `/servers/${id}`;
    writeFileSync(join(panel.folder, 'servers', id, 'server.properties'), 'motd=Hello\n');
    writeFileSync(join(panel.folder, 'servers', id, 'notes.txt'), 'Hello\n');
    await panel.call('POST', `/api${at}/backups`, { name: 'One' });
    const backups = () => panel.call<{ id: string; status: string }[]>('GET', `/api${at}/backups`);
    await until('backed up', async () => (await backups())[0]?.status === 'ready');
    const backup = (await backups())[0]?.id ?? '';
    const paths = [`${at}/files`, `${at}/files/edit?path=notes.txt`, `${at}/files/edit?path=server.properties`, `${at}/files/search`, `${at}/files/trash`, `${at}/backups`, `${at}/backups/${backup}`, `${at}/players`, `${at}/friends`, `${at}/schedules`];
    for (const path of paths) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(panel.url + path);
      await check(page, `${path}, wide`);
      await page.setViewportSize(NARROW);
      await check(page, `${path}, narrow`);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(`${panel.url}${at}/files`);
    await page.getByRole('button', { name: 'SFTP' }).first().click();
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByRole('heading', { name: 'Files by SFTP' }).first()).toBeVisible();
    await expect(dialog.getByText('Fingerprint of the host key')).toBeVisible();
    const told = await panel.call<{ port: number; username: string; fingerprint: string }>('GET', `/api${at}/sftp`);
    await expect(dialog).toContainText(told.fingerprint);
    await expect(dialog).toContainText(told.username);
    await expect(dialog.getByRole('img', { name: 'QR code of the SFTP address' })).toBeVisible();
    await check(page, "the dialog of SFTP's address");
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  });
}
