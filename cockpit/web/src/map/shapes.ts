// Geometry that the map needs, computed once per change: bounds, the veil over what lies outside an area, places for names,
// whole lines of a road from its edges, and the marks of cameras as pixels (drawn here, never fetched).
import type { Feature, FeatureCollection, LineString, Point, Polygon } from 'geojson';
import type { Area, LonLat } from '../api/types';

export type Bounds = [LonLat, LonLat];
const WORLD: LonLat[] = [[-180, -85], [180, -85], [180, 85], [-180, 85], [-180, -85]];

export function boundsOf(points: LonLat[]): Bounds | null {
  if (points.length === 0) return null;
  let [west, south] = points[0]!;
  let [east, north] = points[0]!;
  for (const [lon, lat] of points) {
    west = Math.min(west, lon);
    east = Math.max(east, lon);
    south = Math.min(south, lat);
    north = Math.max(north, lat);
  }
  return [[west, south], [east, north]];
}

export function closed(outline: LonLat[]): LonLat[] {
  const [first, last] = [outline[0], outline.at(-1)];
  return first && last && (first[0] !== last[0] || first[1] !== last[1]) ? [...outline, first] : outline;
}

const signedArea = (ring: LonLat[]): number =>
  ring.reduce((sum, [x, y], i) => {
    const [nx, ny] = ring[(i + 1) % ring.length]!;
    return sum + (x * ny - nx * y) / 2;
  }, 0);

/** Centre of gravity: where an area's name stands. */
export function centreOf(outline: LonLat[]): LonLat {
  const ring = closed(outline);
  const area = signedArea(ring);
  if (Math.abs(area) < 1e-12) return outline[0] ?? [0, 0];
  let [x, y] = [0, 0];
  for (let i = 0; i + 1 < ring.length; i++) {
    const cross = ring[i]![0] * ring[i + 1]![1] - ring[i + 1]![0] * ring[i]![1];
    x += (ring[i]![0] + ring[i + 1]![0]) * cross;
    y += (ring[i]![1] + ring[i + 1]![1]) * cross;
  }
  return [x / (6 * area), y / (6 * area)];
}

export const polygon = (outline: LonLat[], properties: Record<string, unknown>): Feature<Polygon> =>
  ({ type: 'Feature', properties, geometry: { type: 'Polygon', coordinates: [closed(outline)] } });

export const collection = <G extends LineString | Polygon | Point>(features: Feature<G>[]): FeatureCollection<G> => ({ type: 'FeatureCollection', features });

export const point = (place: LonLat, properties: Record<string, unknown>): Feature<Point> =>
  ({ type: 'Feature', properties, geometry: { type: 'Point', coordinates: place } });

/** Everything but the area, to be veiled. */
export function outside(area: Area): Feature<Polygon> {
  return { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [WORLD, closed(area.outline ?? [])] } };
}

const key = ([lon, lat]: number[]): string => `${lon!.toFixed(5)},${lat!.toFixed(5)}`;

/**
 * One line per road and carriageway from its edges joined end to end, so that a name has room along the whole road instead of
 * being squeezed into one edge. Only eastbound and northbound edges are taken: one name, not two side by side.
 */
export function roadLines(roads: FeatureCollection<LineString>, rankOf: (roadClass: string) => number): Feature<LineString>[] {
  const byRoad = new Map<string, { rank: number; edges: number[][][] }>();
  for (const f of roads.features) {
    const name = String(f.properties?.road ?? '');
    const line = f.geometry.coordinates;
    const [a, b] = [line[0], line.at(-1)];
    if (!name || !a || !b) continue;
    const [dx, dy] = [b[0]! - a[0]!, b[1]! - a[1]!];
    if (Math.abs(dx) > Math.abs(dy) ? dx < 0 : dy < 0) continue;
    const road = byRoad.get(name) ?? { rank: rankOf(String(f.properties?.class ?? '')), edges: [] };
    road.edges.push(line);
    byRoad.set(name, road);
  }
  const out: Feature<LineString>[] = [];
  for (const [road, { rank, edges }] of byRoad) {
    const starts = new Map(edges.map((e) => [key(e[0]!), e]));
    const ends = new Set(edges.map((e) => key(e.at(-1)!)));
    const used = new Set<number[][]>();
    for (const first of [...edges.filter((e) => !ends.has(key(e[0]!))), ...edges]) {
      if (used.has(first)) continue;
      const line = [...first];
      used.add(first);
      for (let next = starts.get(key(line.at(-1)!)); next && !used.has(next); next = starts.get(key(line.at(-1)!))) {
        used.add(next);
        line.push(...next.slice(1));
      }
      out.push({ type: 'Feature', properties: { road, rank }, geometry: { type: 'LineString', coordinates: line } });
    }
  }
  return out;
}

/** A camera's mark by its health, each another shape: a dot, a ring, a cross. */
export function cameraMark(health: string, colour: string, ground: string, ratio = 2): ImageData {
  const size = 16 * ratio;
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = size;
  const g = canvas.getContext('2d')!;
  g.scale(ratio, ratio);
  g.translate(8, 8);
  const shape = (width: number, style: string): void => {
    g.beginPath();
    if (health === 'down') {
      g.moveTo(-4, -4);
      g.lineTo(4, 4);
      g.moveTo(4, -4);
      g.lineTo(-4, 4);
    } else g.arc(0, 0, health === 'stale' ? 4.5 : 2.6, 0, 7);
    g.lineWidth = width;
    g.lineCap = 'round';
    g.strokeStyle = style;
    g.stroke();
  };
  shape(5, ground);
  shape(2.2, colour);
  if (health === 'fresh') {
    g.fillStyle = colour;
    g.fill();
  }
  return g.getImageData(0, 0, size, size);
}
