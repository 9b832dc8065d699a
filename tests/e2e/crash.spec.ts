/** What a server that ended says of itself, and what can be done about it. */
import { badge, expect, is, test } from './parts/test.ts';

test('a crash has a cause, and its restart can be called off', async ({ admin: page, panel }) => {
  const server = await panel.server('Crashes', 'sh -c "echo java.lang.OutOfMemoryError: Java heap space; sleep 1; exit 3"', { ports: [] });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await expect(page.getByText('No ports: nobody can join')).toBeVisible();
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await is(page, 'crashed');
  await expect(page.locator('.notes').getByText('Out of memory', { exact: true })).toBeVisible();
  // The first restart comes after 2 s, later ones take longer.
  await expect(page.locator('.notes')).toContainText(/Restarts in (?:[5-9]|\d\d) s/, { timeout: 40_000 });
  await page.getByRole('button', { name: 'Don’t restart' }).click();
  await expect(page.getByRole('button', { name: 'Don’t restart' })).toHaveCount(0);
  await expect(badge(page)).toHaveAttribute('data-state', 'crashed');
  await page.getByRole('link', { name: 'Give it 256 MB' }).click();
  await expect(page.getByRole('spinbutton', { name: 'Memory', exact: true })).toHaveValue('256');
  await expect(page.getByText('Unsaved changes')).toBeVisible();
});

test('a game with too many threads is allowed more', async ({ admin: page, panel }) => {
  const server = await panel.server('Forks', 'sh -c "echo bash: fork: retry: Resource temporarily unavailable; sleep 1; exit 3"', { ports: [] });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByRole('link', { name: 'Allow 2048' }).click();
  const field = page.getByRole('spinbutton', { name: 'Processes and threads' });
  await expect(field).toHaveValue('2048');
  await field.fill('20000');
  await expect(page.getByText('Between 16 and 16,384.')).toBeVisible();
  await field.fill('3000');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Unsaved changes')).toHaveCount(0);
  const { limits } = await panel.call<{ limits: { processes: number } }>('GET', `/api/servers/${server.id}`);
  expect(limits.processes).toBe(3000);
});

test('how any image stops and what follows a crash is on the page', async ({ admin: page, panel }) => {
  const server = await panel.server('Any image', 'sleep 1000');
  await page.goto(`${panel.url}/servers/${server.id}/startup`);
  await page.getByLabel('How it stops').selectOption({ label: 'By a console command' });
  await page.getByLabel('Stop command', { exact: true }).fill('quit');
  await page.getByLabel('Seconds to stop').fill('45');
  await page.getByLabel('Ready line').fill('Done');
  await page.getByRole('checkbox', { name: /Restart after a crash/ }).uncheck();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Startup saved')).toBeVisible();
  const { behaviour } = await panel.call<{ behaviour: unknown }>('GET', `/api/servers/${server.id}`);
  expect(behaviour).toEqual({ stop: { command: 'quit' }, stopTimeoutSecs: 45, ready: 'Done', startupMode: 'shell', restartAfterCrash: false, stopAtDiskLimit: true });
});

test('a new server starts as soon as it is there', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/servers/new?game=image`);
  await page.getByLabel('Name', { exact: true }).fill('At once');
  await page.getByLabel('Image', { exact: true }).fill('cap-test/busybox');
  await page.getByLabel('Startup command', { exact: true }).fill('sleep 1000');
  await expect(page.getByText('No ports: nobody can join')).toBeVisible();
  await expect(page.getByText('Start it as soon as its files are there.')).toBeVisible();
  await page.getByRole('button', { name: 'Create and start' }).click();
  await is(page, 'running');
});

test('a failed install has one way to try again', async ({ admin: page, panel }) => {
  const { id } = await panel.call<{ id: string }>('POST', '/api/servers', { name: 'No image', image: 'localhost:9/nothing:here' });
  await page.goto(`${panel.url}/servers/${id}`);
  await is(page, 'install_failed');
  await expect(page.getByRole('button', { name: 'Try again' })).toHaveCount(1);
  await expect(page.getByRole('button', { name: 'Start', exact: true })).toHaveCount(0);
});

test('a game that asks for its EULA by a file gets it', async ({ admin: page, panel }) => {
  const line = 'if grep -q eula=true eula.txt; then echo It is ready; exec sleep 1000; fi; echo You need to agree to the EULA in order to run the server.';
  const template = {
    template: 1, about: { name: 'Asks for its EULA' }, images: [{ label: 'One', reference: 'cap-test/busybox' }],
    startup: [{ name: 'Default', command: line }], run: { ready: ['It is ready'], features: ['eula'], startup_by_shell: true }
  };
  const { id } = await panel.call<{ id: string }>('POST', '/api/templates', template);
  const server = await panel.server('Asks', line, { templateId: id, ports: [] });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByText('The game’s license was not accepted')).toBeVisible();
  await expect(page.getByRole('link', { name: 'EULA', exact: true })).toHaveAttribute('href', 'https://aka.ms/MinecraftEULA');
  await page.getByRole('button', { name: 'Accept and start' }).click();
  await is(page, 'running');
});

const asking = (name: string, more: object, command: string) => ({
  template: 1, about: { name }, startup: [{ name: 'Default', command }], run: { ready: ['It is ready'], startup_by_shell: true },
  images: [{ label: 'One', reference: 'cap-test/busybox' }], ...more
});

test('a game that needs another Java gets the template’s image with it', async ({ admin: page, panel }) => {
  // The same image by two names; the game knows by its file whether it was started before.
  const line = 'if [ -e before ]; then echo It is ready; exec sleep 1000; fi; touch before; echo has been compiled by a more recent version of the Java Runtime \\(class file version 65.0\\); exit 1';
  const images = [{ label: 'Java 17', reference: 'cap-test/busybox' }, { label: 'Java 21', reference: 'cap-test/busybox:latest' }];
  const { id } = await panel.call<{ id: string }>('POST', '/api/templates', asking('Asks for Java', { images }, line));
  const server = await panel.server('Asks for Java', line, { templateId: id, ports: [], behaviour: { restartAfterCrash: false } });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByText('Wrong Java version')).toBeVisible();
  await expect(page.getByLabel('Image', { exact: true })).toHaveValue('cap-test/busybox:latest');
  await page.getByRole('button', { name: 'Save and start' }).click();
  await is(page, 'running');
  expect(await panel.call('GET', `/api/servers/${server.id}`)).toMatchObject({ image: 'cap-test/busybox:latest' });
});

test('a game whose token Steam refuses asks for another', async ({ admin: page, panel }) => {
  const line = 'if [ "$STEAM_ACC" = NEW ]; then echo It is ready; exec sleep 1000; fi; echo Could not establish connection to Steam servers. \\(GSL token expired\\); exit 1';
  const variables = [{ name: 'STEAM_ACC', label: 'Steam token', default: 'OLD', rules: ['required', 'string'], viewable: true, editable: true }];
  const { id } = await panel.call<{ id: string }>('POST', '/api/templates', asking('Asks for a token', { variables }, line));
  const server = await panel.server('Asks for a token', line, { templateId: id, ports: [], behaviour: { restartAfterCrash: false } });
  await page.goto(`${panel.url}/servers/${server.id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByText('Steam refused the server’s token')).toBeVisible();
  await expect(page.getByRole('link', { name: 'Create one at Steam' })).toHaveAttribute('href', /^https:\/\/steamcommunity\.com\//);
  await page.getByLabel('Token', { exact: true }).fill('NEW');
  await page.getByRole('button', { name: 'Save and start' }).click();
  await is(page, 'running');
});
