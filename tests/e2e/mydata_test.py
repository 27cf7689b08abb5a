#!/usr/bin/env python3
"""Who used my data: a citizen finds each use by their own keys and nobody else's, with a receipt that checks offline; objects to one; sees
nothing of an official's. The index is made again when it is lost, and a day whose key is erased is silent."""
import glob
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City, wait_for  # noqa: E402

MINE, ANOTHERS = "浙A00001", "浙A00005"


class MyData(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-mydata-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        city = os.path.join(self.folder, "city")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), city)
        with open(os.path.join(city, "contracts", "c-30.yaml"), encoding="utf-8") as file:  # one of a query that may ask for plates
            terms = file.read().replace("hangzhou/c-30", "hangzhou/c-90").replace("parking.plan", "parking.search").replace("fields: [", "fields: [plate, ")
        with open(os.path.join(city, "contracts", "c-90.yaml"), "w", encoding="utf-8") as file:
            file.write(terms)
        self.city = City(city=city)
        self.addCleanup(self.city.close)
        self.city.start()

    def use(self, plate, act=None):
        """The receipt of a use of this plate's data by the parking scene."""
        headers = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")}
        if act:
            body = {"purpose": "parking.obstruct", "key": act, "parameters": {"place": "x", "reason": "obstruct", "plate": plate}}
            status, _, answer = self.city.request("POST", "/hub/v1/act/hangzhou/police/dispatch", body, headers)
        else:
            body = {"purpose": "parking.settle", "key": {"plate": plate}, "fields": ["status"]}
            status, _, answer = self.city.request("POST", "/hub/v1/call/hangzhou/police/vehicle", body, headers)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)["receipt"]

    def query(self, where):
        body = {"purpose": "parking.search", "sql": f'SELECT area FROM "hangzhou/police/vehicle" WHERE {where}'}
        headers = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")}
        status, _, answer = self.city.request("POST", "/hub/v1/query", body, headers)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)["receipts"][0]["receipt"]

    def mine(self, query=""):
        answer = self.city.get("/hub/v1/uses/mine" + query)
        self.assertTrue(answer["complete"])
        self.assertEqual(answer["unanswered"], [])
        return answer

    def receipts(self):
        return [use["receipt"] for use in self.mine()["uses"]]

    def test_each_use_and_no_other(self):
        made = [self.use(MINE), self.use(MINE, act="a-1"), self.use(MINE)]
        others = [self.use(ANOTHERS), self.use(ANOTHERS, act="a-2")]
        self.use(MINE, act="a-1")  # answered again, not used again
        self.city.sign_in("citizen")
        answer = self.mine()
        self.assertEqual([use["receipt"] for use in answer["uses"]], made[::-1])
        self.assertEqual([use["use"] for use in answer["uses"]], ["call", "act", "call"])
        first = answer["uses"][0]
        self.assertEqual((first["consumer"]["party"], first["provider"]["party"], first["contract"], first["purpose"]),
                         ("hangzhou/scene.parking", "hangzhou/police", "hangzhou/c-17", "parking.settle"))
        self.assertIn("条例", first["legal_basis"]["zh"])
        page = self.mine("?limit=2")
        self.assertEqual([use["receipt"] for use in page["uses"]], made[:0:-1])
        self.assertEqual([use["receipt"] for use in self.mine(f"?limit=2&before={page['next']}")["uses"]], made[:1])
        # The receipt, checked by the program without a brain.
        index = made[0].split("/")[1]
        wait_for(lambda: self.city.request("GET", f"/log/v1/receipt/{index}")[0] == 200, 60, "the checkpoint")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "receipt.json")
            with open(path, "wb") as out:
                out.write(self.city.request("GET", f"/log/v1/receipt/{index}")[2])
            vkey = os.path.join(folder, "vkey")
            with open(vkey, "wb") as out:
                out.write(self.city.request("GET", "/log/v1/vkey")[2])
            result = self.city.citybrain("verify", path, "--vkey", vkey)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        # Objecting: to one's own use, with words; at the provider it is a case.
        def object_to(receipt, what):
            return self.city.request("POST", "/case/v1/objection", {"receipt": receipt, "what": what})[0]
        self.assertEqual(object_to(others[0], "x"), 404)
        self.assertEqual(object_to("hangzhou.log/0", "x"), 404)
        self.assertEqual(object_to("nonsense", "x"), 404)
        self.assertEqual(object_to(made[0], " "), 400)
        self.assertEqual(object_to(made[0], "我不在那里"), 200)
        # A correction is about one's own data, whatever key is given.
        def correct(resource):
            body = {"resource": resource, "key": {"plate": ANOTHERS}, "what": "颜色不对"}
            return self.city.request("POST", "/hub/v1/correction", body)[0]
        self.assertEqual(correct("hangzhou/police/vehicle"), 201)
        self.assertEqual(correct("hangzhou/health/visit"), 404)
        # Nothing of an official's.
        self.assertEqual(self.city.get("/hub/v1/catalog")["resources"], [])
        for path in ("/case/v1/cases?state=all", "/cockpit/v1/areas", "/cockpit/v1/zones", "/cockpit/v1/indicators?area=hangzhou", f"/hub/v1/opening/{index}"):
            self.assertEqual(self.city.request("GET", path)[0], 404, path)  # each route of the program: access_test.py
        self.city.sign_in("police-contracts")
        case = self.city.get("/case/v1/cases?kind=data.objection")["cases"][0]
        self.assertEqual(case["receipt"], made[0])
        self.assertIn("我不在那里", case["detail"])
        asked = self.city.get("/case/v1/cases?kind=data.correction")["cases"][0]
        self.assertIn(MINE, asked["detail"])
        self.assertNotIn(ANOTHERS, asked["detail"])
        self.assertEqual(self.city.request("GET", "/hub/v1/uses/mine")[0], 404)  # an official has no such page
        self.assertEqual(object_to(made[0], "x"), 404)

    def test_queries_are_found_too(self):
        made = [self.query(f"plate = '{MINE}'"), self.use(MINE), self.query(f"plate IN ('{MINE}', '{ANOTHERS}')")]
        self.query(f"plate = '{ANOTHERS}'")
        self.city.sign_in("citizen")
        answer = self.mine()
        self.assertEqual([use["receipt"] for use in answer["uses"]], made[::-1])
        self.assertEqual([use["use"] for use in answer["uses"]], ["query", "call", "query"])
        self.assertEqual((answer["uses"][0]["contract"], answer["uses"][0]["consumer"]["party"]), ("hangzhou/c-90", "hangzhou/scene.parking"))
        status, _, body = self.city.request("POST", "/case/v1/objection", {"receipt": made[0], "what": "我没有同意"})
        self.assertEqual(status, 200, body)
        self.city.sign_in("police-contracts")
        self.assertEqual(self.city.get("/case/v1/cases?kind=data.objection")["cases"][0]["receipt"], made[0])
        self.city.stop()  # what was noted is on disk
        self.city.start()
        self.city.sign_in("citizen")
        self.assertEqual(self.receipts(), made[::-1])

    def test_the_index_is_only_an_index(self):
        made = [self.use(MINE) for _ in range(3)]
        self.city.sign_in("citizen")
        self.assertEqual(self.receipts(), made[::-1])
        self.city.kill()
        self.city.start()
        self.assertEqual(self.receipts(), made[::-1])
        with sqlite3.connect(os.path.join(self.city.data, "store", "uses.sqlite")) as db:
            self.assertNotIn(MINE.encode(), b"".join(bytes(row[0]) for row in db.execute("SELECT subject FROM subject UNION ALL SELECT subject FROM seen")))
        self.city.stop()
        for path in glob.glob(os.path.join(self.city.data, "store", "uses.sqlite*")):
            os.remove(path)
        self.city.start()
        self.assertEqual(self.receipts(), made[::-1])
        for key in glob.glob(os.path.join(self.city.data, "secrets", "epoch", "*")):
            os.remove(key)
        self.assertEqual(self.receipts(), [])  # the leaves are there for ever, and say nothing about anybody any more

    def test_the_page(self):
        web = os.path.join(ROOT, "cockpit", "web")
        self.assertTrue(shutil.which("node"))
        receipt = self.use(MINE)
        result = subprocess.run(["node", "e2e/mydata.mjs", self.city.url, receipt], cwd=web, capture_output=True, text=True, timeout=180)
        print(result.stdout, file=sys.stderr)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
