/** Templates: found, imported, looked at, changed, copied, taken away. */
import { expect, NARROW, test } from './parts/test.ts';
import { readFileSync } from 'node:fs';

const egg = (name: string, uuid: string) =>
  JSON.stringify({
    meta: { version: 'PTDL_v2' }, uuid, name, author: 'a@example.com', description: 'A game for tests',
    docker_images: { 'Java 21': 'cap-test/busybox', 'Java 17': 'cap-test/busybox:other' },
    startup: './game {{WORLD}}', config: { files: '{}', startup: '{"done": "Ready"}', logs: '{}', stop: '^C' },
    scripts: { installation: { script: 'echo hello', container: 'cap-test/busybox', entrypoint: 'sh' } },
    variables: [
      { name: 'World', description: 'Which world', env_variable: 'WORLD', default_value: 'one', user_viewable: true, user_editable: true, rules: 'required|string|max:20' },
      { name: 'Slots', description: '', env_variable: 'SLOTS', default_value: '8', user_viewable: true, user_editable: true, rules: 'required|integer|between:1,64' },
      { name: 'Peace', description: '', env_variable: 'PEACE', default_value: '0', user_viewable: true, user_editable: true, rules: 'required|boolean' },
      { name: 'Mode', description: '', env_variable: 'MODE', default_value: 'easy', user_viewable: true, user_editable: true, rules: 'required|in:easy,hard' }
    ]
  });

test('an egg is imported by paste, made into a server, edited, exported and deleted', async ({ admin: page, panel }) => {
  test.slow();
  await page.goto(`${panel.url}/servers`);
  await page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: 'Templates' }).click();
  await expect(page.getByRole('link', { name: /Valheim/ })).toBeVisible();
  await page.getByRole('button', { name: 'Import template' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Or paste a file’s text').fill('{"name": ');
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  await expect(dialog.getByText('Not imported')).toBeVisible();
  await dialog.getByLabel('Or paste a file’s text').fill(egg('Pasted game', '5a1c9bd0-0f1e-4a6a-9a65-000000000001'));
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  const open = dialog.getByRole('button', { name: 'Open' });
  // With something to know it is shown first, else the template's page comes at once.
  await expect(open.or(page.getByRole('heading', { name: 'Pasted game' }))).toBeVisible();
  if (await open.isVisible()) await open.click();
  await expect(page.getByRole('heading', { name: 'Pasted game' })).toBeVisible();
  await expect(page.getByText('echo hello')).toBeVisible();

  await page.getByRole('link', { name: 'Create server' }).click();
  await expect(page.getByLabel('World')).toHaveValue('one');
  await expect(page.getByLabel('Mode').getByRole('option')).toHaveText(['easy', 'hard']);
  await expect(page.getByRole('checkbox', { name: 'Peace' })).not.toBeChecked();
  await page.getByText('More settings').click();
  await expect(page.getByLabel('Image', { exact: true }).getByRole('option')).toHaveCount(2);
  await page.goBack();

  await page.getByRole('button', { name: 'Edit' }).click();
  const source = page.getByRole('textbox', { name: 'Edit definition' });
  const text = await source.inputValue();
  await source.fill(text.replace('A game for tests', 'Another description'));
  await expect(page.getByText(/Valid\. 1 change/)).toBeVisible();
  await page.getByRole('button', { name: 'Save template' }).click();
  await expect(page.getByText('Another description').first()).toBeVisible();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByRole('menuitem', { name: /PTDL v2/ }).click();
  const file = await (await download).path();
  expect((JSON.parse(readFileSync(file, 'utf8')) as { name: string }).name).toBe('Pasted game');

  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: /Delete/ }).click();
  await page.getByRole('button', { name: 'Delete template' }).click();
  await expect(page).toHaveURL(/\/templates$/);
  await expect(page.getByRole('link', { name: /Pasted game/ })).toHaveCount(0);
});

test('600 templates are there at once, and are searched', async ({ admin: page, panel }) => {
  test.slow();
  for (let at = 0; at < 600; at += 50) {
    await Promise.all(Array.from({ length: 50 }, (_, n) => panel.call('POST', '/api/templates', JSON.parse(egg(`Game ${at + n}`, `5a1c9bd0-0f1e-4a6a-9a65-${String(100000000000 + at + n)}`)))));
  }
  await page.goto(`${panel.url}/servers`);
  await expect(page.getByRole('heading', { name: 'Servers' })).toBeVisible();
  const link = page.getByRole('navigation', { name: 'Main' }).first().getByRole('link', { name: 'Templates' });
  await link.hover();
  const took = await page.evaluate(async () => {
    const begun = performance.now();
    document.querySelector<HTMLAnchorElement>('nav a[href="/templates"]')?.click();
    while (!document.querySelector('.gallery a')) await new Promise((resolve) => requestAnimationFrame(resolve));
    return performance.now() - begun;
  });
  console.log(`first cards of 600 after ${Math.round(took)} ms`);
  expect(took).toBeLessThan(1500);
  await page.getByLabel('Search templates').fill('game 599');
  await expect(page.getByRole('link', { name: /Game/ })).toHaveCount(1);
  await page.setViewportSize(NARROW);
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
});

test('a number says its bounds, and what is wrong while it is typed', async ({ admin: page, panel }) => {
  const { id } = await panel.call<{ id: string }>('POST', '/api/templates', JSON.parse(egg('Bounded game', '5a1c9bd0-0f1e-4a6a-9a65-200000000001')));
  await page.goto(`${panel.url}/servers/new?game=${id}`);
  const slots = page.getByLabel('Slots', { exact: true });
  await expect(slots).toHaveAccessibleDescription('Between 1 and 64.');
  await expect(slots).not.toHaveAttribute('aria-invalid');
  await slots.fill('65');
  await expect(slots).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByRole('alert').filter({ hasText: 'Between 1 and 64.' })).toBeVisible();
  await slots.fill('1.5');
  await expect(page.getByText('Enter a whole number.')).toBeVisible();
  await slots.fill('64');
  await expect(slots).not.toHaveAttribute('aria-invalid');
});

test('a template gets a picture, which the gallery shows', async ({ admin: page, panel }) => {
  const { id } = await panel.call<{ id: string }>('POST', '/api/templates', JSON.parse(egg('Pictured game', '5a1c9bd0-0f1e-4a6a-9a65-200000000002')));
  await page.goto(`${panel.url}/templates/${id}`);
  const choose = (name: string, mimeType: string, buffer: Buffer) => page.getByLabel('Choose icon …').setInputFiles({ name, mimeType, buffer });
  await expect(page.getByRole('heading', { name: 'Pictured game' })).toBeVisible();
  await choose('icon.png', 'image/png', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'));
  await expect(page.getByText('Icon not changed')).toBeVisible();
  await choose('icon.png', 'image/png', await page.screenshot());
  await expect(page.getByText('Icon changed')).toBeVisible();
  await expect(page.locator('.page-head img')).toHaveJSProperty('naturalWidth', 256);
  await page.goto(`${panel.url}/templates`);
  await page.getByLabel('Search templates').fill('Pictured');
  await expect(page.locator('a img')).toHaveJSProperty('complete', true);
  await page.goto(`${panel.url}/templates/${id}`);
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Remove icon' }).click();
  await expect(page.locator('.page-head img')).toHaveCount(0);
});
