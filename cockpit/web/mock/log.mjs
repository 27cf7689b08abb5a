// MOCK, for development and tests only. A log of the ledger's public formats, made with node:crypto alone, in memory: entry
// bundles, a signed checkpoint each second, proofs. It shares no code with src/receipt, so that the two check each other.
import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

export class MockLog {
  constructor(origin) {
    this.origin = origin;
    this.entries = [];
    this.hashes = [];
    this.nodes = new Map();
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    this.privateKey = privateKey;
    const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    const typed = Buffer.concat([Buffer.from([1]), raw]);
    this.keyId = sha256(`${origin}\n`, typed).subarray(0, 4);
    this.vkey = `${origin}+${this.keyId.toString('hex')}+${typed.toString('base64')}\n`;
    this.size = 0; // of the newest checkpoint
  }

  append(leaf) {
    const bytes = Buffer.from(JSON.stringify(leaf));
    this.entries.push(bytes);
    this.hashes.push(sha256(LEAF, bytes));
    return this.entries.length - 1;
  }

  root(from, to) {
    if (to - from === 1) return this.hashes[from];
    const key = `${from}-${to}`;
    if (!this.nodes.has(key)) {
      const k = 2 ** Math.floor(Math.log2(to - from - 1));
      this.nodes.set(key, sha256(NODE, this.root(from, from + k), this.root(from + k, to)));
    }
    return this.nodes.get(key);
  }

  path(index, from, to) {
    if (to - from === 1) return [];
    const k = 2 ** Math.floor(Math.log2(to - from - 1));
    return index < from + k
      ? [...this.path(index, from, from + k), this.root(from + k, to)]
      : [...this.path(index, from + k, to), this.root(from, from + k)];
  }

  publish() {
    if (this.entries.length === this.size) return;
    this.size = this.entries.length;
    const body = `${this.origin}\n${this.size}\n${this.root(0, this.size).toString('base64')}\n`;
    const signature = Buffer.concat([this.keyId, sign(null, Buffer.from(body), this.privateKey)]);
    this.checkpoint = `${body}\n\u2014 ${this.origin} ${signature.toString('base64')}\n`;
  }

  /** { status, body } of GET /log/v1/… */
  answer(path) {
    if (path === '/log/v1/vkey') return { status: 200, body: this.vkey };
    if (path === '/log/v1/checkpoint') return { status: 200, body: this.checkpoint };
    const proof = /^\/log\/v1\/proof\/(\d+)$/.exec(path);
    if (proof) {
      const index = Number(proof[1]);
      if (index >= this.entries.length) return { status: 404, body: 'no such leaf' };
      if (index >= this.size) return { status: 409, body: 'not under a checkpoint yet' };
      const hashes = this.path(index, 0, this.size).map((h) => h.toString('base64'));
      return { status: 200, body: ['c2sp.org/tlog-proof@v1', `index ${index}`, ...hashes, '', this.checkpoint].join('\n') };
    }
    const tile = /^\/log\/v1\/tile\/entries\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (!tile) return { status: 404, body: 'nothing here' };
    const bundle = Number(tile[1].replaceAll(/[x/]/g, ''));
    const width = tile[2] ? Number(tile[2]) : 256;
    const slice = this.entries.slice(bundle * 256, bundle * 256 + width);
    if (slice.length !== width) return { status: 404, body: 'no such tile' };
    return { status: 200, body: Buffer.concat(slice.flatMap((e) => [Buffer.from([e.length >> 8, e.length & 255]), e])) };
  }
}
