// soak.mjs BASEURL [SECONDS]: does an open screen grow? Keeps the page open, has the garbage collected at regular moments and compares
// heap, DOM nodes and listeners of the second half with those of a warm page. Against a mock with short seconds (MOCK_TICK_MS=25) a
// minute stands for forty. Prints each measure; exits 1 when the heap grew by more than a twentieth and half a megabyte, or nodes grew.
import { launch, mapDrawn, openPage, signIn } from './browser.mjs';

const [base, seconds = '60'] = process.argv.slice(2);
if (!base) {
  console.error('usage: soak.mjs BASEURL [SECONDS]');
  process.exit(2);
}
const SAMPLES = 6;
const browser = await launch();
const { page, context, errors } = await openPage(browser, base);
const cdp = await context.newCDPSession(page);
await cdp.send('Performance.enable');
await signIn(page, base);
await mapDrawn(page);
const measure = async () => {
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const of = (name) => metrics.find((m) => m.name === name).value;
  return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
};
const samples = [];
for (let i = 0; i <= SAMPLES; i++) {
  await page.waitForTimeout((Number(seconds) * 1000) / SAMPLES);
  const m = await measure();
  samples.push(m);
  console.log(`${i} heap_mb ${(m.heap / 1e6).toFixed(2)} nodes ${m.nodes} listeners ${m.listeners}`);
}
const text = await page.textContent('[data-testid=hero-value]');
await browser.close();
const warm = samples[2]; // the tail of the curve is full by then
const last = samples.at(-1);
const grew = last.heap - warm.heap;
const isGood = (grew < warm.heap / 20 || grew < 500_000) && last.nodes <= warm.nodes + 50 && last.listeners <= warm.listeners + 10 && /\d/.test(text) && errors.length === 0;
console.log(`${isGood ? 'steady' : 'GREW'}: heap ${grew >= 0 ? '+' : ''}${(grew / 1e6).toFixed(2)} MB since sample 2${errors.length ? `, errors ${errors[0]}` : ''}`);
process.exit(isGood ? 0 : 1);
