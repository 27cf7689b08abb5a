// Cases: work for people (docs/case.md). The brain says when something has changed, the list is read again then; a step answers with the case afterwards.
import { isSignedOut } from '../state/session';
import { answer, api } from './client';
import { LiveLink } from './live';
import type { paths } from './schema';
import type { Case, CaseInFull, CasePosts, Cases, CaseStep as StepBody } from './schema';

export type { Case, CaseInFull, CaseState } from './schema';
export type CaseList = Cases;
export type CaseNote = CaseInFull['history'][number];
export type Post = CasePosts['posts'][number];
export type CaseStep = 'assign' | 'start' | 'comment' | 'close' | 'reopen';
export type Which = 'open' | 'me' | 'closed';

const LIVE: keyof paths = '/case/v1/live';
const SILENT_MS = 25_000; // a ping comes each 10 seconds

/** Calls `changed` when a case that one may see is another, and when the link is back after it was lost: anything may have happened meanwhile. */
export function onCaseChanges(changed: () => void): LiveLink {
  let wasLost = false;
  const on = {
    event: (): void => changed(),
    state: (state: string): void => {
      if (state === 'live' && wasLost) changed();
      wasLost = state === 'lost' || (wasLost && state !== 'live');
    },
    signedOut: isSignedOut,
  };
  return new LiveLink(LIVE, on, undefined, ['changed', 'ping'], SILENT_MS);
}

export const readCases = (which: Which, kind: string, before?: number): Promise<Cases> =>
  answer(api.GET('/case/v1/cases', {
    params: { query: { state: which === 'closed' ? 'closed' : 'open', limit: '50', ...(which === 'me' ? { post: 'me' } : {}), ...(kind ? { kind } : {}), ...(before ? { before: String(before) } : {}) } },
  }));
export const readCase = (id: number): Promise<CaseInFull> => answer(api.GET('/case/v1/cases/{id}', { params: { path: { id: String(id) } } }));
export const readPosts = async (): Promise<Post[]> => (await answer(api.GET('/case/v1/posts'))).posts;
export const takeStep = (id: number, step: CaseStep, body: StepBody): Promise<Case> =>
  answer(api.POST('/case/v1/cases/{id}/{step}', { params: { path: { id: String(id), step } }, body }));
