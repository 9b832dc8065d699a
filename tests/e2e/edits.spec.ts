/** Two tabs on one thing do not overwrite each other, and what was typed is there again after a reload. */
import { another, expect, test } from './parts/test.ts';
import type { Page } from '@playwright/test';

const save = (page: Page) => page.getByRole('button', { name: 'Save', exact: true }).click();
const name = (page: Page) => page.getByLabel('Name', { exact: true });
const memory = (page: Page) => page.getByRole('spinbutton', { name: 'Memory', exact: true });

/** A tab that hears nothing of the others, as one on a bad line would. */
async function deaf(page: Page) {
  await page.routeWebSocket('**/api/live', () => {});
}

for (const hears of [true, false]) {
  test(`one tab renames and the other changes the memory: both stand (${hears ? 'heard of' : 'not heard of'})`, async ({ admin: page, panel, browser }) => {
    const server = await panel.server(`Both ${hears}`, 'game');
    const other = await another(browser, panel);
    if (!hears) await deaf(other);
    for (const tab of [page, other]) await tab.goto(`${panel.url}/servers/${server.id}/settings`);
    await memory(other).fill('128');
    await name(page).fill('Renamed meanwhile');
    await save(page);
    await expect(page.getByText('Settings saved')).toBeVisible();
    if (hears) await expect(name(other)).toHaveValue('Renamed meanwhile');
    await save(other);
    await expect(other.getByText('Settings saved')).toBeVisible();
    const now = await panel.call<{ name: string; limits: { memory: number } }>('GET', `/api/servers/${server.id}`);
    expect([now.name, now.limits.memory]).toEqual(['Renamed meanwhile', 128 * 1024 * 1024]);
    await other.context().close();
  });
}

test('the same field in two tabs: both values are shown, and one is chosen', async ({ admin: page, panel, browser }) => {
  const server = await panel.server('Clash', 'game');
  const other = await another(browser, panel);
  await deaf(other);
  for (const tab of [page, other]) await tab.goto(`${panel.url}/servers/${server.id}/settings`);
  await name(other).fill('Mine');
  await memory(other).fill('96');
  await name(page).fill('Theirs');
  await save(page);
  await expect(page.getByText('Settings saved')).toBeVisible();
  await save(other);
  const clash = other.getByRole('group', { name: 'Changed elsewhere' });
  await expect(clash).toContainText('Mine');
  await expect(clash).toContainText('Theirs');
  await expect(other.getByRole('button', { name: 'Save', exact: true })).toBeDisabled();
  // The reason may be out of sight: the bar leads there.
  await other.getByRole('button', { name: 'Changed elsewhere' }).click();
  await expect(clash.getByRole('button', { name: 'Keep mine' })).toBeFocused();
  await expect(clash).toBeInViewport();
  expect((await panel.call<{ name: string }>('GET', `/api/servers/${server.id}`)).name).toBe('Theirs');
  await clash.getByRole('button', { name: 'Use the other value' }).click();
  await expect(name(other)).toHaveValue('Theirs');
  await expect(clash).toHaveCount(0);
  await save(other);
  await expect(other.getByText('Settings saved')).toBeVisible();
  const now = await panel.call<{ name: string; limits: { memory: number } }>('GET', `/api/servers/${server.id}`);
  expect([now.name, now.limits.memory]).toEqual(['Theirs', 96 * 1024 * 1024]);
  await other.context().close();
});

test('two tabs on the variables of one server', async ({ admin: page, panel, browser }) => {
  const server = await panel.server('Variables', 'show-env', { environment: { ONE: '1', TWO: '2' } });
  const other = await another(browser, panel);
  await deaf(other);
  for (const tab of [page, other]) await tab.goto(`${panel.url}/servers/${server.id}/startup`);
  const value = (tab: Page, key: string) => tab.getByLabel(`Value of ${key}`);
  await value(other, 'TWO').fill('second');
  await value(page, 'ONE').fill('first');
  await save(page);
  await expect(page.getByText('Startup saved')).toBeVisible();
  await save(other);
  await expect(other.getByText('Startup saved')).toBeVisible();
  const now = await panel.call<{ environment: Record<string, string> }>('GET', `/api/servers/${server.id}`);
  expect(now.environment).toEqual({ ONE: 'first', TWO: 'second' });
  await other.context().close();
});

test('two tabs give one user permissions, and two rename one node', async ({ admin: page, panel, browser }) => {
  const server = await panel.server('Shared', 'game');
  const user = await panel.call<{ id: string }>('POST', '/api/users', { username: 'twotabs', password: 'quite long enough', role: 'user' });
  await panel.call('POST', '/api/nodes', { id: 'twotabs', name: 'Before' });
  const other = await another(browser, panel);
  await deaf(other);
  for (const tab of [page, other]) await tab.goto(`${panel.url}/servers/${server.id}/users`);
  const box = (tab: Page, kind: string) => tab.getByRole('checkbox', { name: `twotabs: ${kind}` });
  await expect(box(other, 'Power')).toBeVisible();
  const granted = async () => (await panel.call<{ user: string; permissions: string[] }[]>('GET', `/api/servers/${server.id}/users`)).find((one) => one.user === user.id)?.permissions.sort();
  await box(page, 'Console').check();
  await expect.poll(granted).toEqual(['console', 'view']);
  await box(other, 'Power').check();
  await expect.poll(granted).toEqual(['console', 'power', 'view']);
  await expect(box(other, 'Console')).toBeChecked();

  for (const tab of [page, other]) await tab.goto(`${panel.url}/nodes/twotabs`);
  await name(other).fill('Mine');
  await name(page).fill('Theirs');
  await page.getByRole('button', { name: 'Rename' }).click();
  const node = async () => (await panel.call<{ name: string }>('GET', '/api/nodes/twotabs')).name;
  await expect.poll(node).toBe('Theirs');
  await other.getByRole('button', { name: 'Rename' }).click();
  const clash = other.getByRole('group', { name: 'Changed elsewhere' });
  await expect(clash).toContainText('Theirs');
  expect(await node()).toBe('Theirs');
  await clash.getByRole('button', { name: 'Keep mine' }).click();
  await other.getByRole('button', { name: 'Rename' }).click();
  await expect.poll(node).toBe('Mine');
  await other.context().close();
  await panel.call('DELETE', `/api/users/${user.id}`);
  await panel.call('DELETE', '/api/nodes/twotabs');
});

test('settings that were typed are there again after a reload', async ({ admin: page, panel }) => {
  const server = await panel.server('Draft', 'game');
  await page.goto(`${panel.url}/servers/${server.id}/settings`);
  await name(page).fill('Kept over a reload');
  await expect(page.getByText('Unsaved changes')).toBeVisible();
  // What somebody else does meanwhile is no reason to lose it, nor to bring anything back.
  await panel.call('PATCH', `/api/servers/${server.id}`, { limits: { cpu: 55 } });
  await page.reload();
  await expect(name(page)).toHaveValue('Kept over a reload');
  await expect(page.getByLabel(/^CPU limit/)).toHaveValue('55');
  await expect(page.getByText('Unsaved changes')).toBeVisible();
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await page.reload();
  await expect(name(page)).toHaveValue('Draft');
});

test('startup that was typed is there again after a reload, without its secrets', async ({ admin: page, panel }) => {
  const server = await panel.server('Draft of startup', 'game', { environment: { RCON_PASSWORD: 'old' } });
  await page.goto(`${panel.url}/servers/${server.id}/startup`);
  const command = page.getByLabel('Startup command', { exact: true });
  await command.fill('game --kept');
  await page.getByLabel('Value of RCON_PASSWORD').fill('hush-never-kept');
  await expect(page.getByText('Unsaved changes')).toBeVisible();
  expect(await page.evaluate(() => JSON.stringify(sessionStorage))).toContain('game --kept');
  expect(await page.evaluate(() => JSON.stringify([sessionStorage, localStorage]))).not.toContain('hush');
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByLabel('Value of RCON_PASSWORD').fill('old');
  await page.reload();
  await expect(command).toHaveValue('game --kept');
  await expect(page.getByLabel('Value of RCON_PASSWORD')).toHaveValue('old');
  await save(page);
  await expect(page.getByText('Startup saved')).toBeVisible();
  expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain('game --kept');
});
