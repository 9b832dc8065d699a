/** The page in German: by the browser's languages, or as chosen. */
import { expect, test } from './parts/test.ts';

test('the language is chosen, kept, and loaded alone', async ({ admin: page, panel }) => {
  test.slow();
  const files: string[] = [];
  page.on('response', (response) => void files.push(new URL(response.url()).pathname));
  await page.goto(`${panel.url}/account`);
  await expect(page.getByRole('heading', { name: 'Language' })).toBeVisible();
  const before = files.length;
  await page.getByRole('button', { name: 'Deutsch' }).click();
  await expect(page.getByRole('heading', { name: 'Sprache' })).toBeVisible();
  await expect(page.locator('html')).toHaveAttribute('lang', 'de');
  // The other language came only now.
  expect(files.slice(before).filter((path) => path.endsWith('.js')).length).toBeGreaterThan(0);
  await page.reload();
  await expect(page.getByRole('heading', { name: 'Passwort' })).toBeVisible();
  for (const path of ['/servers', '/nodes', '/users', '/settings', '/servers/new']) {
    await page.goto(panel.url + path);
    await expect(page.locator('main h1').first()).toBeVisible();
    await expect(page.locator('main')).not.toContainText(/\b(Settings|Save|Password|Memory|Could not)\b/);
  }
  await page.goto(`${panel.url}/account`);
  await page.getByRole('button', { name: 'English' }).click();
  await expect(page.getByRole('heading', { name: 'Language' })).toBeVisible();
});

test.describe('a German browser', () => {
  test.use({ locale: 'de-DE' });
  test('is answered in German', async ({ page, panel }) => {
    await page.goto(`${panel.url}/sign-in`);
    await expect(page.getByRole('button', { name: 'Anmelden' })).toBeVisible();
  });
});
