/** Template sources and registry logins in the page: added, searched, refused, removed. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from './parts/test.ts';

/** An index and its two eggs on loopback, which the panel of these tests may fetch from. */
async function host(): Promise<{ server: Server; url: string }> {
  const egg = (name: string) =>
    JSON.stringify({
      meta: { version: 'PTDL_v2' }, name, description: `Runs ${name}.`, docker_images: { One: 'busybox:latest' }, startup: './game',
      config: { files: '{}', startup: '{"done": "ready"}', stop: '^C' }, variables: []
    });
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host}`;
    const entry = (name: string) => ({ egg: { name, description: `Runs ${name}.` }, download_url: `${base}/${name}.json` });
    if (request.url === '/index.json') {
      response.end(JSON.stringify({ nests: [{ nest_type: 'Games', Eggs: [entry('Wobbly-Ducks'), entry('Iron-Moon')] }] }));
    } else if (request.url?.endsWith('-Ducks.json') || request.url?.endsWith('-Moon.json')) {
      response.end(egg(request.url.slice(1, -5)));
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('a template is taken out of a source', async ({ admin: page, panel }) => {
  const { server, url } = await host();
  try {
    await page.goto(`${panel.url}/settings`);
    await page.getByRole('link', { name: 'Manage sources' }).click();
    await expect(page.getByText('No sources yet.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Add Pelican Eggs' })).toBeVisible();

    await page.getByRole('button', { name: 'Add source' }).click();
    await expect(page.getByText('Enter an address.')).toBeVisible();
    await page.getByLabel('Address').fill(`${url}/none.json`);
    await page.getByRole('button', { name: 'Add source' }).click();
    await expect(page.getByText(/404/)).toBeVisible();
    await page.getByLabel('Address').fill(`${url}/index.json`);
    await page.getByRole('button', { name: 'Add source' }).click();
    await expect(page.getByText('2 templates', { exact: true })).toBeVisible();

    await page.getByRole('searchbox', { name: 'Find a template' }).fill('duck');
    await expect(page.getByText('1 template', { exact: true })).toBeVisible();
    await page.getByRole('button', { name: 'Add the template Wobbly-Ducks' }).click();
    await expect(page.getByText('added', { exact: true })).toBeVisible();
    const made = await panel.call<{ id: string }[]>('GET', '/api/templates');
    expect(made.some((template) => template.id === 'wobbly-ducks')).toBe(true);

    await page.getByRole('button', { name: `Remove ${url}/index.json` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(page.getByText('No sources yet.')).toBeVisible();
    await panel.call('DELETE', '/api/templates/wobbly-ducks');
  } finally {
    server.close();
  }
});

test('a registry login is kept, and its secret not shown', async ({ admin: page, panel }) => {
  await page.goto(`${panel.url}/settings`);
  await expect(page.getByText('No logins. Public images need none.')).toBeVisible();
  await page.getByRole('button', { name: 'Add login' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Save login' }).click();
  await expect(dialog.getByText('Enter a registry.')).toBeVisible();
  await dialog.getByLabel('Registry').fill('ghcr.io');
  await dialog.getByLabel('User name').fill('me');
  await dialog.getByLabel('Password or token', { exact: true }).fill('t0p-s3cret');
  await dialog.getByRole('button', { name: 'Save login' }).click();
  await expect(page.getByText('ghcr.io', { exact: true })).toBeVisible();
  expect(await page.content()).not.toContain('t0p-s3cret');
  await page.getByRole('button', { name: 'Remove the login at ghcr.io' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('No logins. Public images need none.')).toBeVisible();
});
