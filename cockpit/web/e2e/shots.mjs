// shots.mjs BASEURL OUTDIR [FILTER]: pictures of every screen and state, on a wall and on a phone, in both languages and themes.
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

const browser = await launch();
for (const shot of SHOTS.filter((s) => s.name.includes(filter))) {
  const { page, context, errors } = await openPage(browser, base, { ...shot.screen, lang: shot.lang, theme: shot.theme });
  if (shot.signin) {
    await page.goto(base);
    await page.waitForSelector('#name');
  } else {
    await signIn(page, base, shot.path ?? '/');
    await mapDrawn(page);
    await page.waitForTimeout(3500);
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
  console.log(shot.name, errors.length ? `ERRORS ${errors.join(' | ')}` : 'ok');
  await context.close();
}
await browser.close();
