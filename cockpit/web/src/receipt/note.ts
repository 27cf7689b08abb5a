// Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint) and the verifier key's text form.
// Only Ed25519 log signatures (type 1) are checked here; cosignatures of witnesses are other lines, left alone.
import { ed25519 } from '@noble/curves/ed25519';
import { sha256 } from '@noble/hashes/sha2';
import { concat, fromBase64, sameBytes, toHex, utf8 } from './bytes';

const ED25519 = 1;
const KEY_ID_BYTES = 4;

export interface VerifierKey {
  name: string;
  keyId: Uint8Array;
  publicKey: Uint8Array;
}

export interface Signature {
  name: string;
  keyId: Uint8Array;
  signature: Uint8Array;
}

export interface Note {
  body: string; // with its closing newline: exactly what is signed
  signatures: Signature[];
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
}

/** The first four bytes of SHA-256(name "\n" type key). */
export function keyIdOf(name: string, publicKey: Uint8Array): Uint8Array {
  return sha256(concat(utf8(name + '\n'), new Uint8Array([ED25519]), publicKey)).slice(0, KEY_ID_BYTES);
}

/** "name+hash+base64": refused when the hash is not the key's own, so that a mistyped key cannot pass for another. */
export function parseVerifierKey(text: string): VerifierKey | null {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim());
  const typed = match && fromBase64(match[3]!);
  if (!match || !typed || typed.length !== 33 || typed[0] !== ED25519) return null;
  const publicKey = typed.slice(1);
  const keyId = keyIdOf(match[1]!, publicKey);
  return toHex(keyId) === match[2] ? { name: match[1]!, keyId, publicKey } : null;
}

/** Splits a note at its last blank line; every line after it must be a signature. */
export function parseNote(text: string): Note | null {
  const split = text.lastIndexOf('\n\n');
  if (split < 0 || !text.endsWith('\n')) return null;
  const lines = text.slice(split + 2, -1).split('\n');
  const signatures: Signature[] = [];
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    const bytes = match && fromBase64(match[2]!);
    if (!match || !bytes || bytes.length <= KEY_ID_BYTES) return null;
    signatures.push({ name: match[1]!, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) });
  }
  return { body: text.slice(0, split + 1), signatures };
}

/** True when the note carries a good signature of `key`; a line with another key's name or id does not count. */
export function isSignedBy(note: Note, key: VerifierKey): boolean {
  return note.signatures.some((s) => {
    if (s.name !== key.name || !sameBytes(s.keyId, key.keyId) || s.signature.length !== 64) return false;
    try {
      return ed25519.verify(s.signature, utf8(note.body), key.publicKey, { zip215: false });
    } catch {
      return false; // not a point of the curve
    }
  });
}

export function parseCheckpoint(body: string): Checkpoint | null {
  const [origin, size, root] = body.split('\n');
  const hash = fromBase64(root ?? '');
  if (!origin || !/^(0|[1-9][0-9]*)$/.test(size ?? '') || !hash || hash.length !== 32) return null;
  const n = Number(size);
  return Number.isSafeInteger(n) ? { origin, size: n, root: hash } : null;
}
