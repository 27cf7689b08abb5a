// One way to ask the brain: openapi-fetch over the types of docs/openapi.json (schema.ts is generated), so that a path, a parameter, a body or a
// member of an answer that the brain does not have is no program. Every failure is a Failure with a kind that a screen has a sentence for.
// It keeps no state and retries nothing: who asks knows whether asking again is right.
import createClient from 'openapi-fetch';
import type { paths } from './schema';

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

async function send(request: Request | string): Promise<Response> {
  try {
    return await fetch(request, { credentials: 'same-origin', signal: AbortSignal.timeout(TIMEOUT_MS) });
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

async function checked(request: Request): Promise<Response> {
  const response = await send(request);
  if (response.ok) return response;
  const { detail, rule } = await problemOf(response);
  throw new Failure(kindOf(response.status), response.status, detail, rule);
}

/** `answer(api.GET('/hub/v1/catalog'))`; a refusal throws, so there is always an answer. */
export const api = createClient<paths>({ baseUrl: globalThis.location?.origin, fetch: checked, headers: { Accept: 'application/json' } });

export async function answer<T>(asked: Promise<{ data?: T; response: Response }>): Promise<T> {
  try {
    return (await asked).data as T;
  } catch (e) {
    throw e instanceof Failure ? e : new Failure('broken', 0, e instanceof Error ? e.message : String(e)); // what came was no JSON
  }
}

export interface Asked {
  status: number;
  type: string; // media type
  text: string | null; // null: not text
  size: number; // bytes
  receipt: string;
  ms: number;
}

/** For the page that describes the interface: any request, and whatever comes back. */
export async function tryOut(method: string, target: string, body: string | null): Promise<Asked> {
  const began = performance.now();
  const init = body === null ? { method } : { method, body, headers: { 'Content-Type': 'application/json' } };
  const response = await send(new Request(new URL(target, location.origin), init));
  const bytes = await response.arrayBuffer();
  const type = response.headers.get('Content-Type') ?? '';
  const isText = /^text\/|json|xml|javascript|svg/.test(type) || type === '';
  return { status: response.status, type, text: isText ? new TextDecoder().decode(bytes) : null, size: bytes.byteLength, receipt: response.headers.get('Citybrain-Receipt') ?? '',
    ms: Math.round(performance.now() - began) };
}

/** A receipt's files as they stand, status and bytes, no judgement: what is checked byte for byte goes through no parser. */
export async function getBytes(path: string): Promise<{ status: number; bytes: Uint8Array; retryAfterMs?: number }> {
  const response = await send(path);
  const retry = Number(response.headers.get('Retry-After'));
  return {
    status: response.status,
    bytes: new Uint8Array(await response.arrayBuffer()),
    retryAfterMs: Number.isFinite(retry) && retry > 0 ? Math.min(retry, 10) * 1000 : undefined,
  };
}
