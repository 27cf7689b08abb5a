// What the address says, and how urgent a case is: what is over comes first, then what is due soonest, then what has no deadline any more; closed ones by their closing.
import type { Case } from '../../api/cases';

/** "12", "zone.breach", "zone.breach/12": a case, a kind, a case among those of a kind. */
export function placeOf(opened: string): { kind: string; id: number | null } {
  const parts = opened.split('/').filter(Boolean);
  const last = parts[parts.length - 1] ?? '';
  const id = /^[1-9]\d{0,15}$/.test(last) ? Number(last) : null;
  const kind = parts[0] ?? '';
  return { kind: id !== null && parts.length === 1 ? '' : kind, id };
}

export const isOver = (c: Case, now: number): boolean => c.state !== 'closed' && c.due !== null && c.due <= now;

export function byUrgency(cases: readonly Case[]): Case[] {
  const rank = (c: Case): number => (c.state === 'closed' ? Infinity : (c.due ?? Number.MAX_SAFE_INTEGER));
  return [...cases].sort((a, b) => Number(b.late && b.state !== 'closed') - Number(a.late && a.state !== 'closed') || rank(a) - rank(b) || (b.closed ?? 0) - (a.closed ?? 0) || b.id - a.id);
}
