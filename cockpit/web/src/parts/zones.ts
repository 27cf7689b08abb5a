// What the table of restricted zones says: a group of two rows, now and today, for each zone; before them, where there are several, the area's own figures,
// in which who is in two zones is one vehicle. Where there is one zone the area's figures are its own, and each leads to its origin.
import type { FeatureCollection } from 'geojson';
import type { ZoneClass, ZoneState, ZoneStates } from '../api/types';
import type { Figure } from '../state/city';

export const CLASSES: readonly ZoneClass[] = ['all', 'local', 'province', 'other', 'special', 'new_energy'];
export const ROWS = ['now', 'today'] as const;
export type Row = (typeof ROWS)[number];

export interface Cell {
  testid: string;
  value: number | null;
  low: number | null; // of its 90 % interval; null: there is none
  high: number | null;
  isStale: boolean;
  isAtLeast: boolean; // passages of the day are missing: it is this many, or more
  figure: Figure | null; // of the area: its origin can be told
}

export interface Group {
  zone: string; // empty: all zones of the area together
  title: { zh: string; en: string } | null;
  staleSince: number | null;
  missingSince: number | null;
  breaches: number | null;
  rows: Record<Row, Partial<Record<ZoneClass, Cell>>>;
}

type Figures = Record<string, Figure>;

const shownOf = (f: Figure): number | null => f.value ?? (f.stale ? f.last : null);
const figureName = (row: Row, of: ZoneClass): string => `zone_${row}${of === 'all' ? '' : `_${of}`}`;

function rowsOf(cell: (row: Row, of: ZoneClass) => Cell | null): Group['rows'] {
  const rows: Group['rows'] = { now: {}, today: {} };
  for (const row of ROWS) {
    for (const of of CLASSES) {
      const made = cell(row, of);
      if (made) rows[row][of] = made;
    }
  }
  return rows;
}

const ofFigure = (f: Figure, missingSince: number | null): Cell => ({
  testid: f.name, value: shownOf(f), low: null, high: null, isStale: f.stale && missingSince === null, isAtLeast: missingSince !== null, figure: f,
});

function ofZone(zone: ZoneState, figures: Figures | null): Group['rows'] {
  const isStale = zone.stale_since !== null;
  return rowsOf((row, of) => {
    const told = zone.classes.find((c) => c.class === of)?.[row];
    const figure = figures?.[figureName(row, of)];
    if (told === undefined && !figure) return null;
    const missing = row === 'today' && !isStale ? zone.missing_since : null;
    if (figure && shownOf(figure) !== null) return { ...ofFigure(figure, missing), low: told?.low ?? null, high: told?.high ?? null };
    return { testid: `zone-${zone.zone}-${row}-${of}`, value: told?.value ?? null, low: told?.low ?? null, high: told?.high ?? null, isStale, isAtLeast: missing !== null, figure: null };
  });
}

const titleOf = (zone: string, outlines: FeatureCollection | null): Group['title'] => {
  const p = outlines?.features.find((f) => f.properties?.zone === zone)?.properties;
  return p ? { zh: String(p.zh ?? zone), en: String(p.en ?? zone) } : { zh: zone, en: zone };
};

/** Empty: there is no zone here, or nothing was told of one yet. */
export function groupsOf(states: ZoneStates | null, figures: Figures, outlines: FeatureCollection | null): Group[] {
  if (!states) return [];
  const { zones } = states;
  const groups = zones.map((zone): Group => ({
    zone: zone.zone, title: titleOf(zone.zone, outlines), staleSince: zone.stale_since, missingSince: zone.missing_since, breaches: zone.breaches,
    rows: ofZone(zone, zones.length === 1 ? figures : null),
  }));
  const now = figures.zone_now;
  if (zones.length !== 1 && now && (now.state !== 'none' || now.last !== null)) {
    const missing = zones.map((z) => z.missing_since).filter((since) => since !== null).sort((a, b) => a - b)[0] ?? null;
    const rows = rowsOf((row, of) => {
      const figure = figures[figureName(row, of)];
      return figure ? ofFigure(figure, row === 'today' && !now.stale ? missing : null) : null;
    });
    groups.unshift({ zone: '', title: null, staleSince: now.stale ? now.stale_since : null, missingSince: missing, breaches: null, rows });
  }
  return groups;
}

/** The classes that have a column: a special plate is rare, and has one where there was any. */
export const columnsOf = (groups: Group[]): ZoneClass[] =>
  CLASSES.filter((of) => groups.some((g) => ROWS.some((row) => (of === 'special' ? (g.rows[row][of]?.value ?? 0) > 0 : g.rows[row][of] !== undefined))));
