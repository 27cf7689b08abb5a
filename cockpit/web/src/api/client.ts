// One way to ask the brain: JSON in, JSON out, and every failure a Failure with a kind that a screen has a sentence for.
// It keeps no state and retries nothing: who asks knows whether asking again is right.

export type FailureKind = 'unreachable' | 'signed_out' | 'wrong_password' | 'not_allowed' | 'busy' | 'refused' | 'broken';

export class Failure extends Error {
  constructor(readonly kind: FailureKind, readonly status: number, readonly detail: string, readonly rule?: number) {
    super(`${kind} ${status} ${detail}`);
  }
}

const TIMEOUT_MS = 15_000;

function kindOf(status: number): FailureKind {
  if (status === 401) return 'signed_out';
  if (status === 403 || status === 404) return 'not_allowed'; // from outside, unknown and not permitted look the same
  if (status === 429 || status === 503) return 'busy';
  return status >= 500 ? 'broken' : 'refused';
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS), ...init });
  } catch (e) {
    throw new Failure('unreachable', 0, e instanceof Error ? e.message : String(e));
  }
}

async function problemOf(response: Response): Promise<{ detail: string; rule?: number }> {
  try {
    const problem = (await response.json()) as { detail?: string; title?: string; rule?: number };
    return { detail: problem.detail ?? problem.title ?? '', rule: problem.rule };
  } catch {
    return { detail: '' };
  }
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const { detail, rule } = await problemOf(response);
  throw new Failure(kindOf(response.status), response.status, detail, rule);
}

export async function getJson<T>(path: string, query: Record<string, string | number> = {}): Promise<T> {
  const search = new URLSearchParams(Object.entries(query).map(([k, v]) => [k, String(v)])).toString();
  const response = await checked(await send(search ? `${path}?${search}` : path, { headers: { Accept: 'application/json' } }));
  try {
    return (await response.json()) as T;
  } catch {
    throw new Failure('broken', response.status, `${path}: not JSON`);
  }
}

export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const response = await send(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
  });
  return (await (await checked(response)).json()) as T;
}

export async function remove(path: string): Promise<void> {
  await checked(await send(path, { method: 'DELETE' }));
}

/** For the receipt's verifier: status and bytes, no judgement. */
export async function getBytes(path: string): Promise<{ status: number; bytes: Uint8Array; retryAfterMs?: number }> {
  const response = await send(path, {});
  const retry = Number(response.headers.get('Retry-After'));
  return {
    status: response.status,
    bytes: new Uint8Array(await response.arrayBuffer()),
    retryAfterMs: Number.isFinite(retry) && retry > 0 ? Math.min(retry, 10) * 1000 : undefined,
  };
}
