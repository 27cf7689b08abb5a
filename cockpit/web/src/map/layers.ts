// The map's style: our own ground, water, areas, roads, cameras and names, drawn from the brain's GeoJSON alone. No tile, glyph,
// sprite or font is fetched: without a glyphs address MapLibre draws letters with the fonts of this computer.
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import { COLOURS, DELAY_BOUNDS, NO_DATA, SPEED_BOUNDS_KMH } from '../scale/scale';
import type { Theme } from '../scale/scale';

export type Metric = 'delay' | 'speed';

interface Palette {
  ground: string;
  water: string;
  waterName: string;
  green: string;
  greenName: string;
  line: string;
  lineHere: string;
  casing: string;
  veil: string;
  name: string;
  road: string;
  halo: string;
  camera: string;
  amber: string;
  red: string;
  accent: string;
}

export const PALETTES: Record<Theme, Palette> = {
  dark: {
    ground: '#0f141a', water: '#15212d', waterName: '#5a7793', green: '#131d1c', greenName: '#5b7d6b', line: '#2b3641', lineHere: '#73808d', casing: '#0f141a',
    veil: 'rgba(15,20,26,0.62)', name: '#98a4b0', road: '#d7dee5', halo: '#0f141a', camera: '#8592a0', amber: '#f2a93b', red: '#ff7a6b', accent: '#7cc0ff',
  },
  light: {
    ground: '#f4f5f3', water: '#d5e3ec', waterName: '#5b7f99', green: '#e5ecdf', greenName: '#5f7a5c', line: '#cfd5d6', lineHere: '#75808a', casing: '#f4f5f3',
    veil: 'rgba(244,245,243,0.66)', name: '#5b6670', road: '#252c33', halo: '#f4f5f3', camera: '#7c8792', amber: '#9a5b00', red: '#b3261e', accent: '#0a5fb4',
  },
};

export const FONT = ['Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', 'system-ui', 'sans-serif'];
const AREAL: ExpressionSpecification = ['==', ['geometry-type'], 'Polygon'];
const LINEAR: ExpressionSpecification = ['==', ['geometry-type'], 'LineString'];
const EMPTY = { type: 'FeatureCollection' as const, features: [] };

const state = (name: string): ExpressionSpecification => ['feature-state', name];

/** Class 0–4 of an edge by its feature state, as colours. */
export function roadColour(theme: Theme, metric: Metric): ExpressionSpecification {
  const c = COLOURS[theme];
  const steps: ExpressionSpecification = metric === 'delay'
    ? ['step', ['number', state('delay'), 1], c[0]!, DELAY_BOUNDS[0], c[1]!, DELAY_BOUNDS[1], c[2]!, DELAY_BOUNDS[2], c[3]!, DELAY_BOUNDS[3], c[4]!]
    : ['step', ['number', state('speed'), 0], c[4]!, SPEED_BOUNDS_KMH[3], c[3]!, SPEED_BOUNDS_KMH[2], c[2]!, SPEED_BOUNDS_KMH[1], c[1]!, SPEED_BOUNDS_KMH[0], c[0]!];
  const seen: ExpressionSpecification = ['!=', state(metric), null];
  if (metric === 'delay') return ['case', seen, steps, NO_DATA[theme]];
  // The city's own levels go before ours, where it has some.
  const levelled: ExpressionSpecification = ['match', ['number', state('class'), 0], 0, c[0]!, 1, c[1]!, 2, c[2]!, 3, c[3]!, c[4]!];
  return ['case', ['!=', state('class'), null], levelled, seen, steps, NO_DATA[theme]];
}

/** Classes of road that are the city's texture rather than its traffic. */
export const MINOR = ['residential', 'service', 'living_street', 'unclassified', 'tertiary_link'];

/** Pixels at zoom 13 by flow: a still road is a hairline, 2,400 vehicles an hour are a broad band. */
const flowWidth: ExpressionSpecification = ['*', ['match', ['get', 'class'], MINOR, 0.5, 1],
  ['interpolate', ['linear'], ['number', state('flow'), 0], 0, 1.1, 150, 1.9, 600, 3.2, 2000, 5.5]];
const scaled = (factor: number, plus = 0): ExpressionSpecification => ['+', ['*', flowWidth, factor], plus];
const byZoom = (plus: number): ExpressionSpecification =>
  ['interpolate', ['exponential', 1.5], ['zoom'], 10, scaled(0.45, plus * 0.5), 13, scaled(1, plus), 15, scaled(1.9, plus * 1.5), 18, scaled(5, plus * 2)];
/** The two directions lie beside each other, each on its right: on the ground they do, from afar they need a little help. */
const offset: ExpressionSpecification = ['interpolate', ['exponential', 1.5], ['zoom'], 10, 0.6, 13, 1.3, 15, 1, 17, 0];

/** Kinds of ground that a city's map may name. */
export const WATER = ['water', 'lake', 'canal', 'river'];
export const GREEN = ['green', 'wetland', 'park', 'hill'];

export const ROAD_LAYER = 'road';
/** Unseen back streets stay in the background; a city that says nothing new is drawn faint as a whole. */
export function roadOpacity(isDim: boolean): ExpressionSpecification {
  const seen: ExpressionSpecification = ['!=', state('delay'), null];
  return ['case', seen, isDim ? 0.35 : 1, ['match', ['get', 'class'], MINOR, isDim ? 0.3 : 0.55, isDim ? 0.5 : 1]];
}

export const AREA_LAYER = 'area-fill';
export const CAMERA_LAYER = 'camera';
export const ZONE_LAYERS = ['zone-fill', 'zone-line', 'zone-name'];

export function makeStyle(theme: Theme, metric: Metric): StyleSpecification {
  const p = PALETTES[theme];
  const label = { 'text-font': FONT, 'text-letter-spacing': 0.04 } as const;
  const halo = { 'text-halo-color': p.halo, 'text-halo-width': 1.6, 'text-halo-blur': 0.4 } as const;
  const layers: LayerSpecification[] = [
    { id: 'ground', type: 'background', paint: { 'background-color': p.ground } },
    { id: 'green', type: 'fill', source: 'ground', filter: ['all', ['in', ['get', 'kind'], ['literal', GREEN]], AREAL], paint: { 'fill-color': p.green } },
    { id: 'water', type: 'fill', source: 'ground', filter: ['all', ['in', ['get', 'kind'], ['literal', WATER]], AREAL], paint: { 'fill-color': p.water } },
    { id: 'canal', type: 'line', source: 'ground', filter: ['all', ['in', ['get', 'kind'], ['literal', WATER]], LINEAR], layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': p.water, 'line-width': ['interpolate', ['exponential', 2], ['zoom'], 11, 3, 13, 8, 17, 90] } },
    { id: 'causeway', type: 'line', source: 'ground', filter: ['all', ['==', ['get', 'kind'], 'causeway'], LINEAR], layout: { 'line-join': 'round' },
      paint: { 'line-color': p.ground, 'line-width': ['interpolate', ['exponential', 2], ['zoom'], 11, 1, 13, 2.5, 17, 24] } },
    { id: AREA_LAYER, type: 'fill', source: 'area', paint: { 'fill-color': p.accent, 'fill-opacity': ['case', ['boolean', state('hover'), false], 0.07, 0] } },
    { id: 'area-line', type: 'line', source: 'area', filter: ['!=', ['get', 'level'], 'city'], layout: { 'line-join': 'round' },
      paint: { 'line-color': p.line, 'line-width': ['match', ['get', 'level'], 'district', 1.4, 1], 'line-dasharray': [4, 3] } },
    { id: 'zone-fill', type: 'fill', source: 'zone', paint: { 'fill-color': p.amber, 'fill-opacity': theme === 'dark' ? 0.07 : 0.06 } },
    { id: 'road-casing', type: 'line', source: 'road', layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': p.casing, 'line-width': byZoom(1.6), 'line-offset': offset } },
    { id: 'road-picked', type: 'line', source: 'road', filter: ['==', ['get', 'road'], '\u0000'], layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': p.accent, 'line-width': byZoom(5), 'line-offset': offset, 'line-opacity': 0.55 } },
    { id: ROAD_LAYER, type: 'line', source: 'road', layout: { 'line-cap': 'round', 'line-join': 'round' },
      paint: { 'line-color': roadColour(theme, metric), 'line-width': byZoom(0), 'line-offset': offset, 'line-opacity': roadOpacity(false) } },
    { id: 'veil', type: 'fill', source: 'veil', paint: { 'fill-color': p.veil } },
    { id: 'here-line', type: 'line', source: 'here', layout: { 'line-join': 'round' }, paint: { 'line-color': p.lineHere, 'line-width': 1.4 } },
    // A city of ten kilometres fits a phone at zoom 10.8; from further away marks would hide the roads.
    // Above the roads: a zone's border runs along some.
    { id: 'zone-line', type: 'line', source: 'zone', layout: { 'line-join': 'round' }, paint: { 'line-color': p.amber, 'line-width': ['interpolate', ['linear'], ['zoom'], 11, 1.2, 14, 2.2], 'line-opacity': 0.9, 'line-dasharray': [3, 2.5] } },
    { id: CAMERA_LAYER, type: 'symbol', source: 'camera', minzoom: 10, layout: {
      'icon-image': ['get', 'icon'], 'icon-allow-overlap': true, 'icon-ignore-placement': true,
      'icon-size': ['interpolate', ['linear'], ['zoom'], 10, ['match', ['get', 'health'], 'fresh', 0.25, 0.6], 11, ['match', ['get', 'health'], 'fresh', 0.45, 0.8], 14, ['match', ['get', 'health'], 'fresh', 0.75, 1], 17, 1.2],
      'symbol-sort-key': ['match', ['get', 'health'], 'fresh', 0, 'stale', 1, 2] } },
    { id: 'canal-name', type: 'symbol', source: 'water-name', filter: LINEAR, layout: { ...label, 'symbol-placement': 'line', 'text-field': ['get', 'name'], 'text-size': 12, 'symbol-spacing': 500 },
      paint: { 'text-color': p.waterName, 'text-halo-color': p.ground, 'text-halo-width': 1 } },
    { id: 'water-name', type: 'symbol', source: 'water-name', filter: ['==', ['geometry-type'], 'Point'], layout: { ...label, 'text-field': ['get', 'name'], 'text-size': 13, 'text-letter-spacing': 0.25 },
      paint: { 'text-color': ['case', ['get', 'water'], p.waterName, p.greenName], 'text-halo-color': ['case', ['get', 'water'], p.water, p.green], 'text-halo-width': 1 } },
    { id: 'road-name-minor', type: 'symbol', source: 'road-name', minzoom: 14.6, filter: ['>=', ['get', 'rank'], 5], layout: { ...label, 'symbol-placement': 'line',
      'text-field': ['get', 'road'], 'text-size': 12, 'symbol-spacing': 500 }, paint: { 'text-color': p.name, ...halo } },
    { id: 'road-name', type: 'symbol', source: 'road-name', filter: ['<', ['get', 'rank'], 5], layout: { ...label, 'symbol-placement': 'line', 'text-field': ['get', 'road'],
      'text-size': ['interpolate', ['linear'], ['zoom'], 11, 11, 13.5, 13, 16, 16], 'text-offset': [0, -0.95], 'symbol-spacing': 420, 'text-max-angle': 50, 'text-padding': 6,
      'symbol-sort-key': ['get', 'rank'] },
      paint: { 'text-color': p.road, ...halo } },
    { id: 'zone-name', type: 'symbol', source: 'zone-name', layout: { ...label, 'text-field': ['get', 'title'], 'text-size': ['interpolate', ['linear'], ['zoom'], 11, 11, 14, 14], 'text-padding': 6 },
      paint: { 'text-color': p.amber, ...halo } },
    { id: 'area-name', type: 'symbol', source: 'area-name', layout: { ...label, 'text-letter-spacing': 0.16,
      'text-field': ['format', ['get', 'title'], {}, ['case', ['==', ['get', 'figure'], ''], '', ['concat', '\n', ['get', 'figure']]], { 'font-scale': 1.2 }],
      'text-size': ['interpolate', ['linear'], ['zoom'], 10, 12, 14, 16], 'text-padding': 10 },
      paint: { 'text-color': p.name, ...halo } },
  ];
  const geojson = (promoteId?: string) => ({ type: 'geojson' as const, data: EMPTY, ...(promoteId ? { promoteId } : {}), tolerance: 0.2 });
  return {
    version: 8,
    sources: {
      ground: geojson(), 'water-name': geojson(), area: geojson('name'), veil: geojson(), here: geojson(), zone: geojson(), 'zone-name': geojson(), road: geojson('key'), 'road-name': geojson(),
      camera: geojson(), 'area-name': geojson(),
    },
    layers,
  };
}
