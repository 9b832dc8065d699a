/** The check-up in the page: asked for, read, folded, copied, and what is new the next time. */
import { expect, test } from './parts/test.ts';

test('somebody looks what is wrong, by keyboard', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers`);
  await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: 'Settings' }).click();
  await expect(page.getByText('Not checked yet.')).toBeVisible();
  const check = page.getByRole('button', { name: 'Check now' });
  await check.focus();
  await page.keyboard.press('Enter');
  const fine = page.getByText(/^\d+ OK$/);
  await expect(fine).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText('Every byte was read')).toBeHidden();
  await fine.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText('Every byte was read')).toBeVisible();

  // The panel of these tests listens on loopback, which is worth a note.
  const findings = page.getByRole('list', { name: 'Findings' });
  await expect(findings.getByText('Only this machine reaches the panel')).toBeVisible();
  await page.reload();
  await expect(findings.getByText('Only this machine reaches the panel')).toBeVisible();

  await panel.call('POST', '/api/nodes', { id: 'attic' });
  await check.click();
  const offline = findings.getByRole('listitem').filter({ hasText: 'A node is offline' });
  await expect(offline.getByText('new', { exact: true })).toBeVisible({ timeout: 20_000 });
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await offline.getByRole('button', { name: 'Copy systemctl status ctrl-alt-play-agent' }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe('systemctl status ctrl-alt-play-agent');
  await page.getByRole('button', { name: 'Copy as text' }).click();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('[warning] node_offline (attic)');
  await panel.call('DELETE', '/api/nodes/attic');
  await check.click();
  await expect(page.getByText('Resolved: A node is offline (attic)')).toBeVisible({ timeout: 20_000 });
});

test('what can not be done is said', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/settings`);
  await page.route('**/api/doctor', (route) =>
    route.fulfill({ status: 503, json: { error: { code: 'busy', message: 'The check-up took too long.' } } })
  );
  await page.getByRole('button', { name: 'Check now' }).click();
  await expect(page.getByRole('alert')).toContainText('The check-up took too long.');
  await page.unroute('**/api/doctor');
  await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('alert')).toHaveCount(0, { timeout: 20_000 });
});

test.describe('in a German browser', () => {
  test.use({ locale: 'de-DE' });
  test('findings are in German, with the commands of the machine', async ({ admin: page, panel }) => {
    await panel.call('POST', '/api/nodes', { id: 'dachboden' });
    await page.goto(`${panel.url}/settings`);
    await page.getByRole('button', { name: 'Jetzt prüfen' }).click();
    const findings = page.getByRole('list', { name: 'Befunde' });
    await expect(findings.getByText('Nur dieser Rechner erreicht das Panel')).toBeVisible({ timeout: 20_000 });
    const offline = findings.getByRole('listitem').filter({ hasText: 'Eine Node ist offline' });
    await expect(offline).toContainText('Sieh dort nach:');
    await expect(offline.getByText('systemctl status ctrl-alt-play-agent')).toBeVisible();
    await expect(offline).toContainText('dachboden ist nicht verbunden: von ihren Servern ist nichts bekannt.');
    // What holds values is in German as well: what was left English would say so to a screen reader.
    await expect(findings.locator('[lang=en]')).toHaveCount(0);
    await panel.call('DELETE', '/api/nodes/dachboden');
  });
});
