// Times as people say them, in the city's own time zone whatever the browser's is.
import { t } from '../i18n';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let made = formats.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options });
    formats.set(key, made);
  }
  return made;
}

export const clock = (time: number, zone: string): string =>
  format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(time);

export const hourMinute = (time: number, zone: string): string =>
  format(zone, { hour: '2-digit', minute: '2-digit' }).format(time);

export const isoDay = (time: number, zone: string): string => {
  const parts = Object.fromEntries(
    format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(time).map((p) => [p.type, p.value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
};

/** Midnight that began the day of `time` in the zone. */
export function dayStart(time: number, zone: string): number {
  const parts = Object.fromEntries(
    format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).formatToParts(time).map((p) => [p.type, Number(p.value)]));
  const start = time - (parts.hour! * HOUR + parts.minute! * MINUTE + parts.second! * SECOND + (time % SECOND));
  // A day on which the clocks changed is off by the change: once more from there.
  const drift = Number(format(zone, { hour: '2-digit' }).format(start));
  return drift === 0 ? start : start - (drift > 12 ? drift - 24 : drift) * HOUR;
}

/** "08:31:22" today, "yesterday 08:31", else with its date. */
export function moment(time: number, now: number, zone: string): string {
  const today = isoDay(now, zone);
  const day = isoDay(time, zone);
  if (day === today) return clock(time, zone);
  if (day === isoDay(now - DAY, zone)) return t('time.yesterday', { time: hourMinute(time, zone) });
  return `${day} ${hourMinute(time, zone)}`;
}

export function ago(time: number, now: number): string {
  const age = Math.max(0, now - time);
  if (age < 2 * SECOND) return t('ago.now');
  if (age < MINUTE) return t('ago.seconds', { n: Math.floor(age / SECOND) });
  if (age < HOUR) return t('ago.minutes', { n: Math.floor(age / MINUTE) });
  if (age < 2 * DAY) return t('ago.hours', { n: Math.floor(age / HOUR) });
  return t('ago.days', { n: Math.floor(age / DAY) });
}

/** A length of time, rounded to its largest whole unit that loses less than a tenth. */
export function span(ms: number): string {
  if (ms < 2 * MINUTE && ms % MINUTE !== 0) return t('span.seconds', { n: Math.round(ms / SECOND) });
  if (ms < 2 * HOUR && ms % HOUR !== 0) return t('span.minutes', { n: Math.round(ms / MINUTE) });
  if (ms < 2 * DAY && ms % DAY !== 0) return t('span.hours', { n: Math.round(ms / HOUR) });
  if (ms >= 365 * DAY && ms % (365 * DAY) === 0) return t('span.years', { n: ms / (365 * DAY) });
  return t('span.days', { n: Math.round(ms / DAY) });
}
