import { describe, expect, it } from 'vitest';
import type { Resource } from '../../api/catalog';
import { byOwner, find, sum } from './find';

const resource = (name: string, mine: boolean, field: string): Resource => ({
  resource: name, owner: { party: name.split('/').slice(0, 2).join('/'), title: { zh: '市公安局', en: 'Police' } }, title: { zh: '机动车', en: 'Vehicles' }, kind: 'table', mine, quality: [],
  fields: [{ name: field, type: 'text', class: 'personal', key: true, meaning: { zh: '号牌', en: 'Registration mark' }, unit: { zh: '', en: '' } }],
  used_by: [1, 2].map((n) => ({ contract: `h/c-${n}`, consumer: { party: 'h/x', title: { zh: '甲', en: 'X' } }, purpose: 'a', state: 'agreed', today: n, month: 10 * n })),
});
const all = [resource('h/b/two', false, 'colour'), resource('h/a/one', false, 'plate'), resource('h/c/three', true, 'plate')];

describe('the catalog', () => {
  it('finds by words of title, owner, field and meaning, all of them', () => {
    expect(find(all, 'plate').map((r) => r.resource)).toEqual(['h/a/one', 'h/c/three']);
    expect(find(all, ' POLICE  号牌 ')).toHaveLength(3);
    expect(find(all, 'registration')).toHaveLength(3);
    expect(find(all, 'plate colour')).toEqual([]);
    expect(find(all, '')).toHaveLength(3);
  });
  it('stands by owner, one’s own first', () => {
    expect(byOwner(all).map((g) => g.owner.party)).toEqual(['h/c', 'h/a', 'h/b']);
    expect(sum(all[0]!, 'month')).toBe(30);
  });
});
