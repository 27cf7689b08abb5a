// The Merkle tree of RFC 6962 §2.1: hashes of leaves and nodes, and the root that an inclusion proof leads to.
// Pure computing; the walk is the one of RFC 9162 §2.1.3.2. Indices are numbers: a log of 2^53 leaves is out of reach.
import { sha256 } from '@noble/hashes/sha2';
import { concat } from './bytes';

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export const leafHash = (leaf: Uint8Array): Uint8Array => sha256(concat(LEAF, leaf));
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(concat(NODE, left, right));

const half = (n: number): number => Math.floor(n / 2);
const isOdd = (n: number): boolean => n % 2 === 1;

/**
 * The root that `path` (hashes from the leaf's sibling upward) leads to for the leaf at `index` of a tree of `size` leaves.
 * Null when the path has the wrong length or the index lies outside the tree: that is a refusal, not a root.
 */
export function rootFromPath(index: number, size: number, hash: Uint8Array, path: Uint8Array[]): Uint8Array | null {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return null;
  let at = index;
  let last = size - 1;
  let root = hash;
  for (const sibling of path) {
    if (last === 0) return null;
    if (isOdd(at) || at === last) {
      root = nodeHash(sibling, root);
      while (!isOdd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    at = half(at);
    last = half(last);
  }
  return last === 0 ? root : null;
}
