import { describe, expect, it } from 'vitest';
import type { Case } from '../../api/cases';
import { byUrgency, isOver } from './due';

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
