// What the screen knows of the city: filled by a first reading of the cockpit's interface, kept by the live stream. One store
// for one area at a time with its direct children; everything in it is bounded. Edge states do not pass through Vue (they are
// thousands, each second): the map listens for them.
import type { FeatureCollection } from 'geojson';
import { computed, reactive, shallowReactive, shallowRef } from 'vue';
import { answer, api, Failure } from '../api/client';
import { LiveLink } from '../api/live';
import type { LinkState } from '../api/live';
import type { Area, EdgeState, History, Indicator, Junctions, LiveValue, Ranking, Recorded, RoadStates, Source, Sources, State, ZoneStates } from '../api/types';
import { Series } from './series';
import { isSignedOut, sessionEnded } from './session';

export const HERO = 'vehicles_in_transit';
export const TRUTH = 'vehicles_true';
export const COMPANY = ['delay_index', 'congestion_index', 'mean_speed', 'flow', 'vehicle_km'];
const REREAD_MS = 60_000; // usual day, thresholds, titles: what the stream does not carry
const RANKING_LIMIT = 12; // as many as the stream carries
const RETRY_MS = 5_000; // what failed is asked again

export type Part = 'areas' | 'indicators' | 'history' | 'ranking' | 'junctions' | 'zones' | 'sources';

export interface Figure extends Indicator {
  area: string;
  last: number | null; // the newest value that was one: shown greyed while nothing newer can be said
}

export interface Child {
  value: number | null;
  state: State;
  stale: boolean;
}

export const city = reactive({
  area: '',
  areas: [] as Area[],
  figures: {} as Record<string, Figure>,
  children: {} as Record<string, Record<string, Child>>,
  ranking: null as Ranking | null,
  junctions: null as Junctions | null,
  zones: null as ZoneStates | null,
  sources: null as Sources | null,
  link: 'connecting' as LinkState,
  linkSince: 0,
  loading: true,
  failed: {} as Partial<Record<Part, Failure>>,
  now: Date.now(), // the brain's clock, each second
  ticks: 0, // grows when a curve has new points
});

/** Not reactive: thousands of points; charts redraw on `city.ticks`. */
export const series = shallowReactive(new Map<string, Series>());

/** The outlines of restricted zones, with their names, of the whole city; null: not had yet. */
export const outlines = shallowRef<FeatureCollection | null>(null);

/** `isReset`: forget all edges known so far. */
type EdgeListener = (edges: EdgeState[], isReset: boolean) => void;
const edgeListeners = new Set<EdgeListener>();
export const edges = new Map<string, EdgeState>();

let link: LiveLink | null = null;
let reread: ReturnType<typeof setInterval> | undefined;
let retry: ReturnType<typeof setInterval> | undefined;
let clockOffset = 0;
let generation = 0; // answers for an area that has been left are dropped

export const areaNamed = (name: string): Area | undefined => city.areas.find((a) => a.name === name);
/** The large figure: the vehicles; in a city that counts none what its own file names first. */
export const heroName = computed(() => (city.figures[HERO] ? HERO : Object.keys(city.figures)[0] ?? HERO));
/** False: there are no roads to show, no delay and no camera. */
export const countsVehicles = computed(() => heroName.value === HERO);
export const hero = computed(() => city.figures[heroName.value] ?? null);
/** The ends of the large figure's 90 % interval, where the city tells them. */
export const heroInterval = computed(() => {
  const [low, high] = [city.figures[`${heroName.value}_low`], city.figures[`${heroName.value}_high`]];
  const isTold = low && high && low.value !== null && high.value !== null && !low.stale && !high.stale;
  return isTold ? { low: low.value as number, high: high.value as number, name: low.name } : null;
});
export const truth = computed(() => city.figures[TRUTH] ?? null);
export const company = computed(() => {
  const names = countsVehicles.value ? COMPANY : Object.keys(city.figures).filter((name) => name !== heroName.value).slice(0, COMPANY.length);
  return names.map((name) => city.figures[name]).filter((f): f is Figure => f !== undefined);
});
export const childAreas = computed(() => city.areas.filter((a) => a.parent === city.area));
export const trail = computed(() => {
  const path: Area[] = [];
  for (let a = areaNamed(city.area); a; a = a.parent ? areaNamed(a.parent) : undefined) path.unshift(a);
  return path;
});

export function onEdges(listener: EdgeListener): () => void {
  edgeListeners.add(listener);
  return () => edgeListeners.delete(listener);
}

function seriesOf(name: string): Series {
  let s = series.get(name);
  if (!s) {
    s = new Series();
    series.set(name, s);
  }
  return s;
}

function failedWith(part: Part, e: unknown): void {
  const failure = e instanceof Failure ? e : new Failure('broken', 0, String(e));
  if (failure.kind === 'signed_out') sessionEnded();
  else city.failed[part] = failure;
}

async function read<T>(part: Part | null, mine: number, asked: Promise<{ data?: T; response: Response }>, take: (said: T) => void): Promise<void> {
  try {
    const said = await answer(asked);
    if (mine !== generation) return;
    if (part) delete city.failed[part];
    take(said);
  } catch (e) {
    if (mine === generation && part) failedWith(part, e);
  }
}

const readIndicators = (area: string, mine: number): Promise<void> =>
  read('indicators', mine, api.GET('/cockpit/v1/indicators', { params: { query: { area } } }), (said) => {
    for (const indicator of said.indicators) {
      const known = city.figures[indicator.name];
      const isOlder = known && known.area === area && (known.time ?? 0) > (indicator.time ?? 0);
      const live = isOlder ? { value: known.value, time: known.time, stale: known.stale, stale_since: known.stale_since, receipt: known.receipt, state: known.state, usual: known.usual } : {};
      city.figures[indicator.name] = { ...indicator, ...live, area, last: known?.last ?? indicator.value };
    }
  });

const readHistory = (area: string, name: string, from: number, mine: number): Promise<void> =>
  read(name === heroName.value ? 'history' : null,
    mine, api.GET('/cockpit/v1/history', { params: { query: { indicator: name, area, from: String(from), to: String(Math.ceil(nowAtBrain())) } } }), (said) => {
    seriesOf(name).load((said as History).points); // openapi-fetch forgets that a pair is a pair
    const figure = city.figures[name];
    if (figure && figure.last === null) figure.last = said.points.findLast((p) => p[1] !== null)?.[1] ?? null;
    city.ticks++;
  });

export const nowAtBrain = (): number => Date.now() + clockOffset;

function setClock(time: number): void {
  const offset = time - Date.now();
  // The smallest delay on the way shows the truest offset; drift is followed slowly.
  clockOffset = clockOffset === 0 || Math.abs(offset - clockOffset) > 5000 ? offset : Math.max(offset, clockOffset - 1);
  city.now = nowAtBrain();
}

function takeValue(v: LiveValue): void {
  if (v.area === city.area) {
    const figure = city.figures[v.name];
    if (figure) Object.assign(figure, { value: v.value, time: v.time, stale: v.stale, stale_since: v.stale_since, receipt: v.receipt, state: v.state, usual: v.usual ?? figure.usual, last: v.value ?? figure.last });
    if (v.time) seriesOf(v.name).live(v.time, v.stale ? null : v.value);
  } else {
    (city.children[v.area] ??= {})[v.name] = { value: v.value, state: v.state, stale: v.stale };
  }
}

function takeEdges(states: RoadStates): void {
  for (const edge of states.edges) edges.set(edge[0], edge);
  for (const listener of edgeListeners) listener(states.edges, false);
}

/** The stream tells only of the area shown: what lies outside becomes unknown rather than old. */
function forgetEdges(): void {
  edges.clear();
  for (const listener of edgeListeners) listener([], true);
}

/** One event of the live stream; lists come in parts, which add up. */
export function takeEvent(name: string, data: unknown): void {
  if (name === 'indicators') {
    const { time, indicators } = data as { time: number; indicators: LiveValue[] };
    setClock(time);
    indicators.forEach(takeValue);
    city.ticks++;
  } else if (name === 'road_states') {
    takeEdges(data as RoadStates);
  } else if (name === 'ranking') {
    if ((data as Ranking).area === city.area) city.ranking = data as Ranking;
  } else if (name === 'junctions') {
    if ((data as Junctions).area === city.area) city.junctions = data as Junctions;
  } else if (name === 'zone_states') {
    if ((data as ZoneStates).area === city.area) city.zones = data as ZoneStates;
  } else if (name === 'sources') {
    takeSources(data as Sources);
  } else if (name === 'recorded') {
    const r = data as Recorded;
    if (r.area === city.area) seriesOf(r.indicator).record(r.time, r.value);
  }
}

/** The stream sends all sources at first, and again when one changed, in parts when they are many. */
function takeSources(data: Sources): void {
  const known = new Map<string, Source>((city.sources?.sources ?? []).map((s) => [`${s.party}/${s.source}`, s]));
  for (const s of data.sources) known.set(`${s.party}/${s.source}`, s);
  city.sources = { time: data.time, sources: [...known.values()].filter((s) => isWithin(s.area, city.area)) };
}

export const isWithin = (area: string, root: string): boolean => area === root || area.startsWith(`${root}.`);

function openLink(area: string): void {
  link?.close();
  link = new LiveLink(`/cockpit/v1/live?area=${encodeURIComponent(area)}`, {
    event: takeEvent,
    state: (state, since) => {
      const wasLost = city.link === 'lost';
      city.link = state;
      city.linkSince = since + clockOffset;
      if (state !== 'live' || !wasLost) return;
      void readFigures(area); // what was missed while the link was down
      void readOutlines();
    },
    signedOut: isSignedOut,
  });
}

/** Curves start at the day's beginning, which the caller knows from the city's zone. */
let dayBegan: () => number = () => nowAtBrain() - 86_400_000;

/** Of what this city has: it may count no vehicles, or have no simulated world that tells the truth. */
const readCurves = (area: string, from: number, mine: number): Promise<unknown> =>
  Promise.all([hero.value, truth.value, ...company.value].map((f) => (f ? readHistory(area, f.name, from, mine) : undefined)));

async function readFigures(area: string): Promise<void> {
  const mine = generation;
  const from = dayBegan();
  await Promise.all([
    readIndicators(area, mine).then(() => (mine === generation ? readCurves(area, from, mine) : undefined)),
    read('ranking', mine, api.GET('/cockpit/v1/ranking', { params: { query: { area, limit: String(RANKING_LIMIT) } } }), (said) => (city.ranking = said)),
    read('junctions', mine, api.GET('/cockpit/v1/junctions', { params: { query: { area, limit: String(RANKING_LIMIT) } } }), (said) => (city.junctions = said)),
    read('zones', mine, api.GET('/cockpit/v1/zone_states', { params: { query: { area } } }), (said) => (city.zones = said)),
    read('sources', mine, api.GET('/cockpit/v1/sources', { params: { query: { area } } }), (said) => (city.sources = said)),
  ]);
}

export async function readAreas(): Promise<void> {
  await read('areas', generation, api.GET('/cockpit/v1/areas'), (said) => (city.areas = said as Area[]));
}

/** A brain that is just starting does not have them yet, and is asked again. One that was started anew may have others. Where they do not exist (an older
 * brain, or not for who looks) there are none to ask for again. */
export async function readOutlines(): Promise<void> {
  try {
    outlines.value = (await answer(api.GET('/cockpit/v1/zones'))) as FeatureCollection;
  } catch (e) {
    if (e instanceof Failure && e.kind === 'not_allowed') outlines.value = { type: 'FeatureCollection', features: [] };
  }
}

export async function showArea(area: string, dayStartOf: () => number): Promise<void> {
  generation++;
  const mine = generation;
  dayBegan = dayStartOf;
  city.area = area;
  city.loading = true;
  city.failed = {};
  city.figures = {};
  city.children = {};
  city.ranking = null;
  city.junctions = null;
  city.zones = null;
  city.sources = null;
  for (const s of series.values()) s.clear();
  forgetEdges();
  openLink(area);
  clearInterval(reread);
  reread = setInterval(() => void readIndicators(area, generation), REREAD_MS);
  clearInterval(retry);
  retry = setInterval(() => {
    if (city.link !== 'live') return;
    if (!outlines.value) void readOutlines();
    if (city.failed.areas) void readAreas();
    if (Object.keys(city.failed).length > 0) void readFigures(area); // a brain that is just starting, say
  }, RETRY_MS);
  if (!outlines.value) void readOutlines();
  await readFigures(area);
  if (mine === generation) city.loading = false;
}

export function leaveCity(): void {
  generation++;
  link?.close();
  link = null;
  clearInterval(reread);
  clearInterval(retry);
  city.areas = [];
  outlines.value = null;
  edges.clear();
}

/** The brain's clock goes on between events, so that ages grow on a screen that hears nothing. */
export function startClock(): () => void {
  const timer = setInterval(() => (city.now = nowAtBrain()), 1000);
  return () => clearInterval(timer);
}
