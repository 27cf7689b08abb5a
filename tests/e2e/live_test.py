"""The living city: the count moves and stands beside the truth, the reason behind it holds, a dead SUMO shows within 10 s and heals."""
import json
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, wait_for  # noqa: E402


class Events:
    """Reads /cockpit/v1/live on a thread of its own; keeps (time, event, data)."""

    def __init__(self, city, area="hangzhou"):
        self.seen = []
        self.answer = city.opener.open(f"{city.url}/cockpit/v1/live?area={area}", timeout=60)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = None
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n").rstrip("\r")
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    self.seen.append((time.monotonic(), event, json.loads(line[5:])))
        except (OSError, ValueError):
            pass

    def newest(self, event):
        return next((data for _, name, data in reversed(self.seen) if name == event), None)

    def indicator(self, name, area="hangzhou"):
        data = self.newest("indicators")
        return next((i for i in data["indicators"] if i["name"] == name and i["area"] == area), None) if data else None


def children_of(pid):
    return [int(line) for line in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()]


class Live(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City(world=True)
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.city.sign_in("mayor")
        cls.events = Events(cls.city)
        wait_for(lambda: (cls.events.indicator("vehicles_in_transit") or {}).get("value"), 60, "a count")

    def test_1_the_count_moves_beside_the_truth(self):
        first = self.events.indicator("vehicles_in_transit")["value"]
        wait_for(lambda: self.events.indicator("vehicles_in_transit")["value"] != first, 30, "another count")
        truth = wait_for(lambda: self.events.indicator("vehicles_true"), 30, "the truth")
        self.assertGreater(truth["value"], 100)
        self.assertFalse(truth["stale"])

        def is_near():
            count, true = self.events.indicator("vehicles_in_transit"), self.events.indicator("vehicles_true")
            return count and true and 0.3 < count["value"] / true["value"] < 3
        wait_for(is_near, 120, "a count of the truth's order")
        for event in ("road_states", "ranking", "sources"):
            self.assertTrue(wait_for(lambda e=event: self.events.newest(e), 10, event))
        self.assertGreaterEqual(len(self.events.newest("sources")["sources"]), 60)

    def test_2_why_this_number_holds(self):
        why = self.city.get("/cockpit/v1/why?indicator=vehicles_in_transit&area=hangzhou")
        for key in ("title", "definition", "unit", "owner", "formula", "source", "contract", "freshness", "receipt", "inputs"):
            self.assertTrue(why[key], key)
        self.assertEqual(why["contract"]["consumer"], "hangzhou/cockpit")
        log, index = why["receipt"].rsplit("/", 1)
        self.assertEqual(log, "hangzhou.log")
        proof = wait_for(lambda: self.proof(index), 5, "the proof")
        self.assertTrue(proof.startswith("c2sp.org/tlog-proof@v1\n"))
        basis = why["inputs"][1]["receipt"].rsplit("/", 1)[1]
        self.assertTrue(wait_for(lambda: self.proof(basis), 5, "the proof of the passages' window"))

    def proof(self, index):
        status, _, body = self.city.request("GET", f"/log/v1/proof/{index}")
        return body.decode() if status == 200 else None

    def test_3_a_dead_sumo_shows_within_10_s_and_heals(self):
        sumo = children_of(self.city.world.pid)
        self.assertTrue(sumo, "the world has SUMO as its child")
        died = time.monotonic()
        for pid in sumo:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.events.indicator("vehicles_in_transit")["stale"], 10, "the stale mark")
        print(f"stale after {time.monotonic() - died:.1f} s", file=sys.stderr)
        self.assertGreater(self.events.indicator("vehicles_in_transit")["stale_since"], 0)
        for name in ("vehicles_true", "delay_index", "mean_speed", "flow"):
            left = max(0.1, died + 10 - time.monotonic())
            wait_for(lambda n=name: (self.events.indicator(n) or {"stale": True})["stale"], left, f"the stale mark of {name}")
        self.city.stop_world()
        self.city.start_world()
        wait_for(lambda: not self.events.indicator("vehicles_in_transit")["stale"], 60, "healing")


if __name__ == "__main__":
    unittest.main(verbosity=2)
