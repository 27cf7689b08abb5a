// What the address of the page says: the area shown and the figure whose origin is open. So that a screen can be sent to a
// colleague, the back button works, and a wall comes back as it was. Nothing else lives in the address.
import { reactive } from 'vue';

export interface WhyTarget {
  indicator: string;
  area: string;
}

export const view = reactive({ area: null as string | null, why: null as WhyTarget | null });

const NAME = /^[a-z0-9_.-]{1,120}$/;

export function readAddress(search: string): { area: string | null; why: WhyTarget | null } {
  const query = new URLSearchParams(search);
  const area = query.get('area');
  const [indicator, at] = (query.get('why') ?? '').split('@');
  return {
    area: area && NAME.test(area) ? area : null,
    why: indicator && at && NAME.test(indicator) && NAME.test(at) ? { indicator, area: at } : null,
  };
}

export function writeAddress(search: string, next: { area: string | null; why: WhyTarget | null }): string {
  const query = new URLSearchParams(search);
  query.delete('area');
  query.delete('why');
  if (next.area) query.set('area', next.area);
  if (next.why) query.set('why', `${next.why.indicator}@${next.why.area}`);
  const text = query.toString().replaceAll('%40', '@');
  return text ? `?${text}` : '';
}

function go(next: { area: string | null; why: WhyTarget | null }): void {
  const search = writeAddress(location.search, next);
  if (search !== location.search) history.pushState(null, '', location.pathname + search);
  Object.assign(view, next);
}

export const openArea = (area: string): void => go({ area, why: null });
export const openWhy = (indicator: string, area: string): void => go({ area: view.area, why: { indicator, area } });
export const closeWhy = (): void => go({ area: view.area, why: null });

if (typeof window !== 'undefined') {
  Object.assign(view, readAddress(location.search));
  window.addEventListener('popstate', () => Object.assign(view, readAddress(location.search)));
}
