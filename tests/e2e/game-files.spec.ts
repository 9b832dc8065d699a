/** The game's version: the template's newer one, installing again, the install log. */
import { readFileSync } from 'node:fs';
import { expect, NARROW, test } from './parts/test.ts';
import { until, type Server } from './parts/panel.ts';

const UUID = '5a1c9bd0-0f1e-4a6a-9a65-00000000c0de';
const egg = (script: string) => ({
  meta: { version: 'PTDL_v2' }, uuid: UUID, name: 'Game of files', author: 'a@example.com', description: 'A game for tests',
  docker_images: { One: 'cap-test/busybox' }, startup: 'true', config: { files: '{}', startup: '{"done": "Ready"}', logs: '{}', stop: '^C' },
  scripts: { installation: { script, container: 'cap-test/busybox', entrypoint: 'sh' } }, variables: []
});

test('a server takes its template’s newer version, and is installed again without its files', async ({ admin: page, panel }) => {
  test.slow();
  const added = (await panel.call('POST', '/api/templates', egg('echo first; echo 1 >/mnt/server/one'))) as { id: string };
  const { id } = (await panel.call('POST', '/api/servers', { name: 'Files', templateId: added.id })) as Server;
  const installed = () => until('installed', async () => ((await panel.call('GET', `/api/servers/${id}`)) as Server).status === 'stopped');
  await installed();

  await page.goto(`${panel.url}/servers/${id}/settings`);
  const card = page.locator('#game-files');
  await expect(card.getByText('Template: Game of files')).toBeVisible();
  await expect(card.getByText('The server has its newest version.')).toBeVisible();
  await panel.call('POST', '/api/templates', egg('echo second; ls /mnt/server; echo 2 >/mnt/server/two'));
  await page.reload();
  await expect(card.getByText('It has changed since: 1 difference.')).toBeVisible();
  await card.getByText('Show the differences').click();
  await expect(card.getByRole('deletion')).toContainText('echo first');
  await expect(card.getByRole('insertion')).toContainText('echo second');
  await page.setViewportSize(NARROW);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await card.getByRole('button', { name: 'Update', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Update', exact: true }).click();
  await expect(card.getByText('The server has its newest version.')).toBeVisible();

  await card.getByRole('button', { name: 'Wipe and install' }).click();
  const sure = page.getByRole('dialog').getByRole('button', { name: 'Delete files and install' });
  await expect(sure).toBeDisabled();
  await page.getByRole('dialog').getByRole('textbox').fill('Files');
  await sure.click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  const saved = async () => {
    await installed();
    const download = page.waitForEvent('download');
    await card.getByRole('button', { name: 'Install log' }).click();
    return readFileSync(await (await download).path(), 'utf8');
  };
  await expect.poll(saved, { timeout: 30_000 }).toContain('second');
  // What the first script had made is gone.
  expect(await saved()).not.toContain('one');
});
