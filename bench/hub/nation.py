"""The nation's load (X-Road in Estonia: 3.87 billion calls in 182 days, 246 a second) held while each process is killed in turn.

Calls come at a fixed rate, whether the last were answered or not. Every few seconds the next process of the list gets kill -9 and is started
again at once, as systemd would: the brain, the department's PostgreSQL, each witness of the ledger; apart (apart.py) also the department's own
process and the NATS server between them. The client asks again what was cut off
or refused, until it is answered. Afterwards every receipt that was handed out is looked up in the ledger's public files, whose leaves are
hashed to the root of the signed checkpoint. Standard library only.
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import apart
import peers
import tables
from peers import CALL_LOAD, BenchCity, pinned, wait_for

sys.path.insert(0, os.path.join(peers.ROOT, "tests"))
from witnesses import Witness  # noqa: E402

CONNECTIONS = 64
BUNDLE = 256


class Ledger:
    """The ledger's public files over HTTP."""

    def __init__(self, url):
        self.url = url + "/log/v1/"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def checkpoint(self):
        """→ size, root."""
        lines = self.get("checkpoint").decode().split("\n")
        return int(lines[1]), base64.b64decode(lines[2])

    def leaves(self, size):
        """Every entry of the log of this size, in order, from its bundles (C2SP tlog-tiles)."""
        for at in range(0, size, BUNDLE):
            number, width = at // BUNDLE, min(BUNDLE, size - at)
            parts = [f"{number % 1000:03d}"]
            while number >= 1000:
                number //= 1000
                parts.insert(0, f"x{number % 1000:03d}")
            data = self.get("tile/entries/" + "/".join(parts) + ("" if width == BUNDLE else f".p/{width}"))
            for _ in range(width):
                length = int.from_bytes(data[:2], "big")
                yield data[2:2 + length]
                data = data[2 + length:]


class Tree:
    """RFC 6962's root, a leaf at a time."""

    def __init__(self):
        self.edge = []  # (height, hash), heights falling

    def add(self, leaf):
        node = (0, hashlib.sha256(b"\0" + leaf).digest())
        while self.edge and self.edge[-1][0] == node[0]:
            node = (node[0] + 1, hashlib.sha256(b"\1" + self.edge.pop()[1] + node[1]).digest())
        self.edge.append(node)

    def root(self):
        hashes = [hash_ for _, hash_ in self.edge]
        while len(hashes) > 1:
            right = hashes.pop()
            hashes[-1] = hashlib.sha256(b"\1" + hashes[-1] + right).digest()
        return hashes[0]


class Nation:
    def __init__(self, rows, is_apart, n_witnesses=3):
        self.folder = tempfile.mkdtemp(prefix="citybrain-nation-")
        self.postgres = self.city = None
        self.witnesses = []
        try:
            tables.ROWS = rows
            self.postgres = tables.BenchPostgres(peers.SERVER_CORE)
            tables.make_postgres(self.postgres)
            tables.write_keys(os.path.join(self.folder, "keys"))
            self.city = apart.ApartCity(self.postgres, self.folder) if is_apart else self.in_one()
            self.city.start()
            if n_witnesses:
                self.make_witnesses(n_witnesses)
        except BaseException:
            self.close()
            raise

    def in_one(self):
        data, city = (os.path.join(self.folder, name) for name in ("data", "city"))
        tables.write_secret(data)
        tables.write_city(city, self.postgres, sqlite=False)
        return BenchCity(city=city, data=data)

    def make_witnesses(self, n):
        """A majority of n cosigns the ledger's checkpoints."""
        vkey = Ledger(self.city.url).get("vkey").decode().strip()
        self.city.stop()
        for i in range(n):
            witness = Witness(os.path.join(self.folder, f"w{i}"), f"bench/witness-{i}")
            witness.write([vkey])
            witness.start()
            self.witnesses.append(witness)
        with open(os.path.join(self.city.city, "policy"), "w", encoding="ascii") as out:
            out.writelines(f"witness w{i} {witness.vkey} {witness.url}\n" for i, witness in enumerate(self.witnesses))
            out.write(f"group g {n // 2 + 1} {' '.join(f'w{i}' for i in range(n))}\nquorum g\n")
        with open(os.path.join(self.city.city, "city.yaml"), "a", encoding="utf-8") as out:
            out.write("witnesses: policy\n")
        self.city.start()

    def close(self):
        for witness in self.witnesses:
            witness.kill()
        for thing in (self.city, self.postgres):
            if thing:
                thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        """name → kill -9 and start again."""
        def again(thing):
            thing.kill()
            thing.start()
        things = {"postgres": self.postgres, **{f"witness-{i}": witness for i, witness in enumerate(self.witnesses)}}
        return {**self.city.processes(), **{name: lambda thing=thing: again(thing) for name, thing in things.items()}}

    def hold(self, seconds, rate, pause_s, say):
        """The load with its kills → what the load generator says, and how often each process was killed."""
        receipts = os.path.join(self.folder, "receipts")
        command = [CALL_LOAD, "-r", receipts, str(self.city.port), self.city.token(), "/hub/v1/call/bench/police/vehicle", os.path.join(self.folder, "keys"),
                   tables.BODY, str(CONNECTIONS), str(seconds), str(rate)]
        kills = {}
        load = subprocess.Popen(pinned(command, peers.LOAD_CORE), stdout=subprocess.PIPE, text=True)
        try:
            started, turn, processes = time.monotonic(), 0, list(self.processes().items())
            while turn < len(processes) or (load.poll() is None and time.monotonic() - started < seconds - 2 * pause_s):  # each once at least
                time.sleep(pause_s)
                name, again = processes[turn % len(processes)]
                before = time.monotonic()
                again()
                kills[name] = kills.get(name, 0) + 1
                turn += 1
                say(f"{name} killed, up again after {(time.monotonic() - before) * 1000:.0f} ms")
            said = load.communicate(timeout=seconds + 120)[0].split()
        finally:
            if load.poll() is None:
                load.kill()
            load.wait()
        names = ("acknowledged", "rps", "p50_ms", "p99_ms", "unanswered", "cut", "refused", "longest_ms")
        return dict(zip(names, map(float, said))), kills

    def look_up(self):
        """How many of the receipts handed out the ledger does not hold: each its own leaf, an intent of this use, under the signed root."""
        with open(os.path.join(self.folder, "receipts"), encoding="ascii") as lines:
            receipts = [int(line) for line in lines]
        ledger = Ledger(self.city.url)
        size, root = wait_for(lambda: (lambda is_: is_[0] > max(receipts) and is_)(ledger.checkpoint()), 60, "a checkpoint over every receipt")
        wanted, good, tree = set(receipts), set(), Tree()
        for index, leaf in enumerate(ledger.leaves(size)):
            tree.add(leaf)
            if index in wanted:
                text = json.loads(leaf)
                if (text["type"], text["use"], text["resource"]) == ("intent", "call", "bench/police/vehicle"):
                    good.add(index)
        if tree.root() != root:
            raise AssertionError("the leaves do not hash to the signed root")
        return len(receipts) - len(good)


def run(seconds, rate, rows, pause_s, say, is_apart=False):
    """→ figures by name; `lost` is what was acknowledged and is gone, or was due and never answered."""
    nation = Nation(rows, is_apart)
    try:
        figures, kills = nation.hold(seconds, rate, pause_s, say)
        figures["gone"] = nation.look_up()
    finally:
        nation.close()
    figures["due"] = figures["acknowledged"] + figures["unanswered"]
    figures["lost"] = figures["gone"] + figures["unanswered"]
    return figures, kills
