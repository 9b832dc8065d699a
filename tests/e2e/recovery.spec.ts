/** The frame stays while the panel is away, where a file does not come, and where there is nothing to see. */
import { Panel } from './parts/panel.ts';
import { expect, signIn, test } from './parts/test.ts';

const frame = 'Main';

test('another page can be gone to while the panel is away, and comes by itself', async ({ browser }) => {
  const panel = await Panel.claimed();
  const context = await browser.newContext();
  try {
    await signIn(context, panel);
    // Not watched: files that do not come are what this is about.
    const page = await context.newPage();
    await page.goto(`${panel.url}/servers`);
    await expect(page.getByRole('heading', { name: 'Start your first world' })).toBeVisible();
    await panel.kill();
    await expect(page.getByText('Connection lost.')).toBeVisible({ timeout: 20_000 });
    await page.getByRole('navigation', { name: frame }).first().getByRole('link', { name: 'Users' }).click();
    await expect(page.getByText(/could not be loaded|Could not load/)).toBeVisible();
    await expect(page.getByText('Internal Error')).toHaveCount(0);
    await expect(page.getByRole('navigation', { name: frame }).first()).toBeVisible();
    await panel.start();
    await expect(page.getByRole('heading', { name: 'Users' })).toBeVisible({ timeout: 30_000 });
    await expect(page.getByRole('row', { name: /admin/ })).toBeVisible({ timeout: 30_000 });
  } finally {
    await context.close();
    await panel.close();
  }
});

test('a file that fails once does not leave a bare page', async ({ browser, panel }) => {
  const context = await browser.newContext();
  await signIn(context, panel);
  const page = await context.newPage();
  await page.goto(`${panel.url}/servers`);
  await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible();
  let failing = true;
  await page.route('**/_app/immutable/nodes/**', (route) => (failing ? route.abort() : route.continue()));
  await page.getByRole('navigation', { name: frame }).first().getByRole('link', { name: 'Account' }).click();
  await expect(page.getByText('This page could not be loaded')).toBeVisible();
  await expect(page.getByRole('navigation', { name: frame }).first()).toBeVisible();
  failing = false;
  await expect(page.getByRole('heading', { name: 'Theme' })).toBeVisible({ timeout: 20_000 });
  await context.close();
});

test('what does not exist is said in the frame', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/nowhere`);
  await expect(page.getByRole('heading', { name: 'This page does not exist' })).toBeVisible();
  await expect(page.getByRole('navigation', { name: frame }).first()).toBeVisible();
  await page.getByRole('navigation', { name: frame }).first().getByRole('link', { name: 'Nodes' }).click();
  await expect(page.getByRole('heading', { name: 'Nodes', exact: true })).toBeVisible();
});
