"""The living city: the count moves and stands beside the truth, the reason behind it holds, a dead SUMO shows within 10 s, on the event stream and on the
screen of a browser, and heals."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City, wait_for  # noqa: E402
from events import Events  # noqa: E402

WEB = os.path.join(ROOT, "cockpit", "web")


class Screen:
    """A browser that stays open: cockpit/web/e2e/stale.mjs, which prints a line for each change that a person would see."""

    def __init__(self, url):
        if not os.path.exists(os.path.join(WEB, "dist", "index.html")):
            raise AssertionError("the screens are not built; mend: make test, or npm run build in cockpit/web")
        self.seen = []  # (time, word)
        self.process = subprocess.Popen(["node", "e2e/stale.mjs", url], cwd=WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.seen.append((time.monotonic(), line.split()[0]))

    def when(self, word, since=0.0):
        """The time at which the screen said the word first after `since`, or None."""
        if self.process.poll() is not None:
            raise AssertionError(f"the browser ended with {self.process.returncode}; it saw {self.seen}")
        return next((at for at, what in self.seen if what == word and at >= since), None)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


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
        self.assertGreater(truth["value"], 2000, "the demo's demand of the morning peak")
        self.assertFalse(truth["stale"])
        for event in ("road_states", "ranking", "sources"):
            self.assertTrue(wait_for(lambda e=event: self.events.newest(e), 60, event))
        self.assertGreaterEqual(len(self.events.newest("sources")["sources"]), 60)

    def test_1_a_zone_has_the_counts_interval(self):
        """The outlines went from the zones' scene to the count's, and what that counts within them came back; each under its contract."""
        def told():
            zones = (self.events.newest("zone_states") or {"zones": []})["zones"]
            now = {one["class"]: one["now"] for one in zones[0]["classes"]} if zones else {}
            return now if now.get("all") and now["all"]["low"] is not None else None

        now = wait_for(told, 120, "a zone's interval")
        self.assertLess(now["all"]["low"], now["all"]["high"])
        self.assertTrue(now["all"]["low"] <= now["all"]["value"] <= now["all"]["high"], now)
        parts = sum(now[name]["value"] for name in ("local", "province", "other", "special"))
        self.assertLessEqual(abs(parts - now["all"]["value"]), 3, now)  # each is rounded by itself

    def test_2_why_this_number_holds(self):
        why = self.city.get("/cockpit/v1/why?indicator=vehicles_in_transit&area=hangzhou")
        for key in ("title", "definition", "unit", "owner", "formula", "source", "contract", "freshness", "receipt", "inputs"):
            self.assertTrue(why[key], key)
        self.assertEqual(why["contract"]["consumer"], "hangzhou/cockpit")
        log, index = why["receipt"].rsplit("/", 1)
        self.assertEqual(log, "hangzhou.log")
        proof = wait_for(lambda: self.proof(index), 60, "the proof")
        self.assertTrue(proof.startswith("c2sp.org/tlog-proof@v1\n"))
        basis = why["inputs"][1]["receipt"].rsplit("/", 1)[1]
        self.assertTrue(wait_for(lambda: self.proof(basis), 60, "the proof of the passages' window"))

    def proof(self, index):
        status, _, body = self.city.request("GET", f"/log/v1/proof/{index}")
        return body.decode() if status == 200 else None

    def test_3_a_dead_sumo_shows_within_10_s_and_heals(self):
        screen = Screen(self.city.url)
        self.addCleanup(screen.close)
        wait_for(lambda: screen.when("fresh") and screen.when("live"), 120, "a live figure on the screen")
        sumo = children_of(self.city.world.pid)
        self.assertTrue(sumo, "the world has SUMO as its child")
        died = time.monotonic()
        for pid in sumo:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.events.indicator("vehicles_in_transit")["stale"], 60, "the stale mark")
        told = time.monotonic() - died
        shown = wait_for(lambda: screen.when("stale", died), max(0.1, died + 10 - time.monotonic()), "the stale mark on the screen") - died
        print(f"stale after {told:.1f} s, on the screen after {shown:.1f} s", file=sys.stderr)
        self.assertGreater(self.events.indicator("vehicles_in_transit")["stale_since"], 0)
        for name in ("vehicles_true", "delay_index", "mean_speed", "flow"):
            wait_for(lambda n=name: (self.events.indicator(n) or {"stale": True})["stale"], 60, f"the stale mark of {name}")
        self.city.stop_world()
        started = time.monotonic()
        self.city.start_world()
        wait_for(lambda: not self.events.indicator("vehicles_in_transit")["stale"], 60, "healing")
        healed = wait_for(lambda: screen.when("fresh", started), 60, "the fresh figure on the screen") - started
        print(f"fresh on the screen {healed:.1f} s after the world's start", file=sys.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
