"""`citybrain check` looks into everything a city's files say: each mistake, made in a copy of the demo city, is told with its file, its line, its
cause and its mend, and nothing else is. What a check passes, a brain starts with: the demo city itself is started by all other tests."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BRAIN, ROOT, WORLD  # noqa: E402

DEMO = os.path.join(ROOT, "city", "hangzhou")
COUNT, INDICATORS, DEMAND, INDEX = "scenes/count.yaml", "cockpits/indicators.yaml", "world/demand.yaml", "indices/traffic.yaml"

PERIOD = "      - {name: period_ms, type: integer, class: open, meaning: {zh: 周期, en: Period}, unit: {zh: 毫秒, en: ms}}\n"
VALUE = "      - {name: value, type: real, class: open, meaning: {zh: 值, en: Value}}\n"

KEY = re.compile(r"(?:(?<=[{, ])|^)([a-z_]+): (?=\S)([^,{}\[\]]+)(?=[,}]|$)")  # with a value on its line that is no map and no list

# file, what is replaced (once) by what, the line that holds it (found by its text in the changed file), what is said there
MISTAKES = [
    # a scene's own keys
    (COUNT, "record_every: 120s", "record_evry: 120s", "record_evry", '"record_evry" is not a key here; did you mean "record_every"?'),
    (COUNT, "record_every: 120s", "record_every: 2h", "record_every", "record_every must be from 1s to 1h"),
    (COUNT, "record_every: 120s", "record_every: 120s\nkeep_every: 11min", "keep_every", "keep_every must be from 1s to 10min"),
    (COUNT, "stale_after: 5s", "stale_after: 1s", "stale_after", "stale_after must be from 2s to 1h"),
    (COUNT, "record_every: 120s", "vehicles_max: 10", "vehicles_max", "vehicles_max"),
    (COUNT, 'network: "{data}/road/network.net.xml"\n', "", "scene: count", '"network"'),
    (COUNT, "{data}/road/network.net.xml", "road/hangzhou.net.xml", None, "road/hangzhou.net.xml: cannot open the road network"),
    (COUNT, "scene: count", "scene: cuont", "scene: cuont", 'no scene is called "cuont" here'),
    (COUNT, "needs: {passage: hangzhou/police/passage, ", "needs: {passages: hangzhou/police/passage, ", "needs:", '"passage"'),
    (COUNT, "needs: {passage: hangzhou/police/passage, ", "needs: {passage: hangzhou/police/passage, signal: hangzhou/police/passage, ", "needs:", '"signal"'),
    (COUNT, "needs: {passage: hangzhou/police/passage, position: hangzhou/taxi/position, loop: hangzhou/police/loop}\n", "", "scene: count", "add needs: {passage: AREA/PARTY/NAME}"),
    (COUNT, "needs: {passage: hangzhou/police/passage, ", "needs: {passage: hangzhou/police/passages, ", "needs:",
     'there is no resource "hangzhou/police/passages"'),
    (COUNT, "needs: {passage: hangzhou/police/passage, ", "needs: {passage: hangzhou/police/vehicle, ", "needs:", "of kind table; a stream is wanted here"),
    # a need that may be left out, wrongly named; a number of its own
    (COUNT, "position: hangzhou/taxi/position", "position: hangzhou/taxi/positions", "needs:", 'there is no resource "hangzhou/taxi/positions"'),
    (COUNT, "record_every: 120s", "gps: {error_m: 0}", "gps:", "error_m"),
    ("contracts/c-70.yaml", "speed_mps, ", "", f"{COUNT}:needs:", 'contract hangzhou/c-70 does not grant the field "speed_mps"'),
    ("contracts/c-72.yaml", "vehicles, ", "", f"{COUNT}:needs:", 'contract hangzhou/c-72 does not grant the field "vehicles"'),
    ("systems/taxi.yaml", 'mqtt.sock", ', 'mqtt.sock", port: 1883, ', "host:", "a Unix socket has no port:"),
    (COUNT, PERIOD + VALUE, VALUE + PERIOD, "scene: count", 'field 4 of the resource "indicator" is not "period_ms"'),
    # the index object
    (COUNT, "index: indices/traffic.yaml", "index: indices/trafic.yaml", None, "indices/trafic.yaml"),
    (INDEX, "version: 1", "version: one", "version: one", "version"),
    (INDEX, "measure: slow_length", "measure: slow_lenght", "slow_lenght", "slow_length"),
    (INDEX, "slow_from: jammed", "slow_from: jamed", "jamed", '"jamed" is none of the levels'),
    (INDEX, "[65, 50, 35, 20]", "[65, 50, 55, 20]", "[65, 50, 55, 20]", "55 km/h is not slower than the level before it"),
    (INDEX, "least_kmh: [40, 30, 20, 15]", "least_kmh: [40, 30, 20]", "[40, 30, 20]", "least_kmh needs a list of 4 to 4; it has 3"),
    (INDEX, 'types: ["*"]', "types: [highway.secondary]", "[highway.secondary]", "the last road class, and no other, holds what no other names"),
    (INDEX, "[0.05, 2]", "[0.09, 2]", "[0.09, 2]", "the scale does not rise here"),
    (INDEX, "least_days: 5", "least_days: 1", "least_days:", "least_days"),
    (INDEX, "begin: 4", "begin: 1", "begin:", "100 >= begin > end > 0"),
    (INDEX, "[sat, sun]", "[sat]", "day: workday", "sun belongs to no kind of day"),
    (INDEX, "alerts_at: district", "alerts_at: village", "alerts_at:", 'no area of the city is a "village"'),
    # what a scene needs, taken away elsewhere
    ("contracts/c-1.yaml", "state: agreed", "state: ended", f"{COUNT}:needs:", "contract hangzhou/c-1 has ended, and hangzhou/scene.count needs it"),
    ("contracts/c-1.yaml", "until: 2028-01-01", "until: 2026-01-02", f"{COUNT}:needs:", "contract hangzhou/c-1 has ended, and hangzhou/scene.count needs it for hangzhou/police/passage; mend its until:"),
    ("contracts/c-1.yaml", "arrived, ", "", f"{COUNT}:needs:", 'contract hangzhou/c-1 does not grant the field "arrived"'),
    ("contracts/c-1.yaml", "purpose: traffic.count", "purpose: traffic.signal", f"{COUNT}:needs:",
     "no contract lets hangzhou/scene.count use hangzhou/police/passage for traffic.count"),
    # an indicator's source and owner, and what the cockpit reads beside them
    (INDICATORS, "source: hangzhou/scene.count/indicator", "source: hangzhou/scene.count/indicators", "source: hangzhou/scene.count/indicators",
     'there is no resource "hangzhou/scene.count/indicators"'),
    (INDICATORS, "source: hangzhou/scene.count/indicator", "source: hangzhou/scene.count/road", "    source: hangzhou/scene.count/road",
     "of kind object; a stream is wanted here"),
    (INDICATORS, "source: hangzhou/scene.count/indicator", "source: hangzhou/police/passage", "source: hangzhou/police/passage",
     '"hangzhou/police/passage" has no field "name"'),
    (INDICATORS, "owner: hangzhou/police", "owner: hangzhou/polcie", "owner: hangzhou/polcie", 'there is no party "hangzhou/polcie"'),
    (INDICATORS, "road_state: hangzhou/scene.count/road_state", "road_state: hangzhou/scene.count/road_index", "  road_state:", 'has no field "edge"'),
    (INDICATORS, "party: hangzhou/cockpit", "party: hangzhou/cokpit", "party: hangzhou/cokpit", 'there is no party "hangzhou/cokpit"'),
    ("contracts/c-5.yaml", "state: agreed", "state: ended", f"{INDICATORS}:  road:", "contract hangzhou/c-5 has ended, and hangzhou/cockpit needs it"),
    ("contracts/c-6.yaml", "basis]", "]", None, 'contract hangzhou/c-6 does not grant the field "basis"'),
    ("cases.yaml", "once: true, keep: 90d", "once: true, keep: 1096d", "keep: 1096d", "contract hangzhou/c-40 lets rows be kept for 94608000 s, and hangzhou/case keeps them for 94694400 s"),
    # the form of what the brain does not read itself
    (DEMAND, "peak: 4600", "peak: 4600\npeak: 1", "peak: 1", "peak"),
    (DEMAND, "curve: ", "curve: &c ", "curve: &c", "anchor"),
    ("map/water.geojson", '{"type":"FeatureCollection"', '{"type":"FeatureCollection",', None, "water.geojson: "),
    ("map/water.geojson", '"FeatureCollection"', '"Feature"', '"Feature"', "no collection of features"),
    ("city.yaml", "epoch_keys_kept: 1100d", "epoch_keys_kept: 30d", "epoch_keys_kept:", "three years at least"),
    # what has the form of a secret, wherever it stands
    ("systems/police.yaml", "{zh: 号牌号码, en: Plate number}", '"citybrain-key:ed25519:c2VjcmV0"', "citybrain-key:", "a private key does not belong into a city's files"),
    ("systems/police.yaml", "{zh: 号牌号码, en: Plate number}", '"-----BEGIN PRIVATE KEY----- MC4C"', "BEGIN PRIVATE", "a private key does not belong into a city's files"),
    ("systems/police.yaml", "{zh: 号牌号码, en: Plate number}", "postgres://hub:hunter2@10.1.2.4/police", "hunter2", "an address with a password does not belong into a city's files"),
    # a key that nobody reads
    ("city.yaml", "demo: true", "map: {zoom: 13}", "map:", '"map" is not a key here'),
]

# The keys of world/, which the world alone reads.
WORLD_MISTAKES = [
    ("peak: 4600", "peek: 4600", "peek", '"peek" is not a key here; did you mean "peak"?'),
    ("peak: 4600", "peak: 0", "peak", "peak 0; give 1 to 1000000 vehicles"),
    ('"07:00", share: 0.70', '"07:00", share: 7', '"07:00"', "share 7; give one from 0 to 1"),
    ("reach_m: 1100", "reach: 1100", "reach:", "reach"),
    ("morning: {inner: 0.42", "morning: {inner: 0.52", "morning:", "the shares add up to 1.1"),
]


class Check(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-check-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.city = os.path.join(self.folder, "hangzhou")
        shutil.copytree(DEMO, self.city)

    def check(self, program=(BRAIN, "check")):
        done = subprocess.run([*program, self.city, "--data", os.path.join(self.folder, "data")], capture_output=True, text=True, timeout=60)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "data")), "a check makes nothing")
        return done

    def change(self, file, old, new):
        path = os.path.join(self.city, file)
        with open(path, encoding="utf-8") as source:
            text = source.read()
        self.assertIn(old, text)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text.replace(old, new, 1))

    def restore(self, file):
        shutil.copyfile(os.path.join(DEMO, file), os.path.join(self.city, file))

    def line_of(self, file, mark):
        with open(os.path.join(self.city, file), encoding="utf-8") as source:
            return next(number for number, line in enumerate(source, 1) if mark in line)

    def expect(self, done, file, mark, says):
        self.assertEqual(done.returncode, 1, done.stderr)
        *told, count = done.stderr.splitlines()
        self.assertEqual(count, "1 error" if len(told) == 1 else f"{len(told)} errors")
        place = os.path.join(self.city, file) + ":"
        if mark:
            if ":" in mark and mark.split(":")[0].endswith(".yaml"):
                file, mark = mark.split(":", 1)
                place = os.path.join(self.city, file) + ":"
            place += f"{self.line_of(file, mark)}: "
        found = [line for line in told if says in line and (not mark or line.startswith(place))]
        self.assertTrue(found, f"{place} {says}\nwas not told, but\n{done.stderr}")

    def test_the_demo_city_has_no_mistake(self):
        for program in ((BRAIN, "check"), (WORLD, "--check")):
            done = self.check(program)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{self.city}: no errors\n", ""))

    def test_each_mistake_is_told_with_its_place(self):
        for file, old, new, mark, says in MISTAKES:
            with self.subTest(file, new=new):
                self.restore(file)
                self.change(file, old, new)
                self.expect(self.check(), file, mark, says)
            self.restore(file)

    def test_the_worlds_keys_are_the_worlds_check(self):
        for old, new, mark, says in WORLD_MISTAKES:
            with self.subTest(new):
                self.restore(DEMAND)
                self.change(DEMAND, old, new)
                self.assertEqual(self.check().returncode, 0)
                self.expect(self.check((WORLD, "--check")), DEMAND, mark, says)

    def test_all_mistakes_of_several_files_are_told_at_once(self):
        self.change(COUNT, "record_every: 120s\nstale_after: 5s", "record_every: 2h\nstale_after: 1s")
        self.change(INDICATORS, "source: hangzhou/scene.count/indicator", "source: hangzhou/scene.count/x")
        self.change(DEMAND, "curve: ", "curve: &c ")
        with open(os.path.join(self.city, "scenes/other.yaml"), "w", encoding="utf-8") as out:
            out.write("scene: none\nparty: hangzhou/scene.count\n")
        told = self.check().stderr
        for words in ("count.yaml:7: record_every", "count.yaml:8: stale_after", 'no scene is called "none"', 'resource "hangzhou/scene.count/x"', "demand.yaml:"):
            self.assertIn(words, told)

    def test_a_mistake_that_two_readers_meet_is_told_once(self):
        self.change(COUNT, "title: {zh: 数数, en: Counting}", "title: [")
        *told, count = self.check().stderr.splitlines()
        self.assertEqual(sum("scenes/count.yaml:6: " in line for line in told), 1, told)
        self.assertEqual(count, f"{len(told)} errors")

    def test_no_key_of_any_file_is_passed_over(self):
        """A value of a form that it cannot have, and a key that is none, in the place of any key of any file: never accepted, and never told and accepted all the same. CI tries some keys,
        CHECK_KEYS=0 all 2,000."""
        wanted, n, accepted = int(os.environ.get("CHECK_KEYS", "30")), 0, []
        files = sorted(glob.glob(os.path.join(self.city, "**", "*.yaml"), recursive=True))
        keys = [(path, number, match.span(1), match.span(2)) for path in files if "/world/" not in path  # the world's are the world's check
                for number, line in enumerate(open(path, encoding="utf-8")) for match in KEY.finditer(line.rstrip("\n")) if not re.search("#|subject: {", line[:match.start()])]  # a person's own keys may have any name
        self.assertGreater(len(keys), 1000)
        for path, number, key, value in keys[::max(1, len(keys) // wanted) if wanted else 1]:
            with open(path, encoding="utf-8") as source:
                lines = source.readlines()
            line = lines[number]
            for changed in (line[:value[0]] + "{x: 1}" + line[value[1]:], line[:value[0]] + "[[1]]" + line[value[1]:], line[:key[0]] + "zz_none: 1" + line[value[1]:]):
                with open(path, "w", encoding="utf-8") as out:
                    out.writelines([*lines[:number], changed, *lines[number + 1:]])
                done = self.check()
                n += 1
                if done.returncode != 1 or not re.search(r"\.yaml:\d+: ", done.stderr):
                    accepted.append(f"{os.path.relpath(path, self.city)}:{number + 1}: {changed.strip()}: {done.returncode} {done.stderr[-200:]}")
            with open(path, "w", encoding="utf-8") as out:
                out.writelines(lines)
        print(f"{n} mistakes in {len(keys)} keys, {len(accepted)} accepted")
        self.assertEqual(accepted, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
