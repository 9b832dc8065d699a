/** What is in a backup: looked at, putting some of it back, downloading it, starting the game from it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, NARROW, test } from './parts/test.ts';
import { until, type Server } from './parts/panel.ts';

test('a backup is looked into, restored in part, downloaded and tested', async ({ admin: page, panel }) => {
  test.slow();
  const body = { name: 'World', image: 'cap-test/busybox', startup: 'cat level.dat; exec game', limits: { memory: 64 << 20 } };
  const { id } = (await panel.call('POST', '/api/servers', body)) as Server;
  await until('installed', async () => ((await panel.call('GET', `/api/servers/${id}`)) as Server).status === 'stopped');
  const files = join(panel.folder, 'servers', id);
  mkdirSync(join(files, 'world'), { recursive: true });
  writeFileSync(join(files, 'world', 'level.dat'), 'as it was');
  writeFileSync(join(files, 'ops.json'), 'old');

  await page.goto(`${panel.url}/servers/${id}/backups`);
  await page.getByRole('button', { name: 'Back up now' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Before the dragon');
  await dialog.getByRole('button', { name: 'Back up now' }).click();
  await expect(page.getByText('Checked', { exact: false }).first()).toBeVisible({ timeout: 40_000 });
  writeFileSync(join(files, 'world', 'level.dat'), 'spoilt');
  writeFileSync(join(files, 'ops.json'), 'new');

  await page.getByRole('link', { name: 'Before the dragon', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Restore selected' })).toBeDisabled();
  await page.locator('[data-name="world"]').dblclick();
  const level = page.locator('[data-name="level.dat"]');
  await expect(level).toBeVisible();
  await page.setViewportSize(NARROW);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await page.setViewportSize({ width: 1440, height: 900 });
  await level.getByRole('checkbox').check();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download selected' }).click();
  const saved = readFileSync(await (await download).path());
  expect(saved.subarray(0, 2).toString()).toBe('PK');
  await page.getByRole('button', { name: 'Restore selected' }).click();
  await dialog.getByRole('button', { name: 'Restore', exact: true }).click();
  await expect.poll(() => readFileSync(join(files, 'world', 'level.dat'), 'utf8'), { timeout: 40_000 }).toBe('as it was');
  expect(readFileSync(join(files, 'ops.json'), 'utf8')).toBe('new');
  await expect(page.getByText('Made before a restore')).toBeVisible();

  await page.getByRole('button', { name: 'Test Before the dragon' }).click();
  await dialog.getByRole('button', { name: 'Start test' }).click();
  await expect(page.getByText('Restore tested')).toBeVisible({ timeout: 90_000 });

  // What is not there any more says so.
  await page.goto(`${panel.url}/servers/${id}/backups/none`);
  await expect(page.getByText('This backup is not there any more.')).toBeVisible();
});
