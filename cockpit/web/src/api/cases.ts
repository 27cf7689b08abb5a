// Cases: work for people (docs/case.md). The list is read again while it is looked at; a step answers with the case afterwards.
import { getJson, postJson } from './client';
import type { Named, Text } from './types';

export type CaseState = 'open' | 'assigned' | 'doing' | 'measuring' | 'closed';
export type CaseStep = 'assign' | 'start' | 'comment' | 'close' | 'reopen';
export type NoteWhat = 'opened' | 'reopened' | 'measured' | 'assigned' | 'started' | 'comment' | 'done' | 'closed' | 'escalated' | 'late';

export interface Case {
  id: number;
  kind: string;
  kind_title: Text;
  closes: 'measured' | 'result';
  title: Text;
  detail: string;
  receipt: string;
  area: string;
  area_title: Text;
  party: Named | null;
  owner: Named | null;
  state: CaseState;
  opened: number;
  changed: number;
  due: number | null;
  closed: number | null;
  alerts: number;
  escalated: number;
  reopened: number;
  late: boolean;
  may_act: boolean;
}

export interface CaseNote {
  time: number;
  what: NoteWhat;
  owner: Named | null;
  by: Named | null;
  by_name: string;
  text: string;
}

export interface CaseList {
  time: number;
  cases: Case[];
  next: number | null;
  counts: Record<CaseState | 'late', number>;
}

export interface Post {
  post: string;
  title: Text;
  area: string;
}

export type Which = 'open' | 'me' | 'closed';

export const readCases = (which: Which, before?: number): Promise<CaseList> =>
  getJson('/case/v1/cases', {
    state: which === 'closed' ? 'closed' : 'open', limit: 50, ...(which === 'me' ? { post: 'me' } : {}), ...(before ? { before } : {}),
  });
export const readCase = (id: number): Promise<{ time: number; case: Case; history: CaseNote[] }> => getJson(`/case/v1/cases/${id}`);
export const readPosts = async (): Promise<Post[]> => (await getJson<{ posts: Post[] }>('/case/v1/posts')).posts;
export const takeStep = (id: number, step: CaseStep, body: { text?: string; to?: string }): Promise<Case> => postJson(`/case/v1/cases/${id}/${step}`, body);
