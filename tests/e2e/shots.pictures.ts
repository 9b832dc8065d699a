/** Pictures of every page, wide and narrow, light and dark, with something on each. Not a test: `npm run shots`. */
import { execFileSync } from 'node:child_process';
import type { Page } from '@playwright/test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN, freePort, Panel } from './parts/panel.ts';
import { NARROW, signIn, test } from './parts/test.ts';

const WIDE = { width: 1440, height: 900 };
const LANGUAGE = process.env.SHOTS_LANGUAGE ?? 'en';

/** A house with some life in it. */
async function furnish(panel: Panel) {
  const running = await panel.server('Friday night', "echo Ready; n=0; while [ $n -lt 40 ]; do n=$((n+1)); echo \"[INFO] line $n of the evening\"; done; printf 'Downloading world 37%%'; read -r x; exec game", { ports: [{ internal: 25565, external: await freePort(), protocol: 'tcp' }] });
  const paused = await panel.server('Stands still', 'game');
  const crashed = await panel.server('Fragile', 'exit-with 7 1');
  await panel.server('A server with a name that is longer than most', 'game');
  await panel.call('POST', '/api/servers', { name: 'Under the hills', templateId: 'terraria', image: 'cap-test/busybox', startup: 'game' });
  const failed = await panel.call<{ id: string }>('POST', '/api/servers', { name: 'Never came', image: '127.0.0.1:9/absent' });
  await panel.power(running.id, 'start', 'running');
  await panel.power(paused.id, 'start', 'running');
  execFileSync('docker', ['pause', `ctrl-alt-play-${paused.id}`], { stdio: 'ignore' });
  await panel.call('POST', `/api/servers/${crashed.id}/power`, { action: 'start' });
  await panel.state(failed.id, 'install_failed');
  await panel.call('POST', '/api/nodes', { id: 'attic-pi', name: 'Attic Pi' });
  for (const username of ['ada', 'grace']) await panel.call('POST', '/api/users', { username, password: ADMIN.password, role: 'user' });
  const files = join(panel.folder, 'servers', running.id);
  for (const name of ['world/region', 'plugins', 'logs']) mkdirSync(join(files, name), { recursive: true });
  writeFileSync(join(files, 'server.properties'), '#Minecraft server properties\nmotd=Friday night\nmax-players=20\nview-distance=10\nonline-mode=true\n');
  writeFileSync(join(files, 'config.yml'), 'name: Friday night # shown to players\nlimits:\n  homes: 3\n');
  const { id: backup } = await panel.call<{ id: string }>('POST', `/api/servers/${running.id}/backups`, { name: 'Before the dragon' });
  await panel.call('POST', '/api/backup-targets', {
    name: 'Cloud',
    location: { kind: 's3', endpoint: 'https://s3.example.com', bucket: 'my-game-backups', accessKey: 'K', secretKey: 'S' }
  });
  await panel.call('POST', '/api/account/ssh-keys', { name: 'Laptop', key: SSH_KEY });
  await panel.call('POST', '/api/doctor');
  await panel.call('PUT', '/api/nodes/local/public-address', { address: 'play.example.com' });
  const { path: shared } = await panel.call<{ path: string }>('PUT', `/api/servers/${running.id}/share`, { wake: true, note: 'Vanilla, no mods. Ask Ada for the whitelist.' });
  await panel.call('POST', `/api/servers/${running.id}/schedules`, {
    name: 'Restart at night',
    enabled: true,
    trigger: { kind: 'cron', pattern: '0 5 * * *', zone: 'Europe/Berlin' },
    steps: [
      { action: { kind: 'announce', command: 'say Restart in {left}', before: [300, 60, 10] } },
      { action: { kind: 'power', power: 'restart' } }
    ]
  });
  return { running: running.id, paused: paused.id, crashed: crashed.id, failed: failed.id, backup, shared };
}

/** A public key that nobody has the other half of. */
const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f laptop';

async function settled(page: Page) {
  await page.locator('main h1').first().waitFor();
  await page.locator('.skeleton').first().waitFor({ state: 'detached' });
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished)));
}

test('pictures', async ({ browser }) => {
  const panel = await Panel.fresh();
  const link = panel.setupLink;
  try {
    const shoot = async (page: Page, name: string, look: string) => {
      await settled(page);
      await page.screenshot({ path: `shots/${look}/${name}.png`, fullPage: !name.startsWith('console') });
    };
    const each = async (run: (page: Page, look: string) => Promise<void>) => {
      for (const scheme of ['light', 'dark'] as const) {
        for (const [size, viewport] of [['wide', WIDE], ['narrow', NARROW]] as const) {
          const context = await browser.newContext({ viewport, colorScheme: scheme, locale: LANGUAGE, hasTouch: size === 'narrow' });
          const page = await context.newPage();
          await run(page, `${size}-${scheme}`);
          await context.close();
        }
      }
    };
    await each(async (page, look) => {
      await page.goto(link);
      await shoot(page, 'setup', look);
    });
    await panel.claim();
    const made = await furnish(panel);
    const pages: [string, string][] = [
      ['servers', '/servers'],
      ['console', `/servers/${made.running}`],
      ['console-paused', `/servers/${made.paused}`],
      ['console-crashed', `/servers/${made.crashed}`],
      ['console-failed', `/servers/${made.failed}`],
      ['files', `/servers/${made.running}/files`],
      ['files-form', `/servers/${made.running}/files/edit?path=/server.properties`],
      ['files-editor', `/servers/${made.running}/files/edit?path=/config.yml`],
      ['files-trash', `/servers/${made.running}/files/trash`],
      ['files-search', `/servers/${made.running}/files/search?name=config`],
      ['players', `/servers/${made.running}/players`],
      ['friends', `/servers/${made.running}/friends`],
      ['shared', made.shared],
      ['schedules', `/servers/${made.running}/schedules`],
      ['schedules-empty', `/servers/${made.paused}/schedules`],
      ['backups', `/servers/${made.running}/backups`],
      ['backup', `/servers/${made.running}/backups/${made.backup}`],
      ['backups-empty', `/servers/${made.paused}/backups`],
      ['startup', `/servers/${made.running}/startup`],
      ['access', `/servers/${made.running}/users`],
      ['settings-server', `/servers/${made.running}/settings`],
      ['templates', '/templates'],
      ['template', '/templates/palworld'],
      ['sources', '/templates/sources'],
      ['new', '/servers/new'],
      ['new-terraria', '/servers/new?game=terraria'],
      ['new-image', '/servers/new?game=any-image'],
      ['nodes', '/nodes'],
      ['node-local', '/nodes/local'],
      ['node-awaited', '/nodes/attic-pi'],
      ['users', '/users'],
      ['settings', '/settings'],
      ['account', '/account'],
      ['missing', '/nowhere']
    ];
    await each(async (page, look) => {
      await page.goto(`${panel.url}/sign-in`);
      await shoot(page, 'sign-in', look);
      await signIn(page.context(), panel);
      for (const [name, path] of pages) {
        await page.goto(panel.url + path);
        if (name === 'console') await page.getByRole('log').getByText('line 200').or(page.getByRole('log')).first().waitFor();
        await shoot(page, name, look);
      }
      await page.goto(`${panel.url}/servers/${made.running}/files`);
      await page.getByRole('button', { name: 'SFTP' }).or(page.getByRole('link', { name: 'SFTP' })).first().click();
      await page.getByRole('dialog').waitFor();
      await shoot(page, 'sftp', look);
      // As behind a proxy that passes no WebSockets.
      await page.routeWebSocket('**/api/live', (socket) => void socket.close());
      await page.goto(`${panel.url}/servers/${made.running}`);
      await page.locator('.banner.warn').waitFor({ timeout: 60_000 });
      await shoot(page, 'console-blocked', look);
      await page.goto(`${panel.url}/servers`);
      await page.getByRole('button', { name: /^(List|Liste)$/ }).click();
      await shoot(page, 'servers-list', look);
      await page.keyboard.press('Control+k');
      await page.getByRole('dialog').waitFor();
      await page.screenshot({ path: `shots/${look}/palette.png` });
    });
  } finally {
    await panel.close();
  }
});
