// When nothing has come yet is no fault, and when it is one.
import { beforeEach, describe, expect, it } from 'vitest';
import { city } from '../state/city';
import { WAIT_MS, isAwaited, isWaiting } from './figure';

beforeEach(() => {
  city.link = 'live';
  city.now = 1_800_000_000_000;
});

describe('a start', () => {
  it('waits while nothing was ever said, for a while', () => {
    const young = { stale: true, stale_since: city.now - 30_000, value: null, last: null };
    expect(isWaiting(young)).toBe(true);
    expect(isWaiting({ ...young, last: 12 })).toBe(false); // it was heard: silence is a fault
    expect(isWaiting({ ...young, stale_since: city.now - WAIT_MS })).toBe(false);
    expect(isWaiting({ ...young, stale_since: null })).toBe(false);
    expect(isWaiting({ ...young, stale: false })).toBe(false);
    city.link = 'lost';
    expect(isWaiting(young)).toBe(false);
  });

  it('awaits a source that was never heard, for a while', () => {
    const young = { health: 'down' as const, last_heard: 0, since: city.now - 30_000 };
    expect(isAwaited(young)).toBe(true);
    expect(isAwaited({ ...young, health: 'fresh' })).toBe(false);
    expect(isAwaited({ ...young, last_heard: city.now - 31_000 })).toBe(false);
    expect(isAwaited({ ...young, since: city.now - WAIT_MS })).toBe(false);
  });
});
