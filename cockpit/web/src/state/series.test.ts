import { describe, expect, it } from 'vitest';
import { RECORDED_MAX, Series, TAIL_MAX } from './series';

describe('a series', () => {
  it('stays bounded however long it runs', () => {
    const s = new Series();
    for (let i = 0; i < 100_000; i++) s.live(i * 1000, i);
    for (let i = 0; i < 10_000; i++) s.record(i * 120_000, i);
    expect(s.tail.length).toBe(TAIL_MAX);
    expect(s.recorded.length).toBe(RECORDED_MAX);
    expect(s.tail.at(-1)).toEqual([99_999_000, 99_999]);
  });

  it('keeps order and replaces what comes twice', () => {
    const s = new Series();
    for (const [t, v] of [[3, 3], [1, 1], [2, 2], [3, 30]] as const) s.record(t, v);
    expect(s.recorded).toEqual([[1, 1], [2, 2], [3, 30]]);
    s.load([[0, 0], [2, 20]]);
    expect(s.recorded).toEqual([[0, 0], [1, 1], [2, 2], [3, 30]]);
  });

  it('draws recorded values up to the tail, then the tail, or its newest point', () => {
    const s = new Series();
    s.load([[0, 1], [100, 2], [200, null]]);
    s.live(150, 5);
    s.live(210, 6);
    expect(s.points(50, false)).toEqual([[100, 2], [150, 5], [210, 6]]);
    expect(s.points(50, true)).toEqual([[100, 2], [200, null], [210, 6]]);
    expect(s.points(500, true)).toEqual([]);
  });
});
