// Cases: work for people (docs/case.md). The list is read again while it is looked at; a step answers with the case afterwards.
import { answer, api } from './client';
import type { Case, CaseInFull, CasePosts, Cases, CaseStep as StepBody } from './schema';

export type { Case, CaseInFull, CaseState } from './schema';
export type CaseList = Cases;
export type CaseNote = CaseInFull['history'][number];
export type Post = CasePosts['posts'][number];
export type CaseStep = 'assign' | 'start' | 'comment' | 'close' | 'reopen';
export type Which = 'open' | 'me' | 'closed';

export const readCases = (which: Which, before?: number): Promise<Cases> =>
  answer(api.GET('/case/v1/cases', {
    params: { query: { state: which === 'closed' ? 'closed' : 'open', limit: '50', ...(which === 'me' ? { post: 'me' } : {}), ...(before ? { before: String(before) } : {}) } },
  }));
export const readCase = (id: number): Promise<CaseInFull> => answer(api.GET('/case/v1/cases/{id}', { params: { path: { id: String(id) } } }));
export const readPosts = async (): Promise<Post[]> => (await answer(api.GET('/case/v1/posts'))).posts;
export const takeStep = (id: number, step: CaseStep, body: StepBody): Promise<Case> =>
  answer(api.POST('/case/v1/cases/{id}/{step}', { params: { path: { id: String(id), step } }, body }));
