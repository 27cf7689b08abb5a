// shots.mjs BASEURL OUTDIR [FILTER] [--states]: pictures of every screen and state, on a wall and on a phone, in both languages and themes.
// For people to look at; the README's picture is one of them.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, mapDrawn, openPage, signIn } from './browser.mjs';

const [base, out, filter = ''] = process.argv.slice(2);
if (!base || !out) {
  console.error('usage: shots.mjs BASEURL OUTDIR [FILTER]');
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const NAMES_MS = Number(process.env.NAMES_MS ?? 12_000); // until the names stand on the map, in software GL
const WALL = { width: 1920, height: 1080 };
const PHONE = { width: 360, height: 780, phone: true };
const SHOTS = [];
for (const [size, screen] of [['wall', WALL], ['phone', PHONE]]) {
  for (const lang of ['zh', 'en']) {
    for (const theme of ['dark', 'light']) SHOTS.push({ name: `${size}-${lang}-${theme}`, screen, lang, theme });
  }
  SHOTS.push({ name: `${size}-district`, screen, lang: 'zh', theme: 'dark', path: '/?area=hangzhou.xihu' });
  SHOTS.push({ name: `${size}-street`, screen, lang: 'zh', theme: 'light', path: '/?area=hangzhou.xihu.gudang' });
  SHOTS.push({ name: `${size}-why-zh`, screen, lang: 'zh', theme: 'dark', why: true });
  SHOTS.push({ name: `${size}-why-en`, screen, lang: 'en', theme: 'light', why: true });
  SHOTS.push({ name: `${size}-signin-zh`, screen, lang: 'zh', theme: 'dark', signin: true });
  SHOTS.push({ name: `${size}-signin-en`, screen, lang: 'en', theme: 'light', signin: true });
}
SHOTS.push({ name: 'desk-zh-dark', screen: { width: 1024, height: 768 }, lang: 'zh', theme: 'dark' });
SHOTS.push({ name: 'laptop-zh-light', screen: { width: 1440, height: 900 }, lang: 'zh', theme: 'light' });

// The designed states: made by the mock's switches, or by answers that this page alone is given.
if (base.includes('127.0.0.1') && process.argv.includes('--states')) {
  for (const [size, screen] of [['wall', WALL], ['phone', PHONE]]) {
    SHOTS.push({ name: `state-stale-${size}`, screen, lang: 'zh', theme: 'dark', before: '/mock/stale', wait: 9000, after: '/mock/fresh' });
    SHOTS.push({ name: `state-lost-${size}`, screen, lang: 'zh', theme: 'light', lose: true, wait: 8000 });
    SHOTS.push({ name: `state-loading-${size}`, screen, lang: 'zh', theme: 'dark', block: '**/cockpit/v1/*', hold: true });
    SHOTS.push({ name: `state-failed-${size}`, screen, lang: 'zh', theme: 'dark', block: /cockpit\/v1\/(ranking|sources|history|live|roads)/ });
    SHOTS.push({ name: `state-noright-${size}`, screen, lang: 'zh', theme: 'light', person: 'gudang', path: '/?area=hangzhou.gongshu' });
    SHOTS.push({ name: `state-refused-${size}`, screen, lang: 'zh', theme: 'dark', why: true, tamper: true });
    SHOTS.push({ name: `state-wrong-${size}`, screen, lang: 'zh', theme: 'dark', wrong: true });
  }
}

/** A tampered leaf: one bit of what the ledger answers is turned on the way. */
const tamper = (page) => page.route('**/log/v1/tile/**', async (route) => {
  const response = await route.fetch();
  const body = await response.body();
  for (let at = 40; at < body.length; at += 90) body[at] ^= 1;
  await route.fulfill({ response, body });
});

const browser = await launch();
for (const shot of SHOTS.filter((s) => s.name.includes(filter))) {
  const { page, context, errors } = await openPage(browser, base, { ...shot.screen, lang: shot.lang, theme: shot.theme });
  if (shot.tamper) await tamper(page);
  if (shot.block) await page.route(shot.block, (route) => (shot.hold ? undefined : route.fulfill({ status: 503, body: '{}' })));
  if (shot.wrong) {
    await page.goto(base);
    await page.fill('#name', 'mayor');
    await page.fill('#password', 'x');
    await page.click('button[type=submit]');
    await page.waitForSelector('[role=alert]');
  } else if (shot.hold) {
    await page.goto(base);
    await page.fill('#name', 'mayor');
    await page.fill('#password', 'citybrain-demo');
    await page.click('button[type=submit]');
    await page.waitForTimeout(2500);
  } else if (shot.signin) {
    await page.goto(base);
    await page.waitForSelector('#name');
  } else {
    await signIn(page, base, shot.path ?? '/', shot.person);
    if (!shot.block) await mapDrawn(page);
    await page.waitForTimeout(NAMES_MS);
    if (shot.before) await fetch(base + shot.before, { method: 'POST' });
    if (shot.lose) {
      await page.route('**/cockpit/v1/live*', (route) => route.abort());
      await fetch(`${base}/mock/cut`, { method: 'POST' });
    }
    if (shot.wait) await page.waitForTimeout(shot.wait);
    if (shot.why) {
      await page.click('[data-testid=hero-why]');
      await page.waitForSelector('[data-testid=receipt]:not([data-verdict=running])', { timeout: 30_000 });
      await page.waitForTimeout(400);
    }
  }
  await page.screenshot({ path: join(out, `${shot.name}.png`) });
  if (shot.screen === PHONE && !shot.signin && !shot.why) await page.screenshot({ path: join(out, `${shot.name}-full.png`), fullPage: true });
  if (shot.why) {
    await page.locator('[data-testid=receipt]').first().scrollIntoViewIfNeeded();
    await page.evaluate(() => document.querySelector('[data-testid=receipt]')?.scrollIntoView({ block: 'start' }));
    await page.screenshot({ path: join(out, `${shot.name}-receipt.png`) });
  }
  if (shot.after) await fetch(base + shot.after, { method: 'POST' });
  console.log(shot.name, errors.length ? `ERRORS ${errors.join(' | ')}` : 'ok');
  await context.close();
}
await browser.close();
