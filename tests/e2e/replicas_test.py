#!/usr/bin/env python3
"""The hub as several processes: one with the contracts' desk and two replicas, a department beside its data, and a nats-server between them. Each replica
answers and leaves receipts in a ledger of its own; a daily quota holds over all of them, over kills; a contract's step at the desk counts everywhere, and
when the desk or the way to it is gone, for as long as the contract's fresh_for; what a replica acknowledged stands in its ledger after kill -9."""
import concurrent.futures
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
from city import BRAIN, DEMO_PASSWORD, ROOT, City, wait_for  # noqa: E402
from departments import Department  # noqa: E402
from witnesses import Witness  # noqa: E402

MINE, LICENCE = "浙A00001", "990000000001"  # the citizen's, in parties.yaml
QUOTA = int(os.environ.get("REPLICAS_QUOTA", "300"))
CONTRACT = """contract: hangzhou/c-%(number)d
provider: hangzhou/police
consumer: hangzhou/scene.parking
resource: hangzhou/police/vehicle
uses: [call]
fields: [plate, colour]
purpose: %(purpose)s
legal_basis: {zh: 依, en: law}
from: 2026-01-01
until: 2028-01-01
keep: 1h
state: agreed
%(more)s
"""


class Replica(City):
    """`citybrain hub`, with a data folder of its own; it knows programs by the desk's tokens."""

    def __init__(self, name, desk, data, options):
        super().__init__(city=desk.city, data=data, options=options)
        self.name = name
        os.makedirs(data)

    def spawn_brain(self):
        self.brain = self._spawn("brain", [BRAIN, "hub", self.city, "--name", self.name, "--data", self.data, "--port", str(self.port), *self.options])


class Way:
    """A way to nats-server that can be cut, and mended."""

    def __init__(self, port):
        self.to, self.is_cut, self.ends, self.lock = port, False, [], threading.Lock()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                one, _ = self.door.accept()
                if self.is_cut:
                    one.close()
                    continue
                other = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                return
            with self.lock:
                self.ends += [one, other]
            for source, sink in ((one, other), (other, one)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()  # each of the two closes what it reads

    def cut(self):
        with self.lock:
            self.is_cut = True
            for end in self.ends:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.ends = []

    def mend(self):
        self.is_cut = False

    def close(self):
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        self.cut()


class Replicas(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-replicas-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.nats = servers.start_nats()
        cls.addClassCleanup(cls.nats.close)
        cls.way = Way(cls.nats.port)
        cls.addClassCleanup(cls.way.close)
        for name in ("hub", "r1", "r2", "police"):
            cls.nats.key(name)
        cls.make_city()
        over = ["--over-bus", "hangzhou/police"]
        cls.city = City(city=os.path.join(cls.folder, "hangzhou"), options=[*over, *cls.bus_options("hub")])
        cls.addClassCleanup(cls.city.close)
        cls.police = Department(cls.city, "police", os.path.join(cls.folder, "police-data"), cls.bus_options("police"))
        os.makedirs(os.path.join(cls.police.data, "departments"))
        for name in ("police.sqlite", "police_inbox.sqlite"):
            shutil.move(os.path.join(cls.city.data, "departments", name), os.path.join(cls.police.data, "departments", name))
        cls.city.start()
        cls.addClassCleanup(cls.police.end)
        cls.police.start()
        cls.replicas = []
        for name in ("r1", "r2"):
            options = cls.bus_options("hub", key=name, port=cls.way.port if name == "r2" else None)
            replica = Replica(name, cls.city, os.path.join(cls.folder, name), [*over, "--log", "info", *options])
            cls.addClassCleanup(replica.close)
            replica.spawn_brain()
            cls.replicas.append(replica)
        cls.r1, cls.r2 = cls.replicas
        with sqlite3.connect(os.path.join(cls.police.data, "departments", "police.sqlite")) as db:
            cls.plates = [row[0] for row in db.execute("SELECT plate FROM vehicle WHERE plate <> ? LIMIT 50", [MINE])]
        cls.bearer = {"Authorization": f"Bearer {cls.city.token('hangzhou/scene.parking')}"}
        for one in (cls.city, *cls.replicas):
            cls.wait_until_answered(one)

    def setUp(self):
        for hub in (self.city, *self.replicas):  # what the test before it killed has come back
            self.wait_until_answered(hub)

    @classmethod
    def make_city(cls):
        folder = os.path.join(cls.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
        path = os.path.join(folder, "parties.yaml")
        with open(path, encoding="utf-8") as text:
            parties = text.read()
        for party in ("hub", "police"):
            public = City.citybrain(None, "contract", "key", os.path.join(cls.folder, party + ".key")).stdout.strip()
            parties = re.sub(rf"(\{{name: hangzhou/{party}, [^\n]*)\}}\n", rf'\1, key: "{public}"}}\n', parties, count=1)
        with open(path, "w", encoding="utf-8") as out:
            out.write(parties)
        for number, purpose, more in ((90, "test.quota", f"per_day: {QUOTA}"), (91, "test.fresh", "fresh_for: 3s"), (92, "test.load", ""), (93, "test.kill", "per_day: 60"),
                                      (94, "test.back", "per_day: 40"), (95, "test.shown", ""), (96, "test.search", "")):
            terms = CONTRACT % {"number": number, "purpose": purpose, "more": more}
            with open(os.path.join(folder, "contracts", f"c-{number}.yaml"), "w", encoding="utf-8") as out:
                out.write(terms.replace("[call]", "[query]") if purpose == "test.search" else terms)

    @classmethod
    def bus_options(cls, party, key=None, port=None):
        url = f"tls://localhost:{port}" if port else cls.nats.url
        return ["--bus", url, "--bus-ca", cls.nats.ca, "--bus-key", cls.nats.key(key or party), "--party-key", os.path.join(cls.folder, party + ".key")]

    @classmethod
    def call(cls, hub, purpose, plate=None, contract=None):
        body = {"purpose": purpose, "key": {"plate": plate or cls.plates[0]}, "fields": ["colour"], **({"contract": contract} if contract else {})}
        status, _, answer = hub.request("POST", "/hub/v1/call/hangzhou/police/vehicle", body, cls.bearer)
        return status, json.loads(answer)

    @classmethod
    def wait_until_answered(cls, hub, purpose="test.load"):
        wait_for(lambda: cls.call(hub, purpose)[0] == 200, 60, "an answer")

    @classmethod
    def used(cls, hub, purpose="test.load", plate=None, contract=None):
        """The receipt of a use. On a loaded machine one may end with 503 or 504, and is made again."""
        status, answer = cls.until_there(lambda: cls.call(hub, purpose, plate, contract))
        if status != 200:
            raise AssertionError(f"{purpose}: {status} {answer}")
        return answer["receipt"]

    @staticmethod
    def until_there(ask, late=(503, 504)):
        """ask()'s answer, a tuple that begins with the status, once who has to be asked for it answers in time."""
        return wait_for(lambda: (one := ask())[0] not in late and one, 60, "an answer that is not late")

    def again(self, hub):
        hub.kill()
        hub.start()
        self.wait_until_answered(hub)

    def contract(self, *words, who):
        result = self.city.citybrain("contract", *words, "--as", who, "--url", self.city.url, "--data", self.city.data,
                                     env=dict(os.environ, CITYBRAIN_PASSWORD=DEMO_PASSWORD))
        self.assertEqual(result.returncode, 0, f"{words} as {who}: {result.stdout}{result.stderr}")
        return result.stdout.split()[0]

    def leaf(self, hub, receipt):
        """What stands under a receipt in the ledger of the process that gave it."""
        origin, index = receipt.split("/")
        self.assertEqual(origin, "hangzhou.log" + ("." + hub.name if isinstance(hub, Replica) else ""))
        status, _, body = wait_for(lambda: (lambda one: one if one[0] == 200 else None)(hub.request("GET", "/log/v1/receipt/" + index)), 60, "a receipt")
        return json.loads(json.loads(body)["leaf"])

    def test_each_has_its_own_ledger(self):
        for hub in (self.city, *self.replicas):
            name = self.used(hub)
            leaf = self.leaf(hub, name)
            self.assertEqual((leaf["type"], leaf["contract"]), ("intent", "hangzhou/c-92"))
            receipt, vkey = os.path.join(self.folder, "receipt.json"), os.path.join(self.folder, "vkey")
            for path, url in ((receipt, "/log/v1/receipt/" + name.split("/")[1]), (vkey, "/log/v1/vkey")):
                with open(path, "wb") as out:
                    out.write(hub.request("GET", url)[2])
            done = subprocess.run([BRAIN, "verify", receipt, "--vkey", vkey], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        served = [receipt for _, _, receipt in self.police.served() if receipt]  # checks of quality have none
        self.assertEqual(len(served), len(set(served)))  # no two of them ever gave the same name to two uses

    def many(self, purpose, n, hubs):
        """n calls side by side, spread over the hubs: how many were permitted, refused by rule, and failed."""
        def one(number):
            try:
                status, answer = self.call(hubs[number % len(hubs)], purpose, self.plates[number % len(self.plates)])
                return status, answer.get("rule")
            except OSError:
                return 0, None
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            results = list(pool.map(one, range(n)))
        self.assertLessEqual(set(results), {(200, None), (429, 11), (503, None), (504, None), (0, None)})
        return results.count((200, None)), results.count((429, 11))

    def test_a_quota_holds_over_all(self):
        hubs = (self.city, *self.replicas)
        permitted, _ = self.many("test.quota", QUOTA // 2, hubs)
        more, refused = self.many("test.quota", QUOTA, hubs)
        permitted += more
        self.assertGreater(refused, 0)

        def is_used_up():  # a lease that came late was refused for a second
            nonlocal permitted
            statuses = [self.call(hub, "test.quota")[0] for hub in hubs]
            permitted += statuses.count(200)
            return permitted > QUOTA * 3 // 4 and statuses == [429] * len(hubs)

        wait_for(is_used_up, 60, "refusals by all")
        print(f"a quota of {QUOTA} a day over 3 processes: {permitted} permitted, {refused} refused", file=sys.stderr)
        self.assertLessEqual(permitted, QUOTA)

    def test_a_quota_holds_over_kills(self):
        permitted = 0
        for hub in (self.r1, self.city, self.r2):
            permitted += self.many("test.kill", 15, (self.r1, self.r2, self.city))[0]
            self.again(hub)
        permitted += self.many("test.kill", 60, (self.r1, self.r2, self.city))[0]
        print(f"a quota of 60 a day over 3 kills: {permitted} permitted", file=sys.stderr)
        self.assertLessEqual(permitted, 60)

    def used_today(self, contract):
        self.city.sign_in("police-contracts")
        return self.city.get("/hub/v1/contracts/" + contract)["today"]

    def test_a_stopped_replica_gives_back(self):
        """Stopped and started again and again it costs the quota nothing but what it used, and a lease whose answer came too late; the desk shows each."""
        used, lost, failed = 0, [0], 0
        for _ in range(3):
            self.wait_until_answered(self.r1)
            wait_for(lambda: self.call(self.r1, "test.back")[0] == 200, 60, "a use at the replica")
            used += 1
            used += [self.call(self.r1, "test.back")[0] for _ in range(4)].count(200)
            self.assertEqual(self.r1.stop(), 0)
            lost.append(self.used_today("hangzhou/c-94") - used)
            self.r1.start()
        status = 200
        while status in (200, 503, 504) and failed < 40:  # all that is left, at the desk
            status, answer = self.call(self.city, "test.back", contract="hangzhou/c-94")
            used += status == 200
            failed += status in (503, 504)  # which may have been permitted, and counts then
        print(f"a quota of 40 a day over 3 stops: {used} used, {lost[-1]} lost with leases {lost[1:]}, {failed} failed at the desk", file=sys.stderr)
        self.assertEqual((status, answer["rule"], self.used_today("hangzhou/c-94")), (429, 11, 40))
        self.assertGreaterEqual(lost[-1], 0)
        self.assertLessEqual(used, 40)
        self.assertGreaterEqual(used + lost[-1] + failed, 40)

    def test_the_desk_shows_what_is_used_at_replicas(self):
        self.wait_until_answered(self.r2)
        before = self.used_today("hangzhou/c-95")
        statuses = []
        while statuses.count(200) < 7 and len(statuses) < 60:
            statuses.append(self.call(self.r2, "test.shown")[0])
        self.assertLessEqual(set(statuses), {200, 503, 504})  # what ended late may have been permitted, and counts then
        wait_for(lambda: self.used_today("hangzhou/c-95") >= before + 7, 60, "the replica's uses in the desk's figures")
        self.assertLessEqual(self.used_today("hangzhou/c-95"), before + len(statuses))

    def mine(self, query=""):
        self.city.sign_in("citizen")
        return self.city.get("/hub/v1/uses/mine" + query)

    def whole(self, query=""):
        """The page once every process has answered: on a slow machine one may take longer than the desk waits."""
        return wait_for(lambda: (page := self.mine(query))["complete"] and page, 60, "a page without anybody missing")

    def test_who_used_my_data_anywhere(self):
        """A citizen asks the desk's process, and sees what each process did with their data: in order, page by page, with receipts that can be checked
        there, and objects to one; what a process that is away did is missing, and the page names it."""
        wait_for(lambda: self.mine()["complete"], 60, "both replicas' logs at the desk")
        made = []
        for hub in (self.r1, self.city, self.r2, self.r2, self.r1):
            status = 0
            while status != 200:  # one that ended late, on a loaded machine, is a use that they see, too
                status, answer = self.call(hub, "test.load", MINE, contract="hangzhou/c-92")
                self.assertIn(status, (200, 503, 504), answer)
                made += [answer["receipt"]] if "receipt" in answer else []
            self.call(hub, "test.load")  # another's
        sql = f"""SELECT colour FROM "hangzhou/police/vehicle" WHERE plate = '{MINE}'"""  # what a replica noted of its rows is in its index alone
        status, _, answer = self.r1.request("POST", "/hub/v1/query", {"purpose": "test.search", "sql": sql}, self.bearer)
        self.assertEqual(status, 200, answer)
        made.append(json.loads(answer)["receipts"][0]["receipt"])
        there, elsewhere = ([one for one in made if one.startswith("hangzhou.log.r2/") == is_there] for is_there in (True, False))
        self.assertEqual(({one.split("/")[0] for one in elsewhere}, len(made) >= 6), ({"hangzhou.log", "hangzhou.log.r1"}, True))
        mine = self.whole()
        self.assertEqual((mine["complete"], mine["unanswered"], mine["next"]), (True, [], None))
        self.assertEqual([use["receipt"] for use in mine["uses"]], made[::-1])
        self.assertEqual([(use["use"], use["contract"]) for use in mine["uses"]], [("query", "hangzhou/c-96"), *[("call", "hangzhou/c-92")] * (len(made) - 1)])
        paged, query = [], "?limit=2"
        while query:
            page = self.whole(query)
            paged += [use["receipt"] for use in page["uses"]]
            query = f"?limit=2&before={page['next']}" if page["next"] and len(paged) < len(made) else None
        self.assertEqual((paged, page["next"]), (made[::-1], None))
        self.checks_at_the_desk(there[-1], self.r2)
        self.objects(made[-1])
        self.r2.kill()
        mine = wait_for(lambda: (page := self.mine())["unanswered"] == ["hangzhou.log.r2"] and page, 60, "the name of who does not answer")
        self.assertEqual((mine["complete"], [use["receipt"] for use in mine["uses"]]), (False, elsewhere[::-1]))
        self.assertIn(self.city.request("GET", "/hub/v1/receipt/" + there[-1])[0], (503, 504))
        self.assertIn(self.city.request("POST", "/case/v1/objection", {"receipt": there[-1], "what": "x"})[0], (503, 504))
        self.r2.start()
        self.assertEqual([use["receipt"] for use in self.whole()["uses"]], made[::-1])
        for hub in (self.city, *self.replicas):
            for secret in (MINE, LICENCE):
                self.assertNotIn(secret, hub.log("brain"))

    def checks_at_the_desk(self, receipt, hub):
        """The desk hands out what stands behind a receipt of another process's log; it proves against that log's key."""
        status, _, body = self.until_there(lambda: self.city.request("GET", "/hub/v1/receipt/" + receipt), (409, 503, 504))
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["receipt"], receipt)
        path, vkey = os.path.join(self.folder, "mine.json"), hub.request("GET", "/log/v1/vkey")[2].decode().strip()
        with open(path, "wb") as out:
            out.write(body)
        done = subprocess.run([BRAIN, "verify", path, "--vkey", vkey], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        leaf = json.loads(json.loads(body)["leaf"])
        self.assertNotIn(MINE, str(leaf))
        self.assertEqual(self.until_there(lambda: self.city.request("GET", "/hub/v1/opening/" + receipt))[0], 404)  # a citizen is no party of it
        status, _, body = self.until_there(lambda: self.city.request("GET", "/hub/v1/opening/" + receipt, headers=self.bearer))
        self.assertEqual(status, 200, body)
        asked = {"fields": ["colour"], "key": {"plate": MINE}, "purpose": "test.load", "resource": "hangzhou/police/vehicle"}
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        self.assertEqual(leaf["request"], hmac.new(bytes.fromhex(json.loads(body)["salt"]), text.encode(), hashlib.sha256).hexdigest())
        for wrong in ("hangzhou.log.r2/99999999", "hangzhou.log.r9/0", "hangzhou.log/x"):
            self.assertEqual(self.until_there(lambda name=wrong: self.city.request("GET", "/hub/v1/receipt/" + name))[0], 404, wrong)

    def objects(self, receipt):
        def to(name, what="我没有同意"):
            return self.until_there(lambda: self.city.request("POST", "/case/v1/objection", {"receipt": name, "what": what}))[0]
        others = self.used(self.r1)
        for wrong in (others, "hangzhou.log.r1/0", "hangzhou.log.r9/" + receipt.split("/")[1], "other.log/1"):
            self.assertEqual(to(wrong), 404, wrong)
        self.assertEqual((to(receipt, " "), to(receipt)), (400, 200))
        self.city.sign_in("police-contracts")
        self.assertEqual([case["receipt"] for case in self.city.get("/case/v1/cases?kind=data.objection")["cases"]], [receipt])
        self.city.sign_in("citizen")

    def test_steps_at_the_desk_count_everywhere(self):
        draft = os.path.join(self.folder, "draft.json")
        with open(draft, "w", encoding="utf-8") as text:
            json.dump({"provider": "hangzhou/police", "consumer": "hangzhou/scene.parking", "resource": "hangzhou/police/vehicle", "uses": ["call"],
                       "fields": ["plate", "colour"], "purpose": "test.new", "legal_basis": {"zh": "依据", "en": "law"}, "from": "2026-01-01",
                       "until": "2028-01-01", "keep": "1h"}, text)
        name = self.contract("draft", draft, who="parking-contracts")
        self.contract("offer", name, who="parking-contracts")
        self.contract("sign", name, who="parking-contracts")
        self.contract("sign", name, "--key", os.path.join(self.folder, "police.key"), who="police-contracts")
        for replica in self.replicas:
            self.wait_until_answered(replica, "test.new")
        self.contract("revoke", name, who="police-contracts")
        revoked = time.monotonic()
        for replica in self.replicas:
            wait_for(lambda one=replica: self.call(one, "test.new", contract=name)[0] == 404, 60, "the revocation")
            self.assertEqual(self.call(replica, "test.new", contract=name)[1]["rule"], 1)
        print(f"a revocation counted on both replicas after {(time.monotonic() - revoked) * 1000:.0f} ms", file=sys.stderr)
        status, _, answer = self.r1.request("POST", f"/hub/v1/contracts/{name}/resume", {}, self.bearer)
        self.assertNotEqual(status, 200, answer)  # a replica takes no step

    def test_the_way_is_cut(self):
        self.wait_until_answered(self.r2, "test.fresh")
        self.way.cut()
        wait_for(lambda: self.call(self.r2, "test.fresh", contract="hangzhou/c-91")[1].get("rule") == 4, 60, "a refusal for want of word by the desk")
        for hub in (self.city, self.r1):
            self.wait_until_answered(hub, "test.fresh")  # the others go on
        self.way.mend()
        self.wait_until_answered(self.r2, "test.fresh")

    def test_the_desk_is_gone(self):
        self.wait_until_answered(self.r1, "test.fresh")
        self.city.kill()
        self.used(self.r1)  # while its word is young
        wait_for(lambda: self.call(self.r1, "test.fresh", contract="hangzhou/c-91")[1].get("rule") == 4, 60, "a refusal for want of word by the desk")
        self.used(self.r1)  # which may be a minute old
        self.city.start()
        self.wait_until_answered(self.r1, "test.fresh")
        self.wait_until_answered(self.city)

    def test_what_was_acknowledged_stands_after_kills(self):
        answers, lock, stop = [], threading.Lock(), threading.Event()

        def ask(worker):
            number = worker
            while not stop.is_set():
                number += 1
                hub = self.replicas[number % 2]
                try:
                    status, answer = self.call(hub, "test.load", self.plates[number % len(self.plates)])
                except OSError:
                    status, answer = 0, {}
                with lock:
                    answers.append((hub, status, answer.get("receipt")))
                if not status:
                    time.sleep(0.02)

        workers = [threading.Thread(target=ask, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        try:
            for victim, other in ((self.r1, self.r2), (self.r2, self.r1)):
                wait_for(lambda n=len(answers): sum(one[1] == 200 for one in answers[n:]) > 60, 60, "answers")
                victim.kill()
                wait_for(lambda n=len(answers), other=other: sum(one[0] is other and one[1] == 200 for one in answers[n:]) > 20, 60, "answers by the other")
                victim.start()
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        given = [(hub, receipt) for hub, status, receipt in answers if status == 200]
        self.assertEqual(len(given), len({receipt for _, receipt in given}))
        for hub, receipt in given:
            self.assertEqual(self.leaf(hub, receipt)["type"], "intent")
        served = {receipt for _, _, receipt in self.police.served()}
        self.assertTrue({receipt for _, receipt in given} <= served)
        print(f"{len(answers)} calls over 2 kills of replicas, {len(given)} answered, all {len(given)} receipts stand", file=sys.stderr)

    def test_x_tokens_come_from_the_desk(self):
        """No replica has a file of tokens; one that is taken away at the desk, which is then started anew, is taken away everywhere."""
        monitor = os.path.join(self.city.data, "tokens", "hangzhou_monitor")
        hubs = (self.city, *self.replicas)

        def asks(hub, token):
            return hub.request("GET", "/metrics", headers={"Authorization": "Bearer " + token})[0]

        old = self.city.token("hangzhou/monitor")
        for hub in hubs:
            wait_for(lambda one=hub: asks(one, old) == 200, 60, "the token to be known")
        for replica in self.replicas:
            self.assertFalse(os.path.exists(os.path.join(replica.data, "tokens")))
        os.unlink(monitor)
        self.again(self.city)
        new = self.city.token("hangzhou/monitor")
        self.assertNotEqual(old, new)
        for hub in hubs:
            wait_for(lambda one=hub: asks(one, new) == 200, 60, "the new token to be known")
            self.assertEqual(asks(hub, old), 401)
        for replica in self.replicas:
            self.wait_until_answered(replica)
        self.city.kill()  # while the desk is away
        self.assertEqual([asks(replica, new) for replica in self.replicas], [200, 200])
        self.city.start()
        self.again(self.r1)
        self.assertEqual((asks(self.r1, new), asks(self.r1, old)), (200, 401))

    def test_y_a_replicas_log_has_witnesses(self):
        """The policy names one replica's log: its witness cosigns it; the other's runs without, and says so."""
        vkey = self.r1.request("GET", "/log/v1/vkey")[2].decode().strip()
        self.assertTrue(vkey.startswith("hangzhou.log.r1+"), vkey)
        witness = Witness(os.path.join(self.folder, "witness"), "hangzhou/police")
        self.addCleanup(witness.kill)
        witness.write([vkey])
        witness.start()
        policy = os.path.join(self.city.city, "policy")
        with open(policy, "w", encoding="utf-8") as out:
            out.write(f"log {vkey}\nwitness police {witness.vkey} {witness.url}/\nquorum police\n")
        with open(os.path.join(self.city.city, "city.yaml"), "a", encoding="utf-8") as out:
            out.write("witnesses: policy\n")
        for replica in self.replicas:
            self.assertEqual(replica.stop(), 0)
            replica.start()
            self.wait_until_answered(replica)
        self.assertIn("receipts have no witnesses", self.r2.log("brain"))

        def verify(hub, name):
            receipt = self.used(hub)
            self.leaf(hub, receipt)
            path = os.path.join(self.folder, name)
            with open(path, "wb") as out:
                out.write(hub.request("GET", "/log/v1/receipt/" + receipt.split("/")[1])[2])
            return subprocess.run([BRAIN, "verify", path, "--policy", policy], capture_output=True, text=True, timeout=60)

        proven = verify(self.r1, "witnessed.json")
        self.assertEqual(proven.returncode, 0, proven.stderr)
        self.assertIn("a quorum of the policy's witnesses has cosigned", proven.stdout)
        self.assertEqual(verify(self.r2, "alone.json").returncode, 1)  # a log that the policy does not name
        witness.kill()  # uses go on; their proofs wait for a quorum
        receipt = self.used(self.r1)
        wait_for(lambda: self.r1.get("/health")["ledger"]["halted"], 60, "the halt")
        witness.start()
        self.assertEqual(self.leaf(self.r1, receipt)["type"], "intent")

    def test_z_a_clean_end(self):
        for replica in self.replicas:
            self.assertEqual(replica.stop(), 0)
        self.assertEqual(self.police.end(signal.SIGTERM), 0)
        self.assertEqual(self.city.stop(), 0)


if __name__ == "__main__":
    unittest.main()
