"""A contract's life in the real program, from the shell and over HTTP, under kill -9.

After each acknowledged step the brain is killed and started again: the state, the signatures, the history and what a use is answered are as
acknowledged. Then steps are asked for while the kill comes at any moment: what stands afterwards is never less than what was acknowledged, and at
most the one step more that was under way. At the end the contract is proven offline, by the file alone.
"""
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BRAIN, DEMO_PASSWORD, City, wait_for  # noqa: E402

RESOURCE = "hangzhou/police/vehicle"
DRAFT = {"provider": "hangzhou/police", "consumer": "hangzhou/scene.parking", "resource": RESOURCE, "uses": ["call"], "fields": ["plate", "colour"],
         "purpose": "parking.charge", "legal_basis": {"zh": "依据", "en": "law"}, "per_day": 100000, "from": "2026-01-01", "until": "2028-01-01",
         "fresh_for": "30d", "keep": "1h"}
KILLS = int(os.environ.get("CONTRACT_KILLS", "6"))  # at any moment; each costs a start of the brain


class Life(unittest.TestCase):
    def setUp(self):
        self.city = City()
        self.city.__enter__()
        self.addCleanup(self.city.close)
        self.parties = {}
        with sqlite3.connect(os.path.join(self.city.data, "departments", "police.sqlite")) as db:
            self.plate = db.execute("SELECT plate FROM vehicle").fetchone()[0]

    def contract(self, *words, who, exit_code=0):
        result = self.city.citybrain("contract", *words, "--as", who, "--url", self.city.url, "--data", self.city.data,
                                     env=dict(os.environ, CITYBRAIN_PASSWORD=DEMO_PASSWORD))
        self.assertEqual(result.returncode, exit_code, f"{words} as {who}: {result.stdout}{result.stderr}")
        return result.stdout + result.stderr

    def draft(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(DRAFT, file)
            file.flush()
            return self.contract("draft", file.name, who="parking-contracts").split()[0]

    def use(self, name):
        """Status and rule of a call under the contract."""
        body = {"purpose": "parking.charge", "contract": name, "key": {"plate": self.plate}, "fields": ["colour"]}
        status, _, answer = self.city.request("POST", "/hub/v1/call/" + RESOURCE, body,
                                              {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")})
        answer = json.loads(answer)
        if status == 200:
            self.assertEqual(len(answer["rows"]), 1)
            self.assertRegex(answer["receipt"], r"^hangzhou\.log/\d+$")
        return status, answer.get("rule")

    def look(self, name):
        return json.loads(self.contract("show", name, "--json", who="parking-contracts"))

    def again(self):
        self.city.kill()
        self.city.start()

    def test_nothing_acknowledged_is_lost(self):
        name = self.draft()
        self.again()
        self.assertEqual(self.look(name)["state"], "drafted")
        receipts = []
        for step, who, state, status, rule in [
                ("offer", "parking-contracts", "offered", 404, None),
                ("sign", "parking-contracts", "offered", 404, None),
                ("sign", "police-contracts", "agreed", 200, None),
                ("suspend", "police-contracts", "suspended", 404, 1),
                ("resume", "police-contracts", "agreed", 200, None),
                ("confirm", "police-contracts", "agreed", 200, None),
                ("revoke", "police-contracts", "ended", 404, 1)]:
            said = self.contract(step, name, who=who).split()
            self.assertEqual(said[:2], [name, state])
            receipts.append(said[2])
            before = self.use(name)
            self.again()
            after = self.use(name)
            for answer in (before, after):
                self.assertEqual(answer[0], status, f"after {step}: {answer}")
                if rule:
                    self.assertEqual(answer[1], rule)
            shown = self.look(name)
            self.assertEqual(shown["state"], state)
            self.assertEqual([s["receipt"] for s in shown["history"] if s["receipt"]], receipts)
        self.contract("resume", name, who="police-contracts", exit_code=1)
        self.prove(name)

    def prove(self, name):
        """The whole agreement from one file, and every step's leaf."""
        shown = self.look(name)
        with tempfile.TemporaryDirectory() as folder:
            path, vkey = os.path.join(folder, "contract.json"), os.path.join(folder, "vkey")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(shown, file)
            with open(vkey, "wb") as file:
                file.write(self.city.request("GET", "/log/v1/vkey")[2])
            result = subprocess.run([BRAIN, "contract", "verify", path, "--vkey", vkey], capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(f"proven: {name} was signed by hangzhou/police and hangzhou/scene.parking", result.stdout)
            for step in shown["history"]:
                if step["receipt"]:
                    receipt = os.path.join(folder, "receipt.json")

                    def has_receipt(index=step["receipt"].split("/")[1]):
                        status, _, body = self.city.request("GET", "/log/v1/receipt/" + index)
                        with open(receipt, "wb") as file:
                            file.write(body)
                        return status == 200

                    wait_for(has_receipt, 60, "the step's checkpoint")
                    result = subprocess.run([BRAIN, "verify", receipt, "--vkey", vkey], capture_output=True, text=True, timeout=60)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    with open(receipt, encoding="utf-8") as file:
                        leaf = json.loads(json.load(file)["leaf"])
                    self.assertEqual((leaf["event"], leaf["state"], leaf["contract"]), (step["event"], step["state"], name))
                    self.assertNotIn("contracts\"", json.dumps(leaf).replace("hangzhou", ""))  # no person's name in the ledger

    def test_a_kill_at_any_moment(self):
        name = self.draft()
        for step, who in [("offer", "parking-contracts"), ("sign", "parking-contracts"), ("sign", "police-contracts")]:
            self.contract(step, name, who=who)
        seed = int.from_bytes(os.urandom(4), "big")
        print(f"seed {seed}", flush=True)
        rng = random.Random(seed)
        lost = 0
        for _ in range(KILLS):
            self.city.sign_in("police-contracts")
            known = len(self.steps(name))
            acknowledged, stop = [0], threading.Event()

            def work():
                event = "resume" if self.steps(name)[-1]["event"] == "suspend" else "suspend"
                while not stop.is_set():
                    try:
                        status, _, _ = self.city.request("POST", f"/hub/v1/contracts/{name}/{event}", {}, timeout=5)
                    except OSError:
                        return  # it was killed meanwhile
                    if status != 200:
                        return
                    acknowledged[0] += 1
                    time.sleep(0.01)  # a history shows its newest 1,000 steps
                    event = "resume" if event == "suspend" else "suspend"

            worker = threading.Thread(target=work, daemon=True)
            worker.start()
            time.sleep(rng.uniform(0.05, 0.6))
            self.city.kill()
            stop.set()
            worker.join()
            self.city.start()
            self.city.sign_in("police-contracts")
            steps = self.steps(name)
            grown = len(steps) - known
            lost += max(0, acknowledged[0] - grown)
            self.assertIn(grown - acknowledged[0], (0, 1), f"seed {seed}: {acknowledged[0]} acknowledged, {grown} stand")
            shown = self.city.get("/hub/v1/contracts/" + name)
            self.assertEqual(shown["state"], steps[-1]["state"])
            self.assertEqual(self.use(name)[0], 200 if shown["state"] == "agreed" else 404)
            self.assertGreater(acknowledged[0], 0, "the kill came before anything was asked")
        self.assertEqual(lost, 0)

    def steps(self, name):
        return self.city.get("/hub/v1/contracts/" + name)["history"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
