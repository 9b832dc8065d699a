/**
 * How quick the page is in a real browser: PANEL (its address), TOKEN (of an admin), SERVERS (how many there are), in; one line
 * of JSON with medians out. `tests/bench/page.rs` starts it.
 */
import { chromium } from '@playwright/test';

const { PANEL, USERNAME, PASSWORD, CHROMIUM = '/usr/bin/chromium' } = process.env;
const SERVERS = Number(process.env.SERVERS);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** What is called slow 3G: 400 kbit/s, 400 ms there and back. */
const SLOW = { latency: 400, throughput: (400 * 1000) / 8, cpu: 4 };
const LAN = { latency: 1, throughput: (100 * 1000 * 1000) / 8, cpu: 1 };

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Runs in the page, before all else: notes when the list is there, and what moved. */
function observe(servers) {
  const seen = (window.__speed = { list: null, shift: 0 });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: 'layout-shift', buffered: true });
  const look = () => {
    if (seen.list !== null) return;
    const names = document.querySelectorAll('main a[href^="/servers/"]:not([href="/servers/new"])');
    const buttons = document.querySelectorAll('main button:not([disabled])');
    // Rows further down are drawn when they come into sight.
    const sight = Math.min(servers, 9);
    if (names.length >= sight && buttons.length >= sight) seen.list = performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}

async function open(browser, network) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' });
  const answer = await context.request.post(`${PANEL}/api/session`, { data: { username: USERNAME, password: PASSWORD } });
  const { sessionKey } = await answer.json();
  await context.addInitScript((key) => localStorage.setItem('session-key', key), sessionKey);
  await context.addInitScript(observe, SERVERS);
  const page = await context.newPage();
  // A new window's own scripts take the processor for a second: they are no part of the page.
  await page.waitForTimeout(1500);
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: network.latency, downloadThroughput: network.throughput, uploadThroughput: network.throughput });
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: network.cpu });
  const loaded = { bytes: 0, requests: 0 };
  cdp.on('Network.loadingFinished', (event) => {
    loaded.bytes += event.encodedDataLength;
    loaded.requests += 1;
  });
  return { context, page, loaded };
}

/** The list of servers in a browser that was never here. */
async function list(browser, network) {
  const { context, page, loaded } = await open(browser, network);
  await page.goto(`${PANEL}/servers`, { waitUntil: 'commit' });
  await page.waitForFunction(() => window.__speed.list !== null, null, { timeout: 60_000 });
  const listBytes = loaded.bytes;
  // What comes after it, the small lines and the rest of the page, counts too.
  await page.waitForTimeout(network === SLOW ? 4000 : 1000);
  const found = await page.evaluate(() => ({
    usable: window.__speed.list,
    shift: window.__speed.shift,
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0
  }));
  await context.close();
  return { ...found, listBytes, bytes: loaded.bytes, requests: loaded.requests };
}

/** From the click to the first change that it makes, on the slow line: of a button of a server, and of a link. */
async function clicks(browser) {
  const { context, page } = await open(browser, SLOW);
  await page.goto(`${PANEL}/servers`, { waitUntil: 'commit' });
  await page.waitForFunction(() => window.__speed.list !== null, null, { timeout: 60_000 });
  await page.waitForTimeout(3000);
  const effect = async (target) => {
    await target.evaluate((element) => {
      window.__click = new Promise((resolve) => {
        element.addEventListener(
          'pointerdown',
          () => {
            const began = performance.now();
            const seen = new MutationObserver(() => {
              seen.disconnect();
              requestAnimationFrame(() => resolve(performance.now() - began));
            });
            seen.observe(document.body, { childList: true, subtree: true, attributes: true, characterData: true });
          },
          { once: true, capture: true }
        );
      });
    });
    await target.click();
    return page.evaluate(() => window.__click);
  };
  const button = await effect(page.locator('main').getByRole('button', { name: /^Start/ }).first());
  const link = await effect(page.locator('main a[href^="/servers/"]:not([href="/servers/new"])').first());
  await context.close();
  return { button, link };
}

const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'] });
const result = {};
for (const [name, network] of [['slow', SLOW], ['lan', LAN]]) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round += 1) rounds.push(await list(browser, network));
  for (const key of Object.keys(rounds[0])) result[`${name}.${key}`] = median(rounds.map((round) => round[key]));
}
const clicked = [];
for (let round = 0; round < ROUNDS; round += 1) clicked.push(await clicks(browser));
for (const key of ['button', 'link']) result[`click.${key}`] = median(clicked.map((round) => round[key]));
await browser.close();
console.log(JSON.stringify(result));
