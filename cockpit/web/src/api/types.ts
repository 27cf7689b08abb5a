// The JSON of the cockpit's interface (docs/: HTTP interface), as the brain sends it. Times are milliseconds since 1970.

export interface Text {
  zh: string;
  en: string;
}

export type LonLat = [number, number];
export type State = 'calm' | 'amber' | 'red' | 'stale';

/** Kept apart (GB/T 39477): nobody has two. */
export type Role = 'manage' | 'audit' | 'operate';

export interface Session {
  person: string;
  party: string;
  for: string; // the party whose contracts they keep
  roles: Role[];
  area: string; // empty: a citizen
  level: string;
  citizen: boolean; // sees the uses of their own data, and nothing of an official's
  title: Text;
  city: { name: string; title: Text };
  time_zone: string;
}

export interface Area {
  name: string;
  parent: string | null;
  level: string;
  title: Text;
  outline?: LonLat[];
}

/** What a figure is, with its newest value. */
export interface Indicator {
  name: string;
  title: Text;
  unit: Text;
  decimals: number;
  record_ms: number; // one value each so long goes on record
  value: number | null;
  time: number | null; // 0 or null: nothing was ever said
  period_ms: number;
  stale: boolean;
  stale_since: number | null;
  receipt: string | null;
  usual: number | null;
  state: State;
  thresholds?: { amber?: number | null; red?: number | null; direction?: string } | null;
}

/** A value as it comes on the live stream: of an area, without its titles. */
export interface LiveValue {
  name: string;
  area: string;
  usual?: number | null;
  value: number | null;
  time: number | null;
  stale: boolean;
  stale_since: number | null;
  receipt: string | null;
  state: State;
}

export interface Recorded {
  indicator: string;
  area: string;
  time: number;
  value: number | null;
  receipt?: string | null;
}

export type Point = [number, number | null];

export interface History {
  indicator: string;
  area: string;
  period_ms: number;
  points: Point[];
}

export interface RoadRank {
  road: string;
  speed_mps: number | null;
  delay_index: number | null;
  flow_vph: number | null;
  length_m: number | null;
  n: number | null;
}

export interface Ranking {
  area: string;
  time: number;
  roads: RoadRank[];
}

/** edge, speed m/s, delay index, vehicles an hour; null where nothing was observed lately. */
export type EdgeState = [string, number | null, number | null, number | null];

/** In the stream a part of the list: it says nothing of other edges. */
export interface RoadStates {
  time: number;
  edges: EdgeState[];
}

export type Health = 'fresh' | 'stale' | 'down';

export interface Source {
  party: string;
  source: string;
  area: string;
  title: Text;
  lon?: number | null;
  lat?: number | null;
  health: Health;
  last_heard: number | null;
  since: number | null;
  detail: Detail | null;
}

/** Why a source is not fresh: a code of hub/detail.h, said by `detail.CODE` of the words. */
export interface Detail {
  code: string;
  parameters: string[];
}

/** In the stream a part of the list: it says nothing of other sources. */
export interface Sources {
  time: number;
  sources: Source[];
}

export interface Named {
  party: string;
  title: Text;
}

export interface Why {
  indicator: string;
  area: string;
  title: Text;
  definition: Text;
  unit: Text;
  decimals: number;
  owner: Named;
  record_ms: number;
  period_ms: number;
  value: number | null;
  time: number | null;
  stale: boolean;
  stale_since?: number | null;
  n?: number | null;
  formula: { name: string; version: number | string; text: Text };
  source: { resource: string; title: Text; provider?: Named };
  contract: {
    id: string;
    purpose: string;
    legal_basis: Text;
    fields: string[];
    until: number | null;
    keep_ms: number | null;
  } | null;
  freshness: { age_ms: number | null; stale_after_ms: number };
  inputs: { resource: string | null; contract: string | null; receipt: string | null }[]; // null: the leaf itself names it
  receipt: string | null;
}
