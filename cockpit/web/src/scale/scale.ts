// One scale for congestion, on map, ranking and legend alike: five classes from dark to light (on a light page from light to
// dark) along one change of hue, so that it also reads in black and white and without telling red from green. What is slow
// stands out most from the page. The classes of the delay index are ours, documented here; the index is actual travel time
// over free-flow travel time, so 1 is free flow and 2 takes twice as long.

export type Theme = 'dark' | 'light';

/** Upper bounds of the classes but the last: delay index below 1.25 is class 0, from 2.5 on class 4. */
export const DELAY_BOUNDS = [1.25, 1.5, 1.9, 2.5] as const;
/** Lower bounds of the classes but the last, in km/h: 45 and above is class 0, below 10 class 4. */
export const SPEED_BOUNDS_KMH = [45, 30, 20, 10] as const;
export const N_CLASSES = 5;

export const COLOURS: Record<Theme, readonly string[]> = {
  dark: ['#2c5687', '#31809a', '#48a893', '#a3cf7c', '#fbf0a0'],
  light: ['#93bcd8', '#5d9fae', '#4c8a78', '#5f6a2e', '#4a2c0c'],
};
export const NO_DATA: Record<Theme, string> = { dark: '#323c47', light: '#c3cad0' };

export function delayClass(index: number | null | undefined): number | null {
  if (index === null || index === undefined || !Number.isFinite(index)) return null;
  const at = DELAY_BOUNDS.findIndex((bound) => index < bound);
  return at < 0 ? N_CLASSES - 1 : at;
}

export function speedClass(kmh: number | null | undefined): number | null {
  if (kmh === null || kmh === undefined || !Number.isFinite(kmh)) return null;
  const at = SPEED_BOUNDS_KMH.findIndex((bound) => kmh >= bound);
  return at < 0 ? N_CLASSES - 1 : at;
}

/** A level of the city's own index object, 0 the best of `levels`, as one of the classes. */
export function levelClass(level: number | null | undefined, levels: number): number | null {
  if (level === null || level === undefined || levels < 2) return null;
  return Math.min(N_CLASSES - 1, Math.round((level * (N_CLASSES - 1)) / (levels - 1)));
}

/** Length of a ranking bar, 0 to 1: it starts at free flow (1), so that twice as long a delay is twice as long a bar. */
export function delayShare(index: number | null | undefined, highest: number): number {
  if (index === null || index === undefined || !Number.isFinite(index)) return 0;
  return Math.min(1, Math.max(0, (index - 1) / Math.max(highest - 1, 0.5)));
}
