/** The whole panel is backed up in the settings, and a new panel becomes it on the welcome page. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADMIN, Panel } from './parts/panel.ts';
import { another, clean, expect, NARROW, test, watch } from './parts/test.ts';

test('a new panel becomes the one of a backup', async ({ browser }) => {
  test.setTimeout(180_000);
  const place = mkdtempSync(join(tmpdir(), 'cap-place-'));
  const panel = await Panel.claimed();
  const fresh = await Panel.fresh();
  try {
    const page = await another(browser, panel);
    const { id } = await panel.server('Kept', 'game');
    writeFileSync(join(panel.folder, 'servers', id, 'world.dat'), 'a year of work');
    const target = await panel.call<{ id: string }>('POST', '/api/backup-targets', { name: 'Disk', location: { kind: 'folder', path: place } });

    await page.goto(`${panel.url}/settings`);
    const section = page.locator('#panel-backup');
    await expect(section.getByText('There is no panel backup yet.')).toBeVisible();
    await section.getByLabel('Keep it at').selectOption(target.id);
    await section.getByLabel('Back up all servers with it').check();
    await section.getByRole('button', { name: 'Save', exact: true }).click();
    await expect(page.getByText('Panel backup settings saved')).toBeVisible();
    await section.getByRole('button', { name: 'Back up now' }).click();
    await expect(section.getByText(/The panel and 1 server · .* · Disk/)).toBeVisible({ timeout: 60_000 });
    const kit = await panel.text(`/api/backup-targets/${target.id}/kit`);
    const password = /^Password +(\S+)$/m.exec(kit)?.[1] ?? '';
    expect(kit).toContain('ctrl-alt-play restore --from');
    await panel.kill('SIGTERM');

    // On the same port when it starts again.
    await fresh.kill('SIGTERM');
    await fresh.start();
    const context = await browser.newContext();
    const guest = watch(await context.newPage());
    await guest.goto(fresh.setupLink);
    await expect(guest.getByText('Setup token taken from the link')).toBeVisible();
    await guest.getByRole('button', { name: 'Restore from a backup' }).click();
    await guest.setViewportSize(NARROW);
    await guest.getByLabel('Folder', { exact: true }).fill(place);
    const word = guest.getByLabel('Password of the backup repository', { exact: true });
    await word.fill('wrong');
    await guest.getByRole('button', { name: 'Show panel backups' }).click();
    await expect(guest.getByText(/The password does not open this backup repository/)).toBeVisible({ timeout: 30_000 });
    await word.fill(password);
    await guest.getByRole('button', { name: 'Show panel backups' }).click();
    await expect(guest.getByLabel('Panel backup', { exact: true })).toBeVisible({ timeout: 30_000 });
    await guest.getByRole('button', { name: 'Restore', exact: true }).click();
    await expect(guest.getByRole('button', { name: 'Sign in' })).toBeVisible({ timeout: 60_000 });
    await guest.getByLabel('User name').fill(ADMIN.username);
    await guest.getByLabel('Password', { exact: true }).fill(ADMIN.password);
    await guest.getByRole('button', { name: 'Sign in' }).click();
    await expect(guest.getByText('Kept').first()).toBeVisible();
    expect(readFileSync(join(fresh.folder, 'servers', id, 'world.dat'), 'utf8')).toBe('a year of work');
    await clean(guest);
    await context.close();
  } finally {
    await fresh.close();
    await panel.close();
    rmSync(place, { recursive: true, force: true });
  }
});
