// The tlog-proof text (C2SP tlog-proof): index, inclusion path and, verbatim, the checkpoint it leads to.
import { fromBase64 } from './bytes';

const HEADER = 'c2sp.org/tlog-proof@v1';
const PATH_MAX = 63; // a path is as long as the tree is high

export interface Proof {
  index: number;
  path: Uint8Array[];
  note: string;
}

export function parseProof(text: string): Proof | null {
  const split = text.indexOf('\n\n');
  if (split < 0) return null;
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== HEADER) return null;
  if (lines[0]?.startsWith('extra ')) lines.shift(); // opaque and unauthenticated: not used
  const index = /^index (0|[1-9][0-9]*)$/.exec(lines.shift() ?? '');
  if (!index || lines.length > PATH_MAX || !Number.isSafeInteger(Number(index[1]))) return null;
  const path: Uint8Array[] = [];
  for (const line of lines) {
    const hash = fromBase64(line);
    if (!hash || hash.length !== 32) return null;
    path.push(hash);
  }
  return { index: Number(index[1]), path, note: text.slice(split + 2) };
}
