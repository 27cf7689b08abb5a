// Finding in the catalog: all words of the question must stand somewhere in the resource, in either language.
import type { Resource } from '../../api/catalog';

const textOf = (r: Resource): string =>
  [r.resource, r.title.zh, r.title.en, r.owner.title.zh, r.owner.title.en, ...r.fields.flatMap((f) => [f.name, f.meaning.zh, f.meaning.en])].join('\n').toLowerCase();

export function find(resources: Resource[], question: string): Resource[] {
  const asked = question.toLowerCase().split(/\s+/).filter(Boolean);
  return asked.length === 0 ? resources : resources.filter((r) => asked.every((word) => textOf(r).includes(word)));
}

/** By owner, one's own first, then by name; within an owner by name. */
export function byOwner(resources: Resource[]): { owner: Resource['owner']; mine: boolean; resources: Resource[] }[] {
  const groups = new Map<string, { owner: Resource['owner']; mine: boolean; resources: Resource[] }>();
  for (const r of [...resources].sort((a, b) => (a.resource < b.resource ? -1 : 1))) {
    const group = groups.get(r.owner.party) ?? { owner: r.owner, mine: r.mine, resources: [] };
    group.resources.push(r);
    groups.set(r.owner.party, group);
  }
  return [...groups.values()].sort((a, b) => Number(b.mine) - Number(a.mine) || (a.owner.party < b.owner.party ? -1 : 1));
}

export const sum = (r: Resource, what: 'today' | 'month'): number => r.used_by.reduce((n, u) => n + u[what], 0);
