/** Signing in and out, sessions, and what the browser remembers. */
import { ADMIN, type Server } from './parts/panel.ts';
import { another, callAs, expect, HOSTILE, is, keyOf, NARROW, signIn, test, watch } from './parts/test.ts';

test('a wrong password is said, and nothing of it stays', async ({ page, panel }) => {
  await page.goto(`${panel.url}/users`);
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fusers/);
  await page.getByLabel('User name').fill(HOSTILE);
  await page.getByLabel('Password', { exact: true }).fill('not my password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toContainText('Wrong name or password');
  await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');

  await page.getByLabel('User name').fill(ADMIN.username);
  await page.getByLabel('Password', { exact: true }).fill(ADMIN.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { name: 'Users' })).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: NARROW, hasTouch: true });
  test('signing out is two touches away, on every page', async ({ admin: page, panel }) => {
    for (const path of ['/servers', '/nodes', '/users', '/account']) {
      await page.goto(panel.url + path);
      await page.getByRole('button', { name: 'Account menu' }).tap();
      const out = page.getByRole('menuitem', { name: 'Sign out' });
      await expect(out).toBeInViewport();
      await page.keyboard.press('Escape');
    }
    const key = await keyOf(page);
    expect(key).not.toBeNull();
    await page.getByRole('button', { name: 'Account menu' }).tap();
    await page.getByRole('menuitem', { name: 'Sign out' }).tap();
    await expect(page).toHaveURL(/\/sign-in/);
    expect(await keyOf(page)).toBeNull();
    expect((await callAs(page, 'GET', '/api/me', key)).status).toBe(401);
    await page.goto(`${panel.url}/servers`);
    await expect(page).toHaveURL(/\/sign-in/);
  });
});

test('a session that is ended elsewhere leads to the sign-in page at once', async ({ admin: page, panel, browser }) => {
  await page.goto(`${panel.url}/account`);
  await expect(page.getByText('· this browser')).toBeVisible();
  const mine = (await callAs(page, 'GET', '/api/me/sessions')).body as { id: string; current: boolean }[];
  const other = await another(browser, panel);
  await other.goto(`${panel.url}/account`);
  await expect(other.getByRole('button', { name: /^End the session/ }).first()).toBeVisible();
  await page.goto(`${panel.url}/nodes`);
  await expect(page.getByText(/all well|needs attention/i).first()).toBeVisible();
  const id = mine.find((session) => session.current)?.id;
  expect((await callAs(other, 'DELETE', `/api/me/sessions/${id}`)).status).toBe(204);
  await expect(page).toHaveURL(/\/sign-in\?next=%2Fnodes&ended=1/);
  await expect(page.getByText('Your session has ended')).toBeVisible();
  await other.context().close();
});

test('the theme is chosen, kept, and there before the page is', async ({ admin: page, panel }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await page.goto(`${panel.url}/account`);
  const root = page.locator('html');
  await expect(root).toHaveAttribute('data-theme', 'light');
  await page.getByRole('button', { name: 'Dark', exact: true }).click();
  await expect(root).toHaveAttribute('data-theme', 'dark');
  await page.reload({ waitUntil: 'commit' });
  await expect(root).toHaveAttribute('data-theme', 'dark');
  await page.getByRole('button', { name: 'System', exact: true }).click();
  await expect(root).toHaveAttribute('data-theme', 'light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await expect(root).toHaveAttribute('data-theme', 'dark');
});

test('with the keyboard alone: sign in, open a server, start it, say something', async ({ page, panel }) => {
  const server: Server = await panel.server('Keys only', 'game');
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Moves on until the wanted thing has the focus, and shows that it can be seen. */
  const reach = async (name: RegExp | string, role: 'button' | 'link' | 'textbox') => {
    const wanted = page.getByRole(role, { name, exact: true });
    await expect(wanted).toBeVisible();
    for (let step = 0; step < 60; step += 1) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`${role} ${name} is not reached by Tab`);
  };
  await page.goto(`${panel.url}/sign-in`);
  await expect(page.getByLabel('User name')).toBeFocused();
  await page.keyboard.type(ADMIN.username);
  await press('Tab');
  await page.keyboard.type(ADMIN.password);
  await press('Enter');
  await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
  await reach('Keys only', 'link');
  await press('Enter');
  await is(page, 'stopped');
  await reach('Start', 'button');
  await press('Enter');
  await is(page, 'running');
  await reach('Command', 'textbox');
  await page.keyboard.type('good evening');
  await press('Enter');
  await expect(page.getByRole('log')).toContainText('You said: good evening');
  await panel.power(server.id, 'stop', 'stopped');
  await is(page, 'stopped');
});

test('whoever is no admin sees what was granted, and no more', async ({ panel, browser }) => {
  const guest = { username: 'guest', password: 'a guest of the house' };
  const user = await panel.call<{ id: string }>('POST', '/api/users', { ...guest, role: 'user' });
  const [mine, hidden] = [await panel.server('For the guest', 'game'), await panel.server('Not for the guest', 'game')];
  const context = await browser.newContext();
  await signIn(context, panel, guest);
  const page = watch(await context.newPage());
  await page.goto(`${panel.url}/servers`);
  await expect(page.getByRole('heading', { name: 'No servers for you yet' })).toBeVisible();

  // It appears by itself.
  await panel.call('PUT', `/api/servers/${mine.id}/users/${user.id}`, { permissions: ['view'] });
  await page.getByRole('link', { name: 'For the guest' }).click();
  await is(page, 'stopped');
  await expect(page.getByText('You may see this server, but not its console.')).toBeVisible();
  await expect(page.getByRole('group', { name: 'Power' })).toHaveCount(0);
  await expect(page.getByRole('main').getByRole('link', { name: 'Users' })).toHaveCount(0);
  await page.getByRole('main').getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toBeDisabled();
  await expect(page.getByRole('button', { name: /Save|Delete/ })).toHaveCount(0);
  await expect(page.getByText(panel.folder)).toHaveCount(0);

  await panel.call('PUT', `/api/servers/${mine.id}/users/${user.id}`, { permissions: ['view', 'console', 'power'] });
  await page.getByRole('link', { name: 'Console' }).click();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await is(page, 'running');
  await expect(page.getByRole('log')).toContainText('Ready');
  await panel.power(mine.id, 'kill', 'stopped');

  for (const path of ['/users', '/nodes', '/servers/new']) {
    await page.goto(panel.url + path);
    await expect(page.getByText('This page does not exist')).toBeVisible();
  }
  await page.goto(`${panel.url}/servers/${hidden.id}`);
  await expect(page.getByText('Could not show this server')).toBeVisible();

  // And goes by itself.
  await page.goto(`${panel.url}/servers`);
  await expect(page.getByRole('link', { name: 'For the guest' })).toBeVisible();
  await expect(page.getByText('Not for the guest')).toHaveCount(0);
  await panel.call('DELETE', `/api/servers/${mine.id}/users/${user.id}`);
  await expect(page.getByRole('heading', { name: 'No servers for you yet' })).toBeVisible();
  await context.close();
});
