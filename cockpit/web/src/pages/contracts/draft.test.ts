import { describe, expect, it } from 'vitest';
import type { Resource } from '../../api/catalog';
import type { ContractInFull } from '../../api/contracts';
import { bodyOf, draftOf, emptyDraft, grantable, milliseconds, missing, previewOf } from './draft';
import type { Draft } from './draft';

const resource: Resource = {
  resource: 'h/police/vehicle', owner: { party: 'h/police', title: { zh: '警', en: 'Police' } }, title: { zh: '车', en: 'Vehicles' }, kind: 'table', mine: false, used_by: [], quality: [],
  fields: [['plate', 'personal'], ['kind', 'internal'], ['owner', 'secret']].map(([name, c]) => ({ name: name!, class: c as 'secret', type: 'text', key: false, meaning: { zh: '', en: '' }, unit: { zh: '', en: '' } })),
};
const full: Draft = { ...emptyDraft('2026-03-01'), resource: 'h/police/vehicle', consumer: 'h/parking', uses: ['call'], fields: ['kind', 'plate'], purpose: 'parking.check', legal_zh: '依', legal_en: 'law', per_day: '50' };

describe('a draft', () => {
  it('says what is missing, and nothing when all is there', () => {
    expect(missing(emptyDraft('2026-03-01'))).toEqual(['missing_resource', 'missing_consumer', 'missing_fields', 'missing_purpose', 'missing_legal']);
    expect(missing(full)).toEqual([]);
    expect(missing({ ...full, purpose: 'For Parking' })).toEqual(['missing_purpose']);
    expect(missing({ ...full, until: full.from })).toEqual(['missing_dates']);
  });
  it('goes to the hub in the resource’s order, with no secret field and no empty limit', () => {
    expect(bodyOf({ ...full, fields: ['owner', 'kind', 'plate'] }, resource)).toMatchObject({
      provider: 'h/police', fields: ['plate', 'kind'], per_day: 50, per_month: null, from: '2026-03-01', until: '2027-03-01', keep: '24h', legal_basis: { zh: '依', en: 'law' } });
    expect(grantable(resource.fields).map((f) => f.name)).toEqual(['plate', 'kind']);
    expect(bodyOf({ ...full, rows: 'x = 1' }, { ...resource, kind: 'stream' }).rows).toBe('');
  });
  it('comes back from a contract as it went', () => {
    const seen = previewOf(full, resource, () => ({ zh: '泊', en: 'Parking' }), (day) => Date.parse(`${day}T00:00:00Z`));
    expect(draftOf({ ...seen, resource_fields: [], history: [] } as ContractInFull, (ms) => new Date(ms).toISOString().slice(0, 10))).toEqual(full);
    expect(milliseconds('7d')).toBe(604_800_000);
    expect(milliseconds('soon')).toBe(null);
  });
});
