#!/usr/bin/env python3
"""One city counted in several processes over a real nats-server: the tables are those of one process, byte for byte, also where the server and the parts are
killed on the way; a part that is silent or counts another city is named, and no row is made without it. And the live scene with its plates in two processes."""
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import count_test  # noqa: E402
import servers  # noqa: E402
from camera import Camera, devices, passages  # noqa: E402
from city import BRAIN, ROOT, City, wait_for  # noqa: E402
from departments import declare_key, make_key  # noqa: E402

N = 3
PARTY = "hangzhou/scene.count"
TABLES = ("out", "roads", "clones", "health", "junctions", "flows")


class Parts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = count_test.Count  # its grid, cameras and vehicles
        cls.made.setUpClass()
        cls.addClassCleanup(cls.made.tearDownClass)
        rows, original = cls.made.rows, {}
        for number in range(0, 60, 2):  # one plate on two cars, and one passage in fifty told twice
            original[f"浙A{number + 1:05d}"] = f"浙A{number:05d}"
        cls.rows = [(*row[:3], original.get(row[3], row[3])) for i, row in enumerate(rows) for _ in range(2 if i % 50 == 0 else 1)]
        cls.made.write("parts.csv", cls.rows, count_test.LATER_MS)
        cls.folder = tempfile.mkdtemp(prefix="citybrain-parts-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.write_loops()
        cls.nats = servers.start_nats()
        cls.addClassCleanup(cls.nats.close)
        for name in ("sums", *(f"part{i}" for i in range(N))):
            cls.nats.key(name)
        cls.city = os.path.join(cls.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), cls.city)
        path = os.path.join(cls.city, "parties.yaml")
        with open(path, encoding="utf-8") as text:
            parties = declare_key(text.read(), "scene.count", make_key(cls.folder, "scene.count"))
        with open(path, "w", encoding="utf-8") as out:
            out.write(parties)
        cls.alone = cls.tables("alone")
        done = subprocess.run([BRAIN, "count", *cls.files("alone")], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        sizes = {table: os.path.getsize(path) for table, path in cls.alone.items()}
        assert all(size > 300 for size in sizes.values()), sizes

    def setUp(self):
        self.parts = [None] * N
        self.addCleanup(self.end)
        for i in range(N):
            self.begin(i)

    def end(self):
        for i in range(N):
            if self.parts[i]:
                self.parts[i].send_signal(signal.SIGCONT)
                City._end(self.parts[i], signal.SIGKILL)

    @classmethod
    def bus(cls, user):
        return ["--as", PARTY, "--bus", cls.nats.url, "--bus-ca", cls.nats.ca, "--bus-key", cls.nats.key(user),
                "--party-key", os.path.join(cls.folder, "scene.count.key")]

    @classmethod
    def tables(cls, name):
        return {table: os.path.join(cls.folder, f"{name}.{table}.csv") for table in TABLES}

    @classmethod
    def write_loops(cls):
        """Loops on every third road, a row each 20 s: nobody's plate, and so with the sums."""
        with open(os.path.join(cls.folder, "loops.csv"), "w", encoding="utf-8") as out:
            out.write("from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles\n")
            for end in range(count_test.LATER_MS + 20000, count_test.LATER_MS + count_test.END_S * 1000, 20000):
                out.writelines(f"{end - 20000},{end},{end + 700},{edge},,{(i * 7 + end // 20000) % 9}\n" for i, edge in enumerate(sorted(cls.made.edges)[::3]))

    @classmethod
    def files(cls, name):
        return ["--network", cls.made.network, "--cameras", cls.made.path("cameras.csv"), "--passages", cls.made.path("parts.csv"), "--every", "5",
                "--loops", os.path.join(cls.folder, "loops.csv"),
                *(word for table, path in cls.tables(name).items() for word in (f"--{table}", path))]

    def log(self, i):
        with open(os.path.join(self.folder, f"part{i}.log"), encoding="utf-8") as log:
            return log.read()

    def begin(self, i, network=None, n=N, more=()):
        with open(os.path.join(self.folder, f"part{i}.log"), "wb") as log:
            self.parts[i] = subprocess.Popen(
                [BRAIN, "count-part", self.city, "--part", f"{i + 1}/{n}", "--network", network or self.made.network, *more, *self.bus(f"part{i}")], stderr=log)

    def join(self, name, wait=60):
        """The sums, in the background."""
        joined = subprocess.Popen([BRAIN, "count", *self.files(name), "--parts", str(N), "--city", self.city, "--wait", str(wait), *self.bus("sums")],
                                  stderr=subprocess.PIPE, text=True)
        self.addCleanup(joined.stderr.close)
        self.addCleanup(lambda: joined.poll() is None and City._end(joined, signal.SIGKILL))
        return joined

    def said(self, joined, status):
        text = joined.communicate(timeout=120)[1]
        self.assertEqual(joined.returncode, status, text)
        return text

    def begun(self, name, joined):
        wait_for(lambda: os.path.exists(self.tables(name)["roads"]) and os.path.getsize(self.tables(name)["roads"]) > 20000, 60, "the first rows")
        self.assertIsNone(joined.poll(), "it was over before anything could happen")

    def compare(self, name):
        for table, path in self.tables(name).items():
            with open(path, "rb") as one, open(self.alone[table], "rb") as other:
                self.assertTrue(one.read() == other.read(), f"{table} is not that of one process")

    def test_the_tables_are_those_of_one_process(self):
        """One part comes later than the others. In a second run, with the same processes, the server is killed on the way, a part is killed, another one
        stopped; they are started anew, and what they keep is nowhere."""
        City._end(self.parts[1], signal.SIGTERM)
        joined = self.join("late")
        time.sleep(0.5)
        self.begin(1)
        print(self.said(joined, 0).splitlines()[-1], f"({len(self.rows)} passages)", file=sys.stderr)
        self.compare("late")
        joined = self.join("struck")
        self.begun("struck", joined)
        self.nats.kill()
        City._end(self.parts[2], signal.SIGKILL)
        self.assertEqual(City._end(self.parts[0], signal.SIGTERM), 0)
        self.assertEqual(self.log(0).count("a count begins"), 2)
        self.nats.start()
        self.begin(0)
        self.begin(2)
        print(self.said(joined, 0).splitlines()[-1], file=sys.stderr)
        self.compare("struck")
        self.assertIn("it has not the vehicles that it is asked of", self.log(2))

    def test_a_silent_part_is_named(self):
        joined = self.join("silent", wait=2)
        self.begun("silent", joined)
        self.parts[1].send_signal(signal.SIGSTOP)
        self.assertIn("part 2 of 3 has not answered for", self.said(joined, 2))
        with open(self.tables("silent")["out"], "rb") as some, open(self.alone["out"], "rb") as whole:
            rows = some.read()
            self.assertTrue(whole.read().startswith(rows) and rows.endswith(b"\n"), "no row but those of all parts")

    def test_one_of_another_city_says_so(self):
        other = os.path.join(self.folder, "other.net.xml")
        with open(self.made.network, encoding="utf-8") as text, open(other, "w", encoding="utf-8") as out:
            out.write(text.read().replace('speed="13.89"', 'speed="14.00"'))
        City._end(self.parts[0], signal.SIGTERM)
        self.begin(0, network=other)
        self.assertIn("part 1 of 3 counts on another network", self.said(self.join("other"), 2))


class Live(unittest.TestCase):
    """The demo city, whose counting scene has its plates in two processes."""
    N = 2

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-parts-live-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.nats = servers.start_nats()
        self.addCleanup(self.nats.close)
        for name in ("hub", "part0", "part1"):
            self.nats.key(name)
        files = os.path.join(self.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), files)
        for path, change in (("parties.yaml", self.with_keys), ("scenes/count.yaml", self.with_parts)):
            with open(os.path.join(files, path), encoding="utf-8") as text:
                changed = change(text.read())
            with open(os.path.join(files, path), "w", encoding="utf-8") as out:
                out.write(changed)
        self.city = City(city=files, options=self.bus("hub", "hub"))
        self.addCleanup(self.city.close)
        self.parts = [None] * self.N
        self.addCleanup(lambda: [City._end(part, signal.SIGKILL) for part in self.parts if part])
        self.begin(0)
        self.city.start()
        self.addCleanup(lambda: [camera.close() for camera in self.cameras])
        self.cameras, self.seed, self.n_taken = [], itertools.count(1), 0
        self.connect()

    def connect(self):
        with open(os.path.join(self.city.data, "secrets", "camera"), encoding="ascii") as secret:
            password = secret.read().split()[0]
        for camera in self.cameras:
            camera.close()
        self.cameras = [Camera(self.city.port, device, password) for device in devices(self.city.city)[:8]]
        self.city.sign_in("mayor")

    def with_parts(self, scene):
        return re.sub(r"stale_after: \w+", "stale_after: 2s", scene) + f"\nparts: {self.N}\nkeep_every: 1s\n"

    def with_keys(self, parties):
        for party in ("hub", "scene.count"):
            parties = declare_key(parties, party, make_key(self.folder, party))
        return parties

    def bus(self, user, party):
        return ["--bus", self.nats.url, "--bus-ca", self.nats.ca, "--bus-key", self.nats.key(user), "--party-key", os.path.join(self.folder, party + ".key")]

    def begin(self, i):
        with open(os.path.join(self.folder, f"part{i}.log"), "ab") as log:
            self.parts[i] = subprocess.Popen(
                [BRAIN, "count-part", self.city.city, "--part", f"{i + 1}/{self.N}", "--network", os.path.join(self.city.data, "road", "network.net.xml"),
                 "--as", PARTY, "--data", os.path.join(self.folder, f"part{i}"), *self.bus(f"part{i}", "scene.count")], stderr=log)

    def figure(self):
        """Vehicles in transit, after some passages more; None: nobody can say."""
        for camera in self.cameras:
            self.n_taken += len(camera.send(passages(camera.device, 5, next(self.seed))))
        status, _, body = self.city.request("GET", "/cockpit/v1/indicators?area=hangzhou")
        found = [one for one in (json.loads(body)["indicators"] if status == 200 else []) if one["name"] == "vehicles_in_transit"]
        return found[0]["value"] if found and not found[0]["stale"] else None

    def all_are_counted(self):
        """Every passage that was acknowledged is in the sums, and none twice."""
        wait_for(lambda: (self.figure() or 0) > 20, 60, "a figure of both parts")
        monitor = {"Authorization": "Bearer " + self.city.token("hangzhou/monitor")}

        def counted():
            page = self.city.request("GET", "/metrics", headers=monitor)[2].decode()
            return [int(re.search(rf'citybrain_count_passages_total{{party="{PARTY}",verdict="{verdict}"}} (\d+)', page)[1])
                    for verdict in ("taken", "duplicate", "out_of_order", "late", "future", "ahead")]
        wait_for(lambda: counted()[0] >= self.n_taken, 60, "all passages in the sums")
        self.assertEqual(counted(), [self.n_taken, 0, 0, 0, 0, 0])

    def kept(self):
        """Another snapshot of the sums, and with it of the parts."""
        path = os.path.join(self.city.data, "count", "hangzhou.scene.count.snapshot")
        before = os.stat(path).st_ino if os.path.exists(path) else None
        wait_for(lambda: self.figure() and os.path.exists(path) and os.stat(path).st_ino != before, 60, "a snapshot")

    def test_figures_are_of_all_parts_or_none(self):
        self.assertIsNone(self.figure())  # the second part is not there yet
        self.begin(1)
        self.all_are_counted()
        self.kept()
        City._end(self.parts[0], signal.SIGKILL)
        wait_for(lambda: self.figure() is None, 60, "no figure of one part alone")
        wait_for(lambda: "a part of the plates does not answer; no figure is told without it" in self.city.log("brain"), 60, "who it is")
        self.city.kill()  # both are gone
        self.begin(0)
        self.city.start()
        self.connect()
        self.all_are_counted()
        City._end(self.parts[1], signal.SIGKILL)  # one of them, after the sums went on from a mark
        self.begin(1)
        self.all_are_counted()
        self.assertEqual(self.city.stop(), 0)
        self.city.start()
        self.connect()
        self.all_are_counted()
        log = self.city.log("brain")
        self.assertEqual(log.count("the count goes on from its snapshot"), 2, log)
        self.assertNotIn("begins anew", log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
