// A small log is made here with the primitives alone (its tree is computed by the recursive definition of RFC 6962, not by
// the walk under test), and then the verifier must accept it and refuse every single alteration of it.
import { ed25519 } from '@noble/curves/ed25519';
import { sha256 } from '@noble/hashes/sha2';
import { describe, expect, it } from 'vitest';
import { concat, fromBase64, sameBytes, toBase64, toHex, utf8 } from './bytes';
import { leafHash, rootFromPath } from './merkle';
import { isSignedBy, keyIdOf, parseCheckpoint, parseNote, parseVerifierKey } from './note';
import { parseProof } from './proof';
import { bundlePath, entryAt } from './tile';
import { parseReceipt, verifyReceipt } from './verify';
import type { Get, Verification } from './verify';

const ORIGIN = 'test.log';
const secret = sha256(utf8('a fixed seed'));
const publicKey = ed25519.getPublicKey(secret);
const vkey = `${ORIGIN}+${toHex(keyIdOf(ORIGIN, publicKey))}+${toBase64(concat(new Uint8Array([1]), publicKey))}`;

/** MTH of RFC 6962 §2.1, by its recursive definition. */
function treeHash(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return sha256(concat(new Uint8Array([0]), leaves[0]!));
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return sha256(concat(new Uint8Array([1]), treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k))));
}

/** PATH of RFC 6962 §2.1.1. */
function treePath(m: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return m < k
    ? [...treePath(m, leaves.slice(0, k)), treeHash(leaves.slice(k))]
    : [...treePath(m - k, leaves.slice(k)), treeHash(leaves.slice(0, k))];
}

function signNote(body: string, key = secret, name = ORIGIN): string {
  const id = keyIdOf(name, ed25519.getPublicKey(key));
  return `${body}\n\u2014 ${name} ${toBase64(concat(id, ed25519.sign(utf8(body), key)))}\n`;
}

const leaves = Array.from({ length: 300 }, (_, i) =>
  utf8(JSON.stringify({ type: 'intent', contract: `hangzhou/c-${i}`, resource: 'hangzhou/scene.count/indicator', nonce: i })));

interface Served {
  vkey: string;
  proof: string;
  bundles: Record<string, Uint8Array>;
  busy: number;
}

function makeLog(index: number, size = leaves.length): Served {
  const tree = leaves.slice(0, size);
  const note = signNote(`${ORIGIN}\n${size}\n${toBase64(treeHash(tree))}\n`);
  const path = treePath(index, tree).map(toBase64);
  const bundles: Record<string, Uint8Array> = {};
  for (let b = 0; b * 256 < size; b++) {
    const entries = tree.slice(b * 256, b * 256 + 256).map((e) => concat(new Uint8Array([e.length >> 8, e.length & 255]), e));
    bundles[`/log/v1/tile/${bundlePath(b, size)}`] = concat(...entries);
  }
  return { vkey, proof: ['c2sp.org/tlog-proof@v1', `index ${index}`, ...path, '', note].join('\n'), bundles, busy: 0 };
}

const serve = (log: Served): Get => async (path) => {
  if (path === '/log/v1/vkey') return { status: 200, bytes: utf8(log.vkey) };
  if (path.startsWith('/log/v1/proof/')) {
    if (log.busy-- > 0) return { status: 409, bytes: new Uint8Array(), retryAfterMs: 1 };
    return { status: 200, bytes: utf8(log.proof) };
  }
  const bundle = log.bundles[path];
  return bundle ? { status: 200, bytes: bundle } : { status: 404, bytes: new Uint8Array() };
};

const verify = (log: Served, index: number, claim = {}): Promise<Verification> =>
  verifyReceipt(`${ORIGIN}/${index}`, claim, serve(log), () => undefined, async () => undefined);

/** Another process's log of the same hub: this server has its own key, and the other's receipts as files. */
const serveElsewhere = (log: Served, index: number, change: (file: Record<string, string>) => void = () => undefined): Get => async (path) => {
  if (path === '/log/v1/vkey') {
    const own = 'own.log';
    return { status: 200, bytes: utf8(`${own}+${toHex(keyIdOf(own, publicKey))}+${toBase64(concat(new Uint8Array([1]), publicKey))}`) };
  }
  if (path !== `/hub/v1/receipt/${ORIGIN}/${index}`) return { status: 404, bytes: new Uint8Array() };
  if (log.busy-- > 0) return { status: 409, bytes: new Uint8Array(), retryAfterMs: 1 };
  const file: Record<string, string> = { receipt: `${ORIGIN}/${index}`, leaf: new TextDecoder().decode(leaves[index]), proof: log.proof, vkey: log.vkey };
  change(file);
  return { status: 200, bytes: utf8(JSON.stringify(file)) };
};

const refusalOf = (v: Verification): string | undefined => v.steps.find((s) => s.state === 'refused')?.refusal;

describe('a receipt', () => {
  it('is verified at every index of trees of every small size', async () => {
    for (let size = 1; size <= 20; size++) {
      for (let index = 0; index < size; index++) {
        const v = await verify(makeLog(index, size), index);
        expect(v.verdict, `index ${index} of ${size}`).toBe('verified');
      }
    }
  });

  it('is verified across bundles, with all its steps and its leaf told', async () => {
    const v = await verify(makeLog(299), 299, { contract: 'hangzhou/c-299', resource: 'hangzhou/scene.count/indicator' });
    expect(v.verdict).toBe('verified');
    expect(v.steps.map((s) => s.state)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
    expect(v.leaf).toMatchObject({ contract: 'hangzhou/c-299' });
    expect(v.steps[2]!.facts).toMatchObject({ origin: ORIGIN, size: '300' });
  });

  it('is verified under a checkpoint that witnesses have cosigned, and not by their lines alone', async () => {
    // C2SP tlog-cosignature: key id of type 4, eight bytes of time, Ed25519 over "cosignature/v1", the time and the text
    const cosign = (body: string, name: string): string => {
      const key = sha256(utf8(name));
      const id = sha256(concat(utf8(`${name}\n`), new Uint8Array([4]), ed25519.getPublicKey(key))).slice(0, 4);
      const time = new Uint8Array([0, 0, 0, 0, 0x6a, 0xe6, 0x63, 0x80]);
      return `\u2014 ${name} ${toBase64(concat(id, time, ed25519.sign(utf8(`cosignature/v1\ntime 1793483648\n${body}`), key)))}\n`;
    };
    const served = makeLog(100);
    const note = served.proof.slice(served.proof.indexOf('\n\n') + 2);
    const body = note.slice(0, note.lastIndexOf('\n\n') + 1);
    const lines = ['w0', 'w1', 'w2', ORIGIN].map((name) => cosign(body, name)).join(''); // the last has the log's name, and another id
    expect((await verify({ ...served, proof: served.proof + lines }, 100)).verdict).toBe('verified');
    const without = served.proof.slice(0, served.proof.length - note.length) + body + '\n' + lines;
    expect(refusalOf(await verify({ ...served, proof: without }, 100))).toBe('bad_signature');
  });

  it('waits while the leaf is not under a checkpoint, and gives up in the end', async () => {
    const log = makeLog(7);
    log.busy = 3;
    const states: string[] = [];
    const v = await verifyReceipt(`${ORIGIN}/7`, {}, serve(log), (now) => states.push(now.steps[1]!.state), async () => undefined);
    expect(states).toContain('waiting');
    expect(v.verdict).toBe('verified');
    log.busy = 1000;
    expect(refusalOf(await verify(log, 7))).toBe('not_yet');
  });

  it('is read from the full bundle when the partial one is gone', async () => {
    const log = makeLog(259);
    log.bundles['/log/v1/tile/entries/001'] = log.bundles['/log/v1/tile/entries/001.p/44']!;
    delete log.bundles['/log/v1/tile/entries/001.p/44'];
    expect((await verify(log, 259)).verdict).toBe('verified');
  });

  it('is refused when any byte of the leaf is altered', async () => {
    const place = '/log/v1/tile/entries/001.p/44';
    for (let at = 2; at < 2 + leaves[256]!.length; at++) {
      const log = makeLog(256);
      log.bundles[place] = log.bundles[place]!.slice();
      log.bundles[place]![at]! ^= 1;
      expect(refusalOf(await verify(log, 256)), `byte ${at}`).toBe('other_root');
    }
  });

  it('is refused when any hash of the path, the size, the root or the signature is altered', async () => {
    const lines = makeLog(100).proof.split('\n');
    for (let at = 2; at < lines.length - 1; at++) {
      if (lines[at] === '') continue;
      const altered = lines.slice();
      const hit = Math.floor(altered[at]!.length / 2);
      const other = altered[at]![hit] === 'A' ? 'B' : 'A';
      altered[at] = altered[at]!.slice(0, hit) + other + altered[at]!.slice(hit + 1);
      const v = await verify({ ...makeLog(100), proof: altered.join('\n') }, 100);
      expect(v.verdict, `line ${at}: ${altered[at]}`).toBe('refused');
      expect(v.leaf).toBeUndefined();
    }
  });

  it('is refused with a path too long or too short', async () => {
    const lines = makeLog(100).proof.split('\n');
    expect(refusalOf(await verify({ ...makeLog(100), proof: lines.filter((_, i) => i !== 2).join('\n') }, 100))).toBe('bad_path');
    const longer = lines.slice();
    longer.splice(3, 0, lines[2]!);
    expect((await verify({ ...makeLog(100), proof: longer.join('\n') }, 100)).verdict).toBe('refused');
  });

  it('is refused when another key signed it, even under the right name and key id', async () => {
    const other = sha256(utf8('another seed'));
    const body = `${ORIGIN}\n300\n${toBase64(treeHash(leaves))}\n`;
    const forged = `${body}\n\u2014 ${ORIGIN} ${toBase64(concat(keyIdOf(ORIGIN, publicKey), ed25519.sign(utf8(body), other)))}\n`;
    const head = makeLog(5).proof.split('\n\n')[0]!;
    expect(refusalOf(await verify({ ...makeLog(5), proof: `${head}\n\n${forged}` }, 5))).toBe('bad_signature');
    expect(refusalOf(await verify({ ...makeLog(5), proof: `${head}\n\n${signNote(body, other)}` }, 5))).toBe('bad_signature');
  });

  it('is refused when the proof is of another leaf or the log is another', async () => {
    expect(refusalOf(await verify(makeLog(6), 5))).toBe('other_index');
    const v = await verifyReceipt('other.log/5', {}, serve(makeLog(5)), () => undefined, async () => undefined);
    expect(refusalOf(v)).toBe('other_origin');
  });

  it('is refused when the leaf speaks of another contract or resource than the screen', async () => {
    expect(refusalOf(await verify(makeLog(5), 5, { contract: 'hangzhou/c-6' }))).toBe('other_contract');
    expect(refusalOf(await verify(makeLog(5), 5, { contract: 'hangzhou/c-5', resource: 'hangzhou/police/passage' }))).toBe('other_resource');
  });

  it('of another process of the hub is verified from its file, and refused when anything of it is another', async () => {
    const at = (index: number, get: Get): Promise<Verification> => verifyReceipt(`${ORIGIN}/${index}`, {}, get, () => undefined, async () => undefined);
    const log = makeLog(259);
    log.busy = 2; // not under a checkpoint yet
    const v = await at(259, serveElsewhere(log, 259));
    expect([v.verdict, v.vkey]).toEqual(['verified', vkey]);
    expect(v.leaf).toMatchObject({ contract: 'hangzhou/c-259' });
    const changed = (change: (file: Record<string, string>) => void): Promise<Verification> => at(259, serveElsewhere(makeLog(259), 259, change));
    expect(refusalOf(await changed((file) => { file.leaf += ' '; }))).toBe('other_root');
    expect(refusalOf(await changed((file) => { file.proof = makeLog(258).proof; }))).toBe('other_index');
    expect(refusalOf(await changed((file) => { file.vkey = vkey.replace(ORIGIN, 'tess.log'); }))).toBe('unreadable');
    expect(refusalOf(await changed((file) => { delete file.proof; }))).toBe('unreadable');
    expect(refusalOf(await at(258, serveElsewhere(makeLog(259), 259)))).toBe('other_origin'); // none of this hub's
  });

  it('says what failed when the ledger does not answer', async () => {
    const down: Get = async () => { throw new Error('no network'); };
    const v = await verifyReceipt(`${ORIGIN}/1`, {}, down, () => undefined);
    expect(v.verdict).toBe('refused');
    expect(refusalOf(v)).toBe('unreachable');
    expect(v.steps.slice(1).every((s) => s.state === 'todo')).toBe(true);
  });
});

describe('the formats', () => {
  it('take base64 in one spelling only', () => {
    expect(fromBase64('AQI=')).toEqual(new Uint8Array([1, 2]));
    for (const wrong of ['AQI', 'AQJ=', 'AQ I', 'A===', '_-==', 'AQI=\n']) expect(fromBase64(wrong), wrong).toBeNull();
    for (let n = 0; n < 40; n++) expect(fromBase64(toBase64(secret.slice(0, n % 33)))).toEqual(secret.slice(0, n % 33));
  });

  it('take a verifier key only with its own hash', () => {
    expect(parseVerifierKey(vkey)?.name).toBe(ORIGIN);
    expect(parseVerifierKey(vkey + '\n')?.name).toBe(ORIGIN);
    expect(parseVerifierKey(vkey.replace(ORIGIN, 'tess.log'))).toBeNull();
    expect(parseVerifierKey('')).toBeNull();
  });

  it('verify the example that the Go checksum database publishes', () => {
    // sum.golang.org's key and the signed-note package's own example are public constants of other hands.
    const key = parseVerifierKey('PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW');
    const note = parseNote('If you think cryptography is the answer to your problem,\nthen you don\'t know what your problem is.\n\n' +
      '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n');
    expect(key && note && isSignedBy(note, key)).toBe(true);
    expect(key && note && isSignedBy({ ...note, body: note.body.replace('answer', 'anSwer') }, key)).toBe(false);
  });

  it('refuse notes, checkpoints and proofs that are not whole', () => {
    expect(parseNote('a\n')).toBeNull();
    expect(parseNote('a\n\n\u2014 x AAAA')).toBeNull();
    expect(parseNote('a\n\nx AAAAAAAA\n')).toBeNull();
    expect(parseCheckpoint('o\n01\n' + toBase64(secret) + '\n')).toBeNull();
    expect(parseCheckpoint('o\n1\nAAAA\n')).toBeNull();
    expect(parseProof('c2sp.org/tlog-proof@v2\nindex 1\n\nx')).toBeNull();
    expect(parseProof('c2sp.org/tlog-proof@v1\nindex 01\n\nx')).toBeNull();
    expect(parseProof('c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n\nx\n')?.index).toBe(3);
    expect(parseReceipt('hangzhou.log/12')).toEqual({ origin: 'hangzhou.log', index: 12 });
    expect(parseReceipt('hangzhou.log')).toBeNull();
  });

  it('name bundles and find leaves in them', () => {
    expect(bundlePath(0, 5)).toBe('entries/000.p/5');
    expect(bundlePath(1234067, Infinity)).toBe('entries/x001/x234/067');
    expect(bundlePath(0, 256)).toBe('entries/000');
    expect(entryAt(new Uint8Array([0, 1, 7, 0, 2, 8]), 0)).toEqual(new Uint8Array([7]));
    expect(entryAt(new Uint8Array([0, 1, 7, 0, 2, 8]), 1)).toBeNull();
  });

  it('walk to no root from outside the tree', () => {
    const hash = leafHash(leaves[0]!);
    expect(rootFromPath(0, 1, hash, [])).toEqual(hash);
    expect(rootFromPath(1, 1, hash, [])).toBeNull();
    expect(rootFromPath(0, 2, hash, [])).toBeNull();
    expect(sameBytes(hash, secret)).toBe(false);
  });
});
