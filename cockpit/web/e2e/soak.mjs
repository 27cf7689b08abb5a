// soak.mjs BASEURL [SECONDS]: does an open screen grow? Keeps the page open, has the garbage collected at regular moments and compares
// heap, DOM nodes and listeners of the last third with those of the third before; the first is the page warming up, its curves filling.
// Of each third the least counts, since a measure may fall between two sweeps of the collector. On a busy machine warming up takes longer, so
// that what seems to grow is looked at for up to three thirds more: a leak grows in each of them. Against a mock with short seconds
// (MOCK_TICK_MS=10) a minute stands for an hour and a half. Prints each measure; exits 1 when the heap grew by more than 1 MB, or nodes did.
import { launch, mapDrawn, openPage, signIn } from './browser.mjs';

const [base, seconds = '60'] = process.argv.slice(2);
if (!base) {
  console.error('usage: soak.mjs BASEURL [SECONDS]');
  process.exit(2);
}
const THIRD = 3; // measures
const THIRDS_MAX = 6;
const HEAP_GROWTH_MAX = 1e6;
const browser = await launch();
const { page, context, errors } = await openPage(browser, base, { width: 800, height: 600, reduced: true }); // what grows does not depend on the size
const cdp = await context.newCDPSession(page);
await cdp.send('Performance.enable');
await signIn(page, base);
await mapDrawn(page);
const measure = async () => {
  for (let i = 0; i < 2; i++) await cdp.send('HeapProfiler.collectGarbage'); // what the first frees may hold more
  const { metrics } = await cdp.send('Performance.getMetrics');
  const of = (name) => metrics.find((m) => m.name === name).value;
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
};
const samples = [];
const takeThird = async () => {
  for (let i = 0; i < THIRD; i++) {
    await page.waitForTimeout((Number(seconds) * 1000) / (3 * THIRD));
    const m = await measure();
    samples.push(m);
    console.log(`${samples.length} heap_mb ${(m.heap / 1e6).toFixed(2)} nodes ${m.nodes} listeners ${m.listeners}`);
  }
};
const least = (of, from) => Math.min(...samples.slice(from, from + THIRD).map((m) => m[of]));
const grew = (of) => least(of, samples.length - THIRD) - least(of, samples.length - 2 * THIRD);
const isSteady = () => grew('heap') < HEAP_GROWTH_MAX && grew('nodes') <= 50 && grew('listeners') <= 30;
for (let i = 0; i < 3; i++) await takeThird();
while (!isSteady() && samples.length < THIRDS_MAX * THIRD) await takeThird();
const text = await page.textContent('[data-testid=hero-value]');
await browser.close();
const isGood = isSteady() && /\d/.test(text) && errors.length === 0;
const heap = grew('heap');
console.log(`${isGood ? 'steady' : 'GREW'}: heap ${heap >= 0 ? '+' : ''}${(heap / 1e6).toFixed(2)} MB, nodes ${grew('nodes')}, listeners ${grew('listeners')}${errors.length ? `, errors ${errors[0]}` : ''}`);
process.exit(isGood ? 0 : 1);
