"""The C2SP formats, written from their specifications: signed notes and checkpoints, cosignatures, Merkle trees (RFC 6962, RFC 9162), tiles, proofs.

Each reader raises Wrong with what is not of the form; each check raises Wrong with what does not hold.
"""
import base64
import binascii
import hashlib
import os

import ed25519
from report import Wrong, expect, same

ED25519, COSIGNATURE = 1, 4  # the algorithm bytes of a verifier key
TILE = 256


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text, what):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Wrong(f"{what} is no Base64: {text[:60]}") from error


# ---- keys ----


class Key:
    """NAME+ID+BASE64: the algorithm's byte and 32 bytes of an Ed25519 key."""

    def __init__(self, text):
        parts = text.split("+", 2)  # Base64 may hold a "+", a name may not
        expect(len(parts) == 3 and len(parts[1]) == 8, f"not a verifier key: {text[:80]}")
        data = unb64(parts[2], "the verifier key")
        expect(len(data) == 33 and data[0] in (ED25519, COSIGNATURE), "the verifier key is not of Ed25519")
        self.text, self.name, self.kind, self.public = text, parts[0], data[0], data[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + data).digest()[:4]
        same(parts[1], self.id.hex(), "the id in the verifier key")


def key_text(name, kind, public):
    data = bytes([kind]) + public
    return f"{name}+{_id(name, data)}+{b64(data)}"


def _id(name, data):
    return hashlib.sha256(name.encode() + b"\n" + data).digest()[:4].hex()


def make_log_key(path):
    """A seed in a file (made when it is not there), and the verifier key that goes with it."""
    if not os.path.exists(path):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(os.urandom(32).hex() + "\n")
    seed = read_seed(path)
    return key_text(log_name(seed), ED25519, ed25519.public_key(seed))


def read_seed(path):
    with open(path, encoding="ascii") as file:
        return bytes.fromhex(file.read().strip())


def log_name(seed):
    """Another key is another log: a witness that knew the first is not asked to forget it."""
    return "conformance." + hashlib.sha256(seed).hexdigest()[:8]


# ---- notes and checkpoints ----


class Note:
    def __init__(self, text):
        head, separator, tail = text.rpartition("\n\n")
        expect(separator and tail.endswith("\n"), "not a signed note: no empty line before the signatures, or no newline at the end")
        self.text, self.lines = head + "\n", []
        for line in tail[:-1].split("\n"):
            words = line.split(" ")
            expect(len(words) == 3 and words[0] == "\u2014", f"not a signature line: {line[:80]}")
            self.lines.append((words[1], unb64(words[2], "a signature")))

    def signature(self, key):
        """The bytes after the key's id; of the line that bears the key's name and id."""
        for name, data in self.lines:
            if name == key.name and data[:4] == key.id:
                return data[4:]
        raise Wrong(f"no signature of {key.name}")

    def verify(self, key):
        expect(ed25519.verify(key.public, self.text.encode(), self.signature(key)), f"the signature of {key.name} does not verify")


def verify_cosignature(key, text, data):
    """`data`: 8 bytes of seconds, 64 of signature. Gives the seconds back."""
    same(len(data), 72, "the length of a cosignature")
    seconds = int.from_bytes(data[:8], "big")
    expect(ed25519.verify(key.public, f"cosignature/v1\ntime {seconds}\n{text}".encode(), data[8:]), f"the cosignature of {key.name} does not verify")
    return seconds


class Checkpoint:
    def __init__(self, text):
        self.note = Note(text)
        lines = self.note.text.split("\n")
        expect(len(lines) >= 4, "a checkpoint has three lines")
        self.origin, size, root = lines[0], lines[1], unb64(lines[2], "the root")
        expect(size.isascii() and size.isdigit() and str(int(size)) == size, f"the size is {size[:40]}")
        same(len(root), 32, "the length of the root")
        self.size, self.root = int(size), root


def checkpoint_text(origin, size, root):
    return f"{origin}\n{size}\n{b64(root)}\n"


def signed(text, name, seed):
    data = bytes([ED25519]) + ed25519.public_key(seed)
    line = bytes.fromhex(_id(name, data)) + ed25519.sign(seed, text.encode())
    return f"{text}\n\u2014 {name} {b64(line)}\n"


# ---- trees ----


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


class Tree:
    """A tree over leaf hashes that somebody gives by range: `subtree(level, index)` is the hash of 2^level leaves from index * 2^level on."""

    def __init__(self, size, subtree):
        self.size, self.subtree = size, subtree

    def hash(self, begin, end):
        n = end - begin
        if n == 0:
            return hashlib.sha256(b"").digest()
        if n & n - 1 == 0 and begin % n == 0:
            return self.subtree(n.bit_length() - 1, begin // n)
        k = split(n)
        return node_hash(self.hash(begin, begin + k), self.hash(begin + k, end))

    def root(self):
        return self.hash(0, self.size)

    def inclusion(self, index, begin=0, end=None):
        end = self.size if end is None else end
        if end - begin == 1:
            return []
        k = begin + split(end - begin)
        return self.inclusion(index, begin, k) + [self.hash(k, end)] if index < k else self.inclusion(index, k, end) + [self.hash(begin, k)]

    def consistency(self, old, begin=0, end=None, is_whole=True):
        end = self.size if end is None else end
        if old == end:
            return [] if is_whole else [self.hash(begin, end)]
        k = begin + split(end - begin)
        if old <= k:
            return self.consistency(old, begin, k, is_whole) + [self.hash(k, end)]
        return self.consistency(old, k, end, False) + [self.hash(begin, k)]


def tree_of(leaf_hashes):
    known = {}

    def subtree(level, index):
        if level == 0:
            return leaf_hashes[index]
        if (level, index) not in known:
            known[level, index] = node_hash(subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1))
        return known[level, index]

    return Tree(len(leaf_hashes), subtree)


def verify_inclusion(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    expect(0 <= index < size, f"leaf {index} is not below {size}")
    fn, sn, r = index, size - 1, leaf
    for hash_ in path:
        expect(sn != 0, "the proof has more hashes than the tree has levels")
        if fn & 1 or fn == sn:
            r = node_hash(hash_, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, hash_)
        fn, sn = fn >> 1, sn >> 1
    expect(sn == 0 and r == root, f"leaf {index} is not in the tree of {size} leaves")


# ---- files of a log ----


def tile_path(level, index, width=TILE):
    number = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        number = f"x{index % 1000:03d}/{number}"
    return f"/tile/{level}/{number}" + (f".p/{width}" if width < TILE else "")


def entries_of(bundle):
    """Each entry with 16 bits of length before it."""
    entries, at = [], 0
    while at < len(bundle):
        expect(at + 2 <= len(bundle), "an entry bundle that ends within a length")
        length = int.from_bytes(bundle[at:at + 2], "big")
        expect(at + 2 + length <= len(bundle), "an entry bundle that ends within an entry")
        entries.append(bundle[at + 2:at + 2 + length])
        at += 2 + length
    return entries


class Proof:
    """c2sp.org/tlog-proof@v1."""

    def __init__(self, text):
        head, separator, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        expect(separator and lines[0] == "c2sp.org/tlog-proof@v1" and len(lines) > 1 and lines[1].startswith("index "), "not a tlog-proof")
        self.index = int(lines[1].removeprefix("index "))
        self.path = [unb64(line, "a hash of the proof") for line in lines[2:]]
        expect(all(len(hash_) == 32 for hash_ in self.path), "a hash of the proof has not 32 bytes")
        self.checkpoint = Checkpoint(checkpoint)

    def verify(self, key, leaf):
        """That this leaf stands at the proof's index of the key's log."""
        same(self.checkpoint.origin, key.name, "the origin of the proof's checkpoint")
        self.checkpoint.note.verify(key)
        verify_inclusion(leaf_hash(leaf), self.index, self.checkpoint.size, self.path, self.checkpoint.root)
