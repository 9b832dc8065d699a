/** Backups in the page: made, restored, deleted; by a policy; before an image is fetched again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './parts/panel.ts';
import { expect, NARROW, test } from './parts/test.ts';

interface Backup {
  id: string;
  name: string;
  status: string;
  target: string;
}

test('a backup is made, restored and deleted', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Kept', 'game');
  const world = join(panel.folder, 'servers', id, 'world.dat');
  writeFileSync(world, 'as it was');
  await page.goto(`${panel.url}/servers/${id}/backups`);
  await expect(page.getByText('No backups yet')).toBeVisible();
  await expect(page.getByText(/not against the loss of that disk/)).toBeVisible();
  await page.getByRole('button', { name: 'Back up now' }).click();
  const dialog = page.getByRole('dialog', { name: 'Back up now' });
  await dialog.getByLabel('Name').fill('Before the dragon');
  await dialog.getByRole('button', { name: 'Back up now' }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'Before the dragon' });
  await expect(row).toContainText(/in 1 file /, { timeout: 60_000 });

  writeFileSync(world, 'spoilt');
  await page.getByRole('button', { name: 'Restore Before the dragon' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restore', exact: true }).click();
  await until('the world is back', () => readFileSync(world, 'utf8') === 'as it was', 60);
  await expect(page.getByText('Made before a restore')).toBeVisible();

  await page.getByRole('button', { name: 'Lock Before the dragon', exact: true }).click();
  await expect(page.getByRole('button', { name: 'Delete Before the dragon' })).toBeDisabled();
  await page.getByRole('button', { name: 'Unlock Before the dragon' }).click();
  await page.getByRole('button', { name: 'Delete Before the dragon' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
  await expect(row).toHaveCount(0, { timeout: 60_000 });
});

test('a policy is set, previewed and kept', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Daily', 'game');
  await page.goto(`${panel.url}/servers/${id}/backups`);
  await page.getByLabel(/Back up every day/).check();
  await page.getByLabel('Time', { exact: true }).fill('05:30');
  await page.getByLabel('Time zone').selectOption('UTC');
  await page.getByLabel('One per day').fill('9');
  await page.getByRole('button', { name: 'What would be deleted?' }).click();
  await expect(page.getByText('Nothing would be deleted now.')).toBeVisible();
  await page.getByText('More options').click();
  await page.getByLabel('Leave out').fill('logs/\n*.tmp');
  await page.getByLabel(/Stop the server for its backup/).check();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Backup settings saved')).toBeVisible();
  const kept = await panel.call<Record<string, unknown>>('GET', `/api/servers/${id}/backup-policy`);
  expect(kept).toMatchObject({ enabled: true, time: '05:30', timeZone: 'UTC', ignore: ['logs/', '*.tmp'], stopServer: true });
  expect((kept.keep as { daily: number }).daily).toBe(9);
  await page.reload();
  await expect(page.getByLabel('One per day')).toHaveValue('9');
  await expect(page.getByText(/Next:/)).toBeVisible();
  // What is wrong is said at its field.
  await page.getByRole('spinbutton', { name: 'Newest' }).fill('1001');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: '1000' }).first()).toBeVisible();
});

test('an image is fetched again only once there is a backup', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Risky', 'game');
  writeFileSync(join(panel.folder, 'servers', id, 'world.dat'), 'x');
  await page.setViewportSize(NARROW);
  await page.goto(`${panel.url}/servers/${id}/settings`);
  await page.getByRole('button', { name: 'Re-download' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel(/Back up first/)).toBeChecked();
  await dialog.getByRole('button', { name: 'Re-download' }).click();
  await expect(page.getByText('Backup started')).toBeVisible();
  const made = await until('the backup is whole', async () => {
    const [newest] = await panel.call<Backup[]>('GET', `/api/servers/${id}/backups`);
    return newest?.status === 'ready' ? newest : null;
  }, 60);
  expect(made.name).toBe('Before fetching the image');
  expect(existsSync(join(panel.folder, 'servers', id, 'world.dat'))).toBe(true);
});
