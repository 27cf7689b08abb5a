import { describe, expect, it } from 'vitest';
import { RANGE_MS, extremes, rangeFor, windowOf, withGaps } from './curve';

describe('the day curve', () => {
  it('takes the range that the data fill', () => {
    const now = 1e12;
    expect(rangeFor(null, now)).toBe('minutes');
    expect(rangeFor(now - 5 * 60e3, now)).toBe('minutes');
    expect(rangeFor(now - 40 * 60e3, now)).toBe('hour');
    expect(rangeFor(now - 5 * 3600e3, now)).toBe('day');
  });
  it('shows the whole day, or ends now', () => {
    const day = windowOf('day', 1000, 5000);
    expect(day).toMatchObject({ from: 1000, to: 1000 + RANGE_MS.day });
    expect(day.ticks.map((t) => (t - 1000) / 3600e3)).toEqual([0, 6, 12, 18, 24]);
    expect(windowOf('hour', 0, 100 * 60e3).ticks.map((t) => t / 60e3)).toEqual([45, 60, 75, 90]);
    expect(windowOf('minutes', 0, RANGE_MS.minutes + 7)).toMatchObject({ from: 7, to: RANGE_MS.minutes + 7 });
  });
  it('bridges no hole', () => {
    expect(withGaps([[0, 1], [10, 2], [100, 3], [110, null], [300, 4]], 20)).toEqual([[0, 1], [10, 2], [11, null], [100, 3], [110, null], [300, 4]]);
  });
  it('knows highest, lowest and newest', () => {
    expect(extremes([[1, 5], [2, 9], [3, 2], [4, null]])).toEqual({ now: [3, 2], high: [2, 9], low: [3, 2] });
    expect(extremes([])).toEqual({ now: null, high: null, low: null });
  });
});
