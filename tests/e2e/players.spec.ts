/** Who plays, in the page: a real OpenArena with a bot, and games that cannot be asked. */
import { expect, NARROW, say, test } from './parts/test.ts';

const ARENA = {
  templateId: 'openarena',
  image: 'cap-test/openarena',
  limits: { memory: 256 * 1024 * 1024 }
};

test('players are seen, spoken to and kicked', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Arena', 'HOME=/data openarena-server +set net_port 27960 +map oa_dm1', ARENA);
  await page.goto(`${panel.url}/servers/${id}/players`);
  await expect(page.getByText('The server is not running.')).toBeVisible();
  await panel.power(id, 'start', 'running');
  await expect(page.getByText('Nobody is playing.')).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole('heading', { name: /Players/ })).toContainText(/0 of \d+/);

  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Console' }).click();
  await say(page, 'addbot Sarge 1');
  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Players' }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'Sarge' });
  await expect(row).toBeVisible({ timeout: 30_000 });
  await expect(page.getByRole('heading', { name: /Players/ })).toContainText(/1 of \d+/);

  await page.getByLabel('Message to all players').fill('hello; everybody');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Message sent')).toBeVisible();

  for (const size of [page.viewportSize()!, NARROW]) {
    await page.setViewportSize(size);
    await expect(page.getByRole('button', { name: 'Kick Sarge' })).toBeInViewport();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(size.width);
  }
  await page.getByRole('button', { name: 'Kick Sarge' }).click();
  await page.getByRole('dialog', { name: 'Kick Sarge?' }).getByRole('button', { name: 'Kick', exact: true }).click();
  await expect(page.getByText('Sent to the game: Kick Sarge')).toBeVisible();
  await expect(page.getByText('Nobody is playing.')).toBeVisible({ timeout: 30_000 });
  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Console' }).click();
  await expect(page.getByRole('log')).toContainText('hello, everybody');
});

test('a game that cannot be asked says so', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Plain', 'game');
  await page.goto(`${panel.url}/servers/${id}/players`);
  await expect(page.getByText('This game does not tell who plays.')).toBeVisible();
  await expect(page.getByLabel('Message to all players')).toHaveCount(0);
});

test('somebody who is not online is put on the whitelist by name', async ({ admin: page, panel }) => {
  const startup = "echo 'Done (1.0s)!'; while read line; do echo \"heard $line\"; [ \"$line\" = stop ] && exit 0; done";
  const { id } = await panel.server('Cubes', startup, { templateId: 'minecraft-vanilla', acceptEula: true });
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}/players`);
  await expect(page.getByText('The game does not answer.')).toBeVisible({ timeout: 20_000 });
  const name = page.getByLabel('Player’s name');
  await page.getByLabel('Action', { exact: true }).selectOption('Add to whitelist');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(page.getByText('Player’s name is required.')).toBeVisible();
  await name.fill('@a');
  await page.keyboard.press('Enter');
  await expect(page.getByText(/could mean something on the game's console/)).toBeVisible();
  await name.fill('Ann');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Sent to the game: Add Ann to the whitelist')).toBeVisible();
  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Console' }).click();
  await expect(page.getByRole('log')).toContainText('heard whitelist add Ann');
});
