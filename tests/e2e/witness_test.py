"""The ledger with five witnesses, all of them real processes: who may be gone, what is told, what is refused, what a hundred kills leave."""
import glob
import http.client
import json
import os
import random
import shutil
import signal
import sys
import time
import unittest
import urllib.error

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, wait_for  # noqa: E402
from load import CALL, a_plate, check_leaves, granted_fields  # noqa: E402
from witnesses import WitnessedCity, ask  # noqa: E402

KILLS = int(os.environ.get("CITYBRAIN_KILLS", "100"))


class Caller:
    """Calls of the parking scene, one after the other."""

    def __init__(self, city):
        self.city = city
        self.question = json.dumps({"purpose": "parking.settle", "key": {"plate": a_plate(city)}, "fields": granted_fields(city.city)}).encode()
        self.headers = {"Authorization": "Bearer " + city.token("hangzhou/scene.parking"), "Content-Type": "application/json"}
        self.receipts = []

    def call(self, n=1):
        """Calls n times and gives the last receipt's index."""
        for _ in range(n):
            status, _, body = self.city.request("POST", CALL, self.question, self.headers, timeout=5)
            assert status == 200, (status, body[:300])
            self.receipts.append(json.loads(body)["receipt"])
        return int(self.receipts[-1].rsplit("/", 1)[1])


def published_past(city, index, within_s=60):
    return wait_for(lambda: city.checkpoint()[0] > index and city.checkpoint(), within_s, f"a checkpoint over leaf {index}")


class Witnesses(unittest.TestCase):
    def verify(self, city, index, policy=None):
        path = os.path.join(city.folder, "receipt.json")
        with open(path, "w", encoding="utf-8") as out:
            out.write(ask(f"{city.url}/log/v1/receipt/{index}"))
        return city.citybrain("verify", path, "--policy", policy or city.policy)

    def test_who_may_be_gone(self):
        with WitnessedCity(5, 3) as city:
            caller = Caller(city)
            size, names = published_past(city, caller.call(5))
            self.assertIn("hangzhou.log", names)
            self.assertGreaterEqual(len(names), 4)
            with open(city.policy, encoding="utf-8") as text:
                self.assertEqual(ask(city.url + "/log/v1/policy"), text.read())
            proven = self.verify(city, 0)
            self.assertEqual(proven.returncode, 0, proven.stderr)
            self.assertIn("a quorum of the policy's witnesses has cosigned", proven.stdout)
            self.assertNotIn("came from the receipt itself", proven.stdout)

            city.witnesses[0].kill()  # two are gone, one of them hangs
            city.witnesses[1].process.send_signal(signal.SIGSTOP)
            size, names = published_past(city, caller.call(5))
            self.assertLessEqual({"hangzhou/witness-2", "hangzhou/witness-3", "hangzhou/witness-4"}, names)
            self.assertFalse(city.health()["halted"])
            four = os.path.join(city.folder, "four")
            with open(city.policy, encoding="utf-8") as text, open(four, "w", encoding="utf-8") as out:
                out.write(text.read().replace("departments 3", "departments 4"))
            refused = self.verify(city, size - 1, four)
            self.assertEqual(refused.returncode, 1, refused.stdout)
            self.assertIn("3 of 5 witnesses have cosigned the checkpoint, and the policy asks for more; missing: w0, w1", refused.stderr)

            city.witnesses[2].kill()  # three are gone: no quorum; the city's work goes on
            index = caller.call(5)
            wait_for(lambda: city.health()["halted"], 60, "the halt")
            caller.call(5)
            health = city.health()
            self.assertLessEqual(health["published"], index)
            self.assertGreater(health["durable"], index)
            self.assertEqual({one["name"] for one in health["witnesses"] if not one["cosigns"]}, {"w0", "w1", "w2"})
            status, headers, _ = city.request("GET", f"/log/v1/proof/{index}")
            self.assertEqual((status, headers["Retry-After"]), (409, "1"))

            city.witnesses[2].start()
            published_past(city, caller.call())
            wait_for(lambda: not city.health()["halted"], 60, "the end of the halt")
            city.witnesses[1].process.send_signal(signal.SIGCONT)
            city.witnesses[0].start()
            wait_for(lambda: len(published_past(city, caller.call())[1]) == 6, 60, "all five witnesses again")
            check_leaves(self, city, caller.receipts)
            self.assertEqual(city.stop(), 0)
            log = city.log("brain")
            self.assertEqual(log.count("publication halts"), 1, log[-3000:])
            self.assertEqual(log.count("publication goes on"), 1, log[-3000:])
            for witness in city.witnesses:
                self.assertEqual(witness.kill(signal.SIGTERM), 0, witness.log()[-2000:])

    def test_an_old_data_folder_is_refused(self):
        with WitnessedCity(5, 3) as city:
            caller = Caller(city)
            published_past(city, caller.call(5))
            self.assertEqual(city.stop(), 0)
            old = os.path.join(city.folder, "old")
            shutil.copytree(city.data, old)
            city.start()
            size, _ = published_past(city, caller.call(50))
            self.assertEqual(city.stop(), 0)
            rolled_back = City(city=city.city, data=old)
            self.addCleanup(rolled_back.close)
            rolled_back.start()
            Caller(rolled_back).call(3)
            line = wait_for(lambda: [one for one in rolled_back.log("brain").splitlines() if "the folder is an old copy" in one], 60, "the word")
            self.assertIn("Stop, and restore the newest one", line[0])
            wait_for(lambda: rolled_back.get("/health")["ledger"]["halted"], 60, "the halt")
            status = [one["why"] for one in rolled_back.get("/health")["ledger"]["witnesses"] if not one["cosigns"]]
            self.assertEqual(len(status), 5)
            Caller(rolled_back).call(60)  # longer than what was cosigned, and another history
            wait_for(lambda: "what it has cosigned is no beginning of this log" in rolled_back.log("brain"), 60, "the word of the fork")
            self.assertLess(rolled_back.get("/health")["ledger"]["published"], size)
            self.assertEqual(rolled_back.stop(), 0)
            lines = [one for one in rolled_back.log("brain").splitlines() if "does not cosign" in one]
            self.assertLessEqual(len(lines), 15, "a trouble is told once, not each second")
            city.start()
            self.assertGreater(published_past(city, caller.call(5))[0], size)

    def test_two_histories_get_one_quorum(self):
        """The operator copies key and folder, and runs two brains: each witness follows one of them, and no quorum is had twice."""
        with WitnessedCity(5, 3) as city:
            caller = Caller(city)
            published_past(city, caller.call(5))
            city.stop()
            twin = City(city=city.city, data=os.path.join(city.folder, "twin"))
            self.addCleanup(twin.close)
            shutil.copytree(city.data, twin.data)
            city.spawn_brain()
            twin.start()
            city.start() if city.brain.poll() is not None else wait_for(lambda: city.get("/health"), 20)
            callers = [caller, Caller(twin)]

            def one_is_told():
                for one in callers:
                    one.call()
                return any(words in one.log("brain") for one in (city, twin) for words in ("no beginning of this log", "is an old copy"))

            for _ in range(40):
                one_is_told()
                time.sleep(0.05)
            wait_for(one_is_told, 60, "the word that there is another history")
            time.sleep(2)  # for a checkpoint of each more, if it got one
            histories = []
            for brain in (city, twin):
                text = ask(brain.url + "/log/v1/checkpoint")
                size = int(text.split("\n")[1])
                leaves = []
                for index in range(size):
                    leaves.append(json.loads(ask(f"{brain.url}/log/v1/receipt/{index}"))["leaf"])
                histories.append(leaves)
            shorter = min(len(leaves) for leaves in histories)
            self.assertEqual(histories[0][:shorter], histories[1][:shorter], "two quorums for two histories")
            for witness in city.witnesses:
                for path in glob.glob(os.path.join(witness.folder, "state", "*.fork-2.note")):
                    with open(path.replace("fork-2", "fork-1"), encoding="utf-8") as one, open(path, encoding="utf-8") as other:
                        first, second = one.read().split("\n"), other.read().split("\n")
                    self.assertEqual(first[:2], second[:2])
                    self.assertNotEqual(first[2], second[2])

    def test_kills(self):
        """kill -9 of the brain and of the witnesses, again and again: every receipt stays, no checkpoint goes back, and a quorum goes on."""
        dice = random.Random(20261122)
        with WitnessedCity(5, 3) as city:
            caller, size = Caller(city), 0
            for number in range(KILLS):
                try:
                    caller.call(dice.randrange(1, 6))
                except (OSError, http.client.HTTPException, AssertionError):
                    pass
                time.sleep(dice.random() * 0.05)
                if number % 5 == 0:
                    size = max(size, city.checkpoint()[0])
                    city.kill()
                    city.start()
                    self.assertGreaterEqual(city.checkpoint()[0], size, "a published checkpoint went back")
                else:
                    witness = dice.choice(city.witnesses)
                    witness.kill()
                    witness.start()
            published_past(city, caller.call(), 30)
            self.assertFalse([one for one in city.log("brain").splitlines() if "no beginning of this log" in one or "is an old copy" in one])
            check_leaves(self, city, caller.receipts)
            print(f"{KILLS} kills, {len(caller.receipts)} receipts, all there and under a quorum", file=sys.stderr)
            self.assertGreater(len(caller.receipts), KILLS)

    def test_a_witness_says_what_is_wrong(self):
        with WitnessedCity(1, 1) as city:
            witness = city.witnesses[0]
            published_past(city, Caller(city).call())
            self.assertEqual(ask(witness.url + "/vkey").strip(), witness.vkey)
            note = ask(city.url + "/log/v1/checkpoint").encode()
            for body, status, told in ((b"", 400, "old SIZE"), (b"old 0\n\n" + note.replace(b"hangzhou.log\n", b"other.log\n", 1), 404, "not one that this"),
                                       (b"old 0\n\n" + note.replace(b"\n", b"\n1", 1), 403, "was changed"), (b"old 0\n\n" + note, 409, ""),
                                       (b"x" * 70000, 413, "")):
                with self.assertRaises(urllib.error.HTTPError) as raised:
                    ask(witness.url + "/add-checkpoint", body)
                with raised.exception as refusal:
                    self.assertEqual(refusal.code, status)
                    answer = refusal.read().decode()
                    self.assertIn(told, answer)
                    if status == 409:
                        self.assertEqual(refusal.headers["Content-Type"], "text/x.tlog.size")
                        self.assertRegex(answer, r"\A[1-9][0-9]*\n\Z")
            second = city.citybrain("witness", witness.folder)
            self.assertEqual(second.returncode, 2)
            self.assertIn("another witness works in this folder", second.stderr)
            for text, told in (("witness: a b\nlogs: []\n", "holds a space"), ("witness: a\n", "a witness needs the logs"), ("witnes: a\nlogs: []\n", "witnes"),
                               ("witness: a\nlogs: [x]\n", "witness.yaml:2: the verifier key is not of the form")):
                folder = os.path.join(city.folder, "wrong")
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, "witness.yaml"), "w", encoding="utf-8") as out:
                    out.write(text)
                refused = city.citybrain("witness", folder)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(told, refused.stderr)

    def test_old_entries_are_no_longer_served(self):
        with WitnessedCity(1, 1) as city:
            published_past(city, Caller(city).call(140))
            wait_for(lambda: city.checkpoint()[0] > 260, 60, "a full bundle")
            kept = ask(f"{city.url}/log/v1/receipt/0")
            self.assertEqual(city.stop(), 0)
            path = os.path.join(city.city, "city.yaml")
            with open(path, encoding="utf-8") as text:
                plain = text.read()
            city.set_option("receipts_kept: 1d")
            old = time.time() - 2 * 86400
            os.utime(os.path.join(city.data, "ledger", "log", "tile", "entries", "000"), (old, old))
            city.start()
            for where, status in (("tile/entries/000", 410), ("receipt/0", 410), ("receipt/255", 410), ("receipt/256", 200), ("proof/0", 200), ("tile/0/000", 200)):
                self.assertEqual(city.request("GET", "/log/v1/" + where)[0], status, where)
            with open(os.path.join(city.folder, "receipt.json"), "w", encoding="utf-8") as out:
                out.write(kept)
            self.assertEqual(city.citybrain("verify", out.name, "--policy", city.policy).returncode, 0, "a receipt that was kept holds")
            self.assertEqual(city.stop(), 0)
            with open(path, "w", encoding="utf-8") as out:
                out.write(plain)
            city.start()
            self.assertEqual(json.loads(ask(f"{city.url}/log/v1/receipt/0"))["leaf"], json.loads(kept)["leaf"])

    def test_the_parallel_log(self):
        """sm_log: true on a city that had none: it begins with what there is, its receipts hold, and a kill leaves both logs whole."""
        with WitnessedCity(3, 2) as city:
            caller = Caller(city)
            self.assertEqual(city.request("GET", "/log-sm/v1/checkpoint")[0], 404)
            published_past(city, caller.call(150))
            self.assertEqual(city.stop(), 0)
            city.set_option("sm_log: true")
            size = 0
            for _ in range(5):
                city.start()
                index = caller.call(5)
                published_past(city, index)
                wait_for(lambda i=index: city.request("GET", f"/log-sm/v1/receipt/{i}")[0] == 200, 60, "the parallel log's receipt")
                now = int(ask(city.url + "/log-sm/v1/checkpoint").split("\n")[1])
                self.assertGreater(now, size)
                size = now
                city.kill()
            city.start()
            path = os.path.join(city.folder, "receipt.json")
            vkey = ask(city.url + "/log-sm/v1/vkey").strip()
            for index in (0, 100, size - 1):
                with open(path, "w", encoding="utf-8") as out:
                    out.write(ask(f"{city.url}/log-sm/v1/receipt/{index}"))
                proven = city.citybrain("verify", path, "--vkey", vkey)
                self.assertEqual(proven.returncode, 0, proven.stderr)
                self.assertIn(f"hangzhou.log.sm/{index} is leaf {index}", proven.stdout)
                self.assertEqual(city.citybrain("verify", path, "--vkey", city.log_vkey).returncode, 1)
                receipt = json.loads(ask(f"{city.url}/log/v1/receipt/{index}"))
                with open(path, encoding="utf-8") as text:
                    self.assertEqual(json.load(text)["leaf"], receipt["leaf"])
            self.assertEqual(city.request("GET", "/log-sm/v1/tile/0/000")[0], 200)
            self.assertEqual(city.request("GET", "/log-sm/v1/tile/../checkpoint")[0] // 100, 4)
            self.assertEqual(ask(f"{city.url}/log-sm/v1/proof/7").split("\n")[1], "index 7")
            self.assertEqual(city.request("GET", "/log-sm/v1/receipt/99999999")[0], 404)
            check_leaves(self, city, caller.receipts)
            self.assertEqual(city.stop(), 0)

    def test_a_bad_policy_is_refused_at_the_start(self):
        with WitnessedCity(4, 3) as city:
            for quorum, told in ((2, "would each be a quorum"), (5, "5 of 4 members")):
                city.write_policy(quorum)
                checked = city.citybrain("check", city.city)
                self.assertNotEqual(checked.returncode, 0)
                self.assertIn(told, checked.stderr + checked.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
