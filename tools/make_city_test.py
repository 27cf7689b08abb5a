#!/usr/bin/env python3
"""tools/make_city and tools/draw_hangzhou: the same contents each time, plausible and consistent; nothing made twice; clear errors."""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

TOOLS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(TOOLS), "tests"))
import city  # noqa: E402

CITY = os.path.join(os.path.dirname(TOOLS), "city", "hangzhou")
MAKE = os.path.join(TOOLS, "make_city")


def make(*arguments):
    done = subprocess.run([sys.executable, MAKE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    return done.returncode, done.stdout


class MakeCity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.mkdtemp(prefix="make-city-test-")
        cls.addClassCleanup(shutil.rmtree, cls.data, True)
        shutil.copytree(city.made_data(), cls.data, dirs_exist_ok=True)  # what the other tests have: made by the same program
        code, cls.digests = make("--digests", "--quiet", CITY, cls.data)
        assert code == 0, cls.digests

    def rows(self, database, sql):
        return sqlite3.connect(os.path.join(self.data, "departments", database + ".sqlite")).execute(sql).fetchall()

    def test_the_same_contents_each_time(self):
        with tempfile.TemporaryDirectory() as other:
            self.assertEqual(make("--digests", "--quiet", CITY, other), (0, self.digests))
            with open(os.path.join(other, "secrets", "camera"), encoding="ascii") as a, open(os.path.join(self.data, "secrets", "camera"), encoding="ascii") as b:
                self.assertNotEqual(a.read(), b.read())   # but the password

    def test_a_second_run_makes_nothing(self):
        def state():
            return {p: os.stat(os.path.join(below, p)).st_mtime_ns for below, _, files in os.walk(self.data) for p in files}
        before = state()
        self.assertEqual(make("--quiet", CITY, self.data), (0, ""))
        self.assertEqual(state(), before)

    def test_vehicles(self):
        vehicles = self.rows("police", "SELECT plate, plate_class, vehicle_type, status, first_registered FROM vehicle")
        self.assertGreaterEqual(len(vehicles), 200000)
        form = {"01": r"浙A[0-9A-HJ-NP-Z]{5}", "02": r"浙A[0-9A-HJ-NP-Z]{5}", "52": r"浙A[DF]\d{5}", "51": r"浙A\d{5}[DF]"}
        for plate, plate_class, _, _, _ in vehicles:
            self.assertTrue(re.fullmatch(form[plate_class], plate), (plate, plate_class))
        known = {v[0]: v for v in vehicles}
        with open(os.path.join(self.data, "world", "plates.txt"), encoding="utf-8") as f:
            driving = [line.split() for line in f]
        self.assertGreaterEqual(len(driving), 50000)
        self.assertEqual(len({d[0] for d in driving}), len(driving))
        strangers = [d for d in driving if not d[0].startswith("浙A")]
        self.assertTrue(all(re.fullmatch(r"[浙沪苏皖赣闽京粤][A-Z](\d{4}[A-HJ-NP-Z]|[DF]\d{5})", d[0]) for d in strangers), strangers[:3])
        self.assertEqual(len(strangers), 2500)
        with_pass = {p for p, in self.rows("permit", "SELECT plate FROM pass WHERE state = 'issued'")}
        self.assertTrue(0.85 < len(with_pass) / len(strangers) < 0.97 and with_pass <= {d[0] for d in strangers}, len(with_pass))
        for plate, plate_class, vehicle_type in (d for d in driving if d[0].startswith("浙A")):
            self.assertEqual(known[plate][1:3], (plate_class, vehicle_type))
            self.assertNotEqual(known[plate][3], "E", "a vehicle that was taken off the register drives")

    def test_people_are_invented(self):
        self.assertEqual(self.rows("police", "SELECT count(*) FROM vehicle WHERE owner_id NOT LIKE '990000%' OR owner_phone NOT LIKE '100%'"), [(0,)])
        self.assertEqual(self.rows("health", "SELECT count(*) FROM patient WHERE patient_id NOT LIKE '990000%'"), [(0,)])
        self.assertEqual(self.rows("health", "SELECT count(*) FROM visit WHERE patient_id NOT IN (SELECT patient_id FROM patient)"), [(0,)])
        self.assertEqual(self.rows("health", "SELECT count(*) FROM hospital WHERE beds_free > beds"), [(0,)])
        self.assertGreaterEqual(self.rows("police", "SELECT count(*) FROM driver")[0][0], 100000)

    def test_the_network(self):
        net = ET.parse(os.path.join(self.data, "road", "network.net.xml")).getroot()
        self.assertIn("+proj=utm +zone=51", net.find("location").get("projParameter"))
        signals = [j for j in net.iter("junction") if j.get("type") == "traffic_light"]
        self.assertGreaterEqual(len(signals), 16)
        names = {e.get("name") for e in net.iter("edge")}
        for name in "天目山路 文一路 文二路 文三路 古翠路 学院路 教工路 莫干山路 余杭塘路 曙光路 保俶路 黄龙路 丰潭路 古墩路".split():
            self.assertIn(name, names)

    def test_the_drawing_is_what_the_sketch_draws(self):
        with tempfile.TemporaryDirectory() as other:
            copy = os.path.join(other, "hangzhou")
            shutil.copytree(CITY, copy)
            done = subprocess.run([sys.executable, os.path.join(TOOLS, "draw_hangzhou"), copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.assertEqual(done.returncode, 0, done.stdout)
            for name in ("areas.yaml", "systems/cameras.yaml", "map/water.geojson", "road/hangzhou.nod.xml", "road/hangzhou.edg.xml", "road/hangzhou.typ.xml"):
                with open(os.path.join(copy, name), "rb") as a, open(os.path.join(CITY, name), "rb") as b:
                    self.assertEqual(a.read(), b.read(), name)

    def test_errors_say_what_to_do(self):
        with tempfile.TemporaryDirectory() as other:
            self.assertRegex(make(os.path.join(other, "nowhere"), other)[1], "no such city; name the folder")
            os.makedirs(os.path.join(other, "empty"))
            code, text = make(os.path.join(other, "empty"), other)
            self.assertEqual(code, 1)
            self.assertRegex(text, r"expected one file \*.nod.xml and found 0; draw one, or import one with netconvert")
            self.assertRegex(make("--wrong", CITY, other)[1], "usage")


if __name__ == "__main__":
    unittest.main()
