"""The census scene in city/puer through the whole program: three surveys in files become figures with an interval on the cockpit, with contract and receipt;
they are what `citybrain census` says of the same files, and what is wrong in them has a place and a mend.
"""
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, ROOT, wait_for  # noqa: E402

PUER = os.path.join(ROOT, "city", "puer")
TREES = 420  # that were drawn for the surveys


class Census(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-census-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.files = os.path.join(self.folder, "city")
        shutil.copytree(PUER, self.files)

    def city_of_files(self):
        city = City(city=self.files, data=os.path.join(self.folder, "data"))
        os.makedirs(city.data, exist_ok=True)
        self.addCleanup(city.close)
        return city

    def indicators(self, city, area):
        status, _, answer = city.request("GET", f"/cockpit/v1/indicators?area={area}")
        if status == 503:  # the cockpit is starting
            return False
        self.assertEqual(status, 200, answer)
        found = {one["name"]: one for one in json.loads(answer)["indicators"]}
        return found if found["trees_standing"]["value"] is not None else None

    def test_trees_are_on_the_cockpit_with_their_interval(self):
        city = self.city_of_files()
        city.start()
        city.sign_in("mayor")
        shown = wait_for(lambda: self.indicators(city, "puer"), 60, "the trees")
        self.assertFalse(shown["trees_standing"]["stale"])
        low, count, high = (shown["trees_standing" + end]["value"] for end in ("_low", "", "_high"))
        self.assertLessEqual(low, TREES)
        self.assertGreaterEqual(high, TREES)
        self.assertTrue(low < count < high, (low, count, high))
        with open(os.path.join(PUER, "census", "sightings.csv"), encoding="utf-8") as lines:
            self.assertEqual(shown["trees_standing"]["n"], sum(1 for _ in lines) - 1)
        status, _, answer = city.request("GET", "/cockpit/v1/why?indicator=trees_standing&area=puer")
        why = json.loads(answer)
        self.assertEqual((why["contract"]["id"], why["source"]["resource"]), ("puer/c-1", "puer/scene.census/indicator"))
        self.assertTrue(why["receipt"].startswith("puer.log/"), why)

        counts = os.path.join(self.folder, "counts.csv")
        census = [os.path.join(PUER, "census", name) for name in ("sightings.csv", "covered.geojson", "areas.geojson")]
        result = city.citybrain("census", "--sightings", census[0], "--covered", census[1], "--areas", census[2], "--out", counts)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(counts, encoding="utf-8") as lines:
            rows = {row["area"]: row for row in csv.DictReader(lines) if row["class"] == "*"}
        for area, row in (("puer", rows["*"]), ("puer.simao", rows["puer.simao"]), ("puer.ninger", rows["puer.ninger"])):
            figures = wait_for(lambda: self.indicators(city, area), 60, area)
            for name, column in (("trees_standing", "count"), ("trees_standing_low", "low"), ("trees_standing_high", "high")):
                self.assertLessEqual(abs(figures[name]["value"] - float(row[column])), 0.6, (area, name))
        with open(counts, encoding="utf-8") as lines:
            self.the_stream_says_so(city, list(csv.DictReader(lines)))
        shown = subprocess.run(["node", "e2e/census.mjs", city.url, "mayor", "puer.simao", "puer.ninger"], cwd=os.path.join(ROOT, "cockpit", "web"), capture_output=True, text=True,
                               timeout=240, check=False)
        self.assertEqual(shown.returncode, 0, shown.stdout + shown.stderr)

    def the_stream_says_so(self, city, rows):
        """The planning bureau subscribes to tree_count under its contract: of each area and class what the command says of the same files."""
        due = {("puer" if row["area"] == "*" else row["area"], row["class"]): row for row in rows}
        self.assertGreater(len({of for _, of in due}), 2)
        request = urllib.request.Request(f"{city.url}/hub/v1/subscribe/puer/scene.census/tree_count?purpose=planning.green&fields=area,class,time,count,low,high,seen,sightings",
                                         headers={"Authorization": "Bearer " + city.token("puer/planning")})
        told, contracts, event = {}, set(), ""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as stream:
            for line in stream:  # told each ten seconds
                key, _, text = line.decode().strip().partition(": ")
                event = text if key == "event" else event
                if key == "data" and event == "window":
                    contracts.add(json.loads(text)["contract"])
                elif key == "data" and event == "rows":
                    told.update({(one["area"], one["class"]): one for one in json.loads(text)})
                if len(told) >= len(due):
                    break
        self.assertEqual((set(told), contracts), (set(due), {"puer/c-2"}))
        for key, row in due.items():
            for name, column in (("count", "count"), ("low", "low"), ("high", "high"), ("seen", "objects"), ("sightings", "sightings")):
                self.assertAlmostEqual(told[key][name], float(row[column]), delta=0.0501, msg=f"{key} {name}")  # the table has one decimal
            self.assertTrue(told[key]["low"] < told[key]["count"] < told[key]["high"], told[key])

    def test_what_is_wrong_in_the_files_is_told(self):
        scene = os.path.join(self.files, "scenes", "census.yaml")
        with open(scene, encoding="utf-8") as file:
            text = file.read()
        with open(scene, "w", encoding="utf-8") as file:
            file.write(text.replace("census/sightings.csv", "census/nowhere.csv").replace("record_every: 1h", "record_every: 1s"))
        city = self.city_of_files()
        result = city.citybrain("check", self.files)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("scenes/census.yaml:5: there is no file", result.stderr + result.stdout)
        self.assertIn("record_every must be from 1m to 24h", result.stderr + result.stdout)

    def test_broken_surveys_show_nothing_and_stop_nothing(self):
        with open(os.path.join(self.files, "census", "sightings.csv"), "w", encoding="utf-8") as file:
            file.write("survey,id,lon,lat,class,error_m\nspring,1,here,22.78,oak,1\n")
        city = self.city_of_files()
        city.start()
        city.sign_in("mayor")
        wait_for(lambda: "the surveys cannot be counted" in city.log("brain"), 60, "the log's line")
        wait_for(lambda: city.request("GET", "/readyz")[0] == 200, 60, "readiness")
        times = set()

        def has_gone_on():  # three ticks of the cockpit
            status, _, answer = city.request("GET", "/cockpit/v1/indicators?area=puer")
            if status == 200:
                times.add(json.loads(answer)["time"])
            return len(times) > 3

        wait_for(has_gone_on, 60, "a cockpit that goes on")
        self.assertIsNone(self.indicators(city, "puer"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
