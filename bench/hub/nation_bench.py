#!/usr/bin/env python3
"""nation_lost = 0: the nation's load, 246 calls a second, held under kill -9 of each process in turn (nation.py has what is done).

    nation_acknowledged   calls answered with a receipt; nation_due: all that were due
    nation_gone           receipts handed out that the ledger does not hold afterwards
    nation_unanswered     calls that were never answered, asked again for a minute past the end
    nation_lost           gone + unanswered
    nation_cut, nation_refused   how often a call was cut off, or refused while a process was away, and asked again
    nation_p50_ms, nation_p99_ms, nation_longest_ms   from the moment a call was due, through all of that

NATION_SECONDS (60 unless said; the goal is held for 600), NATION_RATE, NATION_ROWS.
"""
import os

import apart
import nation
from peers import line, load_now, note


def main():
    seconds, rate = int(os.environ.get("NATION_SECONDS", "60")), float(os.environ.get("NATION_RATE", "246"))
    is_apart = apart.is_there()
    if not is_apart:
        note("the department's connector is in the brain, no bus: there is no `citybrain system` or no nats-server here")
    figures, kills = nation.run(seconds, rate, int(os.environ.get("NATION_ROWS", "100000")), 4, note, is_apart)
    note(f"{seconds} s at {rate:.0f} calls/s; killed: {', '.join(f'{name} {n}' for name, n in kills.items())}; {load_now()}")
    line("nation_seconds", seconds, "s")
    line("nation_kills", sum(kills.values()), "kills")
    for name in ("due", "acknowledged", "gone", "unanswered", "lost", "cut", "refused"):
        line(f"nation_{name}", figures[name], "calls" if name not in ("cut", "refused") else "times")
    for name in ("p50_ms", "p99_ms", "longest_ms"):
        line(f"nation_{name}", figures[name], "ms", 1)


if __name__ == "__main__":
    main()
