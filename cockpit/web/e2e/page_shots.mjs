// page_shots.mjs BASEURL OUTDIR PERSON PATH...: pictures of pages behind the sign-in (`#/catalog`), on a wall and on a phone, in both
// languages and themes; says what is wider than the screen and which error was reported. For people to look at.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PASSWORD, launch, openPage } from './browser.mjs';

const [base, out, person, ...paths] = process.argv.slice(2);
if (!base || !out || !person || paths.length === 0) {
  console.error('usage: page_shots.mjs BASEURL OUTDIR PERSON PATH...');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const browser = await launch();
const screens = [['wall', { width: 1920, height: 1080 }], ['phone', { width: 360, height: 780, phone: true }]];
const looks = (process.env.LOOKS ?? 'zh-dark,en-light,zh-light,en-dark').split(',').map((l) => l.split('-'));
for (const [size, screen] of screens) {
  for (const [lang, theme] of looks) {
    const { page, context, errors } = await openPage(browser, base, { ...screen, lang, theme });
    await page.goto(base + paths[0]);
    await page.fill('#name', person);
    await page.fill('#password', PASSWORD);
    await page.click('button[type=submit]');
    for (const path of paths) {
      await page.evaluate((hash) => { location.hash = hash; }, path.slice(path.indexOf('#')));
      await page.waitForSelector('[data-testid^=page-]', { state: 'attached' });
      await page.waitForTimeout(900);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      const name = `${size}-${lang}-${theme}-${path.replace(/\W+/g, '_').slice(0, 40)}`;
      await page.screenshot({ path: join(out, `${name}.png`), fullPage: size === 'phone' });
      console.log(name, wide > 1 ? `WIDE by ${wide}` : 'ok', ...errors.splice(0));
    }
    await context.close();
  }
}
await browser.close();
