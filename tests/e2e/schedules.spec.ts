/** Schedules in the page: made as a sentence, run, seen in the history, changed and deleted. */
import { expect, NARROW, test } from './parts/test.ts';

test('a schedule is made, tried, run and deleted', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Clock', 'game');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  await page.getByRole('navigation', { name: 'Server' }).getByRole('link', { name: 'Schedules' }).click();
  await expect(page.getByText('No schedules yet.')).toBeVisible();
  await expect(page.getByText('Nothing has run yet.')).toBeVisible();

  await page.getByRole('button', { name: 'Add schedule' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('<img src=x onerror=window.__p=1>');
  await dialog.getByLabel('Time', { exact: true }).fill('04:30');
  await dialog.getByLabel('Command').fill('save-all');
  await expect(dialog.getByText(/^Every day at 04:30 .*: type “save-all”\.$/)).toBeVisible();
  await dialog.getByRole('button', { name: 'Show next runs' }).click();
  await expect(dialog.getByRole('status').getByRole('listitem')).toHaveCount(5);
  await dialog.getByLabel('When').selectOption('at a cron pattern');
  await dialog.getByLabel('Cron pattern').fill('99 * * * *');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByText('Schedule not saved')).toBeVisible();
  await dialog.getByLabel('Cron pattern').fill('30 4 * * 1');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Schedule saved')).toBeVisible();
  await expect(dialog).toBeHidden();

  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const size of [page.viewportSize()!, NARROW]) {
      await page.setViewportSize(size);
      await expect(page.getByRole('button', { name: 'Run now' })).toBeVisible();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(size.width);
    }
  }
  await page.getByRole('button', { name: 'Try without effect' }).click();
  await expect(page.getByText('without effect', { exact: false }).last()).toBeVisible();
  await page.getByRole('button', { name: 'Run now' }).click();
  await expect(page.getByText(/by hand/)).toBeVisible({ timeout: 20_000 });
  expect(await page.evaluate(() => (window as { __p?: number }).__p)).toBeUndefined();

  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('Schedule deleted')).toBeVisible();
  await expect(page.getByText('No schedules yet.')).toBeVisible();
});
