// Which page is open: the address's fragment, `#/catalog/hangzhou/police/vehicle`; none is the cockpit. The area stays in the query, so
// that the way back to the cockpit leads to where one was. A page that is not in the list, or not for this person, is the cockpit.
import { computed, ref } from 'vue';
import { PAGES } from '../pages';
import type { PageName } from '../pages';
import { session } from './session';

const PART = /^[\w.\-~%]{1,200}$/;

/** "#/catalog/a/b" → ["catalog", "a", "b"]; anything that is no path of names is the cockpit. */
export function readFragment(fragment: string): string[] {
  const parts = fragment.replace(/^#\/?/, '').split('/').filter((p) => p !== '');
  if (!parts.every((p) => PART.test(p))) return [];
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return [];
  }
}

export const hrefOf = (page: PageName | 'cockpit', ...rest: string[]): string =>
  page === 'cockpit' ? '#/' : `#/${[page, ...rest].join('/')}`;

const parts = ref<string[]>(typeof location === 'undefined' ? [] : readFragment(location.hash));

export const pages = computed(() => PAGES.filter((p) => session.value !== null && p.isFor(session.value)));
// A citizen has no cockpit: what is theirs comes first.
export const page = computed(() => pages.value.find((p) => p.name === parts.value[0]) ?? (session.value?.citizen ? (pages.value[0] ?? null) : null));
/** What stands behind the page's name, as one name: "hangzhou/police/vehicle"; empty: nothing. */
export const opened = computed(() => (page.value ? parts.value.slice(1).join('/') : ''));

export function goTo(name: PageName | 'cockpit', ...rest: string[]): void {
  location.hash = hrefOf(name, ...rest);
}

if (typeof window !== 'undefined') {
  window.addEventListener('hashchange', () => {
    parts.value = readFragment(location.hash);
  });
}
