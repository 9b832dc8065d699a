/** Forms: nobody is told off before he has typed, nothing is said twice, and nothing that was typed is lost. */
import { Panel } from './parts/panel.ts';
import { expect, signIn, test } from './parts/test.ts';

test('the form of a new server complains only of what was typed, in words', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Valheim/ }).click();
  const plan = page.getByLabel('What will happen');
  await expect(plan).toContainText('Still needed: Password to join');
  await expect(page.locator('main').getByRole('alert')).toHaveCount(0);
  await expect(page.locator('main')).not.toContainText(/environment\.|is missing|is needed/);

  const password = page.getByLabel('Password to join', { exact: true });
  await password.fill('abc');
  await expect(page.locator('main').getByRole('alert')).toHaveText('At least 5 characters.');
  await password.fill('abcdef');
  await expect(page.locator('main').getByRole('alert')).toHaveCount(0);

  await page.getByLabel('Name', { exact: true }).fill('');
  await page.getByRole('button', { name: 'Create server, start later' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await expect(name).toBeFocused();
  await expect(page.getByText('Name is required.')).toHaveCount(1);
  // The browser's own bubbles stay away.
  expect(await page.locator('form').evaluateAll((forms) => forms.every((form) => (form as HTMLFormElement).noValidate))).toBe(true);
});

test('values have the names that people use', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Terraria/ }).click();
  const size = page.getByLabel('World size');
  await expect(size.getByRole('option')).toHaveText(['Small', 'Medium', 'Large']);
  await expect(size).toHaveValue('2');
  await expect(page.getByLabel('Max players')).toHaveValue('8');
  await expect(page.getByLabel('Name', { exact: true })).toHaveCount(1);
});

test('the form of a new server is there again after a reload, and Back leads to the games', async ({ admin: page, panel }) => {
  test.slow();
  await page.goto(`${panel.url}/servers`);
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Terraria/ }).click();
  await expect(page).toHaveURL(/\?game=terraria$/);
  await page.getByLabel('Name', { exact: true }).fill('Kept over a reload');
  await page.getByLabel('World size').selectOption({ label: 'Large' });
  await page.reload();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Kept over a reload');
  await expect(page.getByLabel('World size')).toHaveValue('3');

  // Another page is asked about, the games are not.
  await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: 'Nodes' }).click();
  await expect(page.getByRole('dialog', { name: 'Leave without saving?' })).toBeVisible();
  await page.getByRole('button', { name: 'Stay' }).click();
  await expect(page).toHaveURL(/game=terraria/);
  await page.goBack();
  await expect(page.getByRole('button', { name: /^Luanti/ })).toBeVisible();
  await expect(page).toHaveURL(/\/servers\/new$/);
  await page.goForward();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Kept over a reload');

  await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: 'Nodes' }).click();
  await page.getByRole('button', { name: 'Leave', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Nodes', exact: true })).toBeVisible();
  await page.goto(`${panel.url}/servers/new?game=terraria`);
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Terraria');
});

for (const [tab, field, value] of [
  ['settings', 'Name', 'Another name'],
  ['startup', 'Startup command', 'game --other']
] as const) {
  test(`unsaved changes of ${tab} are said, and leaving asks`, async ({ admin: page, panel }) => {
    const server = await panel.server(`Unsaved ${tab}`, 'game');
    await page.goto(`${panel.url}/servers/${server.id}/${tab}`);
    const input = page.getByLabel(field, { exact: true });
    await expect(input).not.toHaveValue('');
    await input.fill(value);
    await expect(page.getByText('Unsaved changes')).toBeVisible();
    const elsewhere = page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Console' });
    await elsewhere.click();
    await expect(page.getByRole('dialog', { name: 'Leave without saving?' })).toBeVisible();
    await page.getByRole('button', { name: 'Stay' }).click();
    await expect(input).toHaveValue(value);
    await page.getByRole('button', { name: 'Discard changes' }).click();
    await expect(page.getByText('Unsaved changes')).toHaveCount(0);
    await elsewhere.click();
    await expect(page).toHaveURL(new RegExp(`/servers/${server.id}$`));
  });
}

test('a user name that is taken is said once', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/users`);
  await page.getByRole('button', { name: 'New user' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Create user' }).click();
  await expect(dialog.getByRole('alert')).toHaveCount(2);
  await dialog.getByLabel('User name').fill('admin');
  await dialog.getByLabel('Password', { exact: true }).fill('quite long enough');
  await dialog.getByRole('button', { name: 'Create user' }).click();
  await expect(dialog.getByRole('alert')).toHaveText(['That name is already taken.']);
});

test('a wrong setup token is no right one, and the right link may be pasted into the same tab', async ({ page }) => {
  const panel = await Panel.fresh();
  try {
    await page.goto(`${panel.url}/setup#token=wrong`);
    await expect(page.getByText('This token is not valid.')).toBeVisible();
    await expect(page.getByText('Setup token taken from the link')).toHaveCount(0);
    await page.goto(`${panel.url}/setup#${new URL(panel.setupLink).hash.slice(1)}`);
    await expect(page.getByText('Setup token taken from the link')).toBeVisible();
    expect(page.url()).not.toContain('token');
    await page.getByLabel('Password', { exact: true }).fill('short');
    await page.getByRole('button', { name: 'Create account' }).click();
    await expect(page.getByRole('alert')).toHaveText(['At least 10 characters.']);
    expect(await panel.needsSetup()).toBe(true);
  } finally {
    await panel.close();
  }
});

test('an empty sign-in is said beside its fields', async ({ page, panel }) => {
  await page.goto(`${panel.url}/sign-in`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByText('User name is required.')).toBeVisible();
  await expect(page.getByText('Password is required.')).toBeVisible();
  await signIn(page.context(), panel);
});
