import { describe, expect, it } from 'vitest';
import type { Case } from '../../api/cases';
import { byUrgency, isOver, placeOf } from './due';

const make = (id: number, more: Partial<Case>): Case => ({ id, state: 'open', due: null, closed: null, late: false, ...more }) as Case;

describe('the order of cases', () => {
  it('is late, due soonest, without a deadline, closed by their closing', () => {
    const cases = [make(1, { state: 'closed', closed: 10 }), make(2, {}), make(3, { due: 500 }), make(4, { due: 100 }), make(5, { due: 900, late: true }), make(6, { state: 'closed', closed: 20 })];
    expect(byUrgency(cases).map((c) => c.id)).toEqual([5, 4, 3, 2, 6, 1]);
  });
  it('a closed case is never over', () => {
    expect(isOver(make(1, { due: 5 }), 5)).toBe(true);
    expect(isOver(make(1, { due: 6 }), 5)).toBe(false);
    expect(isOver(make(1, { due: 1, state: 'closed' }), 5)).toBe(false);
  });
});

describe('the address of the cases', () => {
  it('is a case, a kind, or a case among those of a kind', () => {
    expect(placeOf('')).toEqual({ kind: '', id: null });
    expect(placeOf('12')).toEqual({ kind: '', id: 12 });
    expect(placeOf('zone.breach')).toEqual({ kind: 'zone.breach', id: null });
    expect(placeOf('zone.breach/12')).toEqual({ kind: 'zone.breach', id: 12 });
    expect(placeOf('zone.breach/0x1')).toEqual({ kind: 'zone.breach', id: null });
  });
});
