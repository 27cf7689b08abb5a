// census.mjs BASEURL PERSON AREA…: the map of a city that counts trees, in a real browser: each area within has its figure below its name, as the list beside it says;
// one is opened, and has its own.
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
try {
  await page.goto(`${base}/`);
  await page.fill('#name', person);
  await page.fill('#password', 'citybrain-demo');
  await page.click('button[type=submit]');
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
  const told = errors.filter((e) => !e.includes('status of 404')); // this city has neither roads nor zones
  if (told.length) throw new Error(`the page reported errors: ${told.join('; ')}`);
} finally {
  await browser.close();
}
