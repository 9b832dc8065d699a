/** Other machines: added by one line, seen live, given servers, and let go of. */
import type { Locator, Page } from '@playwright/test';
import { Agent } from './parts/agent.ts';
import type { Panel, Server } from './parts/panel.ts';
import { expect, is, test } from './parts/test.ts';

const health = (page: Page): Locator => page.locator('main .page-head [data-health]');

/** A node and its agent, without the page. */
async function joined(panel: Panel, id: string): Promise<Agent> {
  const { joinCommand } = await panel.call<{ joinCommand: string }>('POST', '/api/nodes', { id });
  return Agent.of(joinCommand).start();
}

async function online(panel: Panel, id: string, wanted: boolean) {
  await expect
    .poll(async () => (await panel.call<{ online: boolean; system?: unknown }>('GET', `/api/nodes/${id}`)).online, { timeout: 30_000 })
    .toBe(wanted);
}

test('a machine is added, plays, goes away, and is let go of', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/nodes`);
  await page.getByRole('button', { name: 'Add node' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Add node' }).click();
  await expect(dialog.getByText('ID is required.')).toBeVisible();
  await dialog.getByLabel('Name').fill('Attic Pi');
  await expect(dialog.getByLabel('ID')).toHaveValue('attic-pi');
  await dialog.getByLabel('ID').press('Enter');
  const line = await dialog.getByRole('region', { name: 'Command to run there' }).innerText();
  await expect(dialog.getByText('Waiting for the agent')).toBeVisible();
  const agent = Agent.of(line).start();
  try {
    await expect(dialog.getByText('Attic Pi is online')).toBeVisible({ timeout: 30_000 });
    await dialog.getByRole('button', { name: 'Open node' }).click();
    await expect(page).toHaveURL(/\/nodes\/attic-pi$/);
    await expect(health(page)).toHaveText('Online');
    await expect(page.getByRole('meter', { name: 'Memory reserved' })).toBeVisible();
    expect(await page.content()).not.toContain(/--secret (\S+)/.exec(line)?.[1] ?? 'no secret');

    await page.getByRole('link', { name: 'New server here' }).click();
    await page.getByRole('button', { name: /^Any image/ }).click();
    await expect(page.getByLabel('Node', { exact: true })).toHaveValue('attic-pi');
    await page.getByLabel('Name', { exact: true }).fill('Far away');
    await page.getByLabel('Image', { exact: true }).fill('cap-test/busybox');
    // Open by itself, where the image is not known.
    await page.getByLabel('Startup command', { exact: true }).fill('game');
    await page.getByRole('button', { name: 'Create server, start later' }).click();
    await is(page, 'stopped');
    agent.servers.add(new URL(page.url()).pathname.split('/')[2] ?? '');
    await expect(page.locator('main .head')).toContainText('on Attic Pi');
    await page.getByRole('button', { name: 'Start', exact: true }).click();
    await is(page, 'running');

    await agent.kill();
    await is(page, 'unknown');
    await expect(page.getByText(/^Unknown since/)).toBeVisible();
    await expect(page.getByText('Its node Attic Pi is offline.')).toBeVisible();
    for (const name of ['Start', 'Stop']) await expect(page.getByRole('button', { name, exact: true }).and(page.locator(':enabled'))).toHaveCount(0);
    await page.getByRole('link', { name: 'Open node' }).click();
    await expect(health(page)).toHaveText('Offline');
    await expect(page.getByText(/^Offline, last seen/)).toBeVisible();
    await expect(page.getByRole('row', { name: /Far away/ })).toContainText('Unknown');

    await page.getByRole('button', { name: 'Remove with its servers …' }).click();
    const confirm = page.getByRole('dialog');
    await expect(confirm.getByRole('button', { name: 'Remove and forget' })).toBeDisabled();
    await confirm.getByRole('textbox').fill('Attic Pi');
    await confirm.getByRole('textbox').press('Enter');
    await expect(page).toHaveURL(/\/nodes$/);
    await expect(page.getByRole('article', { name: 'Attic Pi' })).toHaveCount(0);
    expect(await panel.call<Server[]>('GET', '/api/servers')).not.toContainEqual(expect.objectContaining({ name: 'Far away' }));
  } finally {
    await agent.close();
  }
});

test('what differs is shown with the act that mends it', async ({ admin: page, panel }) => {
  const agent = await joined(panel, 'cellar');
  try {
    await online(panel, 'cellar', true);
    const { id } = await panel.server('Stray', 'game', { nodeId: 'cellar' });
    agent.servers.add(id);
    await panel.power(id, 'start', 'running');
    await page.goto(`${panel.url}/nodes/cellar`);
    await expect(page.getByRole('row', { name: /Stray/ })).toContainText('Running');
    const difference = page.locator(`[data-difference="${id}"]`);
    for (const act of ['Adopt', 'Remove …']) {
      await agent.kill();
      await online(panel, 'cellar', false);
      await panel.call('DELETE', `/api/servers/${id}?force=true`);
      await expect(page.getByRole('row', { name: /Stray/ })).toHaveCount(0);
      agent.start();
      await expect(difference).toContainText('Running there', { timeout: 30_000 });
      await difference.getByRole('button', { name: act }).click();
      if (act === 'Adopt') {
        await expect(page.getByRole('row', { name: /Stray/ })).toContainText('Running');
      } else {
        await page.getByRole('dialog').getByRole('textbox').fill(id);
        await page.getByRole('dialog').getByRole('button', { name: 'Remove permanently' }).click();
      }
      await expect(difference).toHaveCount(0, { timeout: 30_000 });
    }
    await expect(page.getByText('No servers on this node.')).toBeVisible();
  } finally {
    await agent.close();
    await panel.call('DELETE', '/api/nodes/cellar?force=true').catch(() => {});
  }
});

test('a node is renamed, drained, given a new secret, and cut off', async ({ admin: page, panel }) => {
  const agent = await joined(panel, 'shed');
  try {
    await online(panel, 'shed', true);
    await page.goto(`${panel.url}/nodes/shed`);
    await page.getByLabel('Name', { exact: true }).fill('Garden shed');
    await page.getByLabel('Name', { exact: true }).press('Enter');
    await expect(page.getByRole('heading', { name: 'Garden shed' })).toBeVisible();
    await page.getByRole('button', { name: 'Pause new servers', exact: true }).click();
    await expect(page.locator('main .page-head')).toContainText('Paused for new servers');
    await expect(page.getByRole('link', { name: 'New server here' })).toHaveCount(0);
    await page.goto(`${panel.url}/servers/new`);
    await page.getByRole('button', { name: /^Any image/ }).click();
    const node = page.getByLabel('Node', { exact: true });
    await expect(node).toHaveValue('auto');
    await expect(node.getByRole('option', { name: /Garden shed/ })).toBeDisabled();
    await expect(node.getByRole('option', { name: /Garden shed/ })).toHaveText('Garden shed (paused for new servers)');

    await page.goto(`${panel.url}/nodes/shed`);
    await page.getByRole('button', { name: 'Renew …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Create secret' }).click();
    await expect(page.getByRole('dialog').getByRole('region', { name: 'Command to run there' })).toContainText('--secret');
    await expect(page.getByRole('dialog')).toContainText('Waiting for the agent');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').getByRole('button', { name: 'Close anyway' }).click();
    await expect(page.getByRole('region', { name: 'Secret' })).toContainText('at the latest until');
    await expect(health(page)).toHaveText('Online', { timeout: 30_000 });
    await page.getByRole('button', { name: 'Revoke …' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await expect(health(page)).toHaveText('Offline');
    await expect(page.locator('main .page-head')).toContainText('Secret revoked');
  } finally {
    await agent.close();
    await panel.call('DELETE', '/api/nodes/shed?force=true').catch(() => {});
  }
});
