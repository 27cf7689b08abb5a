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

/** How much of `points`' bounds lies within `whole`, from 0 to 1. */
export function shareWithin(points: LonLat[], whole: Bounds): number {
  const own = boundsOf(points);
  if (!own) return 0;
  const along = (axis: 0 | 1): number => {
    const [from, to] = [own[0][axis], own[1][axis]];
    const inside = Math.min(to, whole[1][axis]) - Math.max(from, whole[0][axis]);
    return to > from ? Math.max(0, inside) / (to - from) : Number(inside >= 0);
  };
  return along(0) * along(1);
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

/** Names where areas are: of those within `here`, or of `here` itself where none is; below a name its figure, where there is one. */
export function areaNames(areas: Area[], here: string, title: (area: Area) => string, figure: (area: Area) => string): Feature<Point>[] {
  const drawn = areas.filter((a) => (a.outline?.length ?? 0) > 2);
  const within = drawn.filter((a) => a.parent === here);
  const named = within.length > 0 ? within : drawn.filter((a) => a.name === here && figure(a) !== '');
  return named.map((a) => point(centreOf(a.outline!), { name: a.name, title: title(a), figure: figure(a) }));
}

/** Everything but the area, to be veiled. */
export function outside(area: Area): Feature<Polygon> {
  return { type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: [WORLD, closed(area.outline ?? [])] } };
}

const JOIN_M = 90; // a junction's width: the end of one edge and the beginning of the next lie this far apart at most
const METRES_A_DEGREE = 111_320;

function metresBetween(a: number[], b: number[]): number {
  const east = (b[0]! - a[0]!) * Math.cos((a[1]! * Math.PI) / 180);
  return Math.hypot(east, b[1]! - a[1]!) * METRES_A_DEGREE;
}

/** Joins lines end to end where a junction's width is between them; each line is used once. */
export function joined(lines: number[][][]): number[][][] {
  const rest = new Set(lines);
  const nearest = (at: number[], of: (line: number[][]) => number[]): number[][] | null => {
    let [best, least] = [null as number[][] | null, JOIN_M];
    for (const line of rest) {
      const far = metresBetween(at, of(line));
      if (far < least) [best, least] = [line, far];
    }
    return best;
  };
  const out: number[][][] = [];
  for (const line of lines) {
    if (!rest.delete(line)) continue;
    let whole = [...line];
    for (let next = nearest(whole.at(-1)!, (l) => l[0]!); next; next = nearest(whole.at(-1)!, (l) => l[0]!)) {
      rest.delete(next);
      whole.push(...next);
    }
    for (let before = nearest(whole[0]!, (l) => l.at(-1)!); before; before = nearest(whole[0]!, (l) => l.at(-1)!)) {
      rest.delete(before);
      whole = [...before, ...whole];
    }
    out.push(whole);
  }
  return out;
}

/** Leaves out points closer than a junction's width to the one before: a name follows the road, not its turning lanes. */
export function smoothed(line: number[][]): number[][] {
  const out = [line[0]!];
  for (const p of line.slice(1, -1)) if (metresBetween(out.at(-1)!, p) >= JOIN_M) out.push(p);
  const last = line.at(-1)!;
  if (out.length > 1 && metresBetween(out.at(-1)!, last) < JOIN_M) out.pop();
  return [...out, last];
}

/**
 * One line per road from its edges, so that a name has room along the whole road instead of being squeezed into one edge. Only
 * eastbound and northbound edges are taken: one name, not two side by side.
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
  return [...byRoad].flatMap(([road, { rank, edges }]) => joined(edges).map((line) =>
    ({ type: 'Feature' as const, properties: { road, rank }, geometry: { type: 'LineString' as const, coordinates: smoothed(line) } })));
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
