/** The console: what one types, what one reads, and what neither may do to the page. */
import type { Page } from '@playwright/test';
import { consoleOf, expect, HOSTILE, is, say, test } from './parts/test.ts';

test('commands are kept, lines are found, and reading on holds the page still', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Talk', 'count 0 400');
  await page.goto(`${panel.url}/servers/${id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await is(page, 'running');
  const log = consoleOf(page);
  await expect(log).toContainText('Ready');

  await say(page, 'first');
  await say(page, 'second');
  await expect(log).toContainText('You said: second');
  const input = page.getByLabel('Command', { exact: true });
  await input.fill('half typ');
  for (const [key, text] of [
    ['ArrowUp', 'second'],
    ['ArrowUp', 'first'],
    ['ArrowDown', 'second'],
    ['ArrowDown', 'half typ']
  ] as const) {
    await input.press(key);
    await expect(input).toHaveValue(text);
  }
  await page.reload();
  await expect(log).toContainText('You said: second');
  await input.press('ArrowUp');
  await expect(input).toHaveValue('second');

  // Scrolling up lets go of the end, and what comes meanwhile is counted.
  await log.hover();
  const top = () => log.evaluate((element) => element.scrollTop);
  const toEnd = () => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
  await expect.poll(toEnd).toBeLessThan(30);
  await page.mouse.wheel(0, -1500);
  const latest = page.getByRole('button', { name: /Jump to latest/ });
  await expect(latest).toBeVisible();
  await expect.poll(toEnd).toBeGreaterThan(1000);
  const before = await top();
  await panel.call('POST', `/api/servers/${id}/command`, { command: 'from elsewhere' });
  await expect(latest).toContainText(/1 new|2 new/);
  expect(Math.abs((await top()) - before)).toBeLessThan(5);
  await latest.click();
  await expect(latest).toHaveCount(0);
  await expect.poll(toEnd).toBeLessThan(30);
  await expect(log.getByText('You said: from elsewhere')).toBeInViewport();
  // The topic begins with the last 200 lines; those before them come once one looks for them.
  await log.press('Home');
  await expect(async () => {
    await log.press('Home');
    await expect(log.getByText('Starting the server.')).toBeInViewport();
  }).toPass();
  await log.press('End');

  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByLabel('Search the console').fill('YOU SAID');
  const found = page.getByRole('search').getByRole('status');
  await expect(found).toHaveText('3 of 3');
  await page.getByLabel('Search the console').press('Enter');
  await expect(found).toHaveText('2 of 3');
  await expect(log.locator('.hit.current')).toContainText('You said: second');
  await page.getByLabel('Search the console').fill('never said');
  await expect(found).toHaveText('no lines');
  await page.getByLabel('Search the console').press('Escape');
  await expect(log.locator('.hit')).toHaveCount(0);
  await panel.power(id, 'stop', 'stopped');
});

test('colours are drawn; markup and other escapes are shown as text', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Escapes', 'markup');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  const log = consoleOf(page);
  await expect(log).toContainText('Ready');
  await expect(log).toContainText('<script>document.title="run"</script><img src=x onerror=alert(1)>');
  await expect(log).toContainText('&lt;b&gt; &amp; "quotes"');
  await say(page, HOSTILE);
  await expect(log).toContainText(`You said: ${HOSTILE}`);
  await expect(log.locator('.fg1', { hasText: 'red' }).first()).toBeVisible();
  const colour = (text: string) =>
    log.getByText(text, { exact: true }).first().evaluate((element) => getComputedStyle(element).color);
  expect(await colour('red')).not.toBe(await colour('title'));
  await expect(log.locator('img, script, a, iframe')).toHaveCount(0);
  await expect(page).toHaveTitle('Escapes · Ctrl-Alt-Play');
  const text = await log.innerText();
  // eslint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  expect(text).not.toContain('stolen title');
  await panel.power(id, 'stop', 'stopped');
});

test('a flood leaves the page quick: few nodes, all frames, no late key', async ({ admin: page, panel }, info) => {
  const { id } = await panel.server('Flood', 'echo Ready; read -r go; exec flood');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  const log = consoleOf(page);
  await expect(log).toContainText('Ready');
  const idle = await typeAndCount(page, 1000);
  await page.getByLabel('Command', { exact: true }).fill('');
  await say(page, 'go');
  await expect(log.locator('.row').nth(10)).toBeVisible();
  const figures = await typeAndCount(page, 3000);
  info.annotations.push({ type: 'figures', description: JSON.stringify(figures) });
  console.log('real flood', JSON.stringify(figures), 'idle', JSON.stringify(idle));
  quick(figures, idle);
  await page.getByRole('button', { name: 'Wrap' }).click();
  await page.getByRole('button', { name: 'More power actions' }).click();
  await page.getByRole('menuitem', { name: 'Force stop …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Force stop' }).click();
  await expect(page.locator('main .head .state[data-state]')).toHaveAttribute('data-state', /stopped|crashed/);
});

test('50,000 lines a second are drawn at all frames, and 100,000 are kept', async ({ admin: page, panel }, info) => {
  const { id } = await panel.server('Firehose', 'game');
  await panel.power(id, 'start', 'running');
  await page.addInitScript(() => {
    const Original = WebSocket;
    window.WebSocket = class extends Original {
      constructor(url: string | URL) {
        super(url);
        (window as unknown as { live: WebSocket }).live = this;
      }
    };
  });
  await page.goto(`${panel.url}/servers/${id}`);
  const log = consoleOf(page);
  await expect(log).toContainText('Ready');
  const idle = await typeAndCount(page, 1000);
  // As the panel would send them at that rate, 1,000 a message; more than are kept.
  await page.evaluate((topic) => {
    const began = performance.now();
    let seq = 1_000_000;
    const timer = setInterval(() => {
      const due = 1_000_000 + Math.min(130_000, (performance.now() - began) * 50);
      while (seq + 1000 <= due) {
        const lines = Array.from({ length: 1000 }, () => `{"seq":${++seq},"time":"2026-01-01T00:00:00.123456Z","stream":"stdout","text":"\\u001b[32m[INFO]\\u001b[0m line ${seq} of a game that says too much, and says it again"}`);
        (window as unknown as { live: WebSocket }).live.dispatchEvent(new MessageEvent('message', { data: `{"topic":"${topic}","data":{"lines":[${lines.join(',')}]}}` }));
      }
      if (seq >= 1_130_000) clearInterval(timer);
    }, 10);
  }, `console:${id}`);
  const figures = await typeAndCount(page, 2000);
  info.annotations.push({ type: 'figures', description: JSON.stringify(figures) });
  console.log('50,000 lines/s', JSON.stringify(figures), 'idle', JSON.stringify(idle));
  quick(figures, idle);
  await expect(log).toContainText('line 1130000', { timeout: 30_000 });
  // From the end to the oldest line kept, and it stays where one reads.
  await log.focus();
  await page.keyboard.press('Home');
  const oldest = async () => Number(/line (\d+)/.exec((await log.locator('.row').first().textContent()) ?? '')?.[1] ?? 0);
  await expect.poll(oldest).toBeLessThan(1_031_000);
  await expect(page.getByRole('button', { name: /Jump to latest/ })).toBeVisible();
});

test('links ask first, copies have no times, earlier runs are marked, and all of it fills the screen', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Reading', 'count 0 300');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  const log = consoleOf(page);
  await expect(log).toContainText('Counted to 300');
  await say(page, 'see https://example.com/maps?q=1.');

  const link = log.getByRole('link', { name: 'https://example.com/maps?q=1' }).last();
  await link.click();
  const dialog = page.getByRole('dialog', { name: 'Open this link?' });
  await expect(dialog).toContainText('https://example.com/maps?q=1');
  const open = dialog.getByRole('link', { name: 'Open' });
  await expect(open).toHaveAttribute('href', 'https://example.com/maps?q=1');
  await expect(open).toHaveAttribute('rel', 'noopener noreferrer');
  await expect(open).toHaveAttribute('target', '_blank');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  expect(page.context().pages()).toHaveLength(1);
  await link.press('Enter');
  await expect(dialog).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);

  // All of it, also what is not drawn, without times.
  const copied = () =>
    log.evaluate((element) => {
      const data = new DataTransfer();
      element.dispatchEvent(new ClipboardEvent('copy', { clipboardData: data, bubbles: true, cancelable: true }));
      return data.getData('text/plain');
    });
  await log.focus();
  await page.keyboard.press('Control+a');
  const lines = (await copied()).split('\n');
  expect(lines).toContain('Ready');
  expect(lines).toContain('150');
  expect(lines.at(-1)).toMatch(/^(You said: )?see https/);
  expect(lines.join()).not.toMatch(/\d\d:\d\d:\d\d/);
  expect(await log.locator('*').count()).toBeLessThan(600);
  // By mouse, within one line: that is all that is copied, and the place is held.
  await page.getByRole('button', { name: /Jump to latest/ }).click();
  await log.getByText('Counted to 300', { exact: true }).dblclick({ position: { x: 4, y: 8 } });
  expect(await copied()).toBe('Counted');
  await page.mouse.click(5, 5);
  await page.getByRole('button', { name: /Jump to latest/ }).click();

  // Times of the run, and what was before it.
  await page.getByLabel('Times').selectOption('Time of the run');
  await expect(log.locator('.row time').last()).toHaveText(/^0:0\d:\d\d$/);
  await page.getByLabel('Times').selectOption('No times');
  await expect(log.locator('time')).toHaveCount(0);
  await panel.power(id, 'kill', 'stopped');
  await panel.power(id, 'start', 'running');
  await expect(log).toContainText('Counted to 300');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByLabel('Search the console').fill('see https');
  await expect(log.locator('.hit.current.earlier')).toBeVisible();
  await page.getByLabel('Search the console').fill('Starting the server');
  await expect(page.getByRole('search').getByRole('status')).toHaveText('2 of 2');
  await expect(log.locator('.mark.run').last()).toContainText('Started');
  await page.getByLabel('Search the console').press('Escape');

  await page.getByRole('button', { name: 'Full screen' }).click();
  await expect.poll(() => page.locator('section.console').evaluate((one) => Math.round(one.getBoundingClientRect().width) === innerWidth && Math.round(one.getBoundingClientRect().height) === innerHeight)).toBe(true);
  expect(await page.locator('a[href="/servers"]').first().evaluate((one) => one.closest('[inert]') !== null)).toBe(true);
  await say(page, 'from the full screen');
  await expect(log).toContainText('You said: from the full screen');
  await page.getByRole('button', { name: 'Full screen' }).click();
  await expect(page.locator('[inert]')).toHaveCount(0);
  await panel.power(id, 'kill', 'stopped');
});

/** By the measure of the same page at rest: the machine that runs the tests may be busy with more than them. */
function quick(figures: Figures, idle: Figures) {
  expect(figures.nodes).toBeLessThan(1500);
  expect(figures.frames).toBeGreaterThan(idle.frames * 0.25);
  expect(figures.keyMedian).toBeLessThan(Math.max(100, idle.keyMedian * 3));
}

interface Figures {
  nodes: number;
  frames: number;
  slowestFrame: number;
  keyMedian: number;
  keyWorst: number;
}

/** Types into the command line for a while: nodes in the log, frames a second, and milliseconds from a key to its paint. */
async function typeAndCount(page: Page, milliseconds: number): Promise<Figures> {
  const input = page.getByLabel('Command', { exact: true });
  await input.focus();
  const counting = page.evaluate(
    (time) =>
      new Promise<Figures>((resolve) => {
        const keys: number[] = [];
        // A message posted in a frame's callback arrives when that frame has been handed on.
        const painted = (event: KeyboardEvent) => requestAnimationFrame(() => {
          const channel = new MessageChannel();
          channel.port1.onmessage = () => keys.push(performance.now() - event.timeStamp);
          channel.port2.postMessage(0);
        });
        document.addEventListener('keydown', painted, true);
        const began = performance.now();
        let last = began;
        let frames = 0;
        let slowestFrame = 0;
        let nodes = 0;
        const frame = (now: number) => {
          frames += 1;
          slowestFrame = Math.max(slowestFrame, now - last);
          last = now;
          nodes = Math.max(nodes, document.querySelectorAll('[role=log] *').length);
          if (now < began + time) return requestAnimationFrame(frame);
          document.removeEventListener('keydown', painted, true);
          keys.sort((a, b) => a - b);
          resolve({
            nodes,
            frames: Math.round(frames / ((now - began) / 1000)),
            slowestFrame: Math.round(slowestFrame),
            keyMedian: Math.round(keys[keys.length >> 1] ?? Infinity),
            keyWorst: Math.round(keys.at(-1) ?? Infinity)
          });
        };
        requestAnimationFrame(frame);
      }),
    milliseconds
  );
  const end = Date.now() + milliseconds - 300;
  while (Date.now() < end) {
    await page.keyboard.press('a');
    await page.waitForTimeout(60);
  }
  return counting;
}

test('a line that is being written is replaced in place, and ends as one line', async ({ admin: page, panel }) => {
  const draw = "n=0; while [ $n -lt 15 ]; do n=$((n+1)); printf '\\rDownloading %s%%' $n; sleep 0.2; done; echo";
  const { id } = await panel.server('Progress', `echo Ready; read -r go; ${draw}; printf 'name? '; read -r name; exec game`);
  await page.goto(`${panel.url}/servers/${id}`);
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await is(page, 'running');
  const log = consoleOf(page);
  await expect(log).toContainText('Ready');
  await say(page, 'go');
  const drawn = log.locator('.row').filter({ hasText: 'Downloading' });
  // On its way, at whichever moment one looks.
  await expect(drawn).toContainText(/Downloading ([1-9]|1[0-4])%/);
  await expect(drawn).toHaveCount(1);
  await expect(drawn).toContainText('Downloading 15%');
  await expect(log.locator('.row').last()).toContainText('name? ');
  await expect(drawn).toHaveCount(1);
  await say(page, 'Ada');
  await expect(log).toContainText('name? Ada');
  await expect(log.locator('.row').filter({ hasText: 'name?' })).toHaveCount(1);
  await panel.power(id, 'kill', 'stopped');
});
