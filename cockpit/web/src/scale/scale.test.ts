import { describe, expect, it } from 'vitest';
import { COLOURS, N_CLASSES, delayClass, delayShare, levelClass, speedClass } from './scale';

/** WCAG relative luminance. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
const contrast = (a: string, b: string): number => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
};

describe('the scale', () => {
  it('puts each value into one class, and what is unknown into none', () => {
    expect([0.9, 1.24, 1.25, 1.5, 1.9, 2.49, 2.5, 9].map(delayClass)).toEqual([0, 0, 1, 2, 3, 3, 4, 4]);
    expect([70, 45, 44, 30, 20, 19, 10, 9, 0].map(speedClass)).toEqual([0, 0, 1, 1, 2, 3, 3, 4, 4]);
    expect([delayClass(null), speedClass(undefined), delayClass(NaN)]).toEqual([null, null, null]);
  });

  it('runs steadily from dark to light, or from light to dark, each step plain to see', () => {
    for (const [theme, direction] of [['dark', 1], ['light', -1]] as const) {
      const lights = COLOURS[theme].map(luminance);
      expect(lights.length).toBe(N_CLASSES);
      for (let i = 1; i < N_CLASSES; i++) {
        expect((lights[i]! - lights[i - 1]!) * direction, `${theme} ${i}`).toBeGreaterThan(0);
        expect(contrast(COLOURS[theme][i]!, COLOURS[theme][i - 1]!), `${theme} ${i}`).toBeGreaterThan(1.25);
      }
    }
  });

  it('makes what is slow stand out most from the page', () => {
    for (const [theme, page] of [['dark', '#0f141a'], ['light', '#f4f5f3']] as const) {
      const contrasts = COLOURS[theme].map((c) => contrast(c, page));
      expect(contrasts.at(-1)).toBe(Math.max(...contrasts));
      expect(contrasts.at(-1)!).toBeGreaterThan(7);
      expect(Math.min(...contrasts)).toBeGreaterThan(1.8);
    }
  });

  it('draws bars from free flow on', () => {
    expect([1, 2, 3, null].map((i) => delayShare(i, 3))).toEqual([0, 0.5, 1, 0]);
    expect(delayShare(1.1, 1.1)).toBeCloseTo(0.2);
  });

  it('puts the levels of any city onto the same classes, the best first and the worst last', () => {
    expect([0, 1, 2, 3, 4].map((l) => levelClass(l, 5))).toEqual([0, 1, 2, 3, 4]);
    expect([0, 1, 2].map((l) => levelClass(l, 3))).toEqual([0, 2, 4]);
    expect([levelClass(1, 2), levelClass(null, 5), levelClass(0, 0)]).toEqual([4, null, null]);
  });
});
