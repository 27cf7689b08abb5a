// The map itself, apart from Vue: makes it, feeds it, and takes it down without a trace. Only edges that changed are restyled
// (feature states), so thousands of edges a second cost a few milliseconds. This module and MapLibre load on demand.
import type { FeatureCollection, LineString, Polygon } from 'geojson';
import maplibre from './maplibre';
import type { GeoJSONSource, Map as MapLibre, MapGeoJSONFeature, MapMouseEvent } from './maplibre';
import type { Area, EdgeState, LonLat, Source } from '../api/types';
import { levelClass } from '../scale/scale';
import type { Theme } from '../scale/scale';
import { AREA_LAYER, FONT, GREEN, MINOR, PALETTES, ROAD_LAYER, WATER, ZONE_LAYERS, makeStyle, roadColour, roadOpacity } from './layers';
import type { Metric } from './layers';
import { areaNames, boundsOf, cameraMark, centreOf, collection, outside, point, polygon, roadLines, shareWithin } from './shapes';

export interface RoadProperties {
  edge: string;
  road: string;
  class: string;
  lanes: number;
  speed_limit_mps: number;
  length_m: number;
  area: string;
}

export interface MapOptions {
  container: HTMLElement;
  theme: Theme;
  metric: Metric;
  cooperative: boolean; // on a phone one finger scrolls the page, two move the map
  calm: boolean; // no flights: prefers-reduced-motion
  words: Record<string, string>;
  title(area: Area): string;
  figure(area: Area): string; // below its name; empty: none
  sourceTitle(source: Source): string;
  groundTitle(properties: Record<string, unknown>): string;
  zoneTitle(properties: Record<string, unknown>): string;
  onArea(name: string): void;
  onRoad(road: RoadProperties | null): void;
}

/** The map's box leads to what it drew: a canvas tells a test nothing. */
interface MapBox extends HTMLElement { cityMap?: CityMap }

const RANKS = ['motorway', 'trunk', 'primary', 'secondary', 'tertiary'];
const MINOR_FROM_ZOOM = 14.5;
const rankOf = (roadClass: string): number => {
  const at = RANKS.findIndex((r) => roadClass.includes(r));
  return at < 0 ? RANKS.length : at;
};

/** A feature's key that never looks like a number: MapLibre would take digits for one and lose all beyond 64 bits. */
const keyOf = (edge: string): string => `e${edge}`;

export class CityMap {
  readonly map: MapLibre;
  readonly ready: Promise<void>;
  private areas: Area[] = [];
  private here = '';
  private roads: FeatureCollection<LineString> | null = null;
  private ground: FeatureCollection | null = null;
  private zones: FeatureCollection | null = null;
  private sources: Source[] = [];
  private states: Iterable<EdgeState> = [];
  private levels = 0; // how many the city's index object has
  private hovered: string | null = null;
  private picked: string | null = null;
  private padding = { top: 0, right: 0, bottom: 0, left: 0 };
  private isDim = false;
  private areZonesShown = true;
  private drawn: Theme;
  private isStyled = false; // while a style loads, what comes is kept and given afterwards
  private isGone = false;

  constructor(private readonly o: MapOptions) {
    this.drawn = o.theme;
    this.map = new maplibre.Map({
      container: o.container,
      style: makeStyle(o.theme, o.metric),
      center: [120.13, 30.28],
      zoom: 12,
      minZoom: 9,
      maxZoom: 18,
      attributionControl: false,
      localIdeographFontFamily: FONT.join(','),
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      cooperativeGestures: o.cooperative,
      locale: o.words,
      fadeDuration: o.calm ? 0 : 200,
      maxTileCacheSize: 40, // a wall pans for days: keep few tiles
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.ready = new Promise((done) => {
      void this.map.once('load', () => {
        this.isStyled = true;
        done();
      });
    });
    // A tile laid out while a mark is missing never shows it: they are there before the first camera is, in every style.
    this.map.on('style.load', () => this.addMarks());
    (o.container as MapBox).cityMap = this;
    this.map.on('click', (e) => this.click(e));
    this.map.on('mousemove', AREA_LAYER, (e) => this.hover(e.features?.[0]));
    this.map.on('mouseleave', AREA_LAYER, () => this.hover(undefined));
  }

  destroy(): void {
    this.isGone = true;
    this.map.remove();
  }

  private data(id: string, data: GeoJSON.GeoJSON): void {
    if (this.isStyled) (this.map.getSource(id) as GeoJSONSource | undefined)?.setData(data);
  }

  private addMarks(): void {
    const p = PALETTES[this.drawn];
    for (const [health, colour] of [['fresh', p.camera], ['stale', p.amber], ['down', p.red]] as const) {
      const id = `camera-${health}`;
      if (!this.map.hasImage(id)) this.map.addImage(id, cameraMark(health, colour, p.ground), { pixelRatio: 2 });
    }
  }

  /** A new style keeps no data and no feature states: both are given again. */
  async restyle(theme: Theme, metric: Metric): Promise<void> {
    this.o.theme = theme;
    this.o.metric = metric;
    if (!this.isStyled) return; // the one under way asks again when it is there
    if (theme === this.drawn) {
      this.map.setPaintProperty(ROAD_LAYER, 'line-color', roadColour(theme, metric));
      return;
    }
    this.isStyled = false;
    this.drawn = theme;
    this.map.setStyle(makeStyle(theme, metric), { diff: false });
    await new Promise<void>((done) => void this.map.once('style.load', () => done()));
    if (this.isGone) return;
    this.isStyled = true;
    this.setGround(this.ground);
    this.setZones(this.zones);
    this.setAreas(this.areas, this.here);
    if (this.roads) this.setRoads(this.roads);
    this.setSources(this.sources);
    this.setEdges(this.states);
    this.pick(this.picked);
    this.dim(this.isDim);
    this.showZones(this.areZonesShown);
    await this.restyle(this.o.theme, this.o.metric); // as it was last wished
  }

  setGround(ground: FeatureCollection | null): void {
    this.ground = ground;
    if (!ground) return;
    const drawn = ground.features.filter((f) => this.isHere(f));
    this.data('ground', { ...ground, features: drawn });
    const named: GeoJSON.Feature[] = drawn.filter((f) => [...WATER, ...GREEN].includes(f.properties?.kind as string)).map((f) => ({
      type: 'Feature',
      properties: { name: this.o.groundTitle(f.properties!), water: WATER.includes(f.properties!.kind as string) },
      geometry: f.geometry.type === 'Polygon' ? { type: 'Point', coordinates: centreOf(f.geometry.coordinates[0] as LonLat[]) } : f.geometry,
    }));
    this.data('water-name', { type: 'FeatureCollection', features: named });
  }

  /** Restricted zones, named in the language of the moment. */
  setZones(zones: FeatureCollection | null): void {
    this.zones = zones;
    if (!zones) return;
    const titled = zones.features.map((f) => ({ ...f, properties: { ...f.properties, title: this.o.zoneTitle(f.properties ?? {}) } }));
    this.data('zone', { ...zones, features: titled });
    const named = titled.filter((f) => f.geometry.type === 'Polygon');
    this.data('zone-name', collection(named.map((f) =>
      point(centreOf((f.geometry as Polygon).coordinates[0] as LonLat[]), { title: f.properties.title }))));
  }

  showZones(are: boolean): void {
    this.areZonesShown = are;
    if (this.isStyled) for (const layer of ZONE_LAYERS) this.map.setLayoutProperty(layer, 'visibility', are ? 'visible' : 'none');
  }

  /** Ground beside the city would only be cut off at the map's edge, with its name. */
  private isHere(feature: GeoJSON.Feature): boolean {
    const whole = boundsOf([...this.areas.flatMap((a) => a.outline ?? []), ...this.roadPoints()]);
    const shape = feature.geometry;
    const points = shape.type === 'Polygon' ? shape.coordinates[0] : shape.type === 'LineString' ? shape.coordinates : null;
    return !whole || !points || shareWithin(points as LonLat[], whole) >= 0.5;
  }

  private roadPoints(): LonLat[] {
    return this.roads?.features.flatMap((f) => f.geometry.coordinates as LonLat[]) ?? [];
  }

  setAreas(areas: Area[], here: string): void {
    this.areas = areas;
    this.here = here;
    const drawn = areas.filter((a) => (a.outline?.length ?? 0) > 2);
    const current = drawn.find((a) => a.name === here);
    this.data('area', collection(drawn.filter((a) => a.parent === here || a.level !== 'street' || a.name === here)
      .map((a) => polygon(a.outline!, { name: a.name, level: a.level }))));
    this.data('here', collection(current ? [polygon(current.outline!, {})] : []));
    this.data('veil', collection(current ? [outside(current)] : []));
    this.data('area-name', collection(areaNames(areas, here, (a) => this.o.title(a), (a) => this.o.figure(a))));
  }

  /** Areas, and the names in the language of the moment. */
  setWords(areas: Area[], here: string): void {
    this.setAreas(areas, here);
    this.setGround(this.ground);
    this.setZones(this.zones);
  }

  setRoads(roads: FeatureCollection<LineString>): void {
    this.roads = roads;
    const features = roads.features.map((f) => ({ ...f, properties: { ...f.properties, key: keyOf(String(f.properties?.edge)) } }));
    this.data('road', { type: 'FeatureCollection', features });
    this.data('road-name', collection(roadLines(roads, rankOf)));
    this.setGround(this.ground); // it is known now how far the city reaches
  }

  setSources(sources: Source[]): void {
    this.sources = sources;
    this.data('camera', collection(sources.filter((s) => typeof s.lon === 'number' && typeof s.lat === 'number').map((s) =>
      point([s.lon!, s.lat!], { source: s.source, health: s.health, icon: `camera-${s.health}`, title: this.o.sourceTitle(s) }))));
  }

  setEdges(edges: Iterable<EdgeState>): void {
    if (!this.isStyled) return;
    for (const [edge, speed, delay, flow, level] of edges) {
      this.map.setFeatureState({ source: 'road', id: keyOf(edge) }, { speed: speed === null ? null : speed * 3.6, delay, flow: flow ?? 0, class: levelClass(level, this.levels) });
    }
  }

  /** How many levels of speed the city has; all edges known are drawn by them anew. */
  setLevels(levels: number, edges: Iterable<EdgeState>): void {
    if (levels === this.levels) return;
    this.levels = levels;
    this.setEdges(edges);
  }

  forgetEdges(): void {
    if (this.isStyled) this.map.removeFeatureState({ source: 'road' });
  }

  /** All states known, given again after a change of style. */
  remember(states: Iterable<EdgeState>): void {
    this.states = states;
  }

  /** Roads of a city that says nothing new are drawn faint: what they show was, and is not. */
  dim(isDim: boolean): void {
    this.isDim = isDim;
    if (this.isStyled) this.map.setPaintProperty(ROAD_LAYER, 'line-opacity', roadOpacity(isDim));
  }

  pick(road: string | null): void {
    this.picked = road;
    if (this.isStyled) this.map.setFilter('road-picked', ['==', ['get', 'road'], road ?? '\u0000']);
  }

  fit(padding = this.padding): void {
    this.padding = padding;
    const outline = this.areas.find((a) => a.name === this.here)?.outline ?? this.roadPoints();
    const bounds = boundsOf(outline);
    const box = this.o.container.getBoundingClientRect();
    const isRoom = box.width > padding.left + padding.right + 80 && box.height > padding.top + padding.bottom + 80;
    if (bounds) this.map.fitBounds(bounds, { padding: isRoom ? padding : 16, duration: this.o.calm ? 0 : 700, maxZoom: 16 });
  }

  zoom(by: number): void {
    this.map.zoomTo(this.map.getZoom() + by, { duration: this.o.calm ? 0 : 200 });
  }

  private hover(feature: MapGeoJSONFeature | undefined): void {
    const name = feature && this.isChild(String(feature.properties.name)) ? String(feature.properties.name) : null;
    if (name === this.hovered) return;
    if (this.hovered) this.map.setFeatureState({ source: 'area', id: this.hovered }, { hover: false });
    if (name) this.map.setFeatureState({ source: 'area', id: name }, { hover: true });
    this.hovered = name;
    this.map.getCanvas().style.cursor = name ? 'pointer' : '';
  }

  private isChild = (name: string): boolean => this.areas.some((a) => a.name === name && a.parent === this.here);

  private click(e: MapMouseEvent): void {
    const { x, y } = e.point;
    const named = this.map.queryRenderedFeatures(e.point, { layers: ['area-name'] })[0];
    if (named) {
      this.o.onArea(String(named.properties.name));
      return;
    }
    // From afar the back streets are texture: a click between them means the area.
    const reach = this.o.cooperative ? 10 : 4; // a finger is broader than a pointer
    const near: [[number, number], [number, number]] = [[x - reach, y - reach], [x + reach, y + reach]];
    const isNear = this.map.getZoom() >= MINOR_FROM_ZOOM;
    const road = this.map.queryRenderedFeatures(near, { layers: [ROAD_LAYER] })
      .find((f) => isNear || !MINOR.includes(String(f.properties.class)));
    if (road) {
      this.o.onRoad(road.properties as RoadProperties);
      return;
    }
    this.o.onRoad(null);
    const areas = this.map.queryRenderedFeatures(e.point, { layers: [AREA_LAYER] }).map((f) => String(f.properties.name));
    const child = areas.find(this.isChild);
    const elsewhere = this.areas.filter((a) => areas.includes(a.name) && a.name !== this.here && !this.here.startsWith(`${a.name}.`))
      .sort((a, b) => a.name.length - b.name.length)[0];
    if (child) this.o.onArea(child);
    else if (elsewhere && !areas.includes(this.here)) this.o.onArea(elsewhere.name);
  }
}
