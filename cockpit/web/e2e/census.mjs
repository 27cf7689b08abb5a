// census.mjs BASEURL PERSON AREA…: the screens of a city that counts trees, in a real browser: the large figure and its company are the trees, as the interface tells them,
// and nothing of vehicles stands empty beside them; on the map each area within has its figure below its name, as the list beside it says; one is opened, and has its
// own. In English on a wall, in Chinese on a phone.
import { launch, mapDrawn, openPage } from './browser.mjs';

const [base, person, ...areas] = process.argv.slice(2);
const browser = await launch();
const { page, errors } = await openPage(browser, base, { width: 1280, height: 900, lang: 'en', theme: 'light' });

/** {area: figure} as the map has drawn them. */
const drawn = () => page.evaluate(() => {
  const { map } = document.querySelector('[data-testid=map]').cityMap;
  return Object.fromEntries(map.queryRenderedFeatures({ layers: ['area-name'] }).map((f) => [f.properties.name, f.properties.figure]));
});
async function until(what, is) {
  const end = Date.now() + 60_000;
  let said;
  while ((said = await is()) !== true) {
    if (Date.now() > end) throw new Error(`not so: ${what}: ${JSON.stringify(said)}`);
    await page.waitForTimeout(200);
  }
  console.log(`ok ${what}`);
}
const WORDS = { en: ['Trees standing', 'trees', /vehicle|road|speed|junction|camera|zone|congestion/i], zh: ['树木数量', '棵', /车|路|信号|限行|延误|拥堵/] };
const VEHICLES = ['ranking', 'junctions', 'zones', 'zones-switch', 'sources-fresh', 'figure-delay_index', 'figure-congestion_index', 'figure-mean_speed', 'figure-flow', 'figure-vehicle_km'];
async function enter(on) {
  await on.goto(`${base}/`);
  await on.fill('#name', person);
  await on.fill('#password', 'citybrain-demo');
  await on.click('button[type=submit]');
  await on.waitForSelector('[data-testid=hero-value]', { timeout: 60_000 });
}
/** What is wrong on the screen of the city. */
const trees = (on, lang) => async () => {
  const [title, unit, vehicles] = WORDS[lang];
  const { indicators } = await on.evaluate(() => fetch('/cockpit/v1/indicators').then((r) => r.json()));
  const due = Object.fromEntries(indicators.map((i) => [i.name, i.value === null ? null : i.value.toLocaleString('en')]));
  const hero = (await on.textContent('[data-testid=hero]')).replaceAll(/\s+/g, ' ');
  if (!hero.includes(title) || !hero.includes(unit) || (await on.textContent('[data-testid=hero-value]')).trim() !== due.trees_standing) return hero;
  const company = await on.evaluate(() => Object.fromEntries([...document.querySelectorAll('[data-testid^=figure-]')].map((e) => [e.dataset.testid.slice(7), e.querySelector('button').textContent.trim()])));
  const beside = { trees_standing_low: due.trees_standing_low, trees_standing_high: due.trees_standing_high };
  if (JSON.stringify(company) !== JSON.stringify(beside)) return company;
  for (const name of VEHICLES) if (await on.locator(`[data-testid=${name}]`).count()) return `${name} is there`;
  if (await on.locator('.legend').count()) return 'a legend of roads';
  const words = await on.evaluate(() => document.querySelector('main').innerText);
  return vehicles.test(words) ? words : true;
};
try {
  await enter(page);
  await until('the screen is of trees, and says nothing of vehicles, in English', trees(page, 'en'));
  await mapDrawn(page);
  const beside = (area) => page.textContent(`li:has([data-testid="area-${area}"]) .count`);
  await until('each area has its figure on the map', async () => {
    const said = await drawn();
    for (const area of areas) if (!/^\d+ trees$/.test(said[area] ?? '') || said[area] !== `${(await beside(area)).trim()} trees`) return said;
    return true;
  });
  await page.click(`[data-testid="area-${areas[0]}"]`);
  await until('an area without areas has its own', async () => {
    const said = await drawn();
    const hero = (await page.textContent('[data-testid=hero-value]')).trim();
    return (Object.keys(said).join() === areas[0] && said[areas[0]] === `${hero} trees`) || said;
  });
  const phone = await openPage(browser, base, { width: 360, height: 780, phone: true, lang: 'zh', theme: 'dark', reduced: true });
  await enter(phone.page);
  await until('likewise on a phone, in Chinese', trees(phone.page, 'zh'));
  await until('nothing is wider than the phone', () => phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1));
  const told = [...errors, ...phone.errors];
  if (told.length) throw new Error(`the page reported errors: ${told.join('; ')}`);
} finally {
  await browser.close();
}
