// A second verifier of our logs that is not ours: the checkpoint and Merkle modules of npm's @sigstore/verify (4.1.3, pinned: they are its inner
// ones). What is ours here only reads files.
//
//   node verify.mjs DIR   (as tests/ledger_verify_go/write_log.c leaves it)
//
// Each of the 1,000 proofs has to hold with its leaf, and has to be refused with a leaf, a hash, a path, an index or a checkpoint that was changed. Of cosignatures
// it knows nothing: it passes over the lines of keys that it was not given.
import { createPublicKey } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const inner = join(require.resolve('@sigstore/verify'), '..', 'tlog');
const { verifyCheckpoint } = require(join(inner, 'checkpoint.js'));
const { verifyMerkleInclusion } = require(join(inner, 'merkle.js'));

const TILE = 256;
const dir = process.argv[2];
const log = join(dir, 'ledger', 'log');

function fail(text) {
  console.error(`verify: ${text}`);
  process.exit(1);
}

/** Our verifier key "name+id+base64(1 || key)" as the library's description of a log. */
function logOf(vkey) {
  const [name, id, key] = [vkey.split('+')[0], vkey.split('+')[1], vkey.split('+').slice(2).join('+')];
  const raw = Buffer.from(key, 'base64');
  if (raw.length !== 33 || raw[0] !== 1) fail('the verifier key is not Ed25519');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw.subarray(1)]); // RFC 8410
  return { logID: Buffer.from(id, 'hex'), baseURL: `https://${name}`, publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }) };
}

function groups(n) { // 1234067 is x001/x234/067
  const digits = String(n).padStart(Math.ceil(String(n).length / 3) * 3, '0').match(/\d{3}/g);
  return digits.map((d, i) => (i < digits.length - 1 ? `x${d}` : d)).join('/');
}

const bundles = new Map();
function leaf(index, size) {
  const n = Math.floor(index / TILE);
  const width = Math.min(TILE, size - n * TILE);
  if (!bundles.has(n)) bundles.set(n, readFileSync(join(log, 'tile', 'entries', groups(n) + (width < TILE ? `.p/${width}` : ''))));
  let bytes = bundles.get(n);
  for (let i = index % TILE; i > 0; i--) bytes = bytes.subarray(2 + bytes.readUInt16BE());
  return bytes.subarray(2, 2 + bytes.readUInt16BE());
}

/** A tlog-proof in the library's form. */
function readProof(name) {
  const text = readFileSync(join(dir, 'proofs', name), 'utf8');
  const split = text.indexOf('\n\n');
  const [magic, index, ...hashes] = text.slice(0, split).split('\n');
  if (magic !== 'c2sp.org/tlog-proof@v1' || index !== `index ${name}`) fail(`${name} is no tlog-proof`);
  return { logIndex: name, hashes: hashes.map((h) => Buffer.from(h, 'base64')), checkpoint: { envelope: text.slice(split + 2) } };
}

function check(inclusionProof, canonicalizedBody, tlogs) {
  const entry = { inclusionProof, canonicalizedBody };
  const checkpoint = verifyCheckpoint(entry, tlogs);
  verifyMerkleInclusion(entry, checkpoint);
  return Number(checkpoint.logSize);
}

function isRefused(...args) {
  try {
    check(...args);
    return false;
  } catch (error) {
    if (error.code !== 'TLOG_INCLUSION_PROOF_ERROR') throw error; // a refusal, and no stumble
    return true;
  }
}

let dice = 20261122;
const random = (n) => (dice = (Math.imul(dice, 1664525) + 1013904223) >>> 0) % n;
const flip = (bytes) => {
  const changed = Buffer.from(bytes);
  changed[random(changed.length)] ^= 1 + random(255);
  return changed;
};

const tlogs = [logOf(readFileSync(join(dir, 'vkey'), 'utf8').trim())];
const size = Number(readFileSync(join(log, 'checkpoint'), 'utf8').split('\n')[1]);
let included = 0;
let refused = 0;
for (const name of readdirSync(join(dir, 'proofs'))) {
  const proof = readProof(name);
  const body = leaf(Number(name), size);
  if (check(proof, body, tlogs) !== size) fail(`proof ${name} is of another checkpoint`);
  included++;
  if (!isRefused(proof, flip(body), tlogs)) fail(`a changed leaf ${name} is accepted`);
  refused++;
  const hashes = [...proof.hashes];
  const at = random(hashes.length);
  hashes[at] = flip(hashes[at]);
  if (!isRefused({ ...proof, hashes }, body, tlogs)) fail(`a changed path of ${name} is accepted`);
  if (!isRefused({ ...proof, hashes: proof.hashes.slice(1) }, body, tlogs)) fail(`a shortened path of ${name} is accepted`);
  if (!isRefused({ ...proof, logIndex: String((Number(name) + 1) % size) }, body, tlogs)) fail(`leaf ${name} is accepted as its neighbour`);
  const lines = proof.checkpoint.envelope.split('\n');
  lines[1] = String(size + 1);
  if (!isRefused({ ...proof, checkpoint: { envelope: lines.join('\n') } }, body, tlogs)) fail('another size is accepted');
  lines[1] = String(size);
  lines[2] = flip(Buffer.from(lines[2], 'base64')).toString('base64');
  if (!isRefused({ ...proof, checkpoint: { envelope: lines.join('\n') } }, body, tlogs)) fail('another root is accepted');
}
console.log(`${size} leaves, ${included} inclusions, ${refused} tampered leaves refused`);
