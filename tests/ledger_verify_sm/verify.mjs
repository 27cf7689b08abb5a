// Our parallel log in SM3 and SM2 (国密), held against another's SM3 and SM2: npm's sm-crypto, in JavaScript from the standards, where ours are
// OpenSSL's. The tree is computed here anew, by the definition of RFC 6962 §2.1 with SM3.
//
//   node verify.mjs DIR   (as tests/ledger_verify_go/write_log.c leaves it with "sm")
import { createHash, createPublicKey, verify as verifyEd25519 } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sm from 'sm-crypto';

const NAME = 'SM2 with SM3, citybrain';
const TILE = 256;
const dir = process.argv[2];
const log = join(dir, 'ledger', 'log-sm3');

function fail(text) {
  console.error(`verify: ${text}`);
  process.exit(1);
}

const sm3 = (...parts) => Buffer.from(sm.sm3(Array.from(Buffer.concat(parts))), 'hex');
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafHash = (hash, leaf) => hash(Buffer.from([0]), leaf);
const nodeHash = (hash, left, right) => hash(Buffer.from([1]), left, right);

function rootOf(hash, hashes) { // RFC 6962 §2.1
  if (hashes.length === 1) return hashes[0];
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(hash, rootOf(hash, hashes.slice(0, k)), rootOf(hash, hashes.slice(k)));
}

function rootFromProof(hash, index, size, leaf, path) { // RFC 9162 §2.1.3.2
  let [at, last, sum] = [index, size - 1, leaf];
  for (const node of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      sum = nodeHash(hash, node, sum);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      sum = nodeHash(hash, sum, node);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? sum : null;
}

function keyOf(vkey) {
  const [, name, id, base64] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey.trim()) ?? fail(`${vkey} is no verifier key`);
  const key = Buffer.from(base64, 'base64');
  if (sha256(Buffer.from(`${name}\n`), key).subarray(0, 4).toString('hex') !== id) fail(`the id of ${name} is not its key's`);
  return { name, id, key };
}

/** Text and fields of a note that `isSigned(key, text, signature)` by the key. */
function open(note, key, isSigned) {
  const split = note.lastIndexOf('\n\n');
  const text = note.slice(0, split + 1);
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const [, name, base64] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? fail(`${line} is no signature line`);
    const bytes = Buffer.from(base64, 'base64');
    if (name !== key.name || bytes.subarray(0, 4).toString('hex') !== key.id) continue;
    if (!isSigned(key, text, bytes.subarray(4))) return null;
    const [origin, size, root] = text.split('\n');
    return { origin, size: Number(size), root: Buffer.from(root, 'base64') };
  }
  return null;
}

const isSignedSm2 = (key, text, signature) =>
  signature.length === 64 && sm.sm2.doVerifySignature(Array.from(Buffer.from(text)), signature.toString('hex'), key.key.subarray(-65).toString('hex'),
    { hash: true, userId: '1234567812345678' });
const isSignedEd25519 = (key, text, signature) => {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.key.subarray(1)]);
  return verifyEd25519(null, Buffer.from(text), createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature);
};

const number = (n) => String(n).padStart(3, '0'); // fewer than a thousand tiles here
function leaves(size) {
  const all = [];
  for (let n = 0; n * TILE < size; n++) {
    const width = Math.min(TILE, size - n * TILE);
    let bytes = readFileSync(join(log, 'tile', 'entries', number(n) + (width < TILE ? `.p/${width}` : '')));
    for (let i = 0; i < width; i++) {
      all.push(bytes.subarray(2, 2 + bytes.readUInt16BE()));
      bytes = bytes.subarray(2 + bytes.readUInt16BE());
    }
  }
  return all;
}

const smKey = keyOf(readFileSync(join(dir, 'vkey-sm'), 'utf8'));
const logKey = keyOf(readFileSync(join(dir, 'vkey'), 'utf8'));
if (smKey.key[0] !== 0xff || smKey.key.subarray(1, -65).toString() !== NAME || smKey.key.at(-65) !== 4) fail('the key is not SM2, type 0xff');

const note = readFileSync(join(log, 'checkpoint'), 'utf8');
const checkpoint = open(note, smKey, isSignedSm2) ?? fail("the checkpoint's SM2 signature does not hold");
if (open(note.replace(`\n${checkpoint.size}\n`, `\n${checkpoint.size + 1}\n`), smKey, isSignedSm2)) fail('another size is accepted');
const entries = leaves(checkpoint.size);
const hashes = entries.map((leaf) => leafHash(sm3, leaf));
if (!rootOf(sm3, hashes).equals(checkpoint.root)) fail('the root is not that of SM3 over the entries');
const level0 = readFileSync(join(log, 'tile', '0', '000'));
for (let i = 0; i < TILE; i++) if (!level0.subarray(32 * i, 32 * i + 32).equals(hashes[i])) fail(`hash ${i} of tile 0 is another`);
if (!readFileSync(join(log, 'tile', '1', `000.p/${Math.floor(checkpoint.size / TILE)}`)).subarray(0, 32).equals(rootOf(sm3, hashes.slice(0, TILE))))
  fail('the first hash of level 1 is another');

let included = 0;
let refused = 0;
for (const name of readdirSync(join(dir, 'proofs-sm'))) {
  const text = readFileSync(join(dir, 'proofs-sm', name), 'utf8');
  const [magic, index, ...path] = text.slice(0, text.indexOf('\n\n')).split('\n');
  const of = open(text.slice(text.indexOf('\n\n') + 2), smKey, isSignedSm2) ?? fail(`the checkpoint of proof ${name} does not hold`);
  if (magic !== 'c2sp.org/tlog-proof@v1' || index !== `index ${name}`) fail(`${name} is no tlog-proof`);
  const nodes = path.map((line) => Buffer.from(line, 'base64'));
  const root = rootFromProof(sm3, Number(name), of.size, hashes[Number(name)], nodes);
  if (!root?.equals(of.root)) fail(`proof ${name} does not hold`);
  included++;
  const changed = Buffer.from(entries[Number(name)]);
  changed[included % changed.length] ^= 1;
  if (rootFromProof(sm3, Number(name), of.size, leafHash(sm3, changed), nodes)?.equals(of.root)) fail(`a changed leaf ${name} is accepted`);
  refused++;
}

// Each log under the other's checkpoint, both signed, both of these very entries.
const anchors = { [logKey.name]: 0, [smKey.name]: 0 };
const hashes256 = entries.map((leaf) => leafHash(sha256, leaf));
entries.forEach((entry, i) => {
  const leaf = JSON.parse(entry.toString());
  if (leaf.type !== 'checkpoint') return;
  const isSm = leaf.log === smKey.name;
  const of = open(leaf.note, isSm ? smKey : logKey, isSm ? isSignedSm2 : isSignedEd25519) ?? fail(`the checkpoint in leaf ${i} does not hold`);
  const root = isSm ? rootOf(sm3, hashes.slice(0, of.size)) : rootOf(sha256, hashes256.slice(0, of.size));
  if (of.origin !== leaf.log || of.size > i || !root.equals(of.root)) fail(`the checkpoint in leaf ${i} is not of this log`);
  anchors[leaf.log]++;
});
if (anchors[logKey.name] < 3 || anchors[smKey.name] < 3) fail(`too few anchors: ${JSON.stringify(anchors)}`);
console.log(`${included} inclusions, ${refused} tampered leaves refused, anchors in both logs`);
