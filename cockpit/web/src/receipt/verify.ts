// Verifies a receipt in the browser, from the ledger's public files alone, and tells each step as it goes:
//   key → proof → signature → entry → inclusion → content.
// A receipt of another process's log of the same hub comes as one file, which this server fetches there (docs/mydata.md).
// It asks the same server for the key and for the proof: that shows that leaf, tree and signature belong together; that the
// key is the city's, the reader learns by comparing it with the key published elsewhere. The screen says so.
import { sameBytes, toBase64, toHex, utf8 } from './bytes';
import { leafHash, rootFromPath } from './merkle';
import { isSignedBy, parseCheckpoint, parseNote, parseVerifierKey } from './note';
import type { Checkpoint, Note, VerifierKey } from './note';
import { parseProof } from './proof';
import type { Proof } from './proof';
import { BUNDLE_ENTRIES, bundlePath, entryAt } from './tile';

const PROOF_TRIES = 20; // a durable leaf waits at most a second for its checkpoint; twenty say that something is wrong
const RETRY_MS = 1000;

export const STEPS = ['key', 'proof', 'signature', 'entry', 'inclusion', 'content'] as const;
export type StepName = (typeof STEPS)[number];
export type StepState = 'todo' | 'running' | 'waiting' | 'ok' | 'refused';

/** Why a step was refused; the screen has a sentence for each. */
export type Refusal =
  | 'unreachable' | 'not_found' | 'not_yet' | 'unreadable' | 'other_origin' | 'other_index'
  | 'bad_signature' | 'bad_path' | 'other_root' | 'other_contract' | 'other_resource';

export interface Step {
  name: StepName;
  state: StepState;
  refusal?: Refusal;
  facts: Record<string, string>;
}

export interface Verification {
  steps: Step[];
  verdict: 'running' | 'verified' | 'refused';
  leaf?: unknown;
  vkey?: string; // of the log, as text
}

/** What the screen claims of the receipt; the leaf must say the same. */
export interface Claim {
  contract?: string;
  resource?: string;
}

export type Get = (path: string) => Promise<{ status: number; bytes: Uint8Array; retryAfterMs?: number }>;

class Refused extends Error {
  constructor(readonly refusal: Refusal) {
    super(refusal);
  }
}

export function parseReceipt(receipt: string): { origin: string; index: number } | null {
  const match = /^(.+)\/(0|[1-9][0-9]*)$/.exec(receipt);
  return match ? { origin: match[1]!, index: Number(match[2]) } : null;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

async function fetchBytes(get: Get, path: string): Promise<Uint8Array> {
  const answer = await get(path).catch(() => null);
  if (!answer) throw new Refused('unreachable');
  if (answer.status === 404) throw new Refused('not_found');
  if (answer.status !== 200) throw new Refused('unreachable');
  return answer.bytes;
}

type Waiting = { tell: () => void; sleep: (ms: number) => Promise<void> };

/** What exists once the leaf is under a checkpoint. */
async function fetchProven(get: Get, path: string, step: Step, waiting: Waiting): Promise<string> {
  for (let attempt = 0; attempt < PROOF_TRIES; attempt++) {
    const answer = await get(path).catch(() => null);
    if (!answer) throw new Refused('unreachable');
    if (answer.status === 404) throw new Refused('not_found');
    if (answer.status === 200) return text(answer.bytes);
    if (answer.status !== 409) throw new Refused('unreachable');
    step.state = 'waiting'; // durable, but not under a checkpoint yet
    waiting.tell();
    await waiting.sleep(answer.retryAfterMs ?? RETRY_MS);
  }
  throw new Refused('not_yet');
}

/** A receipt file: what `citybrain verify` reads, too. */
interface File {
  vkey: string;
  proof: string;
  leaf: string;
}

function parseFile(content: string): File {
  try {
    const file = JSON.parse(content) as Partial<File>;
    if (typeof file.vkey === 'string' && typeof file.proof === 'string' && typeof file.leaf === 'string') return file as File;
  } catch {
    // said below
  }
  throw new Refused('unreadable');
}

interface Key {
  key: VerifierKey;
  vkey: string;
  file: File | null; // null: this server's own log
}

async function fetchKey(get: Get, origin: string, index: number, step: Step, waiting: Waiting): Promise<Key> {
  let vkey = text(await fetchBytes(get, '/log/v1/vkey')).trim();
  let key = parseVerifierKey(vkey);
  let file: File | null = null;
  if (key && key.name !== origin) {
    file = parseFile(await fetchProven(get, `/hub/v1/receipt/${encodeURIComponent(origin)}/${index}`, step, waiting).catch((e: unknown) => {
      throw e instanceof Refused && e.refusal === 'not_found' ? new Refused('other_origin') : e;
    }));
    vkey = file.vkey.trim();
    key = parseVerifierKey(vkey);
  }
  if (!key) throw new Refused('unreadable');
  step.facts.name = key.name;
  step.facts.keyId = toHex(key.keyId);
  step.facts.publicKey = toBase64(key.publicKey);
  if (key.name !== origin) throw new Refused('other_origin');
  return { key, vkey, file };
}

async function fetchProof(get: Get, index: number, file: File | null, step: Step, waiting: Waiting): Promise<Proof> {
  const proof = parseProof(file ? file.proof : await fetchProven(get, `/log/v1/proof/${index}`, step, waiting));
  if (!proof) throw new Refused('unreadable');
  step.facts.index = String(proof.index);
  step.facts.hashes = String(proof.path.length);
  if (proof.index !== index) throw new Refused('other_index');
  return proof;
}

function checkSignature(proof: Proof, key: VerifierKey, origin: string, facts: Step['facts']): Checkpoint {
  const note: Note | null = parseNote(proof.note);
  const checkpoint = note && parseCheckpoint(note.body);
  if (!note || !checkpoint) throw new Refused('unreadable');
  facts.origin = checkpoint.origin;
  facts.size = String(checkpoint.size);
  facts.root = toBase64(checkpoint.root);
  if (checkpoint.origin !== origin) throw new Refused('other_origin');
  if (!isSignedBy(note, key)) throw new Refused('bad_signature');
  return checkpoint;
}

async function fetchLeaf(get: Get, index: number, size: number, file: File | null, facts: Step['facts']): Promise<Uint8Array> {
  if (file) return tellLeaf(utf8(file.leaf), facts);
  const bundle = Math.floor(index / BUNDLE_ENTRIES);
  const path = bundlePath(bundle, size);
  facts.path = `/log/v1/tile/${path}`;
  // A server may drop a partial bundle once the full one is there (tlog-tiles): then the full one has the leaf too.
  const bytes = await fetchBytes(get, `/log/v1/tile/${path}`).catch((e: unknown) => {
    if (!(e instanceof Refused) || e.refusal !== 'not_found' || !path.includes('.p/')) throw e;
    return fetchBytes(get, `/log/v1/tile/${bundlePath(bundle, Infinity)}`);
  });
  const leaf = entryAt(bytes, index % BUNDLE_ENTRIES);
  if (!leaf) throw new Refused('unreadable');
  return tellLeaf(leaf, facts);
}

function tellLeaf(leaf: Uint8Array, facts: Step['facts']): Uint8Array {
  facts.bytes = String(leaf.length);
  facts.hash = toBase64(leafHash(leaf));
  return leaf;
}

function checkInclusion(proof: Proof, checkpoint: Checkpoint, leaf: Uint8Array, facts: Step['facts']): void {
  const root = rootFromPath(proof.index, checkpoint.size, leafHash(leaf), proof.path);
  facts.hashes = String(proof.path.length);
  if (!root) throw new Refused('bad_path');
  facts.root = toBase64(root);
  if (!sameBytes(root, checkpoint.root)) throw new Refused('other_root');
}

function checkContent(leaf: unknown, claim: Claim, facts: Step['facts']): void {
  if (typeof leaf !== 'object' || leaf === null) throw new Refused('unreadable');
  const said = leaf as Record<string, unknown>;
  for (const name of ['type', 'contract', 'resource', 'purpose'] as const) facts[name] = String(said[name] ?? '\u2014');
  if (claim.contract && said.contract !== claim.contract) throw new Refused('other_contract');
  if (claim.resource && said.resource !== undefined && said.resource !== claim.resource) throw new Refused('other_resource');
}

/**
 * Verifies `receipt` ("origin/index"). `tell` is called with the same Verification after each change of a step.
 * Never throws: a failure is a refused step, and nothing after it is tried.
 */
export async function verifyReceipt(
  receipt: string, claim: Claim, get: Get, tell: (v: Verification) => void,
  sleep: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
): Promise<Verification> {
  const v: Verification = { steps: STEPS.map((name) => ({ name, state: 'todo', facts: {} })), verdict: 'running' };
  let current = v.steps[0]!;
  const begin = (name: StepName): Step => {
    if (current.state !== 'todo') current.state = 'ok';
    current = v.steps[STEPS.indexOf(name)]!;
    current.state = 'running';
    tell(v);
    return current;
  };
  try {
    const named = parseReceipt(receipt);
    const keyStep = begin('key');
    if (!named) throw new Refused('unreadable');
    const waiting = { tell: () => tell(v), sleep };
    const { key, vkey, file } = await fetchKey(get, named.origin, named.index, keyStep, waiting);
    v.vkey = vkey;
    const proof = await fetchProof(get, named.index, file, begin('proof'), waiting);
    const checkpoint = checkSignature(proof, key, named.origin, begin('signature').facts);
    const leaf = await fetchLeaf(get, named.index, checkpoint.size, file, begin('entry').facts);
    checkInclusion(proof, checkpoint, leaf, begin('inclusion').facts);
    const content = begin('content');
    try {
      v.leaf = JSON.parse(text(leaf));
    } catch {
      throw new Refused('unreadable');
    }
    checkContent(v.leaf, claim, content.facts);
    content.state = 'ok';
    v.verdict = 'verified';
  } catch (e) {
    current.state = 'refused';
    current.refusal = e instanceof Refused ? e.refusal : 'unreadable';
    v.verdict = 'refused';
  }
  tell(v);
  return v;
}
