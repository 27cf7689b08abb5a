import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, Failure } from '../api/client';
import type { EdgeState, Source } from '../api/types';
import type { Figure } from './city';
import { city, company, edges, hero, heroInterval, onEdges, outlines, readOutlines, takeEvent } from './city';

const source = (name: string, area: string): Source => ({
  party: 'h/police', source: name, area, title: { zh: '点', en: 'Spot' }, health: 'fresh', last_heard: 1, since: 1, detail: null,
});

describe('the live stream', () => {
  beforeEach(() => {
    city.area = 'h';
    city.sources = null;
    edges.clear();
  });

  it('adds up the parts of the road states, the newest of an edge counting', () => {
    const told: EdgeState[][] = [];
    const end = onEdges((states) => told.push(states));
    for (let part = 0; part < 30; part++) {
      takeEvent('road_states', { time: 1, edges: Array.from({ length: 2000 }, (_, i): EdgeState => [`e${part * 2000 + i}`, 10, 1.2, 900, 1]) });
    }
    takeEvent('road_states', { time: 2, edges: [['e7', null, null, 0, null]] });
    takeEvent('road_states', { time: 3, edges: [] });
    end();
    expect(edges.size).toBe(60_000);
    expect(edges.get('e7')).toEqual(['e7', null, null, 0, null]);
    expect(edges.get('e59999')).toEqual(['e59999', 10, 1.2, 900, 1]);
    expect(told.length).toBe(32);
    expect(told[0]!.length).toBe(2000); // the map draws a part at a time
  });

  it('adds up the parts of the sources', () => {
    takeEvent('sources', { time: 1, sources: [source('camera/1', 'h.x'), source('camera/2', 'h.x')] });
    takeEvent('sources', { time: 1, sources: [source('camera/3', 'h.y'), { ...source('camera/1', 'h.x'), health: 'stale' }] });
    expect(city.sources?.sources.map((s) => `${s.source} ${s.health}`)).toEqual(['camera/1 stale', 'camera/2 fresh', 'camera/3 fresh']);
  });
});

describe('the large figure', () => {
  const figures = (...names: string[]): Record<string, Figure> => Object.fromEntries(names.map((name) => [name, { name } as Figure]));
  beforeEach(() => (city.figures = {}));

  it('is the vehicles, whatever comes first, with delay, speed and flow beside it', () => {
    expect(hero.value).toBeNull();
    city.figures = figures('trees_standing', 'flow', 'vehicles_in_transit', 'delay_index');
    expect(hero.value?.name).toBe('vehicles_in_transit');
    expect(company.value.map((f) => f.name)).toEqual(['delay_index', 'flow']);
  });

  it('is the first of a city that counts no vehicles, with the next beside it', () => {
    city.figures = figures('trees_standing', 'trees_standing_low', 'trees_standing_high');
    expect(hero.value?.name).toBe('trees_standing');
    expect(company.value.map((f) => f.name)).toEqual(['trees_standing_low', 'trees_standing_high']);
  });

  it('has an interval where both ends are told and fresh', () => {
    const ends = (low: Partial<Figure>, high: Partial<Figure>): void => {
      city.figures = { vehicles_in_transit: { name: 'vehicles_in_transit', value: 240 } as Figure,
        vehicles_in_transit_low: { name: 'vehicles_in_transit_low', ...low } as Figure, vehicles_in_transit_high: { name: 'vehicles_in_transit_high', ...high } as Figure };
    };
    city.figures = figures('vehicles_in_transit');
    expect(heroInterval.value).toBeNull();
    ends({ value: 210, stale: false }, { value: 270, stale: false });
    expect(heroInterval.value).toEqual({ low: 210, high: 270, name: 'vehicles_in_transit_low' });
    ends({ value: null, stale: false }, { value: 270, stale: false });
    expect(heroInterval.value).toBeNull();
    ends({ value: 210, stale: false }, { value: 270, stale: true });
    expect(heroInterval.value).toBeNull();
  });
});

describe('the outlines of zones', () => {
  const zones = { type: 'FeatureCollection', features: [{ type: 'Feature', properties: { zone: 'a' }, geometry: { type: 'Polygon', coordinates: [] } }] };
  const asked = async (said: object): Promise<unknown> => {
    const get = vi.spyOn(api, 'GET');
    if (said instanceof Failure) get.mockRejectedValue(said);
    else get.mockResolvedValue({ data: said, response: new Response() } as never);
    await readOutlines();
    expect(get).toHaveBeenCalledWith('/cockpit/v1/zones');
    return outlines.value;
  };
  beforeEach(() => (outlines.value = null));
  afterEach(() => vi.restoreAllMocks());

  it('are asked for again (null) while the brain starts or is away', async () => {
    expect(await asked(new Failure('busy', 503, ''))).toBeNull();
    expect(await asked(new Failure('unreachable', 0, ''))).toBeNull();
    expect(await asked(zones)).toEqual(zones);
    expect(await asked(new Failure('busy', 503, ''))).toEqual(zones); // what was had stays
  });

  it('are not asked for again where they do not exist', async () => {
    expect(await asked(new Failure('not_allowed', 404, ''))).toEqual({ type: 'FeatureCollection', features: [] });
  });
});
