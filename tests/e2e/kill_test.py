"""kill -9 of the brain under load, ten times: no acknowledged passage, recorded indicator or leaf is lost."""
import glob
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import BRAIN, ROOT, City, wait_for  # noqa: E402

KILLS = 10
CAMERAS = 4
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


class Load:
    """Cameras, callers and a viewer, each on a thread of its own, until told to stop; keeps what was acknowledged."""

    def __init__(self, city, all_devices, life):
        self.city, self.stop = city, threading.Event()
        self.passages, self.receipts, self.recorded = [], [], []
        with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as text:
            self.password = text.read().split()[0]
        self.token = city.token("hangzhou/scene.parking")
        self.threads = [threading.Thread(target=self._camera, args=(all_devices[i], life * 100 + i)) for i in range(CAMERAS)]
        self.threads += [threading.Thread(target=self._caller) for _ in range(2)] + [threading.Thread(target=self._viewer, daemon=True)]
        for thread in self.threads:
            thread.start()

    def _until_stopped(self, work):
        while not self.stop.is_set():
            try:
                work()
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                time.sleep(0.02)

    def _camera(self, device, seed):
        camera = Camera(self.city.port, device, self.password)
        counter = [seed * 1000]

        def work():
            counter[0] += 1
            self.passages += [(device, identity) for identity in camera.send(passages(device, 20, counter[0]))]
        self._until_stopped(work)
        camera.close()

    def _caller(self):
        connection = [None]
        body = json.dumps({"purpose": "parking.settle", "key": {"plate": self.city.a_plate}, "fields": self.city.call_fields}).encode()

        def work():
            if not connection[0]:
                connection[0] = http.client.HTTPConnection("127.0.0.1", self.city.port, timeout=5)
            try:
                connection[0].request("POST", "/hub/v1/call/hangzhou/police/vehicle", body,
                                      {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
                answer = connection[0].getresponse()
                text = answer.read()
            except BaseException:
                connection[0].close()
                connection[0] = None
                raise
            if answer.status == 200:
                self.receipts.append(json.loads(text)["receipt"])
            else:
                time.sleep(0.05)
        self._until_stopped(work)
        if connection[0]:
            connection[0].close()

    def _viewer(self):
        try:
            answer = self.city.opener.open(f"{self.city.url}/cockpit/v1/live?area=hangzhou", timeout=30)
            event = None
            for raw in answer:
                line = raw.decode().strip()
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:") and event == "recorded":
                    self.recorded.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException):
            pass

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


class Kill(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        folder = tempfile.mkdtemp(prefix="citybrain-kill-")
        self.addCleanup(shutil.rmtree, folder, True)
        city_dir = fast_city(os.path.join(folder, "hangzhou"))
        city = City(city=city_dir)
        self.addCleanup(city.close)
        city.a_plate, city.call_fields = self.a_vehicle(city), self.granted_fields(city_dir)
        kept_passages, kept_receipts, kept_recorded = [], [], {}
        for life in range(KILLS):
            city.start()
            city.sign_in("mayor")
            load = Load(city, devices(city_dir), life)
            time.sleep(BETWEEN_S)
            city.kill()
            load.end()
            kept_passages += load.passages
            kept_receipts += load.receipts
            kept_recorded.update({(one["indicator"], one["area"], one["time"]): one["value"] for one in load.recorded})
        print(f"acknowledged over {KILLS} lives: {len(kept_passages)} passages, {len(kept_receipts)} leaves, {len(kept_recorded)} recorded values", file=sys.stderr)
        self.assertGreater(len(kept_passages), 1000)
        self.assertGreater(len(kept_receipts), 100)
        self.assertGreater(len(kept_recorded), 5)
        city.start()
        city.sign_in("mayor")
        self.check_leaves(city, kept_receipts)
        self.check_recorded(city, kept_recorded)
        self.assertEqual(city.stop(), 0)
        self.check_passages(city, city_dir, kept_passages)

    @staticmethod
    def a_vehicle(city):
        import sqlite3
        with sqlite3.connect(f"file:{city.data}/departments/police.sqlite?mode=ro", uri=True) as db:
            return db.execute("SELECT plate FROM vehicle WHERE vehicle_type IN ('K31', 'K32', 'K33') AND status <> 'E' LIMIT 1").fetchone()[0]

    @staticmethod
    def granted_fields(city_dir):
        for path in glob.glob(os.path.join(city_dir, "contracts", "*.yaml")):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if "purpose: parking.settle" in text and "police/vehicle" in text:
                return [name.strip() for name in re.search(r"fields: \[([^\]]*)\]", text)[1].split(",")]
        raise AssertionError("no contract lets the parking scene call police/vehicle")

    def check_leaves(self, city, receipts):
        self.assertEqual(len(set(receipts)), len(receipts), "a leaf's number was given twice")
        by_index = sorted(set(receipts), key=lambda name: int(name.rsplit("/", 1)[1]))
        for receipt in by_index[:: max(1, len(by_index) // 1500)]:
            index = receipt.rsplit("/", 1)[1]
            text = wait_for(lambda i=index: self.receipt_file(city, i), 5, f"the proof of {receipt}")
            leaf = json.loads(json.loads(text)["leaf"])
            self.assertEqual((leaf["type"], leaf["use"], leaf["consumer"], leaf["purpose"]), ("intent", "call", "hangzhou/scene.parking", "parking.settle"), receipt)

    @staticmethod
    def receipt_file(city, index):
        status, _, body = city.request("GET", f"/log/v1/receipt/{index}")
        return body.decode() if status == 200 else None

    def check_recorded(self, city, recorded):
        for indicator, area in {(one[0], one[1]) for one in recorded}:
            points = dict(map(tuple, city.get(f"/cockpit/v1/history?indicator={indicator}&area={area}")["points"]))
            for (name, of, at), value in recorded.items():
                if (name, of) == (indicator, area):
                    self.assertIn(at, points, f"{name} of {of}")
                    self.assertEqual(points[at], value, f"{name} of {of} at {at}")

    def check_passages(self, city, city_dir, acknowledged):
        """The journal itself is asked, with the brain down."""
        result = subprocess.run([BRAIN, "passages", city_dir, "--data", city.data], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
        stored = [tuple(line.split("\t")[1:3]) for line in result.stdout.splitlines()]
        missing = set(acknowledged) - set(stored)
        self.assertEqual(missing, set(), f"{len(missing)} acknowledged passages are not in the journal")
        self.assertEqual(len(stored), len(set(stored)), "a passage was stored twice")


if __name__ == "__main__":
    unittest.main(verbosity=2)
