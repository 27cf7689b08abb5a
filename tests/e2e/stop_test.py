"""Starting and stopping, with cameras, callers, readers, people who sign in and a viewer at work: exit code 0, each time, nothing that was acknowledged is
lost, and the next start finds all in order. make test runs this on the plain build and on both sanitized ones: a race or a leak of the whole program ends
it with another code.
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City  # noqa: E402
from load import Load, check_leaves, check_passages  # noqa: E402

LIVES = 8


class Stop(unittest.TestCase):
    def test_stops_cleanly_at_any_moment(self):
        city = City()
        self.addCleanup(city.close)
        passages, receipts, n_read, slowest = [], [], 0, 0.0
        for life in range(LIVES):
            city.start()
            city.sign_in("mayor")
            load = Load(city, life, cameras=2, callers=2, readers=2, sign_ins=1)
            time.sleep(0.25 * (1 + life % 4))
            asked = time.monotonic()
            code = city.stop()  # all of them go on asking
            slowest = max(slowest, time.monotonic() - asked)
            load.end()
            self.assertEqual(code, 0, city.log("brain")[-6000:])
            passages += load.passages
            receipts += load.receipts
            n_read += load.n_read
        print(f"{LIVES} stops under load, the slowest {slowest:.1f} s; acknowledged: {len(passages)} passages, {len(receipts)} leaves; {n_read} pages read",
              file=sys.stderr)
        self.assertGreater(len(passages), 100)
        self.assertGreater(len(receipts), 100)
        self.assertGreater(n_read, 100)
        city.start()
        check_leaves(self, city, receipts)
        self.assertEqual(city.stop(), 0)
        check_passages(self, city, passages)

    def test_a_busy_port_is_one_clear_line(self):
        with City() as city:
            result = city.citybrain("run", city.city, "--data", city.data + "-second", "--port", str(city.port))
            self.assertEqual(result.returncode, 2)
            lines = result.stderr.strip().splitlines()
            self.assertEqual(len(lines), 1, result.stderr)
            self.assertIn(str(city.port), lines[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
