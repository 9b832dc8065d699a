/** What somebody with a single permission sees, and what an administrator gives. */
import { ADMIN } from './parts/panel.ts';
import { another, expect, test } from './parts/test.ts';

test('permissions are given by keyboard, and a password is replaced without being read', async ({ admin: page, panel, browser }) => {
  const server = await panel.call<{ id: string }>('POST', '/api/servers', {
    name: 'Shared',
    templateId: 'terraria',
    image: 'cap-test/busybox',
    startup: 'game',
    environment: { PASSWORD: 'let me in', OWN: 'mine' }
  });
  const who = { username: 'startup-only', password: ADMIN.password };
  await panel.call('POST', '/api/users', { ...who, role: 'user' });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('link', { name: 'Access' }).click();
  const box = page.getByRole('checkbox', { name: 'startup-only: Startup' });
  await box.focus();
  await page.keyboard.press('Space');
  await expect(box).toBeChecked();
  await expect(box).toBeFocused();
  await expect(page.getByRole('checkbox', { name: 'startup-only: View' })).toBeChecked();
  await expect(box).toHaveAccessibleDescription(/Passwords can be replaced, not read/);

  const guest = await another(browser, panel, who);
  await guest.goto(`${panel.url}/servers/${server.id}/startup`);
  const password = guest.getByLabel('Password to join', { exact: true });
  await expect(password).toHaveValue('');
  await expect(guest.getByText('A value is set but not shown.')).toBeVisible();
  await expect(guest.getByLabel('Startup command', { exact: true })).toHaveCount(0);
  await guest.getByLabel('World name', { exact: true }).fill('Elsewhere');
  await guest.getByRole('button', { name: 'Save' }).click();
  await expect(guest.getByText('Startup saved')).toBeVisible();
  const read = async () => (await panel.call<{ environment: Record<string, string> }>('GET', `/api/servers/${server.id}`)).environment;
  expect(await read()).toMatchObject({ WORLD_NAME: 'Elsewhere', PASSWORD: 'let me in', OWN: 'mine' });
  await password.fill('another word');
  await guest.getByRole('button', { name: 'Save' }).click();
  await expect(password).toHaveValue('');
  expect(await read()).toMatchObject({ PASSWORD: 'another word', OWN: 'mine' });
  await guest.getByRole('link', { name: 'Settings', exact: true }).click();
  await expect(guest.getByLabel('Image', { exact: true })).toBeDisabled();
  await expect(guest.getByLabel('Name', { exact: true })).toBeEnabled();

  await page.getByRole('checkbox', { name: 'startup-only: Configure' }).check();
  await expect(box).toBeChecked();
  await expect(box).toBeDisabled();
  await expect(guest.getByLabel('Image', { exact: true })).toBeEnabled();
  await guest.getByRole('link', { name: 'Startup', exact: true }).click();
  await expect(password).toHaveValue('another word');
  await page.getByRole('checkbox', { name: 'startup-only: View' }).uncheck();
  await expect(guest.getByRole('heading', { name: 'Shared' })).toHaveCount(0);
  await guest.context().close();
});

test('a variable that contradicts a setting is told of before the server is made', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Terraria/ }).click();
  await page.getByText('More settings').click();
  for (const [at, name, value] of [[1, 'SERVER_PORT', '1'], [2, 'SERVER_IP', '127.0.0.1']] as const) {
    await page.getByRole('button', { name: 'Add a variable' }).click();
    await page.getByLabel(`Name of variable ${at}`).fill(name);
    await page.getByLabel(`Value of ${name}`).fill(value);
  }
  const plan = page.getByLabel('What will happen');
  await expect(plan).toContainText('SERVER_PORT is set to "1"');
  await expect(plan).toContainText('SERVER_IP is set to "127.0.0.1"');
});
