// A draft as the form holds it, as the hub takes it, and as the other side will read it. Pure, so that it can be tested.
import type { Field, Resource } from '../../api/catalog';
import type { Contract, ContractDraft, ContractInFull } from '../../api/contracts';
import type { Text, Use } from '../../api/schema';

export interface Draft {
  resource: string;
  consumer: string;
  uses: Use[];
  fields: string[];
  rows: string;
  purpose: string;
  legal_zh: string;
  legal_en: string;
  from: string; // "2026-01-01"
  until: string;
  per_second: string;
  per_day: string;
  per_month: string;
  min_subjects: string;
  keep: string; // "24h"
  fresh_for: string; // "": not needed
}

export type Missing = 'missing_resource' | 'missing_consumer' | 'missing_fields' | 'missing_purpose' | 'missing_legal' | 'missing_dates';

export const KEEP = ['1h', '24h', '7d', '30d', '180d'];
export const FRESH = ['', '7d', '30d', '90d', '180d'];
const HOUR = 3_600_000;

export const milliseconds = (duration: string): number | null => {
  const parts = /^(\d+)(h|d)$/.exec(duration);
  return parts ? Number(parts[1]) * (parts[2] === 'd' ? 24 * HOUR : HOUR) : null;
};

export const usesOf = (kind: Resource['kind']): Use[] =>
  ({ table: ['call', 'query'], stream: ['subscribe'], command: ['act'], object: ['call'] } satisfies Record<Resource['kind'], Use[]>)[kind];

/** Only what may leave the department at all. */
export const grantable = (fields: Field[]): Field[] => fields.filter((f) => f.class !== 'secret');

export function emptyDraft(today: string): Draft {
  return { resource: '', consumer: '', uses: [], fields: [], rows: '', purpose: '', legal_zh: '', legal_en: '', from: today,
    until: `${Number(today.slice(0, 4)) + 1}${today.slice(4)}`, per_second: '', per_day: '', per_month: '', min_subjects: '', keep: '24h', fresh_for: '' };
}

const duration = (ms: number | null, known: string[]): string => {
  if (ms === null) return '';
  return known.find((d) => milliseconds(d) === ms) ?? `${Math.max(1, Math.round(ms / HOUR))}h`;
};
const number = (n: number | null): string => (n === null ? '' : String(n));

/** The form of a draft that is there already. */
export function draftOf(c: ContractInFull, day: (ms: number) => string): Draft {
  return { resource: c.resource, consumer: c.consumer, uses: c.uses, fields: c.fields, rows: c.rows, purpose: c.purpose, legal_zh: c.legal_basis.zh,
    legal_en: c.legal_basis.en, from: c.from_ms === null ? '' : day(c.from_ms), until: c.until_ms === null ? '' : day(c.until_ms),
    per_second: number(c.per_second), per_day: number(c.per_day), per_month: number(c.per_month), min_subjects: number(c.min_subjects),
    keep: duration(c.keep_ms, KEEP), fresh_for: duration(c.fresh_for_ms, FRESH) };
}

export function missing(d: Draft): Missing[] {
  const out: Missing[] = [];
  if (!d.resource) out.push('missing_resource');
  if (!d.consumer) out.push('missing_consumer');
  if (!d.fields.length) out.push('missing_fields');
  if (!/^[a-z0-9_.-]+$/.test(d.purpose)) out.push('missing_purpose');
  if (!d.legal_zh.trim() || !d.legal_en.trim()) out.push('missing_legal');
  if (!d.from || !d.until || d.until <= d.from) out.push('missing_dates');
  return out;
}

const count = (text: string): number | null => (/^\d+$/.test(text.trim()) ? Number(text) : null);

/** As the hub takes it: the keys of a contract's file (docs/city.md). */
export function bodyOf(d: Draft, resource: Resource): ContractDraft {
  const granted = grantable(resource.fields).map((f) => f.name);
  return {
    provider: resource.owner.party, consumer: d.consumer, resource: d.resource, uses: d.uses,
    fields: granted.filter((name) => d.fields.includes(name)), // in the order of the resource
    rows: resource.kind === 'table' ? d.rows.trim() : '', purpose: d.purpose, legal_basis: { zh: d.legal_zh.trim(), en: d.legal_en.trim() },
    from: d.from, until: d.until, per_second: count(d.per_second), per_day: count(d.per_day), per_month: count(d.per_month),
    min_subjects: count(d.min_subjects), keep: d.keep, fresh_for: d.fresh_for,
  };
}

/** As the other side will read it. `zoneStart`: midnight of a day in the city's zone. */
export function previewOf(d: Draft, resource: Resource, titleOf: (party: string) => Text, zoneStart: (day: string) => number): Contract {
  const fresh = milliseconds(d.fresh_for);
  return { contract: '', provider: resource.owner.party, provider_title: resource.owner.title, consumer: d.consumer, consumer_title: titleOf(d.consumer),
    resource: d.resource, resource_title: resource.title, kind: resource.kind, uses: d.uses, fields: d.fields, rows: d.rows.trim(), purpose: d.purpose || '…',
    legal_basis: { zh: d.legal_zh, en: d.legal_en }, per_second: count(d.per_second), per_day: count(d.per_day), per_month: count(d.per_month),
    min_subjects: count(d.min_subjects), from_ms: d.from ? zoneStart(d.from) : null, until_ms: d.until ? zoneStart(d.until) : null, fresh_for_ms: fresh,
    fresh_until_ms: fresh, keep_ms: milliseconds(d.keep), state: 'drafted', made: 'here', side: 'nobody', drafter: 'nobody', suspended_by: 'nobody', confirmed_ms: null,
    provider_signed: { signed: false, time: null }, consumer_signed: { signed: false, time: null }, today: 0, month: 0, may: [], sha256: '' };
}
