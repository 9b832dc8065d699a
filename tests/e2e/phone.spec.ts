/** On a phone everything that is needed is in reach of a thumb. */
import { freePort } from './parts/panel.ts';
import { expect, is, NARROW, test } from './parts/test.ts';

test.use({ viewport: NARROW, hasTouch: true });

test('the command line stands above the tab bar, whatever is above it', async ({ admin: page, panel }) => {
  const port = await freePort();
  const { id } = await panel.server('A server with an address and quite a long name', 'game', { ports: [{ internal: 25565, external: port, protocol: 'tcp' }] });
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  await is(page, 'running');
  await expect(page.getByRole('main').getByText(`:${port}`).first()).toBeVisible();
  const command = page.getByLabel('Command', { exact: true });
  await expect
    .poll(async () => {
      const [line, bar] = await Promise.all([command.boundingBox(), page.locator('nav.bottom-nav').boundingBox()]);
      return line && bar ? line.y + line.height - bar.y : null;
    })
    .toBeLessThanOrEqual(0);
  await panel.power(id, 'kill', 'stopped');

  await page.goto(`${panel.url}/servers`);
  await page.getByRole('button', { name: 'List', exact: true }).tap();
  await expect(page.getByRole('row', { name: /quite a long name/ }).getByRole('button', { name: new RegExp(`Copy address .*:${port}`) }).filter({ visible: true })).toBeVisible();
});

test('boxes are large enough for a finger', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Boxes', 'game');
  const { id: user } = await panel.call<{ id: string }>('POST', '/api/users', { username: 'fingers', password: 'quite long enough', role: 'user' });
  await page.goto(`${panel.url}/servers/${id}/users`);
  const box = page.getByRole('checkbox', { name: 'fingers: View' });
  await expect(box).toBeVisible();
  const size = await box.boundingBox();
  expect(size?.width).toBeGreaterThanOrEqual(24);
  expect((await box.locator('xpath=..').boundingBox())?.height).toBeGreaterThanOrEqual(44);
  await panel.call('DELETE', `/api/users/${user}`);
});
