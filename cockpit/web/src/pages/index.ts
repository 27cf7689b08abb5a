// The pages behind the sign-in, beside the cockpit. A page is a folder `pages/NAME/` with a `Page.vue` that loads on demand, its calls in
// `api/NAME.ts`, its words in `i18n/NAME.ts` (they load with it), its line in this list and its title `page.NAME` in i18n/zh.ts and en.ts.
import type { Component } from 'vue';
import type { Session } from '../api/types';
import type { Key } from '../i18n/zh';

export type PageName = 'catalog' | 'contracts' | 'cases' | 'mydata' | 'api';

export interface Page {
  name: PageName;
  title: Key;
  isFor: (who: Session) => boolean;
  load: () => Promise<{ default: Component }>;
}

export const PAGES: readonly Page[] = [
  { name: 'catalog', title: 'page.catalog', isFor: (who) => !who.citizen, load: () => import('./catalog/Page.vue') },
  { name: 'contracts', title: 'page.contracts', isFor: (who) => who.roles.some((r) => r === 'manage' || r === 'audit'), load: () => import('./contracts/Page.vue') },
  { name: 'mydata', title: 'page.mydata', isFor: (who) => who.citizen, load: () => import('./mydata/Page.vue') },
  { name: 'cases', title: 'page.cases', isFor: (who) => !who.citizen, load: () => import('./cases/Page.vue') },
  { name: 'api', title: 'page.api', isFor: (who) => !who.citizen, load: () => import('./api/Page.vue') },
];
