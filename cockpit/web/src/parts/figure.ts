// How a figure is written: shared by hero, company, lists and drawer, so that one number never reads two ways.
import type { Indicator, LiveValue, Source } from '../api/types';
import { formatNumber } from '../format/number';
import { ago, moment } from '../format/time';
import { pick, t } from '../i18n';
import { city } from '../state/city';
import type { Figure } from '../state/city';
import { session } from '../state/session';

export const zone = (): string => session.value?.time_zone ?? 'UTC';

export const written = (value: number | null, decimals: number): string => formatNumber(value, decimals) ?? t('value.none');

/** What stands on the screen: the value, or while it is stale the last one there was, greyed. */
export const shown = (f: Figure): number | null => f.value ?? (f.stale ? f.last : null);

/** With its unit, for a screen reader or a tooltip. */
export const spoken = (f: Figure): string =>
  [written(shown(f), f.decimals), shown(f) === null ? '' : pick(f.unit), f.stale ? t('value.stale') : ''].filter(Boolean).join(' ');

/** So long after a start nothing need have come yet; past it the silence is told as one. */
export const WAIT_MS = 180_000;
const isYoung = (since: number | null | undefined): boolean => !!since && city.now - since < WAIT_MS;

/** Nothing has been said of it yet, today or ever, and it is not long: no fault, and not shown as one. */
export const isWaiting = (f: Pick<Figure, 'stale' | 'stale_since' | 'value' | 'last'>): boolean =>
  f.stale && f.value === null && f.last === null && city.link !== 'lost' && isYoung(f.stale_since);

/** Likewise a source that was never heard. */
export const isAwaited = (s: Pick<Source, 'health' | 'last_heard' | 'since'>): boolean => s.health !== 'fresh' && !s.last_heard && isYoung(s.since);

export function staleSince(f: Pick<LiveValue, 'stale' | 'stale_since'>): string {
  if (!f.stale) return '';
  return f.stale_since ? t('value.stale_since', { time: moment(f.stale_since, city.now, zone()), ago: ago(f.stale_since, city.now) }) : t('value.stale');
}

/** A value older than its period says so; the second's value is normally at most a second old. */
export function aged(f: Indicator): string {
  if (f.stale || city.link === 'lost' || !f.time || city.now - f.time <= Math.max(f.period_ms * 2, 5_000)) return '';
  return t('value.aged', { ago: ago(f.time, city.now) });
}
