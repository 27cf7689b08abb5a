// A browser for the tests: Debian's Chromium, headless, software GL, no word to the outside. One page a context, and every
// error that the page reports is kept, so that a test can demand that there were none. Not errors: not being signed in (401), a
// receipt not yet under a checkpoint (409), a brain still starting (503): the page shows each and asks again.
import { chromium } from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--no-first-run', '--disable-quic',
];
export const NAME = process.env.COCKPIT_NAME ?? 'mayor';
export const PASSWORD = process.env.COCKPIT_PASSWORD ?? 'citybrain-demo';

const SLOW_MS = 90_000; // a page with a map in software GL, on two cores that also simulate a city
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });

/** A page in a language and theme; { page, errors, foreign } where foreign lists requests to any other host. */
export async function openPage(browser, base, { width = 1920, height = 1080, theme = 'dark', lang = 'zh', phone = false, reduced = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, locale: lang === 'zh' ? 'zh-CN' : 'en-GB', timezoneId: 'Europe/Lisbon',
    hasTouch: phone, isMobile: phone, deviceScaleFactor: phone ? 2 : 1, reducedMotion: reduced ? 'reduce' : 'no-preference',
  });
  context.setDefaultTimeout(SLOW_MS);
  const page = await context.newPage();
  const errors = [];
  const foreign = [];
  page.on('pageerror', (e) => errors.push(String(e)));
  page.on('console', (m) => m.type() === 'error' && !/status of (401|409|503)|ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/.test(m.text()) && errors.push(m.text()));
  page.on('console', (m) => m.type() === 'warning' && /^Image .* could not be loaded/.test(m.text()) && errors.push(m.text())); // a mark that the map lacks
  page.on('request', (r) => {
    const url = new URL(r.url());
    if (/^https?:$/.test(url.protocol) && url.host !== new URL(base).host) foreign.push(r.url());
  });
  return { page, context, errors, foreign };
}

export async function signIn(page, base, path = '/', name = NAME, password = PASSWORD) {
  await page.goto(base + path, { timeout: SLOW_MS });
  await page.fill('#name', name, { timeout: SLOW_MS });
  await page.fill('#password', password);
  await page.click('button[type=submit]');
  await page.waitForSelector('[data-testid=hero-value]', { timeout: SLOW_MS });
}

export const mapDrawn = (page) => page.waitForSelector('[data-testid=map][data-ready=true]', { timeout: SLOW_MS });

/** Sources in view by the interface, and how many of them the map has drawn as marks. */
export const camerasDrawn = (page) => page.evaluate(async () => {
  const { map } = document.querySelector('[data-testid=map]').cityMap;
  const area = new URLSearchParams(location.search).get('area');
  const { sources } = await (await fetch(`/cockpit/v1/sources${area ? `?area=${area}` : ''}`)).json();
  const bounds = map.getBounds();
  const due = sources.filter((s) => typeof s.lon === 'number' && typeof s.lat === 'number' && bounds.contains([s.lon, s.lat])).map((s) => s.source);
  const drawn = new Set(map.queryRenderedFeatures({ layers: ['camera'] }).map((f) => f.properties.source));
  return { due: due.length, missing: due.filter((s) => !drawn.has(s)).length, zoom: map.getZoom() };
});

/** The figure as a number, or null when it says that there is none. */
export async function heroNumber(page) {
  const text = (await page.textContent('[data-testid=hero-value]')) ?? '';
  return /^[\d,.\u2212]+$/.test(text.trim()) ? Number(text.replaceAll(',', '').replace('\u2212', '-')) : null;
}
