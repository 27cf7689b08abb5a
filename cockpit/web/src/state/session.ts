// Who looks at the screen. The session itself is a cookie the page cannot read; this is what the brain says of it.
import { ref } from 'vue';
import { answer, api, Failure } from '../api/client';
import type { Session } from '../api/types';

export type Phase = 'opening' | 'signed_out' | 'signed_in' | 'unreachable';

export const session = ref<Session | null>(null);
export const phase = ref<Phase>('opening');
export const expired = ref(false); // was signed in a moment ago
const RETRY_MS = 2000;
const STORED = 'citybrain.signed-in'; // that this browser was, so that a first visit need not ask and be refused; the cookie alone counts

function signedOut(): void {
  localStorage.removeItem(STORED);
  session.value = null;
  phase.value = 'signed_out';
}

/** At the page's start: goes on where this browser was signed in. */
export async function resume(): Promise<void> {
  if (localStorage.getItem(STORED) === null) signedOut();
  else await ask();
}

async function ask(): Promise<void> {
  try {
    session.value = await answer(api.GET('/party/v1/session'));
    phase.value = 'signed_in';
  } catch (e) {
    if (e instanceof Failure && e.kind === 'signed_out') {
      signedOut();
      return;
    }
    phase.value = 'unreachable'; // a wall that starts before the brain waits for it
    setTimeout(() => void ask(), RETRY_MS);
  }
}

export async function signIn(name: string, password: string): Promise<void> {
  try {
    await answer(api.POST('/party/v1/session', { body: { name, password } }));
  } catch (e) {
    if (e instanceof Failure && (e.kind === 'signed_out' || e.status === 403)) throw new Failure('wrong_password', e.status, e.detail);
    throw e;
  }
  expired.value = false;
  localStorage.setItem(STORED, '1');
  await ask();
}

export async function signOut(): Promise<void> {
  await answer(api.DELETE('/party/v1/session')).catch(() => undefined); // a session that is already gone is gone
  signedOut();
}

export function sessionEnded(): void {
  expired.value = phase.value === 'signed_in';
  signedOut();
}

/** What a page shows of anything that was thrown; a session that has ended ends here, too. */
export function failureOf(e: unknown): Failure {
  const failure = e instanceof Failure ? e : new Failure('broken', 0, String(e));
  if (failure.kind === 'signed_out') sessionEnded();
  return failure;
}

/** True when the brain answers and says that the session is gone; a brain that does not answer says nothing. */
export async function isSignedOut(): Promise<boolean> {
  try {
    await answer(api.GET('/party/v1/session'));
    return false;
  } catch (e) {
    if (!(e instanceof Failure) || e.kind !== 'signed_out') return false;
    sessionEnded();
    return true;
  }
}
