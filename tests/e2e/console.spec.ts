/** The console: what one types, what one reads, and what neither may do to the page. */
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

test('a flood leaves the page alive', async ({ admin: page, panel }) => {
  const { id } = await panel.server('Flood', 'flood');
  await panel.power(id, 'start', 'running');
  await page.goto(`${panel.url}/servers/${id}`);
  const log = consoleOf(page);
  await expect.poll(() => log.locator('.row').count()).toBeGreaterThan(2000);
  // Three seconds of it: how long does the page ever take to draw the next frame?
  const slowest = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const end = performance.now() + 3000;
        let last = performance.now();
        let worst = 0;
        const frame = (now: number) => {
          worst = Math.max(worst, now - last);
          last = now;
          if (now < end) requestAnimationFrame(frame);
          else resolve(worst);
        };
        requestAnimationFrame(frame);
      })
  );
  expect(slowest).toBeLessThan(1500);
  expect(await log.locator('.row').count()).toBeLessThan(12_000);
  await page.getByRole('button', { name: 'Wrap' }).click();
  await page.getByRole('button', { name: 'More power actions' }).click();
  await page.getByRole('menuitem', { name: 'Force stop …' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Force stop' }).click();
  await expect(page.locator('main .head .state[data-state]')).toHaveAttribute('data-state', /stopped|crashed/);
});

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
