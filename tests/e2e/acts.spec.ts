/** What changes much asks first; what is shown once is not closed by accident; and "all well" is said only when it is. */
import { execFileSync } from 'node:child_process';
import { expect, is, test } from './parts/test.ts';

test('an account is made admin only after a question', async ({ admin: page, panel }) => {
  const { id } = await panel.call<{ id: string }>('POST', '/api/users', { username: 'promoted', password: 'quite long enough', role: 'user' });
  const role = async () => (await panel.call<{ id: string; role: string }[]>('GET', '/api/users')).find((user) => user.id === id)?.role;
  await page.goto(`${panel.url}/users`);
  for (const go of [false, true]) {
    await page.getByRole('button', { name: 'Actions for promoted' }).click();
    await page.getByRole('menuitem', { name: 'Make admin …' }).click();
    const dialog = page.getByRole('dialog', { name: 'Make promoted an admin?' });
    await expect(dialog).toBeVisible();
    expect(await role()).toBe('user');
    await dialog.getByRole('button', { name: go ? 'Make admin' : 'Cancel' }).click();
    await expect(dialog).toHaveCount(0);
  }
  await expect(page.getByRole('row', { name: /promoted/ })).toContainText('Admin');
  expect(await role()).toBe('admin');
  await panel.call('DELETE', `/api/users/${id}`);
});

test('a secret is renewed only after a question, and Esc does not close its only view', async ({ admin: page, panel }) => {
  await panel.call('POST', '/api/nodes', { id: 'once' });
  try {
    await page.goto(`${panel.url}/nodes/once`);
    await page.getByRole('button', { name: /^(Renew|Create secret) …$/ }).click();
    const question = page.getByRole('dialog', { name: 'Create a new secret for once?' });
    await expect(question).toBeVisible();
    await question.getByRole('button', { name: 'Create secret' }).click();
    const dialog = page.getByRole('dialog', { name: 'New secret for once' });
    const command = dialog.getByRole('region', { name: 'Command to run there' });
    await expect(command).toContainText('--secret');
    await page.keyboard.press('Escape');
    await expect(command).toBeVisible();
    await expect(dialog.getByRole('alert')).toContainText('Close without copying?');
    await dialog.getByRole('button', { name: 'Keep open' }).click();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await dialog.getByRole('button', { name: 'Copy command' }).click();
    await page.keyboard.press('Escape');
    await expect(dialog).toHaveCount(0);
  } finally {
    await panel.call('DELETE', '/api/nodes/once?force=true');
  }
});

test('all is well only while nothing is known to be wrong', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers`);
  const health = page.locator('.sidebar .health');
  await expect(health).toContainText(/all well|finding|needs attention/);
  // The panel of these tests listens on loopback, which is a note; a node that was there and is away is more.
  await page.route('**/api/doctor', (route) =>
    route.fulfill({ json: { report: { at: new Date().toISOString(), summary: { problem: 1, warning: 1, note: 0, ok: 3 }, findings: [], facts: {}, gone: [], changed: [] } } })
  );
  await page.reload();
  await expect(health).toContainText('2 findings');
  await expect(health).not.toHaveClass(/ok/);
  await expect(health).toHaveAttribute('href', '/settings');
});

test('a server that Docker paused is resumed from its page', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Stands still', 'game');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  await is(page, 'running');
  execFileSync('docker', ['pause', `ctrl-alt-play-${id}`], { stdio: 'ignore' });
  await is(page, 'paused');
  await expect(page.getByRole('button', { name: 'Start', exact: true })).toHaveCount(0);
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await is(page, 'running');
  await expect(page.getByRole('button', { name: 'Resume', exact: true })).toHaveCount(0);
  const state = execFileSync('docker', ['inspect', '-f', '{{.State.Paused}}', `ctrl-alt-play-${id}`], { encoding: 'utf8' });
  expect(state.trim()).toBe('false');
  await panel.power(id, 'kill', 'stopped');
});
