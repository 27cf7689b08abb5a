#!/usr/bin/env python3
"""Commands over kill -9: the same key a thousand times, over kills and retries, acts once in the department's own table; a command that is declared
at_most_once and whose outcome is unknown ends in a case and is never asked again."""
import json
import os
import sqlite3
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, changed_city, wait_for  # noqa: E402

KEYS = 4
TIMES = 250  # of each key
KILLS = 6
RING = """  - name: ring
    title: {zh: 鸣笛, en: Ring}
    kind: command
    at_most_once: true
    bind:
      file: "{data}/departments/police_inbox.sqlite"
      run: "INSERT INTO dispatch (act_key, asked_by, asked_at, receipt, place, reason) VALUES (:act_key || hex(randomblob(8)), :act_party, :act_time, :act_receipt, :place, 'order')"
    fields:
      - {name: place, type: text, class: internal, key: true}
"""
CONTRACT = """contract: hangzhou/c-90
provider: hangzhou/police
consumer: hangzhou/scene.parking
resource: hangzhou/police/ring
uses: [act]
fields: [place]
purpose: parking.obstruct
legal_basis: {zh: 依, en: law}
from: 2026-01-01
until: 2028-01-01
keep: 30d
state: agreed
"""


def add_ring(folder):
    with open(os.path.join(folder, "systems", "police.yaml"), "a", encoding="utf-8") as out:
        out.write(RING)
    with open(os.path.join(folder, "contracts", "c-90.yaml"), "w", encoding="utf-8") as out:
        out.write(CONTRACT)


class Act(unittest.TestCase):
    def setUp(self):
        self.city = City(city=changed_city(self, add_ring))
        self.addCleanup(self.city.close)
        self.inbox = os.path.join(self.city.data, "departments", "police_inbox.sqlite")
        self.city.start()
        self.token = self.city.token("hangzhou/scene.parking")

    def act(self, key, name="dispatch", timeout=10, **parameters):
        """(status, answer); None when the brain went away."""
        body = {"purpose": "parking.obstruct", "key": key, "parameters": parameters}
        try:
            status, _, answer = self.city.request("POST", f"/hub/v1/act/hangzhou/police/{name}", body, {"Authorization": f"Bearer {self.token}"}, timeout=timeout)
            return status, json.loads(answer)
        except (OSError, ValueError):
            return None

    def rows(self, where="1"):
        with sqlite3.connect(f"file:{self.inbox}?mode=ro", uri=True) as db:
            return db.execute(f"SELECT act_key, number FROM dispatch WHERE {where}").fetchall()

    def test_the_same_key_a_thousand_times_acts_once(self):
        answers, lock, left = [], threading.Lock(), [key for key in range(KEYS) for _ in range(TIMES)]
        self.n_lost = 0

        def ask():
            while True:
                with lock:
                    if not left:
                        return
                    key = left.pop()
                got = self.act(f"once-{key}", place=f"路口 {key}", reason="obstruct")
                with lock:
                    if got is None or got[0] in (429, 503, 504):
                        left.append(key)  # as a client does that must know: again, with the same key
                        self.n_lost += 1
                    else:
                        answers.append((key, got))
                if got is None:
                    time.sleep(0.02)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for thread in threads:
            thread.start()
        for kill in range(KILLS):
            time.sleep(0.1 + 0.07 * kill)
            self.city.kill()
            self.city.start()
        for thread in threads:
            thread.join(120)
        print(f"{len(answers)} answers to {KEYS} keys over {KILLS} kills, {self.n_lost} asked again", file=sys.stderr)
        self.assertEqual(len(answers), KEYS * TIMES)
        self.assertGreater(self.n_lost, 0, "no kill hit anybody")
        numbers = {}
        for key, (status, answer) in answers:
            self.assertEqual((status, answer["state"]), (200, "done"), answer)
            numbers.setdefault(key, set()).add(answer["answer"]["number"])
        self.assertEqual({key: len(given) for key, given in numbers.items()}, {key: 1 for key in range(KEYS)})
        rows = self.rows()
        self.assertEqual(sorted(row[0] for row in rows), [f"hangzhou/scene.parking once-{key}" for key in range(KEYS)])
        self.assertEqual({row[1] for row in rows}, {number for given in numbers.values() for number in given})

    def test_what_a_key_is(self):
        status, answer = self.act("a", place="x", reason="order")
        self.assertEqual((status, answer["repeated"]), (200, False))
        status, again = self.act("a", place="x", reason="order")
        self.assertEqual((status, again["repeated"], again["answer"], again["receipt"]), (200, True, answer["answer"], answer["receipt"]))
        self.assertEqual(self.act("a", place="y", reason="order")[0], 409)
        self.assertEqual(self.act("b", place="x", reason="party")[0], 422)  # the department's own check
        self.assertEqual(self.act("b", place="x", reason="party")[0], 422)
        self.assertEqual(self.act("c", place="x")[0], 400)
        self.assertEqual(self.act("c", place="x", reason=7)[0], 400)
        self.assertEqual(self.act("c d", place="x", reason="order")[0], 400)
        self.assertEqual(self.act("c", place="x", reason="order", owner="me")[0], 404)  # not granted
        self.assertEqual(len(self.rows()), 1)
        result = self.city.citybrain("act", "hangzhou/police/dispatch", "place=x", "reason=order", "--as", "hangzhou/scene.parking", "--purpose",
                                     "parking.obstruct", "--key", "a", "--city", self.city.city, "--data", self.city.data, "--url", self.city.url)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["answer"], answer["answer"])

    def test_an_unknown_outcome_is_a_case_and_not_a_retry(self):
        self.assertEqual(self.act("r-1", "ring", place="x")[0], 200)
        self.assertEqual(len(self.rows()), 1)
        # The department is at its own table, so that the brain waits there when it is killed: nobody can know whether it rang.
        holder = sqlite3.connect(self.inbox, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        thread = threading.Thread(target=self.act, args=("r-2", "ring"), kwargs={"place": "x"}, daemon=True)
        thread.start()
        time.sleep(0.1)
        self.city.kill()
        thread.join()
        holder.execute("ROLLBACK")
        holder.close()
        self.city.start()
        for _ in range(20):
            status, problem = self.act("r-2", "ring", place="x")
            self.assertEqual(status, 504, problem)
            self.assertIn("people look after it", problem["detail"])
        self.assertEqual(len(self.rows()), 1)
        self.city.sign_in("police")

        def cases():
            return [c for c in self.city.get("/case/v1/cases")["cases"] if c["kind"] == "act.unknown"]

        found = wait_for(cases, 30, "the case of the unknown outcome")
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["owner"]["party"], "hangzhou/post.traffic-police")
        self.assertIn("r-2", found[0]["detail"])
        self.assertRegex(found[0]["receipt"], r"^hangzhou\.log/\d+$")
        status, _, _ = self.city.request("POST", f"/case/v1/cases/{found[0]['id']}/close", {"text": "did not ring"})
        self.assertEqual(status, 200)
        self.city.kill()
        self.city.start()
        time.sleep(8)  # it is told again after a start: it is the same case, and stays closed
        self.city.sign_in("police")
        self.assertEqual(cases(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
