// cases.mjs BASEURL PERSON CASE: the cases' page in a real browser: the list, one case begun, refused without words, closed with them, its history.
import { launch, openPage } from './browser.mjs';

const [base, person, id] = process.argv.slice(2);
const browser = await launch();
const { page, errors } = await openPage(browser, base, { width: 1280, height: 900, lang: 'zh', theme: 'light' });
let n = 0;
async function check(what, is) {
  if (!(await is())) throw new Error(`not so: ${what}`);
  console.log(`ok ${++n} ${what}`);
}
try {
  await page.goto(`${base}/#/cases`);
  await page.fill('#name', person);
  await page.fill('#password', 'citybrain-demo');
  await page.click('button[type=submit]');
  await page.waitForSelector(`[data-testid=case-${id}]`, { timeout: 30_000 });
  await page.click(`[data-testid=case-${id}]`);
  await page.waitForSelector('[data-testid=case][data-state=open]');
  await check('it can be begun', async () => {
    await page.click('[data-testid=case-start]');
    await page.waitForSelector('[data-testid=case][data-state=doing]');
    return true;
  });
  await check('what another does is seen as it is done', async () => {
    const headers = { 'Content-Type': 'application/json' };
    const signed = await fetch(`${base}/party/v1/session`, { method: 'POST', headers, body: JSON.stringify({ name: person, password: 'citybrain-demo' }) });
    await fetch(`${base}/case/v1/cases/${id}/comment`, { method: 'POST', headers: { ...headers, Cookie: signed.headers.get('set-cookie').split(';')[0] }, body: '{"text":"又核对了一遍"}' });
    await page.waitForFunction(() => document.querySelector('[data-testid=case] ol')?.textContent.includes('又核对了一遍'));
    return true;
  });
  await check('it is not closed without words', async () => {
    await page.click('[data-testid=case-close]');
    await page.waitForSelector('[role=alert]');
    return (await page.getAttribute('[data-testid=case]', 'data-state')) === 'doing';
  });
  await check('it is closed with words, and the history says so', async () => {
    await page.fill('[data-testid=case-text]', '已按现场情况更正 <b>&');
    await page.click('[data-testid=case-close]');
    await page.waitForSelector('[data-testid=case][data-state=closed]');
    await page.waitForFunction(() => document.querySelector('[data-testid=case] ol')?.textContent.includes('已按现场情况更正 <b>&'));
    return true;
  });
  await check('it stands among the closed ones', async () => {
    await page.click('[data-testid=which-closed]');
    await page.waitForSelector(`[data-testid=case-${id}]`);
    return true;
  });
  await check('no error was reported', () => errors.length === 0 || (console.log(errors), false));
} finally {
  await browser.close();
}
