import type { FeatureCollection } from 'geojson';
import { describe, expect, it } from 'vitest';
import type { ZoneClass, ZoneState, ZoneStates } from '../api/types';
import type { Figure } from '../state/city';
import { columnsOf, groupsOf } from './zones';

const figure = (name: string, value: number | null, more: Partial<Figure> = {}): Figure =>
  ({ name, value, last: value, stale: false, stale_since: null, state: 'calm', ...more }) as Figure;
const figures = (...list: Figure[]): Record<string, Figure> => Object.fromEntries(list.map((f) => [f.name, f]));
const zone = (name: string, numbers: Partial<Record<ZoneClass, [number | null, number | null]>>, more: Partial<ZoneState> = {}): ZoneState => {
  const one = (value: number | null): { value: number; low: null; high: null } | null => (value === null ? null : { value, low: null, high: null });
  return { zone: name, area: 'h.x', time: 9, stale_since: null, missing_since: null, breaches: 1, receipt: null,
    classes: Object.entries(numbers).map(([of, [now, today]]) => ({ class: of as ZoneClass, now: one(now), today: one(today) })), ...more } as ZoneState;
};
const states = (...zones: ZoneState[]): ZoneStates => ({ area: 'h', time: 10, zones });
const outlines = { type: 'FeatureCollection', features: [{ type: 'Feature', properties: { zone: 'a', zh: '甲区', en: 'Zone A' }, geometry: { type: 'Polygon', coordinates: [] } }] } as FeatureCollection;

describe('the table of zones', () => {
  it('is not there where there is none, nor before anything was told', () => {
    expect(groupsOf(null, {}, null)).toEqual([]);
    expect(groupsOf(states(), figures(figure('vehicles_in_transit', 5)), outlines)).toEqual([]);
    expect(groupsOf(states(), figures(figure('zone_now', null, { state: 'none', last: null })), null)).toEqual([]);
    expect(groupsOf(null, figures(figure('zone_now', 5)), null)).toEqual([]); // the next moment says how many zones they are of
    expect(groupsOf(states(), figures(figure('zone_now', 5)), null).map((g) => g.rows.now.all?.value)).toEqual([5]); // a city whose cockpit does not read each zone's
  });

  it('of one zone has its name, and the area’s figures, each of which leads to its origin', () => {
    const [group, ...more] = groupsOf(states(zone('a', { all: [7, 40], local: [4, 30], special: [1, 2], new_energy: [3, 9] })), figures(figure('zone_now', 8), figure('zone_today_local', 31)), outlines);
    expect(more).toEqual([]);
    expect(group!.title).toEqual({ zh: '甲区', en: 'Zone A' });
    expect([group!.rows.now.all!.value, group!.rows.now.all!.figure?.name, group!.rows.now.all!.testid]).toEqual([8, 'zone_now', 'zone_now']);
    expect([group!.rows.today.local!.value, group!.rows.today.local!.figure?.name]).toEqual([31, 'zone_today_local']);
    expect([group!.rows.today.all!.value, group!.rows.today.all!.figure, group!.rows.today.all!.testid]).toEqual([40, null, 'zone-a-today-all']);
    expect(columnsOf([group!])).toEqual(['all', 'local', 'special', 'new_energy']);
  });

  it('of several has each with its own numbers, and before them those of the area, which are no sum', () => {
    const groups = groupsOf(states(zone('a', { all: [7, 40] }), zone('b', { all: [5, 20], special: [0, 0] })), figures(figure('zone_now', 9), figure('zone_today', 45)), outlines);
    expect(groups.map((g) => [g.zone, g.title?.zh, g.rows.now.all?.value, g.rows.today.all?.value])).toEqual([['', undefined, 9, 45], ['a', '甲区', 7, 40], ['b', 'b', 5, 20]]);
    expect(groups[1]!.rows.now.all!.figure).toBeNull();
    expect(columnsOf(groups)).toEqual(['all']); // nobody with a special plate was there
  });

  it('of silent cameras is what was known last, and says since when; with passages missing it is what it is at least', () => {
    const [silent] = groupsOf(states(zone('a', { all: [null, 40] }, { stale_since: 5, missing_since: 3 })), figures(figure('zone_now', null, { last: 8, stale: true, stale_since: 5 })), outlines);
    expect([silent!.staleSince, silent!.rows.now.all!.value, silent!.rows.now.all!.isStale, silent!.rows.today.all!.isStale, silent!.rows.today.all!.isAtLeast]).toEqual([5, 8, true, true, false]);
    const [some] = groupsOf(states(zone('a', { all: [7, 40] }, { missing_since: 3 })), figures(figure('zone_now', 7), figure('zone_today', 40, { stale: true, stale_since: 3 })), outlines);
    expect([some!.missingSince, some!.rows.now.all!.isAtLeast, some!.rows.today.all!.isAtLeast, some!.rows.today.all!.isStale]).toEqual([3, false, true, false]);
  });
});
