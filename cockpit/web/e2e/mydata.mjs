// mydata.mjs BASEURL RECEIPT: a citizen in a real browser: the use is listed, its receipt verifies in the browser, the objection is sent.
import { launch, openPage } from './browser.mjs';

const [base, receipt] = process.argv.slice(2);
const browser = await launch();
const { page, errors } = await openPage(browser, base, { width: 360, height: 780, phone: true, lang: 'zh', theme: 'light' });
let n = 0;
async function check(what, is) {
  if (!(await is())) throw new Error(`not so: ${what}`);
  console.log(`ok ${++n} ${what}`);
}
try {
  await page.goto(`${base}/`);
  await page.fill('#name', 'citizen');
  await page.fill('#password', 'citybrain-demo');
  await page.click('button[type=submit]');
  const use = page.locator(`[data-testid="use-${receipt}"]`);
  await check('a citizen comes to their own page, and the use is there', async () => (await use.waitFor(), true));
  await check('nothing is wider than a phone', () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await check('there is no way to the cockpit', async () => (await page.locator('a[href="#/"]').count()) === 0);
  await check('its receipt verifies in the browser', async () => {
    await use.locator('[data-testid=use-check]').click();
    await use.locator('[data-testid=receipt][data-verdict=verified]').waitFor({ timeout: 60_000 });
    return true;
  });
  await check('an objection needs words', async () => {
    await use.locator('[data-testid=use-object]').click();
    await use.locator('[data-testid=use-send]').click();
    await use.locator('[role=alert]').waitFor();
    return true;
  });
  await check('with words it is sent', async () => {
    await use.locator('[data-testid=use-words]').fill('我当天没有在那里停车');
    await use.locator('[data-testid=use-send]').click();
    await use.locator('[data-testid=use-sent]').waitFor();
    return true;
  });
  await check('no error was reported', () => errors.length === 0 || (console.log(errors), false));
} finally {
  await browser.close();
}
