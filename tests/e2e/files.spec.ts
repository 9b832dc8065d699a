/** A server's files: browse, upload, edit, trash, archives; by mouse, by keyboard, on a phone. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Locator, Page } from '@playwright/test';
import { expect, NARROW, test } from './parts/test.ts';
import type { Panel, Server } from './parts/panel.ts';

const folderOf = (panel: Panel, server: Server) => join(panel.folder, 'servers', server.id);
const grid = (page: Page): Locator => page.getByRole('grid', { name: 'Files' });
const row = (page: Page, name: string): Locator => grid(page).locator(`[data-name="${name}"]`);
const content = (page: Page): Locator => page.locator('.cm-content').first();

/** A folder with files, as somebody drags it out of a file manager. Browsers let no script make one, so that its entry is played. */
async function dropFolder(page: Page, files: Record<string, string>) {
  await grid(page).evaluate((target, given) => {
    const file = (path: string) => new File([given[path] ?? ''], path.split('/').at(-1) ?? '');
    const entry = (path: string): unknown => {
      const name = path.split('/').at(-1);
      if (path in given) return { isFile: true, name, file: (done: (file: File) => void) => done(file(path)) };
      const inside = [...new Set(Object.keys(given).filter((one) => one.startsWith(`${path}/`)).map((one) => `${path}/${one.slice(path.length + 1).split('/')[0]}`))];
      let read = false;
      return { isFile: false, name, createReader: () => ({ readEntries: (done: (list: unknown[]) => void) => (done(read ? [] : inside.map(entry)), (read = true)) }) };
    };
    const roots = [...new Set(Object.keys(given).map((path) => path.split('/')[0] ?? ''))];
    const transfer = { types: ['Files'], getData: () => '', items: roots.map((root) => ({ kind: 'file', webkitGetAsEntry: () => entry(root), getAsFile: () => null })) };
    const event = new Event('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(event, 'dataTransfer', { value: transfer });
    target.dispatchEvent(event);
  }, files);
}

async function accessible(page: Page) {
  const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21aa']).analyze();
  expect(found.violations.map((one) => `${one.id}: ${one.nodes[0]?.html.slice(0, 200)}`)).toEqual([]);
}

test('a folder is dropped, an entry renamed, deleted and brought back, by keyboard alone', async ({ admin: page, panel }) => {
  const server = await panel.server('Files by hand', 'game');
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('link', { name: 'Files', exact: true }).click();
  await expect(page.getByText('This folder is empty')).toBeVisible();
  await dropFolder(page, { 'world/level.dat': 'level', 'world/region/r.0.0.mca': 'region', 'motd.txt': 'hello' });
  await expect(row(page, 'world')).toBeVisible();
  await expect(row(page, 'motd.txt')).toBeVisible();
  await expect(page.getByText('3 files uploaded')).toBeVisible();
  expect(readFileSync(join(folderOf(panel, server), 'world/region/r.0.0.mca'), 'utf8')).toBe('region');

  await grid(page).focus();
  await page.keyboard.press('Home');
  await expect(row(page, 'world')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/path=%2Fworld/);
  await expect(row(page, 'level.dat')).toBeVisible();
  await page.goBack();
  await expect(row(page, 'world')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('F2');
  await page.keyboard.type('welcome');
  await page.keyboard.press('Enter');
  await expect(row(page, 'welcome.txt')).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Delete');
  await expect(row(page, 'welcome.txt')).toHaveCount(0);
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(row(page, 'welcome.txt')).toBeVisible();
  expect(readFileSync(join(folderOf(panel, server), 'welcome.txt'), 'utf8')).toBe('hello');

  await row(page, 'welcome.txt').dragTo(row(page, 'world'));
  await expect(row(page, 'welcome.txt')).toHaveCount(0);
  await row(page, 'world').dblclick();
  await expect(row(page, 'welcome.txt')).toBeVisible();
  await accessible(page);
});

test('what others add and remove is shown, and a link to a folder opens as one', async ({ admin: page, panel }) => {
  const server = await panel.server('Followed', 'game');
  const folder = folderOf(panel, server);
  mkdirSync(join(folder, 'logs-2026.d'));
  writeFileSync(join(folder, 'logs-2026.d/latest.log'), 'x');
  symlinkSync('logs-2026.d', join(folder, 'current.logs'));
  symlinkSync('logs-2026.d/latest.log', join(folder, 'newest'));
  await page.goto(`${panel.url}/servers/${server.id}/files`);
  await expect(row(page, 'current.logs')).toBeVisible();
  await row(page, 'current.logs').click();
  writeFileSync(join(folder, 'appeared.txt'), 'by the game');
  await expect(row(page, 'appeared.txt')).toBeVisible({ timeout: 15_000 });
  await expect(row(page, 'current.logs')).toHaveAttribute('aria-selected', 'true');
  rmSync(join(folder, 'appeared.txt'));
  await expect(row(page, 'appeared.txt')).toHaveCount(0, { timeout: 15_000 });
  await row(page, 'current.logs').dblclick();
  await expect(page).toHaveURL(/path=%2Fcurrent\.logs/);
  await expect(row(page, 'latest.log')).toBeVisible();
  await page.goBack();
  await row(page, 'newest').dblclick();
  await expect(content(page)).toContainText('x');
});

test('a file that changed underneath is compared before it is saved, and goes back to an earlier version', async ({ admin: page, panel }) => {
  const server = await panel.server('Edited', 'game');
  const path = join(folderOf(panel, server), 'config.yml');
  writeFileSync(path, 'name: one\r\nsize: 1\r\n');
  await page.goto(`${panel.url}/servers/${server.id}/files`);
  await row(page, 'config.yml').dblclick();
  await content(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('mine: yes');
  await page.keyboard.press('Control+s');
  await expect(page.getByText('config.yml saved')).toBeVisible();
  // Windows' line endings stay.
  expect(readFileSync(path, 'utf8')).toBe('name: one\r\nsize: 1\r\nmine: yes');

  await content(page).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' please');
  writeFileSync(path, 'name: one\r\nsize: 2\r\nmine: yes');
  await page.keyboard.press('Control+s');
  await expect(page.getByText('This file was changed meanwhile.')).toBeVisible();
  expect(readFileSync(path, 'utf8')).toContain('size: 2');
  await page.getByRole('button', { name: 'Save the right side' }).click();
  await expect.poll(() => readFileSync(path, 'utf8')).toBe('name: one\r\nsize: 1\r\nmine: yes please');

  await page.getByRole('button', { name: 'Versions' }).click();
  const versions = page.getByRole('list', { name: 'Versions' }).getByRole('button');
  await expect(versions.first()).toBeVisible();
  await versions.last().click();
  await page.getByRole('button', { name: 'Restore this version' }).click();
  await expect.poll(() => readFileSync(path, 'utf8')).toBe('name: one\r\nsize: 1\r\n');

  await content(page).click();
  await page.keyboard.type('x');
  await page.getByRole('link', { name: 'Back to the folder' }).click();
  await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Leave' }).click();
  await expect(row(page, 'config.yml')).toBeVisible();
});

test('server.properties is a form that keeps what it does not know', async ({ admin: page, panel }) => {
  const server = await panel.server('A form', 'game');
  const path = join(folderOf(panel, server), 'server.properties');
  writeFileSync(path, '#Minecraft\nmotd=Hi\nview-distance=10\nplugin-key=a b\npvp=true\n');
  await page.goto(`${panel.url}/servers/${server.id}/files/edit?path=/server.properties`);
  await page.getByLabel('View distance (chunks)').fill('99');
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel('View distance (chunks)').fill('12');
  await page.getByLabel(/Players can hurt each other/).uncheck();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect.poll(() => readFileSync(path, 'utf8')).toBe('#Minecraft\nmotd=Hi\nview-distance=12\nplugin-key=a b\npvp=false\n');
  await accessible(page);
  await page.getByRole('button', { name: 'Text', exact: true }).click();
  await expect(content(page)).toContainText('view-distance=12');
});

test('a folder with thousands of entries is there at once, and scrolls', async ({ admin: page, panel }) => {
  test.slow();
  const count = process.env.LONG ? 50_000 : 5_000;
  const server = await panel.server('Crowded', 'game');
  const folder = join(folderOf(panel, server), 'region');
  mkdirSync(folder);
  for (let at = 0; at < count; at += 1) writeFileSync(join(folder, `r.${at}.mca`), '');
  await page.goto(`${panel.url}/servers/${server.id}/files?path=/region`);
  await expect(row(page, 'r.0.mca')).toBeVisible();
  await expect(page.getByText(`${count.toLocaleString('en')} items`)).toBeVisible({ timeout: 60_000 });
  await grid(page).focus();
  await page.keyboard.press('End');
  await expect(row(page, `r.${count - 1}.mca`)).toBeInViewport();
  expect(await grid(page).getByRole('row').count()).toBeLessThan(100);
  await page.keyboard.type('4321');
  await expect(row(page, 'r.4321.mca')).toBeVisible();
});

test('files become an archive, and an archive files', async ({ admin: page, panel }) => {
  const server = await panel.server('Packed', 'game');
  mkdirSync(join(folderOf(panel, server), 'plugins/lang'), { recursive: true });
  writeFileSync(join(folderOf(panel, server), 'plugins/lang/en.txt'), 'hello');
  await page.goto(`${panel.url}/servers/${server.id}/files`);
  await row(page, 'plugins').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Create archive' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  await expect(row(page, 'plugins.zip')).toHaveAttribute('aria-selected', 'true');
  await row(page, 'plugins.zip').click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Extract' }).click();
  await page.getByLabel('Into the folder').fill('unpacked');
  await page.getByRole('dialog').getByRole('button', { name: 'Extract' }).click();
  await expect(row(page, 'unpacked')).toBeVisible();
  expect(readFileSync(join(folderOf(panel, server), 'unpacked/plugins/lang/en.txt'), 'utf8')).toBe('hello');

  const download = page.waitForEvent('download');
  await row(page, 'plugins.zip').click();
  await page.getByRole('button', { name: 'Download', exact: true }).first().click();
  expect((await download).suggestedFilename()).toBe('plugins.zip');
});

test('an upload goes on after a lost connection, and after a reload', async ({ admin: page, panel }) => {
  test.slow();
  const server = await panel.server('Uploaded', 'game');
  const path = join(panel.folder, 'world.tar');
  const bytes = Buffer.alloc(5 * 1024 * 1024, 'world');
  writeFileSync(path, bytes);
  const pieces = '**/files/uploads/*';
  await page.route(pieces, (route) => (route.request().method() === 'PATCH' ? route.abort('connectionreset') : route.fallback()));
  await page.goto(`${panel.url}/servers/${server.id}/files`);
  const input = page.locator('input[type=file][multiple]');
  await input.setInputFiles(path);
  await expect(page.getByText('connection lost, trying again')).toBeVisible();
  await page.getByRole('button', { name: 'Pause world.tar' }).click();
  await page.reload();
  await expect(page.getByText('1 unfinished upload')).toBeVisible();
  await page.unroute(pieces);
  const chooser = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Choose file' }).click();
  await (await chooser).setFiles(path);
  await expect(row(page, 'world.tar')).toBeVisible();
  expect(readFileSync(join(folderOf(panel, server), 'world.tar')).equals(bytes)).toBe(true);

  // It is there already.
  await input.setInputFiles(path);
  await page.getByRole('dialog').getByRole('button', { name: 'Keep both' }).click();
  await expect(row(page, 'world (2).tar')).toBeVisible();
});

test('on a phone entries are selected by their boxes and acted on from below', async ({ admin: page, panel }) => {
  const server = await panel.server('By thumb', 'game');
  for (const name of ['a.txt', 'b.txt']) writeFileSync(join(folderOf(panel, server), name), 'x');
  await page.setViewportSize(NARROW);
  await page.goto(`${panel.url}/servers/${server.id}/files`);
  await page.getByRole('checkbox', { name: 'Select a.txt' }).check();
  const bar = page.getByRole('toolbar', { name: '1 selected' });
  await expect(bar).toBeInViewport();
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await accessible(page);
  await bar.getByRole('button', { name: 'Delete' }).click();
  await expect(row(page, 'a.txt')).toHaveCount(0);
  await page.getByRole('link', { name: 'Trash' }).click();
  await page.getByRole('checkbox', { name: 'Select a.txt' }).check();
  await page.getByRole('button', { name: 'Restore 1 item' }).click();
  await page.getByRole('link', { name: 'Back to the folder' }).click();
  await expect(row(page, 'a.txt')).toBeVisible();
});
