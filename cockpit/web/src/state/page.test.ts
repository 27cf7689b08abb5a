import { describe, expect, it } from 'vitest';
import { PAGES } from '../pages';
import { hrefOf, readFragment } from './page';

describe('the page in the address', () => {
  it('is read back as it was written', () => {
    expect(hrefOf('catalog', 'hangzhou', 'police', 'vehicle')).toBe('#/catalog/hangzhou/police/vehicle');
    expect(readFragment('#/catalog/hangzhou/police/vehicle')).toEqual(['catalog', 'hangzhou', 'police', 'vehicle']);
    expect(readFragment(hrefOf('cockpit'))).toEqual([]);
    expect(readFragment('')).toEqual([]);
  });
  it('is the cockpit when it is no path of names', () => {
    for (const bad of ['#/catalog/<b>', '#/%E0%A4%A', '#/a b', `#/${'x'.repeat(201)}`, '#javascript:alert(1)']) expect(readFragment(bad), bad).toEqual([]);
  });
  it('names every page once', () => {
    expect(new Set(PAGES.map((p) => p.name)).size).toBe(PAGES.length);
  });
});
