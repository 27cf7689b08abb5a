import { afterEach, describe, expect, it } from 'vitest';
import { language } from '../../i18n';
import { caseDetail } from './detail';

const before = language.value;
afterEach(() => { language.value = before; });

describe("a case's detail", () => {
  it('is told in the reader\'s language alone, and words as they are', () => {
    const told = 'zone_seen|2026-09-21 08:00:00|C1|v1';
    language.value = 'en';
    expect(caseDetail(told)).toBe('2026-09-21 08:00:00 · camera C1 · pseudonym of the day v1');
    language.value = 'zh';
    expect(caseDetail(told)).toBe('2026-09-21 08:00:00 · 相机 C1 · 当日假名 v1');
    expect(caseDetail('a pump | is loud')).toBe('a pump | is loud');
    expect(caseDetail('zone_seen|2026')).toBe('zone_seen|2026');
  });
});
