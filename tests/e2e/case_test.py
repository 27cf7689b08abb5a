#!/usr/bin/env python3
"""Cases through the real program: a correction reaches its provider and nobody else, steps are refused and kept over kill -9, silent sources become
cases of their street and close when measured, the page in a real browser."""
import hashlib
import hmac
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402

PLATE = "浙A00001"


def quick_city(folder):
    """The demo city, whose cameras are silent after seconds and whose deadlines are short."""
    shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
    for path, changes in (("systems/cameras.yaml", [(r"silent_after: \w+", "silent_after: 5s")]),
                          ("cases.yaml", [(r"after: 10min", "after: 1s"), (r"deadline: 30min", "deadline: 3s")])):
        path = os.path.join(folder, path)
        with open(path, encoding="utf-8") as text:
            changed = text.read()
        for pattern, to in changes:
            changed, n = re.subn(pattern, to, changed)
            assert n, pattern
        with open(path, "w", encoding="utf-8") as text:
            text.write(changed)
    return folder


def correct(city, **more):
    """A correction by the parking scene: (status, answer)."""
    body = {"resource": "hangzhou/police/vehicle", "key": {"plate": PLATE}, "what": "颜色不对", **more}
    status, _, answer = city.request("POST", "/hub/v1/correction", body, {"Authorization": "Bearer " + city.token("hangzhou/scene.parking")})
    return status, json.loads(answer)


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="citybrain-case-")
        self.addCleanup(shutil.rmtree, folder, True)
        self.city = City(city=quick_city(os.path.join(folder, "hangzhou")))
        self.addCleanup(self.city.close)
        self.city.start()

    def correct(self, **more):
        return correct(self.city, **more)

    def step(self, case, step, **body):
        return self.city.request("POST", f"/case/v1/cases/{case}/{step}", body)[0]

    def test_a_correction_is_its_providers_affair(self):
        status, answer = self.correct()
        self.assertEqual(status, 201)
        self.assertRegex(answer["commitment"], r"^[0-9a-f]{64}$")
        case = answer["case"]
        self.assertEqual(self.correct(resource="hangzhou/health/visit")[0], 404)  # no contract in force: it is not there
        self.assertEqual(self.correct(what=" ")[0], 400)
        self.city.sign_in("xihu")
        self.assertEqual(self.city.request("GET", f"/case/v1/cases/{case}")[0], 404)
        self.assertEqual(self.step(case, "start"), 404)
        self.city.sign_in("auditor")
        seen = self.city.get(f"/case/v1/cases/{case}")
        self.assertEqual((seen["case"]["detail"], seen["case"]["may_act"]), ("", False))
        self.assertEqual(self.step(case, "start"), 403)
        self.city.sign_in("police-contracts")
        mine = self.city.get("/case/v1/cases?kind=data.correction")["cases"]
        self.assertEqual([c["id"] for c in mine], [case])
        self.assertIn(PLATE, mine[0]["detail"])
        self.assertEqual(self.step(case, "close"), 400)
        self.assertEqual(self.step(case, "jump"), 404)
        self.assertEqual(self.step(case, "assign", to="hangzhou/post.nobody"), 400)
        self.assertEqual(self.step(case, "start"), 200)
        self.assertEqual(self.step(case, "start"), 409)
        self.city.kill()
        self.city.start()
        self.assertEqual(self.city.get(f"/case/v1/cases/{case}")["case"]["state"], "doing")
        self.assertEqual(self.step(case, "close", text="已更正"), 200)
        self.assertEqual([n["what"] for n in self.city.get(f"/case/v1/cases/{case}")["history"]], ["opened", "started", "closed"])
        self.opens(case)
        # What it says of somebody stands in the case alone.
        for name in ("brain",):
            self.assertNotIn(PLATE, self.city.log(name))
        for folder, _, files in os.walk(os.path.join(self.city.data, "ledger")):
            for file in files:
                with open(os.path.join(folder, file), "rb") as part:
                    self.assertNotIn(PLATE.encode(), part.read(), file)

    def opens(self, case):
        """Who may read a case shows each of its steps to a stranger: the leaf by its receipt, the words by the salt; nobody else can."""
        history = wait_for(lambda: (lambda steps: steps if all(step["opening"] for step in steps) else None)(self.city.get(f"/case/v1/cases/{case}")["history"]), 60, "the leaves")
        for step in history:
            index = step["receipt"].split("/")[1]
            receipt = wait_for(lambda n=index: (lambda answer: answer[2] if answer[0] == 200 else None)(self.city.request("GET", f"/log/v1/receipt/{n}")), 60, "the proof")
            leaf = json.loads(json.loads(receipt)["leaf"]) if isinstance(json.loads(receipt)["leaf"], str) else json.loads(receipt)["leaf"]
            words = json.dumps(step["opening"]["words"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            salt = bytes.fromhex(step["opening"]["salt"])
            self.assertEqual(hmac.new(salt, words, hashlib.sha256).hexdigest(), leaf["words"], leaf)
            self.assertEqual((leaf["case"], leaf["what"], step["opening"]["words"]["text"]), (case, step["what"], step["text"]))
            with tempfile.TemporaryDirectory() as folder:
                for name, data in (("receipt.json", receipt), ("vkey", self.city.request("GET", "/log/v1/vkey")[2])):
                    with open(os.path.join(folder, name), "wb") as out:
                        out.write(data)
                proven = self.city.citybrain("verify", os.path.join(folder, "receipt.json"), "--vkey", os.path.join(folder, "vkey"))
                self.assertEqual(proven.returncode, 0, proven.stdout + proven.stderr)
        self.city.sign_in("auditor")  # sees the case, may not read its words
        self.assertEqual({step["opening"] for step in self.city.get(f"/case/v1/cases/{case}")["history"]}, {None})

    def test_a_silent_source_is_a_case_until_it_is_measured(self):
        """A street's silent cameras are one case with a list, and not one each."""
        device = devices(self.city.city)[0]
        self.city.sign_in("mayor")

        def case():
            found = [c for c in self.city.get("/case/v1/cases?kind=source.stale&limit=200&state=all")["cases"] if device in c["detail"]]
            return found[0] if found else None

        opened = wait_for(case, 90, "the case of a silent camera")
        self.assertEqual(opened["closes"], "measured")
        late = wait_for(lambda: case()["escalated"] and case(), 60, "the escalation")
        self.assertTrue(late["late"])
        self.assertEqual(self.step(opened["id"], "close", text="换了网线"), 200)
        self.assertEqual(case()["state"], "measuring")  # words do not close it
        with open(os.path.join(self.city.data, "secrets", "camera"), encoding="ascii") as secret:
            password = secret.read().split()[0]
        street = re.findall(r"camera/(\d{20})", opened["detail"])
        self.assertGreater(len(street), 1, opened)
        cameras = [Camera(self.city.port, one, password) for one in street]
        for camera in cameras:
            self.addCleanup(camera.close)
        seed = itertools.count(1)
        cameras[0].send(passages(street[0], 5, next(seed)))  # one of them speaks; its neighbours are silent still
        self.assertEqual(self.city.get(f"/case/v1/cases/{opened['id']}")["case"]["state"], "measuring")

        def all_speak():
            for camera in cameras:
                self.assertEqual(len(camera.send(passages(camera.device, 5, next(seed)))), 5)
            return self.city.get(f"/case/v1/cases/{opened['id']}")["case"]["state"] == "closed"

        wait_for(all_speak, 90, "the closing by the measured value")

    def test_the_page(self):
        web = os.path.join(ROOT, "cockpit", "web")
        self.assertTrue(os.path.exists(os.path.join(web, "dist", "index.html")), "the screens are not built; mend: make test, or npm run build in cockpit/web")
        case = self.correct()[1]["case"]
        result = subprocess.run(["node", "e2e/cases.mjs", self.city.url, "police-contracts", str(case)], cwd=web, capture_output=True, text=True, timeout=120)
        print(result.stdout, file=sys.stderr)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Live(unittest.TestCase):
    """The demo city as it is: its cameras are silent for a minute before anybody hears of it."""

    def setUp(self):
        self.city = City()
        self.addCleanup(self.city.close)
        self.city.start()

    def test_who_may_see_it_is_told_at_once(self):
        def listen(name):
            """The person's events, as they come."""
            one = City(city=self.city.city, data=self.city.data, port=self.city.port)
            one.sign_in(name)
            stream = one.opener.open(one.url + "/case/v1/live", timeout=90)
            self.addCleanup(stream.close)
            return (line[6:].decode().strip() for line in stream if line.startswith(b"event:"))

        def until(events, name):
            return next(event for event in events if event == name)

        provider, stranger, auditor = listen("police-contracts"), listen("xihu"), listen("auditor")
        for events in (provider, stranger, auditor):
            self.assertEqual(next(events), "ping")
        case = correct(self.city)[1]["case"]
        until(provider, "changed")
        until(auditor, "changed")
        self.city.sign_in("police-contracts")
        self.assertIn(case, [c["id"] for c in self.city.get("/case/v1/cases?kind=data.correction")["cases"]], "told before it could be read")
        self.assertEqual(self.city.request("POST", f"/case/v1/cases/{case}/start", {})[0], 200)
        until(provider, "changed")
        self.assertEqual(next(stranger), "ping", "told of what is another's affair")


class Quality(unittest.TestCase):
    """What a department promises of its own table: counted in place, shown in the catalog, a case for the provider when it is not so."""

    CHECKS = """    quality:
      - {check: "plate IS NOT NULL", share: 1}
      - {check: "seats > 1000", share: 0.5}
      - {fresh: 1h, field: first_registered}
      - {fresh: 100000d, field: first_registered}
"""

    def city_with(self, checks):
        folder = tempfile.mkdtemp(prefix="citybrain-quality-")
        self.addCleanup(shutil.rmtree, folder, True)
        copy = os.path.join(folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), copy)
        path = os.path.join(copy, "systems", "police.yaml")
        with open(path, encoding="utf-8") as text:
            changed, n = re.subn(r"(?m)^    quality:.*\n(      - .*\n)+", checks.replace("\\", "\\\\"), text.read(), count=1)
        self.assertEqual(n, 1)
        with open(path, "w", encoding="utf-8") as text:
            text.write(changed)
        return copy

    def test_checks_are_counted_and_a_failed_one_is_a_case(self):
        with City(city=self.city_with(self.CHECKS)) as city:
            city.sign_in("police-contracts")

            def checks():
                one = next(r for r in city.get("/hub/v1/catalog")["resources"] if r["resource"] == "hangzhou/police/vehicle")
                return one["quality"] if all(c["state"] != "unknown" for c in one["quality"]) else None

            found = wait_for(checks, 60, "the first look at the quality")
            self.assertEqual([c["state"] for c in found], ["good", "failed", "failed", "good"])
            self.assertGreater(found[0]["n"], 1000)
            self.assertEqual((found[0]["n_good"], found[1]["n_good"]), (found[0]["n"], 0))
            self.assertEqual(found[2]["newest"], found[3]["newest"])

            def cases():
                mine = city.get("/case/v1/cases?kind=data.quality")["cases"]
                return mine if len(mine) >= 2 else None

            mine = wait_for(cases, 60, "the cases of the failed checks")
            self.assertEqual([c["party"]["party"] for c in mine], ["hangzhou/police"] * 2)
            self.assertTrue(any("seats > 1000: 0 / " in c["detail"] for c in mine), mine)
            self.assertEqual(city.stop(), 0)

    def test_a_wrong_promise_is_told_with_its_place(self):
        for check, words in (('{check: "no_such = 1", share: 1}', "no_such"), ('{check: "seats > 0", share: 2}', "share: is above 0 and at most 1"),
                             ('{check: "seats > 0"}', "share"), ("{fresh: 1d, field: plate}", "no field of type time"), ("{fresh: soon, field: first_registered}", "length of time"),
                             ("seats", "a check is {check:"), ('{check: "seats > 0", share: 1, field: seats}', "field")):
            with self.subTest(check):
                checked = City(city=self.city_with("    quality:\n      - " + check + "\n"))
                self.addCleanup(checked.close)
                done = checked.citybrain("check", checked.city)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stdout + done.stderr, r"police\.yaml:\d+: ")
                self.assertIn(words, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
