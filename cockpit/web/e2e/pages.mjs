// pages.mjs BASEURL: the browser test of catalog and contracts against a running demo city. Parking's desk finds a resource in the catalog,
// drafts a contract for it and offers it; the police's desk signs after it; the browser verifies the receipt of the signature; the police
// suspend it and revoke it. The interface describes itself and is tried. Then roles, axe and widths. Prints one line a check and ends with "N passed, N failed".
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PASSWORD, launch, openPage } from './browser.mjs';

const [base] = process.argv.slice(2);
if (!base) {
  console.error('usage: pages.mjs BASEURL');
  process.exit(2);
}
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let passed = 0;
let failed = 0;
const check = async (what, run) => {
  let more;
  try {
    more = await run();
  } catch (e) {
    more = String(e).split('\n')[0];
  }
  const isGood = more === undefined || more === true;
  if (isGood) passed++;
  else failed++;
  console.log(`${isGood ? 'ok    ' : 'FAILED'} ${what}${isGood ? '' : `: ${more}`}`);
};
const axe = async (page) => {
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations
    .filter((v) => ['serious', 'critical'].includes(v.impact)).map((v) => `${v.id} (${v.nodes.length}): ${v.nodes[0].html.slice(0, 160)} ${v.nodes[0].failureSummary?.split('\n')[1] ?? ''}`));
  return found.length === 0 || found.join(' | ');
};
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1 || `${document.documentElement.scrollWidth} px wide on ${innerWidth}`);
const go = async (page, hash, ready) => {
  await page.evaluate((h) => { location.hash = h; }, hash);
  await page.waitForSelector(ready);
};
const enter = async (page, person, hash) => {
  page.setDefaultTimeout(Number(process.env.PAGES_TIMEOUT_MS ?? 60_000));
  await page.goto(base + hash);
  await page.fill('#name', person);
  await page.fill('#password', PASSWORD);
  await page.click('button[type=submit]');
  await page.waitForSelector('[data-testid^=page-][tabindex]');
};
const state = (page, is) => page.waitForSelector(`[data-testid=contract][data-state=${is}]`);

const browser = await launch();
try {
  const parking = await openPage(browser, base, { lang: 'zh' });
  const police = await openPage(browser, base, { lang: 'en', theme: 'light' });
  let contract = '';
  await check('the catalog finds a resource by a field’s meaning and opens it', async () => {
    await enter(parking.page, 'parking-contracts', '/#/catalog');
    await parking.page.fill('[data-testid=catalog-search]', '号牌种类');
    await parking.page.click('[data-testid="resource-hangzhou/police/vehicle"]');
    await parking.page.waitForSelector('[data-testid=resource]:has-text("owner_phone")'); // until then a wall shows the first of those found
    return true;
  });
  await check('a draft says what is missing before anything is sent', async () => {
    await parking.page.click('[data-testid=draft-it]');
    await parking.page.waitForSelector('[data-testid=draft]');
    await parking.page.click('[data-testid=save]');
    return (await parking.page.locator('[role=alert] li').count()) === 3;
  });
  await check('secret fields cannot be ticked', () => parking.page.isDisabled('[data-testid=field-owner_phone]'));
  await check('what the other side will see stands beside the form', async () => {
    for (const field of ['plate', 'is_new_energy']) await parking.page.check(`[data-testid=field-${field}]`);
    await parking.page.fill('[data-testid=draft-purpose]', 'parking.charge');
    const words = await parking.page.textContent('[data-testid=terms]');
    return (words.includes('便捷泊车场景') && words.includes('is_new_energy')) || words;
  });
  await check('what the hub refuses is told in its words', async () => {
    await parking.page.fill('[data-testid=draft-legal-zh]', '依据');
    await parking.page.fill('[data-testid=draft-legal-en]', 'law');
    await parking.page.fill('[data-testid=draft-rows]', 'no_such_field = 1');
    await parking.page.click('[data-testid=save]');
    await parking.page.waitForSelector('[role=alert]');
    return (await parking.page.textContent('[role=alert]')).includes('no_such_field');
  });
  await check('saved and offered, it waits for signatures', async () => {
    await parking.page.fill('[data-testid=draft-rows]', "status <> 'E'");
    await parking.page.fill('[data-testid=draft-per-day]', '200');
    await parking.page.click('[data-testid=save-offer]');
    await state(parking.page, 'offered');
    contract = await parking.page.getAttribute('[data-testid=contract]', 'aria-label');
  });
  await check('signing asks once more, and one signature is not enough', async () => {
    await parking.page.click('[data-testid=do-sign]');
    await parking.page.click('[data-testid=sure]');
    await parking.page.waitForSelector('[data-testid=contract] [role=status]');
    return (await parking.page.getAttribute('[data-testid=contract]', 'data-state')) === 'offered';
  });
  await check('the other side finds it under “to sign” and signs', async () => {
    await enter(police.page, 'police-contracts', '/#/contracts');
    await police.page.click('[data-testid=view-to-sign]');
    await police.page.click(`[data-testid="contract-${contract}"]`);
    await police.page.click('[data-testid=do-sign]');
    await police.page.click('[data-testid=sure]');
    await state(police.page, 'agreed');
  });
  await check('the browser verifies the receipt of the signature', async () => {
    const last = (await police.page.locator('[data-testid^=verify-]').count());
    await police.page.locator('[data-testid^=verify-]').nth(last - 1).click();
    await police.page.waitForSelector('[data-testid=receipt]:not([data-verdict=running])');
    const verdict = await police.page.getAttribute('[data-testid=receipt]', 'data-verdict');
    return verdict === 'verified' || verdict;
  });
  await check('suspending counts at once, and only the same side resumes', async () => {
    await police.page.click('[data-testid=do-suspend]');
    await police.page.click('[data-testid=sure]');
    await state(police.page, 'suspended');
    await go(parking.page, '#/catalog', '[data-testid=page-catalog]');
    await go(parking.page, `#/contracts/${contract}`, '[data-testid=contract][data-state=suspended]');
    return (await parking.page.locator('[data-testid=do-resume]').count()) === 0;
  });
  await check('revoked, it stands under history', async () => {
    await police.page.click('[data-testid=do-revoke]');
    await police.page.click('[data-testid=sure]');
    await state(police.page, 'ended');
    await police.page.click('[data-testid=view-history]');
    await police.page.waitForSelector(`[data-testid="contract-${contract}"]`);
  });
  await check('no error was reported and no other host was asked', () => {
    const told = [...parking.errors.filter((e) => !e.includes('400')), ...police.errors, ...parking.foreign, ...police.foreign];
    return told.length === 0 || told.slice(0, 3).join(' | ');
  });
  await parking.context.close();
  await police.context.close();

  const auditor = await openPage(browser, base, { lang: 'zh' });
  await check('who audits sees every contract and may sign none', async () => {
    await enter(auditor.page, 'auditor', '/#/contracts');
    await auditor.page.click('[data-testid=view-history]');
    await auditor.page.click(`[data-testid="contract-${contract}"]`);
    await state(auditor.page, 'ended');
    return (await auditor.page.locator('[data-testid^=do-], [data-testid=new-contract]').count()) === 0;
  });
  await auditor.context.close();
  const asker = await openPage(browser, base, { lang: 'zh' });
  await check('the interface is found by a word, opened and tried by the keyboard alone', async () => {
    const { page } = asker;
    await enter(page, 'parking-contracts', '/#/api');
    await page.fill('[data-testid=api-search]', '数据目录');
    await page.press('[data-testid=api-search]', 'Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-testid=route][aria-label="get /hub/v1/catalog"]');
    await page.focus('[data-testid=try-send]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('[data-testid=try-status]');
    const said = await page.textContent('[data-testid=try-answer]');
    return (said.includes('200') && said.includes('"resource": "hangzhou/')) || said.slice(0, 200);
  });
  await check('a request that lacks a name is not sent, a refusal is shown as it came, the shell’s line says the same', async () => {
    const { page } = asker;
    await go(page, '#/api/post/hub/v1/call/%7Barea%7D/%7Bparty%7D/%7Bname%7D', '[data-testid=try-body]');
    await page.click('[data-testid=try-send]');
    if (!(await page.textContent('[role=alert]')).includes('area')) return 'nothing told';
    for (const [name, value] of [['area', 'hangzhou'], ['party', 'police'], ['name', 'nothing']]) await page.fill(`[data-testid=try-${name}]`, value);
    await page.click('[data-testid=try-send]');
    await page.waitForSelector('[data-testid=try-status]');
    const [said, curl] = [await page.textContent('[data-testid=try-answer]'), await page.textContent('[data-testid=curl]')];
    return (said.includes('404') && said.includes('there is no such resource') && curl.includes("/hub/v1/call/hangzhou/police/nothing'")) || `${said} ${curl}`;
  });
  await check('nothing else was reported', () => {
    const told = [...asker.errors.filter((e) => !e.includes('404')), ...asker.foreign];
    return told.length === 0 || told.join(' | ');
  });
  await asker.context.close();
  const operator = await openPage(browser, base, { lang: 'zh' });
  await check('who operates has no page of contracts', async () => {
    await enter(operator.page, 'operator', '/#/catalog');
    return (await operator.page.locator('[data-testid=page-link-contracts]').count()) === 0;
  });
  await operator.context.close();

  for (const [size, screen] of [['wall', { width: 1920, height: 1080 }], ['phone', { width: 360, height: 780, phone: true }]]) {
    for (const [lang, theme] of [['zh', 'dark'], ['en', 'light']]) {
      const p = await openPage(browser, base, { ...screen, lang, theme, reduced: true });
      await check(`${size} ${lang} ${theme}: pages no wider than the screen, no serious axe violation`, async () => {
        await enter(p.page, 'police-contracts', '/#/catalog');
        for (const [hash, ready] of [['#/catalog/hangzhou/police/vehicle', '[data-testid=resource]'], ['#/contracts', '[data-testid=view-mine]'],
          [`#/contracts/${contract}`, '[data-testid=contract]'], ['#/contracts/new/hangzhou/police/vehicle', '[data-testid=draft]'],
          ['#/api', '[data-testid=route], [data-testid=api-search]'], ['#/api/post/hub/v1/contracts', '[data-testid=route]']]) {
          await go(p.page, hash, ready);
          await p.page.waitForTimeout(300);
          const wide = await overflow(p.page);
          if (wide !== true) return `${hash}: ${wide}`;
          const violations = await axe(p.page);
          if (violations !== true) return `${hash}: ${violations}`;
        }
        return p.errors.length === 0 || p.errors[0];
      });
      await p.context.close();
    }
  }
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
