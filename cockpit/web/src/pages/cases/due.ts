// How urgent a case is: what is over comes first, then what is due soonest, then what has no deadline any more; closed ones by their closing.
import type { Case } from '../../api/cases';

export const isOver = (c: Case, now: number): boolean => c.state !== 'closed' && c.due !== null && c.due <= now;

export function byUrgency(cases: readonly Case[]): Case[] {
  const rank = (c: Case): number => (c.state === 'closed' ? Infinity : (c.due ?? Number.MAX_SAFE_INTEGER));
  return [...cases].sort((a, b) => Number(b.late && b.state !== 'closed') - Number(a.late && a.state !== 'closed') || rank(a) - rank(b) || (b.closed ?? 0) - (a.closed ?? 0) || b.id - a.id);
}
