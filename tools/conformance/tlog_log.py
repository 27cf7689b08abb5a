"""A log as a stranger checks it: C2SP tlog-tiles, tlog-checkpoint and tlog-proof, from its public files alone."""
import os
import random

import tlog
from report import Client, Unusable, expect, same
from tlog import TILE

BUNDLES = 3  # entry bundles of which every entry is hashed
PROOFS = 8


class Log:
    def __init__(self, options):
        self.files, self.keep = Client(options.url), options.keep
        try:
            self.key = tlog.Key(options.vkey)
        except Exception as error:
            raise Unusable(str(error)) from error
        self.files.reachable("/checkpoint")
        self.checkpoint, self.tiles, self.tree = None, {}, None
        self.dice = random.Random(1)

    # ---- the tree, from its tiles ----

    def tile(self, level, number):
        """The hashes of one tile; the last one of a level is partial."""
        if (level, number) not in self.tiles:
            count = self.checkpoint.size >> 8 * level
            width = min(TILE, count - number * TILE)
            path = tlog.tile_path(level, number, width)
            answer = self.files.get(path)
            same(answer.status, 200, f"the status of {path}")
            same(len(answer.body), 32 * width, f"the length of {path}")
            self.tiles[level, number] = [answer.body[32 * i:32 * i + 32] for i in range(width)]
        return self.tiles[level, number]

    def subtree(self, level, index):
        within = level % 8
        if within == 0 and index < self.checkpoint.size >> level:
            return self.tile(level // 8, index // TILE)[index % TILE]
        return tlog.node_hash(self.subtree(level - 1, 2 * index), self.subtree(level - 1, 2 * index + 1))

    # ---- checks ----

    def read_checkpoint(self):
        answer = self.files.get("/checkpoint")
        same(answer.status, 200, "the status")
        same(answer.media_type, "text/plain", "the media type")
        checkpoint = tlog.Checkpoint(answer.text())
        same(checkpoint.origin, self.key.name, "the origin")
        expect(checkpoint.size > 0, "an empty log: nothing can be seen in it")
        self.checkpoint, self.tree = checkpoint, tlog.Tree(checkpoint.size, self.subtree)

    def is_signed(self):
        self.checkpoint.note.verify(self.key)

    def tiles_make_the_root(self):
        same(self.tree.root(), self.checkpoint.root, "the root of the tree that the tiles hold")

    def bundles(self):
        last = (self.checkpoint.size - 1) // TILE
        return sorted({0, last, *(self.dice.randrange(last + 1) for _ in range(BUNDLES - 2))})

    def entries_are_the_leaves(self):
        for number in self.bundles():
            width = min(TILE, self.checkpoint.size - number * TILE)
            path = tlog.tile_path(0, number, width).replace("/tile/0/", "/tile/entries/")
            answer = self.files.get(path)
            same(answer.status, 200, f"the status of {path}")
            same([tlog.leaf_hash(one) for one in tlog.entries_of(answer.body)], self.tile(0, number), f"the leaf hashes of {path}")

    def indexes(self):
        size = self.checkpoint.size
        return sorted({0, size - 1, *(self.dice.randrange(size) for _ in range(PROOFS - 2))})

    def leaves_are_included(self):
        for index in self.indexes():
            leaf = self.tile(0, index // TILE)[index % TILE]
            tlog.verify_inclusion(leaf, index, self.checkpoint.size, self.tree.inclusion(index), self.checkpoint.root)

    def proofs_hold(self):
        for index in self.indexes():
            answer = self.files.get(f"/proof/{index}")
            same(answer.status, 200, "the status")
            proof = tlog.Proof(answer.text())
            same(proof.index, index, "the index in the proof")
            proof.checkpoint.note.verify(self.key)
            expect(proof.checkpoint.size >= self.checkpoint.size, "a proof under a checkpoint older than the published one")
            tlog.verify_inclusion(self.tile(0, index // TILE)[index % TILE], index, proof.checkpoint.size, proof.path, proof.checkpoint.root)

    def nothing_past_the_end(self):
        self.files.get(tlog.tile_path(0, self.checkpoint.size // TILE + 1)).problem(404)

    def tiles_do_not_change(self):
        if self.checkpoint.size >= TILE:
            answer = self.files.get(tlog.tile_path(0, 0))
            same(answer.status, 200, "the status")
            expect("immutable" in (answer.headers.get("Cache-Control") or ""), "a full tile that a cache may not keep")
        expect("immutable" not in (self.files.get("/checkpoint").headers.get("Cache-Control") or ""), "a checkpoint that a cache may keep for ever")

    def it_goes_on(self):
        """What was kept at the last run is a beginning of this one; then this one is kept."""
        if os.path.exists(self.keep):
            with open(self.keep, encoding="utf-8") as file:
                old = tlog.Checkpoint(file.read())
            old.note.verify(self.key)
            expect(old.size <= self.checkpoint.size, f"the log has gone back from {old.size} leaves to {self.checkpoint.size}")
            same(tlog.Tree(old.size, self.subtree).root(), old.root, f"the root of the first {old.size} leaves")
        with open(self.keep, "w", encoding="utf-8") as file:
            file.write(self.files.get("/checkpoint").text())


def run(report, options):
    log = Log(options)
    check = report.check
    check("the checkpoint is one: origin, size, root", log.read_checkpoint)
    check("it is signed with the log's key", log.is_signed)
    check("the tiles make its root", log.tiles_make_the_root)
    check("leaves are included, by proofs made from the tiles", log.leaves_are_included)
    check("the entries are the leaves of the tiles", log.entries_are_the_leaves)
    check("the log's own proofs hold", log.proofs_hold)
    check("past the end there is nothing (404)", log.nothing_past_the_end)
    check("full tiles may be kept for ever, the checkpoint may not", log.tiles_do_not_change)
    if options.keep:
        check("what was kept at the last run is a beginning of it", log.it_goes_on)
