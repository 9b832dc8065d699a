/** What every test stands on: a panel, a page that is watched, and short words for what is done often. */
import { test as base, expect, type Browser, type BrowserContext, type Locator, type Page } from '@playwright/test';
import { ADMIN, Panel } from './panel.ts';

export const NARROW = { width: 390, height: 844 };
/** Text that would run as a script if anything took it for markup. */
export const HOSTILE = '<img src=x onerror="window.__p=1">';

const problems = new WeakMap<Page, string[]>();

/** Whatever breaks the page's policy, throws, or runs what came as text is a failure of any test. */
export function watch(page: Page): Page {
  const found: string[] = [];
  problems.set(page, found);
  // Chromium drops what it is fetching when a network interface comes or goes (ERR_NETWORK_CHANGED), and each container
  // that starts or ends on this machine brings one: the page's files go by Node, which does not mind. Not the page
  // itself: one that was not fetched from this machine may not open a WebSocket to it. A connection that the panel closes
  // as it is taken again is no failure.
  void page.route('**/_app/**', async (route) => {
    try {
      await route.fulfill({ response: await route.fetch({ maxRedirects: 0, maxRetries: 3 }) });
    } catch {
      await route.abort().catch(() => {});
    }
  });
  page.on('pageerror', (error) => found.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) found.push(`${page.url()}: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A page that one leaves lets go of what it was fetching.
    const why = request.failure()?.errorText ?? '';
    if (request.url().includes('/_app/') && why !== 'net::ERR_ABORTED') found.push(`${request.url()}: ${why}`);
  });
  page.on('response', (response) => {
    if (response.url().includes('/_app/') && !response.ok()) found.push(`${response.url()}: ${response.status()}`);
  });
  page.on('dialog', (dialog) => {
    found.push(`${page.url()}: a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return page;
}

export async function clean(page: Page) {
  expect(problems.get(page)).toEqual([]);
  expect(await page.evaluate(() => (window as { __p?: number }).__p)).toBeUndefined();
}

interface Fixtures {
  /** A page of somebody who is signed in as `ADMIN`. */
  admin: Page;
}

export const test = base.extend<Fixtures, { panel: Panel }>({
  panel: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const panel = await Panel.claimed();
      await use(panel);
      await panel.close();
    },
    { scope: 'worker' }
  ],
  page: async ({ page }, use) => {
    await use(watch(page));
    await clean(page);
  },
  admin: async ({ page, panel }, use) => {
    await signIn(page.context(), panel);
    await use(page);
  }
});

/** Without the form, which has tests of its own: the cookie by the answer, its other half into the page's storage. */
export async function signIn(context: BrowserContext, panel: Panel, who = ADMIN, origin = panel.url) {
  const answer = await context.request.post(`${panel.url}/api/session`, { data: who });
  expect(answer.status()).toBe(200);
  const { sessionKey } = (await answer.json()) as { sessionKey: string };
  // Once: what the page forgets later is not to come back at its next load.
  await context.addInitScript(
    ([origin, key]: [string, string]) => {
      if (location.origin !== origin || localStorage.getItem('test-key') === key) return;
      localStorage.setItem('test-key', key);
      localStorage.setItem('session-key', key);
    },
    [origin, sessionKey] as [string, string]
  );
}

/** A call as the page makes it, with this key or the one that the page has. */
export async function callAs(page: Page, method: string, path: string, key?: string | null): Promise<{ status: number; body: unknown }> {
  return page.evaluate(
    async ([method, path, given]) => {
      const key = given ?? localStorage.getItem('session-key');
      const answer = await fetch(path, { method, headers: key === null ? {} : { 'x-session-key': key } });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
    },
    [method, path, key ?? null] as const
  );
}

export const keyOf = (page: Page): Promise<string | null> => page.evaluate(() => localStorage.getItem('session-key'));

/** Another browser, as far as cookies go. */
export async function another(browser: Browser, panel: Panel, who = ADMIN): Promise<Page> {
  const context = await browser.newContext();
  await signIn(context, panel, who);
  return watch(await context.newPage());
}

/** The state beside a server's name on its own page. */
export const badge = (page: Page): Locator => page.locator('main .head .state[data-state]');

export async function is(page: Page, state: string) {
  await expect(badge(page)).toHaveAttribute('data-state', state, { timeout: 30_000 });
}

export const consoleOf = (page: Page): Locator => page.getByRole('log', { name: 'Console output' });

export async function say(page: Page, command: string) {
  const input = page.getByLabel('Command', { exact: true });
  await input.fill(command);
  await input.press('Enter');
  await expect(input).toHaveValue('');
}

export { expect };
