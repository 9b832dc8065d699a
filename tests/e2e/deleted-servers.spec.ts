/** Backups that outlive their server, checks of where they lie, and a target where some lie already. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './parts/panel.ts';
import { expect, test } from './parts/test.ts';

interface Backup {
  status: string;
}

async function backedUp(panel: { call: <T>(method: string, path: string, body?: unknown) => Promise<T> }, id: string, body: object) {
  await panel.call('POST', `/api/servers/${id}/backups`, body);
  const ready = async () => (await panel.call<Backup[]>('GET', `/api/servers/${id}/backups`)).some((one) => one.status === 'ready');
  for (let tries = 0; tries < 120 && !(await ready()); tries++) await new Promise((go) => setTimeout(go, 500));
}

test('backups outlive their server and make a new one', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Gone', 'game');
  await backedUp(panel, id, { name: 'Last one' });

  // The place where it lies is checked when asked.
  await page.goto(`${panel.url}/settings`);
  await page.getByRole('button', { name: /^Check .* now$/ }).first().click();
  await expect(page.getByText('Checked, no damage found').first()).toBeVisible({ timeout: 90_000 });

  await page.goto(`${panel.url}/servers/${id}/settings`);
  await page.getByRole('button', { name: 'Delete …' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Keep its backup')).toBeChecked();
  await dialog.getByRole('textbox').fill('Gone');
  await dialog.getByRole('button', { name: 'Delete permanently' }).click();
  await expect(page).toHaveURL(/\/servers$/);

  await page.goto(`${panel.url}/settings`);
  const row = page.getByRole('listitem').filter({ hasText: 'Gone' }).first();
  await row.getByRole('button', { name: 'Show backups of Gone' }).click();
  await row.getByRole('button', { name: 'New server from Last one' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('Here again');
  await page.getByRole('dialog').getByRole('button', { name: 'Create server' }).click();
  const there = async () => (await panel.call<{ name: string }[]>('GET', '/api/servers')).some((server) => server.name === 'Here again');
  for (let tries = 0; tries < 120 && !(await there()); tries++) await page.waitForTimeout(500);
  expect(await there()).toBe(true);

  await row.getByRole('button', { name: 'Delete backups of Gone by age' }).click();
  await page.getByRole('dialog').getByLabel('Days').fill('30');
  await expect(page.getByRole('dialog').getByText('None would be deleted now.')).toBeVisible();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('kept for 30 days');

  await row.getByRole('button', { name: 'Delete all backups of Gone' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('Gone');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete all' }).click();
  let left = true;
  await until('they are gone', () => {
    void panel.call<unknown[]>('GET', '/api/deleted-servers').then((all) => (left = all.length > 0));
    return !left;
  }, 60);
});

test('a target where backups lie already asks for their password', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Elsewhere', 'game');
  const folder = mkdtempSync(join(tmpdir(), 'cap-target-'));
  const target = await panel.call<{ id: string }>('POST', '/api/backup-targets', { name: 'First', location: { kind: 'folder', path: folder } });
  await backedUp(panel, id, { name: 'There', target: target.id });
  const shown = await panel.call<{ repositories: { id: string }[] }>('GET', `/api/backup-targets/${target.id}`);
  const kit = await panel.text(`/api/backup-targets/${target.id}/kit`);
  const password = /RESTIC_PASSWORD='?([^'\n]+)/.exec(kit)?.[1] ?? '';

  await page.goto(`${panel.url}/settings`);
  await page.getByRole('button', { name: 'Add target' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('Second');
  await dialog.getByLabel('Folder', { exact: true }).fill(join(folder, shown.repositories[0]!.id));
  await dialog.getByRole('button', { name: 'Test' }).click();
  await expect(dialog.getByText('There are backups already')).toBeVisible({ timeout: 60_000 });
  await dialog.getByLabel('Password of the repository').fill('wrong');
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(dialog.getByText(/does not open this backup repository/).first()).toBeVisible({ timeout: 60_000 });
  await dialog.getByLabel('Password of the repository').fill(password);
  await dialog.getByRole('button', { name: 'Open it' }).click();
  await expect(dialog.getByText(/Elsewhere: 1 backup/)).toBeVisible({ timeout: 60_000 });
  await dialog.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Backup target saved')).toBeVisible({ timeout: 60_000 });
});
