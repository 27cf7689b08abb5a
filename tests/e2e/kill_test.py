"""kill -9 of the brain under load, ten times: no acknowledged passage, recorded indicator or leaf is lost."""
import os
import re
import shutil
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City  # noqa: E402
from load import Load, check_leaves, check_passages, check_recorded, recorded_values  # noqa: E402

KILLS = 10
BETWEEN_S = 2.0


def fast_city(folder):
    """A copy of the demo city that records every 2 s, so that each life of the brain records something."""
    shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
    for path in (os.path.join(folder, "scenes", "count.yaml"), os.path.join(folder, "cockpits", "indicators.yaml")):
        with open(path, encoding="utf-8") as text:
            changed = re.sub(r"(record_every|period): 120s", r"\1: 2s", text.read())
        with open(path, "w", encoding="utf-8") as text:
            text.write(changed)
    return folder


class Kill(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        folder = tempfile.mkdtemp(prefix="citybrain-kill-")
        self.addCleanup(shutil.rmtree, folder, True)
        city = City(city=fast_city(os.path.join(folder, "hangzhou")))
        self.addCleanup(city.close)
        passages, receipts, recorded = [], [], {}
        for life in range(KILLS):
            city.start()
            city.sign_in("mayor")
            load = Load(city, life)
            time.sleep(BETWEEN_S)
            city.kill()
            load.end()
            passages += load.passages
            receipts += load.receipts
            recorded.update(recorded_values(load.recorded))
        print(f"acknowledged over {KILLS} lives: {len(passages)} passages, {len(receipts)} leaves, {len(recorded)} recorded values", file=sys.stderr)
        self.assertGreater(len(passages), 1000)
        self.assertGreater(len(receipts), 100)
        self.assertGreater(len(recorded), 5)
        city.start()
        city.sign_in("mayor")
        started = time.monotonic()
        check_leaves(self, city, receipts)
        print(f"all leaves read in {time.monotonic() - started:.1f} s", file=sys.stderr)
        check_recorded(self, city, recorded)
        self.assertEqual(city.stop(), 0)
        check_passages(self, city, passages)


if __name__ == "__main__":
    unittest.main(verbosity=2)
