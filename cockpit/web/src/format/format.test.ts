import { describe, expect, it } from 'vitest';
import { aboutNumber, emsOf, formatChange, formatNumber, isVague, kmh } from './number';
import { ago, clock, dayStart, isoDay, moment, span } from './time';

const ZONE = 'Asia/Shanghai';
const at = (text: string): number => Date.parse(text);

describe('numbers', () => {
  it('are separated by thousands, with a real minus and no minus zero', () => {
    expect(formatNumber(1234567.4)).toBe('1,234,567');
    expect(formatNumber(-12.34, 1)).toBe('\u221212.3');
    expect(formatNumber(-0.04, 1)).toBe('0.0');
    for (const none of [null, undefined, NaN, Infinity]) expect(formatNumber(none)).toBeNull();
  });
  it('known no better than by their size are told by one digit', () => {
    expect([415, 894, 23, 7, 0].map(aboutNumber)).toEqual([400, 900, 20, 7, 0]);
    expect(isVague(415, 0, 894)).toBe(true);
    expect(isVague(415, 300, 500)).toBe(false);
  });
  it('change against a base', () => {
    expect(formatChange(112, 100)).toBe('+12%');
    expect(formatChange(97, 100)).toBe('\u22123.0%');
    expect(formatChange(null, 100)).toBeNull();
    expect(formatChange(5, 0)).toBeNull();
    expect(kmh(10)).toBe(36);
    expect(kmh(null)).toBeNull();
  });
  it('and how wide they are, for a large city\'s to be set smaller', () => {
    expect(emsOf('9,999,999')).toBe(4.8); // e2e/cockpit.mjs counts with it
    expect(emsOf('1,284')).toBe(2.7);
    expect(emsOf('\u22121.5')).toBe(1.8);
    expect(emsOf('vehicles')).toBe(4.8);
    expect(emsOf('辆')).toBe(1);
    expect(emsOf('')).toBe(0);
  });
});

describe('times', () => {
  it('are the city\'s, not the browser\'s', () => {
    expect(clock(at('2026-11-22T00:31:22Z'), ZONE)).toBe('08:31:22');
    expect(clock(at('2026-11-21T16:00:00Z'), ZONE)).toBe('00:00:00');
    expect(isoDay(at('2026-11-21T16:00:00Z'), ZONE)).toBe('2026-11-22');
  });
  it('know when the city\'s day began, also when the clocks change', () => {
    expect(dayStart(at('2026-11-22T03:14:15.926Z'), ZONE)).toBe(at('2026-11-21T16:00:00Z'));
    expect(dayStart(at('2026-11-21T16:00:00Z'), ZONE)).toBe(at('2026-11-21T16:00:00Z'));
    expect(dayStart(at('2026-03-29T12:00:00Z'), 'Europe/Berlin')).toBe(at('2026-03-28T23:00:00Z'));
    expect(dayStart(at('2026-10-25T12:00:00Z'), 'Europe/Berlin')).toBe(at('2026-10-24T22:00:00Z'));
  });
  it('are said as people say them', () => {
    const now = at('2026-11-22T03:00:00Z');
    expect(moment(now - 5000, now, ZONE)).toBe('10:59:55');
    expect(moment(now - 20 * 3600e3, now, ZONE)).toBe('昨天 15:00');
    expect(moment(now - 9 * 86400e3, now, ZONE)).toBe('2026-11-13 11:00');
    expect([500, 30e3, 90e3, 7200e3, 3 * 86400e3].map((age) => ago(now - age, now))).toEqual(['刚刚', '30 秒前', '1 分钟前', '2 小时前', '3 天前']);
    expect([1000, 10e3, 60e3, 120e3, 5400e3, 86400e3, 7 * 86400e3, 1095 * 86400e3].map(span)).toEqual(['1 秒', '10 秒', '1 分钟', '2 分钟', '90 分钟', '1 天', '7 天', '3 年']);
  });
});
