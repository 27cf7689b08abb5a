// zones.mjs BASEURL PERSON EXPECTED: restricted zones in a real browser, before a city whose figures are known. EXPECTED is JSON: {"zone", "title": {"zh","en"},
// "now": {"all",…}, "today": {"all",…}, "breaches", "case": number of a case of a breach}. The table says these numbers in Chinese on a wall and in English on a phone, the
// map paints the zone and the switch takes the paint away, and the count of breaches leads to the case. Prints a line a check; exits 1 at the first that is not so.
import { PASSWORD, launch, mapDrawn, openPage } from './browser.mjs';

const [base, person, given] = process.argv.slice(2);
if (!given) {
  console.error('usage: zones.mjs BASEURL PERSON EXPECTED');
  process.exit(2);
}
const expected = JSON.parse(given);
const WITHIN_MS = 60_000;
const TINT = 6; // of 255: the zone's amber moves red against blue by some 13 on open ground
const SHARE = 0.2; // of the zone's points that lie on open ground, and not on a road or a name; in the demo some 0.4 do
const HEADS = { zh: { all: '合计', local: '本地', province: '省内外市', other: '外省', new_energy: '其中 新能源', now: '此刻', today: '今日到过' },
  en: { all: 'All', local: 'Local', province: 'Rest of province', other: 'Elsewhere', new_energy: 'of these new energy', now: 'Now', today: 'Today' } };

const browser = await launch();
async function until(what, is) {
  const end = Date.now() + WITHIN_MS;
  let said;
  while ((said = await is()) !== true) {
    if (Date.now() > end) throw new Error(`not so: ${what}: ${JSON.stringify(said)}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  console.log(`ok ${what}`);
}
async function enter(options) {
  const opened = await openPage(browser, base, options);
  await opened.page.goto(`${base}/`);
  await opened.page.fill('#name', person);
  await opened.page.fill('#password', PASSWORD);
  await opened.page.click('button[type=submit]');
  await opened.page.waitForSelector('[data-testid=zones]', { timeout: WITHIN_MS });
  return opened;
}

/** The table by its heads, whichever way it stands: {title, now: {head: number}, today: {head: number}}. */
const table = (page, heads) => page.evaluate(([zone, now, today]) => {
  const body = document.querySelector(`[data-testid=zone-${zone}]`);
  if (!body) return null;
  const text = (cell) => cell.textContent.trim();
  const found = { title: text(body.querySelector('.of')), now: {}, today: {} };
  const columns = [...body.parentElement.querySelectorAll('thead th')].map(text);
  for (const row of body.querySelectorAll('tr:not(.name):not(.note)')) {
    const [head, cells] = [text(row.querySelector('th')), [...row.querySelectorAll('td')].map(text)];
    if (columns.length) cells.forEach((value, i) => { found[head === now ? 'now' : head === today ? 'today' : '?'][columns[i]] = value; });
    else [found.now[head], found.today[head]] = cells;
  }
  return found;
}, [expected.zone, heads.now, heads.today]);

const says = (page, lang) => async () => {
  const found = await table(page, HEADS[lang]);
  if (!found || found.title !== expected.title[lang]) return found;
  for (const row of ['now', 'today']) {
    for (const [of, value] of Object.entries(expected[row])) if (found[row][HEADS[lang][of]] !== String(value)) return { row, of, value, found };
  }
  return (await page.textContent('[data-testid=zone-breaches]')).trim() === String(expected.breaches) || 'breaches';
};

/** How much redder than blue each of some points of the zone is; null: it is not in view. */
const tints = (page) => page.evaluate(async (zone) => {
  const { map } = document.querySelector('[data-testid=map]').cityMap;
  const { features } = await (await fetch('/cockpit/v1/zones')).json();
  const ring = features.find((f) => f.properties.zone === zone).geometry.coordinates[0];
  const inside = (x, y) => ring.reduce((is, [xi, yi], i) => {
    const [xj, yj] = ring[(i + ring.length - 1) % ring.length];
    return (yi > y) !== (yj > y) && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi ? !is : is;
  }, false);
  const [lon, lat] = [0, 1].map((k) => ring.map((p) => p[k]));
  const at = (list, share) => Math.min(...list) + (Math.max(...list) - Math.min(...list)) * share;
  const points = Array.from({ length: 900 }, (_, i) => [at(lon, ((i % 30) + 0.5) / 30), at(lat, (Math.floor(i / 30) + 0.5) / 30)]).filter(([x, y]) => inside(x, y));
  const canvas = map.getCanvas();
  const scale = canvas.width / canvas.clientWidth;
  return new Promise((done) => {
    map.once('render', () => { // what is drawn can be read until the frame ends
      const gl = canvas.getContext('webgl2') ?? canvas.getContext('webgl');
      const pixel = new Uint8Array(4);
      const found = [];
      for (const [x, y] of points.map((p) => map.project(p)).map((p) => [Math.round(p.x * scale), canvas.height - 1 - Math.round(p.y * scale)])) {
        if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) continue;
        gl.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
        found.push(pixel[0] - pixel[2]);
      }
      done(found.length < 50 ? null : found);
    });
    map.triggerRepaint();
  });
}, expected.zone);

const named = (page) => page.evaluate(() => document.querySelector('[data-testid=map]').cityMap.map.querySourceFeatures('zone').map((f) => f.properties.title));

try {
  const wall = await enter({ width: 1100, height: 700, lang: 'zh', theme: 'dark', reduced: true });
  await until('the table has each number in its place, in Chinese', says(wall.page, 'zh'));
  await mapDrawn(wall.page);
  await until('the map has the zone by its Chinese name', async () => {
    const titles = [...new Set(await named(wall.page))];
    return titles.includes(expected.title.zh) || titles;
  });
  const zonesSwitch = wall.page.locator('[data-testid=zones-switch]');
  const painted = async (plain) => { // the share of points that are more amber than they were
    const now = await tints(wall.page);
    return now && plain?.length === now.length ? now.filter((n, i) => n - plain[i] >= TINT).length / now.length : -1;
  };
  await zonesSwitch.click();
  let plain = null;
  await until('switched off, the map does not paint it', async () => {
    const before = plain;
    plain = await tints(wall.page);
    await wall.page.waitForTimeout(500);
    return plain !== null && before?.every((n, i) => n === plain[i]) ? true : 'still moving';
  });
  await zonesSwitch.click();
  await until('switched on, the map paints it amber', async () => {
    const share = await painted(plain);
    return share >= SHARE || share;
  });
  if ((await zonesSwitch.getAttribute('aria-pressed')) !== 'true') throw new Error('the switch does not say that it is on');
  await wall.page.click('[data-testid=zone-cases]');
  await wall.page.click(`[data-testid=case-${expected.case}]`);
  await until('the breach is a case, and opens', async () => {
    const words = await wall.page.textContent('[data-testid=case]').catch(() => null);
    return words?.includes(expected.title.zh) || words;
  });
  await wall.page.click('[data-testid=case-kind]');
  await wall.page.waitForSelector('[data-testid=case-kind]', { state: 'detached' });
  console.log('ok the kind can be left for all cases');

  const phone = await enter({ width: 360, height: 780, phone: true, lang: 'en', theme: 'light', reduced: true });
  await until('the same numbers on a phone, in English', says(phone.page, 'en'));
  await until('nothing is wider than the phone', () => phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth + 1));
  const errors = [...wall.errors, ...phone.errors];
  if (errors.length) throw new Error(`the page reported errors: ${errors.join('; ')}`);
} catch (e) {
  console.error(String(e));
  process.exitCode = 1;
} finally {
  await browser.close();
}
