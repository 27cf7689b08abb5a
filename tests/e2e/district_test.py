"""Four hubs and their NATS servers, each pair in a network namespace of its own: calls, queries, acts and objects both ways, cut links under load, a kill,
a revocation, cases of a cut link and of a ledger that lost its past, figures.

Every hub answers at 127.0.0.1 of its own namespace; between the namespaces there are only the leaf connections of the NATS servers, over a
bridge. A cut is `ip link set wan down` in the hub's namespace. Needs root. CITYBRAIN_CUTS: how often the link is cut and the hub is killed (1);
CITYBRAIN_OBJECT_MB: of the object that goes from one hub to another (24; 2048 for the full size).
"""
import collections
import ctypes
import hashlib
import hmac
import http.client
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BRAIN, DEMO_PASSWORD, ROOT, wait_for  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tools"))
import federation  # noqa: E402

CUTS = int(os.environ.get("CITYBRAIN_CUTS", "1"))
OBJECT_MB = int(os.environ.get("CITYBRAIN_OBJECT_MB", "24"))
HELD_MB = 12         # what either hub may hold more while an object goes through it
FRESH_S = 5          # of federation.yaml
PORT, BUS_PORT, LEAF_PORT = 8080, 4222, 7422
LOT = ("/hub/v1/call/hangzhou.xihu/parking/lot", {"purpose": "parking.guide", "key": {"lot": "xi-1"}, "fields": ["lot", "free"]})
VEHICLE = ("/hub/v1/call/hangzhou/police/vehicle", {"purpose": "gate.admit", "key": {"plate": "浙A00001"}, "fields": ["plate", "status"]})
VEHICLE_AT_HOME = (VEHICLE[0], {**VEHICLE[1], "purpose": "parking.settle"})
DOWN = ("/hub/v1/query", {"purpose": "parking.guide",
                         "sql": 'SELECT count(*), sum(bays), max(name) IS NOT NULL FROM "hangzhou.xihu/parking/lot" WHERE bays >= 80'})
UP = ("/hub/v1/query", {"purpose": "gate.admit", "sql": """SELECT plate, plate_class FROM "hangzhou/police/vehicle" WHERE plate IN ('浙A00007', '浙A00003') ORDER BY plate"""})
GUIDE = ("/hub/v1/act/hangzhou.xihu/parking/guide", {"purpose": "parking.guide", "parameters": {"lot": "xi-1", "message": "满"}})
DISPATCH = ("/hub/v1/act/hangzhou/police/dispatch", {"purpose": "gate.admit", "parameters": {"place": "天目山路", "reason": "obstruct"}})
PLAN = "/hub/v1/object/hangzhou.xihu/parking/plan?purpose=parking.guide&key="
CLOSURE = "/hub/v1/object/hangzhou/police/closure?purpose=gate.admit&key="
STALL = ("/hub/v1/call/hangzhou.xihu.gudang/toilet/stall", {"purpose": "guide.show", "key": {"toilet": "gd-1"}, "fields": ["toilet", "men_free"]})
C_LIBRARY = ctypes.CDLL(None, use_errno=True)


def inside(namespace):
    """What a command begins with to run there. `ip -n` and `ip netns exec` mount things besides, which in a changed root is refused."""
    return ["nsenter", f"--net=/run/netns/{namespace}"]


def ip(*words):
    command = [*inside(words[1]), "ip", *words[2:]] if words[0] == "-n" else ["ip", *words]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise AssertionError(f"ip {' '.join(words)}: {result.stderr.strip()} (network namespaces need root)")


class Hub:
    def __init__(self, federated, name, number):
        self.name, self.number = name, number
        self.namespace = f"cb{os.getpid()}-{name}"
        self.folder = os.path.join(federated.folder, "city", name)
        self.data = os.path.join(federated.folder, "data", name)
        self.address = f"10.77.7.{number + 1}"
        self.process = self.bus = None
        self.cookie = {}
        self.head = None  # of the last answer

    def make(self, switch):
        ip("netns", "add", self.namespace)
        ip("-n", self.namespace, "link", "set", "lo", "up")
        ip("-n", self.namespace, "link", "add", "wan", "type", "veth", "peer", "name", f"p{self.number}", "netns", switch)
        ip("-n", self.namespace, "addr", "add", self.address + "/24", "dev", "wan")
        ip("-n", self.namespace, "link", "set", "wan", "up")
        ip("-n", switch, "link", "set", f"p{self.number}", "master", "bridge", "up")
        path = os.path.join(self.folder, "city.yaml")
        with open(path, encoding="utf-8") as text:
            lines = [line for line in text if not line.startswith(("http:", "  bus:"))]
        with open(path, "w", encoding="utf-8") as out:
            for line in lines:
                out.write(line + (f'  bus: {{url: "nats://127.0.0.1:{BUS_PORT}"}}\n' if line.startswith("  federation:") else ""))
        federation.make_data(self.name, self.data)

    def spawn(self, name, command):
        with open(os.path.join(self.data, name + ".test.log"), "ab") as out:
            return subprocess.Popen([*inside(self.namespace), *command], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                    start_new_session=True, cwd=ROOT, preexec_fn=lambda: C_LIBRARY.prctl(1, signal.SIGTERM, 0, 0, 0))

    def start_bus(self, parent):
        path = os.path.join(self.data, "nats.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(federation.nats_configuration(self.name, "0.0.0.0", BUS_PORT, LEAF_PORT, f"{parent.address}:{LEAF_PORT}" if parent else None))
        self.bus = self.spawn("nats", ["nats-server", "-c", path])

    def start(self):
        self.process = self.spawn("hub", [BRAIN, "district", self.folder, "--data", self.data, "--port", str(PORT)])

        def healthy():
            assert self.process.poll() is None, self.log("hub")[-3000:]
            return self.ask("GET", "/health")[0] == 200

        wait_for(healthy, 60, f"the health check of {self.name}")

    def end(self, number):
        """Ends the hub; its exit code."""
        os.kill(self.process.pid, number)  # nsenter has become the program
        code = self.process.wait(60)
        self.process = None
        return code

    def close(self):
        for process in (self.process, self.bus):
            if process and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True)

    def log(self, name):
        with open(os.path.join(self.data, name + ".test.log"), encoding="utf-8", errors="replace") as text:
            return text.read()

    def cut(self, is_cut):
        ip("-n", self.namespace, "link", "set", "wan", "down" if is_cut else "up")

    def ask(self, method, path, body=None, headers=(), timeout=20):
        """(status, parsed JSON) from within the hub's namespace; OSError as it comes."""
        result = []

        def run():
            try:
                descriptor = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
                failed = C_LIBRARY.setns(descriptor, 0x40000000)  # CLONE_NEWNET: of this thread alone
                os.close(descriptor)
                assert failed == 0, os.strerror(ctypes.get_errno())
                connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=timeout)
                text = json.dumps(body) if body is not None else None
                connection.request(method, path, text, {"Content-Type": "application/json", **dict(headers)} if text else dict(headers))
                answer = connection.getresponse()
                content = answer.read()
                self.head = answer.headers
                self.cookie.update({"Cookie": answer.headers["Set-Cookie"].split(";")[0]} if answer.headers["Set-Cookie"] else {})
                result.append((answer.status, json.loads(content) if content.startswith((b"{", b"[")) else content))
                connection.close()
            except Exception as error:  # handed to the asker's thread
                result.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if isinstance(result[0], (OSError, http.client.HTTPException)):
            raise OSError(str(result[0]))
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def bearer(self, party):
        with open(os.path.join(self.data, "tokens", party.replace("/", "_")), encoding="ascii") as text:
            return {"Authorization": "Bearer " + text.read().strip()}

    def call(self, party, question):
        return self.ask("POST", *question, self.bearer(party))

    def get(self, party, path, **headers):
        """(status, bytes, receipt) of an object."""
        status, body = self.ask("GET", path, None, {**self.bearer(party), **headers}, timeout=600)
        return status, body, self.head["Citybrain-Receipt"]

    def outcome(self, party, receipt):
        """The outcome of an object's use, when it is durable."""
        def asked():
            status, answer = self.ask("GET", "/hub/v1/outcome/" + receipt.rsplit("/", 1)[1], None, self.bearer(party))
            return answer if status == 200 else None
        return wait_for(asked, 60, "the outcome of " + receipt)

    def memory(self, which):
        """Bytes of the hub's process: VmHWM, the most it had so far."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as text:
            return next(int(line.split()[1]) << 10 for line in text if line.startswith(which + ":"))

    def sign_in(self, name):
        status, answer = self.ask("POST", "/party/v1/session", {"name": name, "password": DEMO_PASSWORD})
        assert status == 200, answer

    def step(self, path, body):
        status, answer = self.ask("POST", path, body, self.cookie)
        assert status == 200, (status, answer)
        return answer

    def peer(self, area):
        status, answer = self.ask("GET", "/district/v1/hubs", None, self.cookie)
        assert status == 200, (status, answer)
        return next(peer for peer in answer["peers"] if peer["hub"] == area)

    def leaves(self):
        """All leaves of the ledger, from its published files."""
        folder = os.path.join(self.data, "ledger", "log")
        with open(os.path.join(folder, "checkpoint"), encoding="utf-8") as text:
            size = int(text.read().split("\n")[1])
        leaves = []
        for at in range(0, size, 256):
            whole, width = f"{at // 256:03d}", min(256, size - at)
            path = os.path.join(folder, "tile", "entries", whole if width == 256 else f"{whole}.p/{width}")
            with open(path, "rb") as file:
                bundle = file.read()
            place = 0
            while place < len(bundle):
                length = int.from_bytes(bundle[place:place + 2], "big")
                leaves.append(json.loads(bundle[place + 2:place + 2 + length]))
                place += 2 + length
        assert len(leaves) == size, (len(leaves), size)
        return leaves


class Federated:
    def __init__(self, names=federation.HUBS):
        self.names = names

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-district-test-")
        self.switch = f"cb{os.getpid()}-switch"
        shutil.copytree(os.path.join(ROOT, federation.CITY), os.path.join(self.folder, "city"), symlinks=True)
        self.hubs = {name: Hub(self, name, number) for number, name in enumerate(self.names)}
        try:
            ip("netns", "add", self.switch)
            ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
            ip("-n", self.switch, "link", "set", "bridge", "up")
            for hub in self.hubs.values():
                hub.make(self.switch)
            for hub in self.hubs.values():
                hub.start_bus(self.hubs.get(federation.PARENTS[hub.name]))
            for hub in self.hubs.values():
                hub.start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        for hub in self.hubs.values():
            hub.close()
        subprocess.run(["ip", "netns", "del", self.switch], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, *unused):
        self.close()


class Load:
    """One party's calls, one after the other, until it is stopped; what was answered is kept with its time."""

    def __init__(self, hub, party, question):
        self.hub, self.party, self.question = hub, party, question
        self.receipts, self.refusals, self.stopping = [], collections.Counter(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                status, answer = self.hub.call(self.party, self.question)
                if status == 200:
                    self.receipts.append((time.time(), answer["receipt"]))
                else:
                    self.refusals[status] += 1
            except OSError:  # the hub is gone for now
                self.refusals[0] += 1
            time.sleep(0.02)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Acts(Load):
    """One party's commands, one key after the other, each asked until its answer is known."""

    def __init__(self, hub, party, question):
        self.keys = []
        super().__init__(hub, party, question)

    def run(self):
        number = 0
        while not self.stopping.is_set():
            path, body = self.question
            key = f"load-{number}"
            try:
                status, answer = self.hub.call(self.party, (path, {**body, "key": key}))
            except OSError:
                status = 0
            if status == 200:
                self.keys.append(key)
                number += 1
            else:
                self.refusals[status] += 1
            time.sleep(0.05)


def rows(hub, inbox, table):
    """How often each key was acted on, in the department's own table."""
    with sqlite3.connect(f"file:{os.path.join(hub.data, 'departments', inbox)}.sqlite?mode=ro", uri=True, timeout=5) as db:
        return collections.Counter(key.split(" ")[1] for (key,) in db.execute(f"SELECT act_key FROM {table}"))


class District(unittest.TestCase):
    def setUp(self):
        self.federated = Federated()
        self.federated.__enter__()
        self.addCleanup(self.federated.close)
        self.hubs = self.federated.hubs
        self.city, self.xihu, self.gongshu, self.gudang = (self.hubs[name] for name in federation.HUBS)
        self.loads = []
        self.addCleanup(lambda: [load.stop() for load in self.loads])

    def until(self, hub, party, question, status=200, within_s=60):
        return wait_for(lambda: (lambda got: got if got[0] == status else None)(hub.call(party, question)), within_s,
                        f"{status} to {party} at {hub.name}")[1]

    def load(self, *what):
        self.loads.append(Load(*what))
        return self.loads[-1]

    def check_both_ledgers(self, asker, provider, receipts):
        """Each use served is in both ledgers, once, and each names the other; so is all that was answered."""
        asked, served = asker.leaves(), provider.leaves()
        log, their_log = federation.AREAS[asker.name] + ".log", federation.AREAS[provider.name] + ".log"
        by_twin = collections.defaultdict(list)
        for number, leaf in enumerate(served):
            if leaf["type"] == "intent" and leaf.get("twin", "").startswith(log + "/"):
                by_twin[leaf["twin"]].append(number)
        named = collections.Counter((leaf["intent"], leaf["twin"]) for leaf in asked
                                    if leaf["type"] != "intent" and leaf.get("twin", "").startswith(their_log + "/"))
        for twin, numbers in by_twin.items():
            intent = int(twin.rsplit("/", 1)[1])
            self.assertEqual(len(numbers), 1, f"{twin} was served more than once")
            self.assertEqual(asked[intent]["type"], "intent")
            self.assertEqual(named[(intent, f"{their_log}/{numbers[0]}")], 1, f"{twin} and {their_log}/{numbers[0]} do not name each other once")
        self.assertEqual(sum(named.values()), len(by_twin), "a receipt was named that is not there")
        self.assertEqual(len(set(receipts)), len(receipts))
        self.assertLessEqual(set(receipts), set(by_twin), "an answer's receipt is not in the provider's ledger")
        return len(by_twin)

    def case(self, hub, kind, key, state=None):
        """The case of an alarm as the hub's desk has it; None: none, or in another state."""
        status, answer = hub.ask("GET", "/case/v1/cases?state=all", None, hub.cookie)
        self.assertEqual(status, 200, answer)
        found = [one for one in answer["cases"] if one["kind"] == kind and key in json.dumps(one, ensure_ascii=False)]
        return found[0] if found and (state is None or found[0]["state"] == state) else None

    def check_each_kind(self):
        """A query and an act in either direction; the same key again acts no second time."""
        self.assertEqual(self.until(self.city, "hangzhou/scene.parking", DOWN)["rows"], [[5, 800, 1]])
        self.assertEqual([row[0] for row in self.until(self.xihu, "hangzhou.xihu/gate", UP)["rows"]], ["浙A00003", "浙A00007"])
        for hub, party, (path, body), provider, inbox, table in (
                (self.city, "hangzhou/scene.parking", GUIDE, self.xihu, "parking_inbox", "guide"),
                (self.xihu, "hangzhou.xihu/gate", DISPATCH, self.city, "police_inbox", "dispatch")):
            first = self.until(hub, party, (path, {**body, "key": "once-1"}))
            self.assertEqual((first["state"], first["repeated"], first["answer"]["number"]), ("done", False, 1))
            for _ in range(5):
                self.assertTrue(self.until(hub, party, (path, {**body, "key": "once-1"}))["repeated"])
            self.assertEqual(rows(provider, inbox, table), {"once-1": 1})

    def check_objects(self):
        """A long object whole and in part, down, and a drawing up: the same bytes, and the same digest told in both ledgers."""
        block = random.Random(7).randbytes((1 << 20) - 4)
        long = b"".join(number.to_bytes(4, "big") + block for number in range(OBJECT_MB))
        with open(os.path.join(self.xihu.data, "departments", "plans", "xi-9.svg"), "wb") as out:
            out.write(long)
        before = [hub.memory("VmHWM") for hub in (self.city, self.xihu)]
        with open(os.path.join(self.city.data, "departments", "closures", "1.svg"), "rb") as drawing:
            closure = drawing.read()
        for hub, party, path, provider, theirs, headers, status, expected in (
                (self.city, "hangzhou/scene.parking", PLAN + "xi-9", self.xihu, "hangzhou.xihu/parking", {}, 200, long),
                (self.city, "hangzhou/scene.parking", PLAN + "xi-9", self.xihu, "hangzhou.xihu/parking", {"Range": "bytes=1000001-"}, 206, long[1000001:]),
                (self.xihu, "hangzhou.xihu/gate", CLOSURE + "1", self.city, None, {}, 200, closure)):
            got, body, receipt = hub.get(party, path, **headers)
            self.assertEqual((got, len(body), body == expected), (status, len(expected), True))
            twins = wait_for(lambda: [number for number, leaf in enumerate(provider.leaves()) if leaf.get("twin") == receipt], 60, "the twin of " + receipt)
            self.assertEqual(len(twins), 1)
            sides = [(hub, party, receipt)]
            if theirs:
                sides.append((provider, theirs, f"{federation.AREAS[provider.name]}.log/{twins[0]}"))
            for side, who, name in sides:
                outcome = side.outcome(who, name)
                digest = hmac.new(bytes.fromhex(outcome["salt"]), hashlib.sha256(expected).digest(), "sha256").hexdigest()
                leaf = outcome["leaf"]
                self.assertEqual((leaf["status"], leaf["bytes"], leaf["first"], leaf["digest"]),
                                 ("ok", len(expected), 1000001 if headers else 0, digest))
        for hub, held in zip((self.city, self.xihu), before):
            self.assertLess(hub.memory("VmHWM") - held, HELD_MB << 20, f"{OBJECT_MB} MB through {hub.name}")
        self.assertEqual(self.city.get("hangzhou/scene.parking", PLAN + "none")[0], 404)

    def check_figures(self):
        def figures():
            status, page = self.city.ask("GET", "/metrics", None, self.city.bearer("hangzhou/monitor"))
            self.assertEqual(status, 200)
            page = page.decode()
            return page if in_force in page else None

        in_force = 'citybrain_district_agreement_in_force{hub="hangzhou.gongshu"} 1'
        page = wait_for(figures, 60, "the agreement in the figures")  # they are of the last tick
        for line in ('citybrain_district_link_up{hub="hangzhou.xihu"} 1', 'citybrain_queue_limit{queue="district_asked",of=""} 2048'):
            self.assertIn(line, page)
        for pattern in (r'citybrain_district_asked_total\{hub="hangzhou.xihu",what="query",status="ok"\} [1-9]',
                        r'citybrain_district_asked_total\{hub="hangzhou.xihu",what="act",status="ok"\} [1-9]',
                        r'citybrain_district_served_total\{hub="hangzhou.xihu",what="query",status="ok"\} [1-9]',
                        r'citybrain_district_asked_total\{hub="hangzhou.xihu",what="read",status="ok"\} [1-9]',
                        r'citybrain_district_part_seconds_count\{direction="served",what="act"\} [1-9]',
                        r'citybrain_district_sessions_total [1-9]'):
            self.assertRegex(page, pattern)
        if shutil.which("promtool"):
            checked = subprocess.run(["promtool", "check", "metrics"], input=page, text=True, capture_output=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def check_agreement(self):
        """Suspended and taken up again by a person: with both signatures in both ledgers."""
        for state in ("suspended", "agreed"):
            self.city.step("/district/v1/agreement/hangzhou.gongshu", {"state": state})
            wait_for(lambda: self.gongshu_sees() == state, 60, "the other hub's word")

    def gongshu_sees(self):
        return self.gongshu.peer("hangzhou")["theirs"]

    def check_agreement_leaves(self):
        for hub in (self.city, self.gongshu):
            words = [leaf["hubs"] for leaf in hub.leaves() if leaf["type"] == "agreement" and leaf["agreement"] == "hangzhou/a-2"]
            self.assertEqual([word["hangzhou"]["state"] for word in words[-3:]], ["agreed", "suspended", "agreed"], words)
            for word in words[-2:]:
                for area in ("hangzhou", "hangzhou.gongshu"):
                    self.assertEqual(len(word[area]["signature"]), 128)
                    self.assertTrue(word[area]["key"].startswith("ed25519:"))

    def check_lost_past(self):
        """A hub that comes back without its ledger is refused by its peer, and its people have a case."""
        shutil.rmtree(os.path.join(self.gudang.data, "ledger"))
        os.remove(os.path.join(self.gudang.data, "store", "district.sqlite"))
        self.xihu.start()
        self.gudang.start()
        self.gudang.sign_in("gudang")
        case = wait_for(lambda: self.case(self.gudang, "log.refused", "hangzhou.xihu"), 60, "the case of a ledger that is refused")
        self.assertEqual(case["owner"]["party"], "hangzhou.xihu.gudang/post.hub")

    def test_a_district_that_is_cut_off(self):
        for hub, party, question in (
                (self.city, "hangzhou/scene.parking", LOT), (self.xihu, "hangzhou.xihu/gate", VEHICLE), (self.xihu, "hangzhou.xihu/gate", STALL),
                (self.gongshu, "hangzhou.gongshu/guide", LOT), (self.gudang, "hangzhou.xihu.gudang/desk", LOT)):  # down, up, down, sideways, up
            answer = self.until(hub, party, question)
            self.assertEqual(len(answer["rows"]), 1)
            self.assertTrue(answer["receipt"].startswith(federation.AREAS[hub.name] + ".log/"))
        self.city.sign_in("mayor")
        self.xihu.sign_in("xihu-parking")
        self.gongshu.sign_in("gongshu")
        self.check_each_kind()
        self.check_objects()
        self.check_agreement()
        self.check_figures()

        down, up = self.load(self.city, "hangzhou/scene.parking", LOT), self.load(self.xihu, "hangzhou.xihu/gate", VEHICLE)
        alone, city_alone = self.load(self.xihu, "hangzhou.xihu/gate", LOT), self.load(self.city, "hangzhou/scene.parking", VEHICLE_AT_HOME)
        acts = Acts(self.city, "hangzhou/scene.parking", GUIDE)
        self.loads.append(acts)
        revoked = []
        for _ in range(CUTS):
            wait_for(lambda: len(down.receipts) > 20 and len(up.receipts) > 20, 60, "load in both directions")
            n_acts = len(acts.keys)
            self.xihu.cut(True)
            self.xihu.step("/hub/v1/contracts/hangzhou.xihu/c-1/suspend", {})  # the city cannot hear it
            revoked.append(time.time())
            wait_for(lambda: not self.city.peer("hangzhou.xihu")["in_force"], 60, "the end of the city's trust in an old word")
            self.until(self.city, "hangzhou/scene.parking", LOT, 404)  # denied looks like unknown, from outside
            self.until(self.xihu, "hangzhou.xihu/gate", VEHICLE, 404)
            n, n_city = len(alone.receipts), len(city_alone.receipts)
            wait_for(lambda: len(alone.receipts) > n + 10 and len(city_alone.receipts) > n_city + 10, 60, "each going on alone")
            case = wait_for(lambda: self.case(self.city, "link", "hangzhou.xihu"), 60, "the case of a cut link")
            self.assertEqual(case["owner"]["party"], "hangzhou/post.mayor")
            wait_for(lambda: self.case(self.xihu, "link", 'is cut: hangzhou"'), 60, "the case at the other side")
            self.xihu.cut(False)
            self.until(self.xihu, "hangzhou.xihu/gate", VEHICLE)
            self.until(self.xihu, "hangzhou.xihu/gate", UP)
            wait_for(lambda: self.case(self.city, "link", "hangzhou.xihu", "closed"), 60, "the end of the case")
            wait_for(lambda: len(acts.keys) > n_acts + 5, 60, "commands, goes on with the key that was under way")
            self.until(self.city, "hangzhou/scene.parking", LOT, 404)  # caught up: it is suspended
            self.xihu.step("/hub/v1/contracts/hangzhou.xihu/c-1/resume", {})
            revoked[-1] = (revoked[-1], time.time())
            self.until(self.city, "hangzhou/scene.parking", LOT)
            self.until(self.city, "hangzhou/scene.parking", DOWN)

            n = len(down.receipts)
            wait_for(lambda: len(down.receipts) > n + 10, 60, "load again")
            self.xihu.end(signal.SIGKILL)  # in the middle of it
            self.xihu.start()
            n = len(down.receipts), len(up.receipts)
            n_acts = len(acts.keys)
            wait_for(lambda: len(acts.keys) > n_acts + 5, 60, "commands after the kill")
            wait_for(lambda: len(down.receipts) > n[0] + 10 and len(up.receipts) > n[1] + 10, 60, "load after the kill")
        for load in self.loads:
            load.stop()
        self.xihu.sign_in("xihu")

        def settled():
            peers = [self.city.peer("hangzhou.xihu"), self.xihu.peer("hangzhou")]
            return all(peer["receipts"]["acknowledged"] == peer["receipts"]["ours"] and peer["receipts"]["complete"] == peer["receipts"]["served"]
                       for peer in peers) and peers[0]["receipts"]["ours"] == peers[1]["receipts"]["theirs"]

        wait_for(settled, 60, "all receipts on both sides")
        wait_for(lambda: self.city.peer("hangzhou.xihu")["cosigned"] > 100, 60, "Xihu's cosignature")
        status, note = self.city.ask("GET", "/district/v1/cosigned/hangzhou.xihu", None, self.city.cookie)
        self.assertEqual(status, 200)
        self.assertRegex(note.decode(), r"(?s)^hangzhou\.log\n\d+\n.*\n— hangzhou\.log .*\n— hangzhou\.xihu/hub ")
        for hub in self.hubs.values():
            self.assertEqual(hub.end(signal.SIGTERM), 0, hub.log("hub")[-2000:])
        n_down = self.check_both_ledgers(self.city, self.xihu, [receipt for _, receipt in down.receipts])
        n_up = self.check_both_ledgers(self.xihu, self.city, [receipt for _, receipt in up.receipts])
        self.check_both_ledgers(self.gongshu, self.xihu, [])
        self.check_both_ledgers(self.gudang, self.xihu, [])
        self.check_bound(revoked)
        self.check_agreement_leaves()
        done = rows(self.xihu, "parking_inbox", "guide")
        self.assertEqual(set(done.values()), {1})
        self.assertLessEqual(set(acts.keys), set(done))
        self.assertLessEqual(len(done), len(acts.keys) + 2)  # once-1, and one that nobody waited for in the end
        self.check_lost_past()
        print(f"{len(acts.keys)} commands, each once in the department's table; not known at first {dict(acts.refusals)}")
        print(f"{n_down} uses down and {n_up} up in both ledgers; {len(alone.receipts)} and {len(city_alone.receipts)} at home; "
              f"refused down {dict(down.refusals)}, up {dict(up.refusals)}")

    def check_bound(self, revoked):
        """No use of the suspended contract was begun at the city later than the bound: its own ledger's times say so."""
        times = [leaf["time_ms"] / 1000 for leaf in self.city.leaves() if leaf["type"] == "intent" and leaf["contract"] == "hangzhou.xihu/c-1"]
        for since, until in revoked:
            self.assertEqual([at - since for at in times if since + FRESH_S + 0.5 < at < until], [], "a use after the bound")


if __name__ == "__main__":
    unittest.main()
