// What a day curve shows: ranges, gaps and words, apart from the drawing of it, so that it can be tested.
import type { Point } from '../api/types';

export type Range = 'day' | 'hour' | 'minutes';

const MINUTE = 60_000;
export const RANGE_MS: Record<Range, number> = { day: 24 * 60 * MINUTE, hour: 60 * MINUTE, minutes: 10 * MINUTE };

/** The shortest range that a curve of this length fills, so that a city that has just started shows more than a speck. */
export function rangeFor(first: number | null, now: number): Range {
  const length = first === null ? 0 : now - first;
  if (length > 2 * RANGE_MS.hour) return 'day';
  return length > 1.5 * RANGE_MS.minutes ? 'hour' : 'minutes';
}

export interface Window {
  from: number;
  to: number;
  ticks: number[]; // where the axis is labelled: whole quarters of an hour, even minutes
}

export function windowOf(range: Range, dayBegan: number, now: number): Window {
  const [from, to] = range === 'day' ? [dayBegan, dayBegan + RANGE_MS.day] : [now - RANGE_MS[range], now];
  const step = { day: 6 * 60 * MINUTE, hour: 15 * MINUTE, minutes: 2 * MINUTE }[range];
  const ticks: number[] = [];
  for (let at = dayBegan + Math.ceil((from - dayBegan) / step) * step; at <= to; at += step) ticks.push(at);
  return { from, to, ticks };
}

/** Breaks the line where values are missing: a hole longer than `hole` ms is shown as a hole, never bridged. */
export function withGaps(points: Point[], hole: number): Point[] {
  const out: Point[] = [];
  for (const point of points) {
    const last = out.at(-1);
    if (last && last[1] !== null && point[1] !== null && point[0] - last[0] > hole) out.push([last[0] + 1, null]);
    out.push(point);
  }
  return out;
}

export interface Extremes {
  now: Point | null;
  high: Point | null;
  low: Point | null;
}

export function extremes(points: Point[]): Extremes {
  let [high, low, now] = [null, null, null] as [Point | null, Point | null, Point | null];
  for (const point of points) {
    const value = point[1];
    if (value === null) continue;
    now = point;
    if (high === null || value > high[1]!) high = point;
    if (low === null || value < low[1]!) low = point;
  }
  return { now, high, low };
}
