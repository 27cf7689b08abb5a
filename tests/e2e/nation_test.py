"""The nation's load in small: calls at a fixed rate while the brain, the department's PostgreSQL and each witness are killed in turn; nothing that
was acknowledged is gone, and nothing that was due stays unanswered. bench/hub/nation.py has what is done; make bench-hub does it in full.
CITYBRAIN_NATION_SECONDS, CITYBRAIN_NATION_RATE.
"""
import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench", "hub"))
import nation  # noqa: E402

SECONDS = int(os.environ.get("CITYBRAIN_NATION_SECONDS", "5"))
RATE = int(os.environ.get("CITYBRAIN_NATION_RATE", "60"))


class Nation(unittest.TestCase):
    def test_nothing_acknowledged_is_gone(self):
        figures, kills = nation.run(SECONDS, RATE, rows=2000, pause_s=0.3, say=print)
        print(figures, kills)
        self.assertEqual(set(kills), {"brain", "postgres", "witness-0", "witness-1", "witness-2"})
        self.assertEqual(figures["acknowledged"], figures["due"])
        self.assertAlmostEqual(figures["due"], SECONDS * RATE, delta=2)
        self.assertEqual(figures["lost"], 0)


if __name__ == "__main__":
    unittest.main()
