#!/usr/bin/env python3
"""The ledger with five witnesses, each a `citybrain witness` of its own, over HTTP on this machine; three of them make a quorum.

    witnessed_leaves_per_s   as ledger_leaves_per_s: until the last leaf is under a checkpoint that a quorum has cosigned
    witnessed_evidence_p99_ms   from durable to quorum-signed, at 500 leaves a second

What ledger_bench.c prints; this starts and ends the witnesses.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from witnesses import Witness  # noqa: E402

BENCH = os.path.join(os.environ["CITYBRAIN_BUILD"], "bench", "ledger_bench")


def main():
    data = os.environ["CITYBRAIN_DATA"]
    log = subprocess.run([BENCH, "--vkey"], check=True, capture_output=True, text=True).stdout.strip()
    witnesses = []
    try:
        for i in range(5):
            witness = Witness(os.path.join(data, f"w{i}"), f"bench/w{i}")
            witnesses.append(witness)
            witness.write([log])
            witness.start()
        policy = os.path.join(data, "policy")
        with open(policy, "w", encoding="ascii") as out:
            out.writelines(f"witness w{i} {witness.vkey} {witness.url}\n" for i, witness in enumerate(witnesses))
            out.write("group g 3 w0 w1 w2 w3 w4\nquorum g\n")
        return subprocess.run([BENCH, policy], check=False).returncode
    finally:
        for witness in witnesses:
            witness.kill()


sys.exit(main())
