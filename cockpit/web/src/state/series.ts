// A curve's points, bounded for ever: recorded values of the day (one each period) and a tail of live ones (one each second).
// Points come in the order of their time; one that is older than the newest of its kind replaces what it corrects.
import type { Point } from '../api/types';

export const RECORDED_MAX = 2200; // a day and a half of two-minute values, or a day of 40-second ones
export const TAIL_MAX = 1200; // twenty minutes of seconds

function put(points: Point[], point: Point, max: number): void {
  let at = points.length;
  while (at > 0 && points[at - 1]![0] >= point[0]) at--;
  if (points[at]?.[0] === point[0]) points[at] = point;
  else points.splice(at, 0, point);
  if (points.length > max) points.splice(0, points.length - max);
}

export class Series {
  recorded: Point[] = [];
  tail: Point[] = [];

  load(points: Point[]): void {
    const mine = this.recorded;
    this.recorded = [];
    for (const point of [...points, ...mine].sort((a, b) => a[0] - b[0])) put(this.recorded, point, RECORDED_MAX);
  }

  record(time: number, value: number | null): void {
    put(this.recorded, [time, value], RECORDED_MAX);
  }

  live(time: number, value: number | null): void {
    put(this.tail, [time, value], TAIL_MAX);
  }

  /** What to draw from `from` on: recorded values up to the tail, then the tail; with `coarse`, only its newest point. */
  points(from: number, coarse: boolean): Point[] {
    const newest = this.tail.at(-1);
    if (coarse) {
      const recorded = this.recorded.filter((p) => p[0] >= from && (!newest || p[0] < newest[0]));
      return newest && newest[0] >= from ? [...recorded, newest] : recorded;
    }
    const begin = this.tail[0]?.[0] ?? Infinity;
    return [...this.recorded.filter((p) => p[0] >= from && p[0] < begin), ...this.tail.filter((p) => p[0] >= from)];
  }

  first(): number | null {
    return this.recorded[0]?.[0] ?? this.tail[0]?.[0] ?? null;
  }

  clear(): void {
    this.recorded = [];
    this.tail = [];
  }
}
