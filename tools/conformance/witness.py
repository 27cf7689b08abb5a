"""A witness, driven over C2SP tlog-witness by a log of our own.

The log's leaf i is always the same text, so that its tree of any size can be made again: the witness remembers what it has cosigned, and this kit needs to
remember nothing but the log's key. Each run makes the log a little longer.
"""
import hashlib
import time

import tlog
from report import Client, Unusable, expect, same

STEP = 7  # leaves a growth
CLOCK_S = 300  # how far the witness's clock may be from ours
LEAVES_MAX = 1 << 20


class Witness:
    def __init__(self, options):
        self.client = Client(options.url)
        self.seed = tlog.read_seed(options.log_key)
        self.name = tlog.log_name(self.seed)
        try:
            self.key = tlog.Key(options.vkey)
            same(self.key.kind, tlog.COSIGNATURE, "the algorithm byte of a witness's key")
        except Exception as error:
            raise Unusable(str(error)) from error
        self.client.reachable("/")
        self.size, self.trees = 0, {}

    # ---- the log ----

    def tree(self, size, history=""):
        expect(size <= LEAVES_MAX, "the log has become too long: make another key for it")
        if (size, history) not in self.trees:
            self.trees[size, history] = tlog.tree_of([hashlib.sha256(f"\0leaf {i} {history}".encode()).digest() for i in range(size)])
        return self.trees[size, history]

    def note(self, size, history="", name=None, seed=None):
        name = name or self.name
        return tlog.signed(tlog.checkpoint_text(name, size, self.tree(size, history).root()), name, seed or self.seed)

    def send(self, old, note, proof=()):
        body = f"old {old}\n" + "".join(tlog.b64(one) + "\n" for one in proof) + "\n" + note
        return self.client.ask("POST", "/add-checkpoint", body.encode(), {"Content-Type": "text/plain"})

    def growth(self, by=STEP):
        new = self.size + by
        return self.note(new), self.tree(new).consistency(self.size) if self.size else []

    def refused(self, answer, *statuses):
        expect(answer.status in statuses, f"the status is {answer.status}, and not {' or '.join(map(str, statuses))}")
        expect("\u2014 " not in answer.body.decode("utf-8", "replace"), "a refusal with a signature line in it")

    def cosigned(self, answer, note):
        same(answer.status, 200, "the status")
        body = answer.text()
        expect(body.endswith("\n") and body.startswith("\u2014 "), "the answer is not of signature lines")
        text = tlog.Note(note).text
        seconds = tlog.verify_cosignature(self.key, text, tlog.Note(text + "\n" + body).signature(self.key))
        expect(abs(seconds - time.time()) < CLOCK_S, f"the witness's clock is {int(abs(seconds - time.time()))} s from ours")

    # ---- checks ----

    def stands_somewhere(self):
        """Where it stands with this log: a conflict says it, or it is new there."""
        answer = self.send(LEAVES_MAX, self.note(1))  # malformed for a witness that knows nothing else of it, so nothing is cosigned
        self.refused(answer, 400, 409)
        first = self.note(STEP)
        answer = self.send(0, first)
        if answer.status == 200:
            self.size = STEP
            self.cosigned(answer, first)
        else:
            self.conflict(answer)
            self.size = int(answer.text())

    def conflict(self, answer):
        self.refused(answer, 409)
        same(answer.headers.get("Content-Type"), "text/x.tlog.size", "the type of a conflict's body")
        expect(answer.text().endswith("\n") and answer.text()[:-1].isdigit(), "a conflict that does not tell the size")

    def grows(self):
        note, proof = self.growth()
        answer = self.send(self.size, note, proof)
        self.cosigned(answer, note)
        self.size += STEP

    def same_again(self):
        note = self.note(self.size)
        self.cosigned(self.send(self.size, note), note)

    def stands_still(self, answer):
        self.conflict(answer)
        same(int(answer.text()), self.size, "the size in a conflict's body")

    def an_older_size_is_a_conflict(self):
        self.stands_still(self.send(self.size - 1, self.note(self.size), self.tree(self.size).consistency(self.size - 1)))

    def rollback(self):
        self.stands_still(self.send(self.size - STEP, self.note(self.size - 1), self.tree(self.size - 1).consistency(self.size - STEP)))

    def old_above_new(self):
        self.refused(self.send(self.size, self.note(self.size - 1)), 400)

    def another_root_of_this_size(self):
        self.stands_still(self.send(self.size, self.note(self.size, "fork")))

    def a_wrong_proof(self):
        note, proof = self.growth()
        proof[0] = bytes([proof[0][0] ^ 1]) + proof[0][1:]
        self.refused(self.send(self.size, note, proof), 422)

    def another_history(self):
        new = self.size + STEP
        self.refused(self.send(self.size, self.note(new, "fork"), self.tree(new, "fork").consistency(self.size)), 422)

    def no_proof(self):
        self.refused(self.send(self.size, self.growth()[0]), 422)

    def a_proof_too_long(self):
        note, proof = self.growth()
        self.refused(self.send(self.size, note, [*proof, bytes(32)]), 422)

    def an_unknown_log(self):
        seed = bytes(32)
        self.refused(self.send(0, self.note(STEP, name=tlog.log_name(seed), seed=seed)), 404)

    def another_key(self):
        note, proof = self.growth()
        forged = self.note(self.size + STEP, seed=bytes(31) + b"\1")
        self.refused(self.send(self.size, forged, proof), 403)

    def a_changed_signature(self):
        note, proof = self.growth()
        head, _, line = note.rpartition(" ")
        data = bytearray(tlog.unb64(line.strip(), "our own signature"))
        data[20] ^= 1
        self.refused(self.send(self.size, f"{head} {tlog.b64(bytes(data))}\n", proof), 403)

    def a_changed_text(self):
        note, proof = self.growth()
        self.refused(self.send(self.size, note.replace(f"\n{self.size + STEP}\n", f"\n{self.size + STEP + 1}\n"), proof), 403)

    def malformed(self, make):
        def run():
            note, proof = self.growth()
            body = make(note, proof)
            self.refused(self.client.ask("POST", "/add-checkpoint", body.encode(), {"Content-Type": "text/plain"}), 400)
        return run

    def others_signatures_are_no_matter(self):
        note, proof = self.growth()
        self.cosigned(self.send(self.size, note + f"\u2014 somebody.else {tlog.b64(bytes(68))}\n", proof), note)
        self.size += STEP


def lines(old, proof, note):
    return f"old {old}\n" + "".join(one + "\n" for one in proof) + "\n" + note


def run(report, options):
    w = Witness(options)
    check = report.check
    check("a first checkpoint is cosigned, or it says where it stands", w.stands_somewhere)
    check("growth with its proof is cosigned, at the witness's time", w.grows)
    check("the same checkpoint again is cosigned again", w.same_again)
    check("an old size behind what it cosigned is a conflict, told (409)", w.an_older_size_is_a_conflict)
    check("a rollback is a conflict, told (409)", w.rollback)
    check("an old size above the checkpoint's is refused (400)", w.old_above_new)
    check("another root of the same size is a conflict (409)", w.another_root_of_this_size)
    check("a changed hash in the proof is refused (422)", w.a_wrong_proof)
    check("another history with its own proof is refused (422)", w.another_history)
    check("growth without a proof is refused (422)", w.no_proof)
    check("a hash too many in the proof is refused (422)", w.a_proof_too_long)
    check("a log that it does not know is refused (404)", w.an_unknown_log)
    check("a checkpoint signed with another key is refused (403)", w.another_key)
    check("a changed signature is refused (403)", w.a_changed_signature)
    check("a changed size under the signature is refused (403)", w.a_changed_text)
    b64s = lambda proof: [tlog.b64(one) for one in proof]  # noqa: E731
    check("no old line is refused (400)", w.malformed(lambda note, proof: "\n" + note))
    check("an old size with a leading zero is refused (400)", w.malformed(lambda note, proof: lines(f"0{w.size}", b64s(proof), note)))
    check("no empty line before the checkpoint is refused (400)", w.malformed(lambda note, proof: f"old {w.size}\n" + note))
    check("a hash of 31 bytes is refused (400)", w.malformed(lambda note, proof: lines(w.size, [tlog.b64(bytes(31))], note)))
    check("64 hashes are refused (400)", w.malformed(lambda note, proof: lines(w.size, [tlog.b64(bytes(32))] * 64, note)))
    check("a checkpoint without a signature is refused (400)", w.malformed(lambda note, proof: lines(w.size, b64s(proof), note.split("\n\n")[0] + "\n\n")))
    check("after all these it stands where it stood", lambda: w.stands_still(w.send(w.size - 1, w.note(w.size), w.tree(w.size).consistency(w.size - 1))))
    check("and goes on, whoever else has signed", w.others_signatures_are_no_matter)
