/** Making servers: what is proposed, warned about, refused, and tried again. */
import { execFileSync } from 'node:child_process';
import { freePort } from './parts/panel.ts';
import { expect, is, test } from './parts/test.ts';

test('an image that is not there says so, and is tried again', async ({ admin: page, panel }) => {
  const image = `127.0.0.1:9/cap-test/absent-${process.pid}`;
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Any image/ }).click();
  await page.getByLabel('Name', { exact: true }).fill('Absent');
  await page.getByLabel('Image', { exact: true }).fill(image);
  await page.getByRole('button', { name: 'Create server, start later' }).click();
  await is(page, 'install_failed');
  await expect(page.locator('.note.bad').getByText('Install failed')).toBeVisible();
  await expect(page.locator('.note.bad')).toContainText(/refused|reach|127\.0\.0\.1:9/);
  execFileSync('docker', ['tag', 'cap-test/busybox', image]);
  try {
    await page.getByRole('button', { name: 'Try again' }).click();
    // It is asked for anew, and what the engine has is good enough when nobody answers; else a start finds it.
    await expect(page.locator('main .head .state[data-state]')).toHaveAttribute('data-state', /stopped|install_failed/);
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await expect(page.locator('main .head .state[data-state]')).toHaveAttribute('data-state', /running|stopped/);
    await expect(page.locator('.note.bad').getByText('Install failed')).toHaveCount(0);
  } finally {
    execFileSync('docker', ['rmi', '-f', image], { stdio: 'ignore' });
  }
});

test('a port that is taken is said where it is typed', async ({ admin: page, panel }) => {
  const port = await freePort();
  await panel.server('First come', 'game', { ports: [{ internal: 25565, external: port, protocol: 'tcp' }] });
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Luanti/ }).click();
  await page.getByLabel('Port 1, players connect to').fill(String(port));
  await page.getByLabel('Port 1, protocol').selectOption('tcp');
  const ports = page.getByRole('group', { name: 'Ports' });
  await expect(ports.getByRole('alert')).toContainText('First come');
  await expect(page.getByLabel('Port 1, players connect to')).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Port 1, players connect to').fill('70000');
  await expect(ports.getByRole('alert')).toContainText('Between 1 and 65535.');
  await page.getByLabel('Port 1, players connect to').fill(String(await freePort()));
  await expect(ports.getByRole('alert')).toHaveCount(0);
  expect(await panel.call<{ name: string }[]>('GET', '/api/servers')).not.toContainEqual(
    expect.objectContaining({ templateId: 'luanti' })
  );
});

test('more memory than is free is warned about, and Minecraft asks for its licence', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers/new`);
  await page.getByRole('button', { name: /^Minecraft.*Paper/i }).click();
  await expect(page.getByLabel('What will happen').getByRole('listitem').first()).toBeVisible();
  await page.getByRole('spinbutton', { name: 'Memory' }).fill('9000000');
  await expect(page.getByText(/more than is free/)).toBeVisible();
  await page.getByRole('spinbutton', { name: 'Memory' }).fill('512');
  await expect(page.getByText(/more than is free/)).toHaveCount(0);

  const before = await panel.call<unknown[]>('GET', '/api/servers');
  await page.getByRole('button', { name: 'Create server, start later' }).click();
  await expect(page.getByText('Required to run this game.').first()).toBeVisible();
  await expect(page).toHaveURL(/\/servers\/new\?game=/);
  expect(await panel.call<unknown[]>('GET', '/api/servers')).toHaveLength(before.length);
  const terms = page.getByRole('link', { name: /EULA|licen[cs]e/i });
  await expect(terms).toHaveAttribute('href', /^https:\/\/.*minecraft/);
  await page.getByRole('checkbox').check();
  await expect(page.getByText('Required to run this game.')).toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Create server, start later' })).toBeEnabled();
});
