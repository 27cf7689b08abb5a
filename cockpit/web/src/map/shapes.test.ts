import type { FeatureCollection, LineString } from 'geojson';
import { describe, expect, it } from 'vitest';
import { areaNames, boundsOf, centreOf, closed, outside, roadLines, shareWithin } from './shapes';
import type { LonLat } from '../api/types';

const square: LonLat[] = [[0, 0], [2, 0], [2, 2], [0, 2]];

describe('shapes', () => {
  it('are bounded, closed and centred', () => {
    expect(boundsOf(square)).toEqual([[0, 0], [2, 2]]);
    expect(boundsOf([])).toBeNull();
    expect(closed(square).length).toBe(5);
    expect(closed(closed(square)).length).toBe(5);
    expect(centreOf(square)).toEqual([1, 1]);
    expect(centreOf([...square].reverse())).toEqual([1, 1]);
  });

  it('lie within the city, beside it, or half and half', () => {
    const city: [LonLat, LonLat] = [[0, 0], [4, 4]];
    expect(shareWithin(square, city)).toBe(1);
    expect(shareWithin([[3, 0], [5, 0], [5, 2]], city)).toBe(0.5);
    expect(shareWithin([[5, 5], [6, 6]], city)).toBe(0);
    expect(shareWithin([[-1, 2], [3, 2]], city)).toBe(0.75); // a line along a parallel
    expect(shareWithin([], city)).toBe(0);
  });

  it('are named where they are, with the figure below where there is one', () => {
    const area = (name: string, parent: string | null, outline: LonLat[]) => ({ name, parent, level: 'district' as const, title: { zh: '', en: '' }, own: true, outline });
    const areas = [area('c', null, square), area('c.a', 'c', square), area('c.b', 'c', []), area('d', null, square)];
    const named = (here: string, figures: Record<string, string>) => areaNames(areas, here, (a) => a.name.toUpperCase(), (a) => figures[a.name] ?? '').map((f) => f.properties);
    expect(named('c', { 'c.a': '238 trees' })).toEqual([{ name: 'c.a', title: 'C.A', figure: '238 trees' }]); // c.b has no outline
    expect(named('c', {})).toEqual([{ name: 'c.a', title: 'C.A', figure: '' }]);
    expect(named('c.a', { 'c.a': '238 trees' })).toEqual([{ name: 'c.a', title: 'C.A', figure: '238 trees' }]); // the lowest area names itself
    expect(named('c.a', {})).toEqual([]);
  });

  it('veil everything but the area', () => {
    const veil = outside({ name: 'a', parent: null, level: 'city', title: { zh: '', en: '' }, own: true, outline: square });
    expect(veil.geometry.coordinates.length).toBe(2);
    expect(veil.geometry.coordinates[1]).toEqual(closed(square));
  });

  it('join a road\'s edges across junctions into one line, one direction only', () => {
    const edge = (road: string, a: number[], b: number[]) =>
      ({ type: 'Feature' as const, properties: { road, class: 'primary' }, geometry: { type: 'LineString' as const, coordinates: [a, b] } });
    const roads: FeatureCollection<LineString> = { type: 'FeatureCollection', features: [
      edge('a', [1, 0], [2, 0]), edge('a', [0, 0], [0.9997, 0]), edge('a', [1, 0], [0, 0]), edge('a', [5, 0], [6, 0]), edge('', [0, 0], [9, 0]), edge('b', [0, 0], [0, 1]),
    ] };
    const lines = roadLines(roads, () => 1);
    expect(lines.map((l) => [l.properties!.road, l.geometry.coordinates])).toEqual([
      ['a', [[0, 0], [0.9997, 0], [2, 0]]], ['a', [[5, 0], [6, 0]]], ['b', [[0, 0], [0, 1]]],
    ]);
  });
});
