// stale.mjs BASEURL: a screen that stays open while a test outside breaks and mends the city. Signs in, then prints one line to
// standard output for each change that a person would see, with the milliseconds since the start:
//   ready 812            the hero shows a number and the link is live
//   fresh|stale T        the hero's figure went stale or came back
//   live|lost|connecting T   the live link
// It ends when standard input does. With --for STATE[,MS] it ends with 0 as soon as STATE is seen, and with 1 after MS (20000).
import { heroNumber, launch, openPage, signIn } from './browser.mjs';

const [base] = process.argv.slice(2);
if (!base) {
  console.error('usage: stale.mjs BASEURL [--for STATE[,MS]]');
  process.exit(2);
}
const wanted = process.argv.includes('--for') ? process.argv[process.argv.indexOf('--for') + 1].split(',') : null;
const started = Date.now();
const browser = await launch();
// small and still: in software GL the drawing of a large map would hold up what is measured here
const { page } = await openPage(browser, base, { width: 480, height: 640, reduced: true });
let isOver = false;
const end = async (code) => {
  if (isOver) return;
  isOver = true;
  await browser.close();
  process.exit(code);
};
process.stdin.on('end', () => void end(wanted ? 1 : 0)).resume();

await page.exposeFunction('report', (state) => {
  console.log(`${state} ${Date.now() - started}`);
  if (wanted && state === wanted[0]) void end(0);
});
await signIn(page, base);
while (!isOver && (await heroNumber(page)) === null) await new Promise((done) => setTimeout(done, 100));
console.log(`ready ${Date.now() - started}`);
await page.evaluate(() => {
  let [hero, link] = ['', ''];
  setInterval(() => {
    const nowLink = document.querySelector('[data-testid=link]')?.dataset.state ?? '';
    const isNumber = /\d/.test(document.querySelector('[data-testid=hero-value]')?.textContent ?? '');
    const nowHero = document.querySelector('[data-testid=hero-stale]') ? 'stale' : nowLink === 'live' && isNumber ? 'fresh' : hero;
    if (nowHero !== hero) window.report(nowHero);
    if (nowLink !== link) window.report(nowLink);
    [hero, link] = [nowHero, nowLink];
  }, 100);
});
if (wanted) setTimeout(() => void end(1), Number(wanted[1] ?? 20_000));
