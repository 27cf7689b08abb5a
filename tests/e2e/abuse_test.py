"""Bad input and abuse over HTTP (docs/abuse.md): rows 1, 3, 6 and 11 of the abuse list, on a running brain.

    HOSTILE_CASES=N      of the corpus (tests/hostile.py), evenly; 0: all, some 9,000
    SLOW_CONNECTIONS=N   held open at once
    REPLAYED=N           messages sent over and over
"""
import hashlib
import http.client
import json
import os
import random
import re
import resource
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import hostile  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402
from e2e.access_test import filled, open_to  # noqa: E402

CASES = int(os.environ.get("HOSTILE_CASES", "1200"))
SLOW = int(os.environ.get("SLOW_CONNECTIONS", "5000"))
REPLAYED = int(os.environ.get("REPLAYED", "400"))
PLACES = 4096  # of the door's connections (http/server.c)
RSS_MAX_MB = 600  # whatever is sent: bodies together 256 MB, a statement's memory 256 MB
CONTRACT = """contract: hangzhou/c-{number}
provider: hangzhou/police
consumer: hangzhou/scene.parking
resource: hangzhou/police/{resource}
uses: [{uses}]
fields: [{fields}]
purpose: parking.abuse
legal_basis: {{zh: 测试, en: a test}}
from: 2026-01-01
until: 2028-01-01
keep: 1h
state: agreed
"""


def memory_mb(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what + ":")) / 1024


class Wire:
    """One connection, raw: sends bytes, reads whole answers."""

    def __init__(self, port, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.bytes = b""

    def send(self, raw):
        """Gives back whether all of it went; the other side may close before."""
        try:
            self.socket.sendall(raw)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def more(self, within_s):
        self.socket.settimeout(within_s)
        try:
            got = self.socket.recv(1 << 16)
        except ConnectionResetError:
            got = b""
        self.bytes += got
        return bool(got)

    def answer(self, within_s=30):
        """(status, headers, body); None: closed without one. TimeoutError: neither came."""
        while b"\r\n\r\n" not in self.bytes:
            if not self.more(within_s):
                return None
        head, _, rest = self.bytes.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {name.strip().lower().decode("latin-1"): value.strip().decode("latin-1") for name, _, value in (line.partition(b":") for line in lines[1:])}
        status = int(lines[0].split()[1])
        if status == 100:
            self.bytes = rest
            return self.answer(within_s)
        n = int(headers.get("content-length", 0 if status in (204, 304) else 1 << 40))
        while len(rest) < n and self.more(within_s):
            rest = self.bytes.partition(b"\r\n\r\n")[2]
        self.bytes = rest[n:]
        return status, headers, rest[:n]

    def close(self):
        self.socket.close()


class Good(threading.Thread):
    """A client that behaves, all the while: a call after the other, each on the connection that it has, a new one each tenth time."""

    def __init__(self, city, question, token):
        super().__init__(daemon=True)
        self.city, self.question, self.token = city, question, token
        self.stopping, self.took, self.failed = threading.Event(), [], []

    def run(self):
        connection = None
        while not self.stopping.is_set():
            if connection is None or len(self.took) % 10 == 0:
                if connection:
                    connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", self.city.port, timeout=60)
            began = time.monotonic()
            try:
                connection.request("POST", hostile.CALL, self.question, {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
                status, rows = (lambda answer: (answer.status, json.loads(answer.read()).get("rows")))(connection.getresponse())
                if status != 200 or len(rows) != 1:
                    self.failed.append(f"status {status}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failed.append(repr(error))
                connection = None
            self.took.append((time.monotonic() - began) * 1000)
            time.sleep(0.01)

        if connection:
            connection.close()

    def end(self):
        self.stopping.set()
        self.join(60)
        took = sorted(self.took)
        return f"a good client: {len(took)} calls, p50 {took[len(took) // 2]:.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms, {len(self.failed)} failed"


class Abuse(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="citybrain-abuse-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        copy = os.path.join(folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), copy)
        for number, resource_name, uses, fields in ((95, "vehicle", "call, query", "plate, status"), (96, "dispatch", "act", "place, reason")):
            with open(os.path.join(copy, "contracts", f"c-{number}.yaml"), "w", encoding="utf-8") as out:
                out.write(CONTRACT.format(number=number, resource=resource_name, uses=uses, fields=fields))
        cls.city = City(city=copy)
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.token = cls.city.token("hangzhou/scene.parking")
        cls.mayor, cls.auditor = (City(data=cls.city.data, port=cls.city.port) for _ in range(2))  # visitors, before somebody guesses passwords
        cls.mayor.sign_in("mayor")
        cls.auditor.sign_in("operator")
        with sqlite3.connect(f"file:{cls.city.data}/departments/police.sqlite?mode=ro", uri=True) as db:
            cls.plate = db.execute("SELECT plate FROM vehicle").fetchone()[0]
        cls.question = json.dumps({"purpose": hostile.PURPOSE, "contract": "hangzhou/c-95", "key": {"plate": cls.plate}, "fields": ["plate"]}).encode()

    def setUp(self):
        self.pid = self.city.brain.pid
        self.good = None

    def tearDown(self):
        if self.good:
            self.good.end()
        self.assertIsNone(self.city.brain.poll(), self.city.log("brain")[-2000:])

    def begin_good(self):
        self.good = Good(self.city, self.question, self.token)
        self.good.start()

    def end_good(self, at_least=20):
        wait_for(lambda: len(self.good.took) >= at_least, 60, "the good client's calls")
        good, self.good = self.good, None
        said = good.end()
        self.assertEqual(good.failed, [])
        return said

    def police(self):
        """The department's whole data, as a digest."""
        with sqlite3.connect(f"file:{self.city.data}/departments/police.sqlite?mode=ro", uri=True) as db:
            return hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest()

    # ---- row 1 ----

    def test_row_1_every_route_with_every_method(self):
        paths = self.mayor.get("/docs/openapi.json")["paths"]
        n, wire = 0, None
        public = {path for _, path in open_to("anybody")}
        for path in paths:
            for method in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
                if path in public:  # what anybody may read
                    continue
                for headers in ([], [("Authorization", "Bearer " + "0" * 64)], [("Cookie", "citybrain=" + "0" * 64)], [("Authorization", "Basic eDp5")]):
                    wire = Wire(self.city.port)
                    wire.send(hostile.request(method, filled(path), None, b"{}" if method in ("POST", "PUT", "PATCH") else None, headers))
                    if method == "HEAD":
                        wire.more(30)
                        status, body = int(wire.bytes.split()[1]), wire.bytes.partition(b"\r\n\r\n")[2]
                    else:
                        status, _, body = wire.answer()
                    wire.close()
                    n += 1
                    declared = method.lower() in paths[path]
                    self.assertIn(status, (401,) if declared else (401, 403, 404, 405, 501), f"{method} {path} with {headers}: {body[:200]!r}")
                    problem = json.loads(body) if body else {}
                    self.assertLessEqual(set(problem), {"type", "title", "status", "detail", "Response", "ResponseStatusObject"}, path)
        print(f"row 1: {n} requests by nobody, 0 bytes of data")
        self.assertGreater(n, 500)

    # ---- row 3 ----

    def test_row_3_each_effect_once(self):
        rng = random.Random(20261122)
        n_keys = max(1, REPLAYED // 8)
        body_of = [json.dumps({"purpose": hostile.PURPOSE, "contract": "hangzhou/c-96", "key": f"once-{key}", "parameters": {"place": f"路口 {key}", "reason": "order"}}, ensure_ascii=False).encode() for key in range(n_keys)]
        head = [("Authorization", "Bearer " + self.token), ("Content-Type", "application/json")]
        left, lock, answers, counts = [key for key in range(n_keys) for _ in range(8)], threading.Lock(), {}, {"sent": 0, "cut": 0, "chunked": 0, "pieces": 0, "doubled": 0}
        rng.shuffle(left)

        def chunked(body):
            raw, at = b"", 0
            while at < len(body):
                n = rng.choice((1, 2, 3, 7, 50))
                raw += b"%x\r\n" % len(body[at:at + n]) + body[at:at + n] + b"\r\n"
                at += n
            return hostile.request("POST", hostile.ACT, None, None, [*head, ("Transfer-Encoding", "chunked")]) + raw + b"0\r\n\r\n"

        def once(key, way):
            whole = hostile.request("POST", hostile.ACT, self.token, body_of[key])
            raw = chunked(body_of[key]) if way == "chunked" else whole + whole if way == "doubled" else whole
            wire = Wire(self.city.port, 60)
            if way == "cut":  # anywhere; also behind its last byte, without waiting for the answer
                wire.send(raw[:rng.choice((rng.randrange(len(raw)), len(raw)))])
                wire.close()
                return []
            if way == "pieces":
                wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                at = sorted(rng.randrange(len(raw)) for _ in range(12))
                for begin, end in zip([0, *at], [*at, len(raw)]):
                    wire.send(raw[begin:end])
            else:
                wire.send(raw)
            got = [wire.answer(60) for _ in range(2 if way == "doubled" else 1)]
            wire.close()
            return got

        def work():
            while True:
                with lock:
                    if not left:
                        return
                    key, way = left.pop(), rng.choice(("whole", "cut", "chunked", "pieces", "doubled"))
                    counts["sent"] += 1
                    counts[way] = counts.get(way, 0) + 1
                for answer in once(key, way):
                    with lock:
                        if answer is None or answer[0] in (429, 503, 504):
                            left.append(key)
                        else:
                            answers.setdefault(key, []).append((answer[0], answer[2]))

        threads = [threading.Thread(target=work, daemon=True) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(600)
        for key in range(n_keys):  # each at least once whole
            answers.setdefault(key, []).extend((a[0], a[2]) for a in once(key, "whole"))
        numbers = {}
        for key, given in answers.items():
            for status, body in given:
                answer = json.loads(body)
                self.assertEqual((status, answer["state"]), (200, "done"), answer)
                numbers.setdefault(key, set()).add(answer["answer"]["number"])
        self.assertEqual({key: given for key, given in numbers.items() if len(given) != 1}, {})
        with sqlite3.connect(f"file:{self.city.data}/departments/police_inbox.sqlite?mode=ro", uri=True) as db:
            rows = db.execute("SELECT act_key FROM dispatch WHERE act_key LIKE '%once-%'").fetchall()
        self.assertEqual(sorted(row[0] for row in rows), sorted(f"hangzhou/scene.parking once-{key}" for key in range(n_keys)))
        print(f"row 3: {n_keys} commands, {counts}: each done once")

    # ---- row 6 ----

    def classes(self):
        """Requests that must look the same: for what is not there, and for what is there and not the asker's."""
        call = {"purpose": hostile.PURPOSE, "key": {"plate": self.plate}, "fields": ["plate"]}
        return {
            "call": [("/hub/v1/call/hangzhou/police/" + name, call) for name in ("passage", "nothing", "driverx")] + [("/hub/v1/call/hangzhou/health/hospitax", call), ("/hub/v1/call/nowhere/police/vehicle", call)],
            "contract": [(hostile.CALL, {**call, "contract": name}) for name in ("hangzhou/c-10", "hangzhou/c-1", "hangzhou/c-999", "hangzhou/c-99999")],
            "query": [(hostile.QUERY, {"purpose": hostile.PURPOSE, "sql": f'SELECT count(*) FROM "{name}"'}) for name in ("hangzhou/police/passage", "hangzhou/police/nothing", "nowhere/police/passage")],
            "act": [("/hub/v1/act/hangzhou/police/" + name, {"purpose": hostile.PURPOSE, "key": "k", "parameters": {"place": "x"}}) for name in ("passage", "nothing", "vehiclx")],
        }

    def figures(self):
        """What the hub did, by its own count: leaves written, departments asked."""
        text = City.request(self.auditor, "GET", "/metrics")[2].decode()
        found = re.findall(r"(?m)^(citybrain_(?:ledger_leaves|department_asked)_total\S*) (\S+)$", text)
        self.assertGreaterEqual(len(found), 2, "the figures have other names")
        return {name: float(value) for name, value in found}

    def work_of(self, ask):
        """What five askings made the hub do; what it does by itself meanwhile (a window, a check of quality) is not in each of some tries."""
        least = None
        for _ in range(20):
            before = self.figures()
            for _ in range(5):
                ask()
            after = self.figures()
            grown = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
            if least is None or len(grown) < len(least):
                least = grown
            if not least:
                break
        return least

    def test_row_6_denied_and_absent_are_one(self):
        token, n = {"Authorization": "Bearer " + self.token}, 0
        self.assertTrue(self.work_of(lambda: self.city.request("POST", hostile.CALL, self.question, token)), "a permitted call does something")
        for kind, requests in self.classes().items():
            seen = []

            def ask(path, body):
                status, headers, text = self.city.request("POST", path, body, token)
                seen.append((status, tuple(sorted((name, value) for name, value in headers.items() if name != "Date")), text))

            for path, body in requests:
                self.assertEqual(self.work_of(lambda: ask(path, body)), {}, path)
            n += len(seen)
            self.assertEqual({one[0] for one in seen}, {404}, f"{kind}: {set(seen)}")
            self.assertEqual(len(set(seen)), 1, f"{kind}: {set(seen)}")
        print(f"row 6: {n} askings of what is not there and of what is another's: one answer, no leaf, no department asked")

    # ---- row 11 ----

    def judge(self, case):
        """What is wrong with the answer to a case; None: nothing."""
        wire = Wire(self.city.port)
        try:
            wire.send(case.raw)
            answer = wire.answer(0.05 if case.expect == "cut" else 30)
            second = False
            if case.expect == "one" and answer:
                try:
                    while b"HTTP/1.1 " not in wire.bytes and wire.more(0.05):
                        pass
                except TimeoutError:
                    pass
                second = b"HTTP/1.1 " in wire.bytes
        except TimeoutError:
            return None if case.expect in ("cut", "one") else "no answer within 30 s"
        finally:
            wire.close()
        if second:
            return f"a second answer: {wire.bytes[:60]!r}"
        if answer is None:
            return "closed without an answer" if case.expect == "empty" else None
        status, headers, body = answer
        if status >= 500 and status not in (501, 505):
            return f"{status} {body[:200]!r}"
        if case.expect == "refused" and status < 400:
            return f"{status}: taken: {body[:200]!r}"
        if case.expect == "empty" and status == 200 and json.loads(body)["rows"]:
            return f"rows: {body[:200]!r}"
        if case.kind == "xss" and "html" in headers.get("content-type", "") and re.search(rb"alert\(1\)|onerror|onload=", body):
            return f"{status}: echoed as a page"
        if b"root:x:0" in body:
            return "a file of the machine"
        return None

    def session(self, name):
        visitor = City(data=self.city.data, port=self.city.port)
        visitor.sign_in(name)
        return next(cookie.value for cookie in visitor.cookies if cookie.name == "citybrain")

    def test_row_11_hostile_corpus(self):
        trap, caught = socket.create_server(("127.0.0.1", 0)), []
        self.addCleanup(trap.close)
        mark = self.city.data + "/mark"  # the brain may write there: only a statement or a shell that was let through would

        def wait_in_it():
            try:
                while True:
                    caught.append(trap.accept())
            except OSError:
                pass

        threading.Thread(target=wait_in_it, daemon=True).start()
        sessions = {who: self.session(name) for who, name in (("official", "mayor"), ("citizen", "citizen"))}
        whole = hostile.corpus(self.token, sessions, self.plate, trap.getsockname()[1], mark)
        self.assertGreater(len(whole), 5000)
        cases = whole if CASES == 0 else whole[::max(1, len(whole) // CASES)]
        before, rss, wrong, slow, kinds = self.police(), memory_mb(self.pid), [], [], {}
        self.begin_good()
        for number, case in enumerate(cases):
            kinds[case.kind] = kinds.get(case.kind, 0) + 1
            began = time.monotonic()
            why = self.judge(case)
            if time.monotonic() - began > 1:
                slow.append(f"{time.monotonic() - began:.0f} s: {case.kind} {case.raw[-120:]!r}")
            if why:
                wrong.append(f"{case.kind} {case.raw[:160]!r}: {why}")
            if self.city.brain.poll() is not None:
                self.fail(f"case {number} ended the brain: {case}\n{self.city.log('brain')[-3000:]}")
        said = self.end_good()
        print(f"row 11: {len(cases)} of {len(whole)} hostile cases, {len(wrong)} wrong; memory {rss:.0f} MB before, {memory_mb(self.pid, 'VmHWM'):.0f} MB at most; {said}")
        print("\n".join(["  slow: " + one for one in slow[:20]] + ["  " + ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))]))
        self.assertEqual(wrong[:20], [])
        self.assertEqual(caught, [], "the brain has called an address that came in a request")
        self.assertEqual(self.police(), before, "the department's data is another")
        self.assertFalse(os.path.exists(mark))
        self.assertLess(memory_mb(self.pid, "VmHWM"), RSS_MAX_MB)

    def test_row_11_a_body_of_a_gibibyte(self):
        """Told beforehand or not: it is not taken, and not kept."""
        rss, sent = memory_mb(self.pid), {}
        piece = b"x" * (1 << 20)
        for path in (hostile.CALL, hostile.QUERY, "/VIID/MotorVehicles", "/hub/v1/publish/hangzhou/world/truth"):
            for chunked in (False, True):
                wire = Wire(self.city.port)
                wire.send(hostile.request("POST", path, self.token, None, [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(1 << 30))]))
                n = 0
                while n < 1 << 30 and wire.send(b"100000\r\n" + piece + b"\r\n" if chunked else piece):
                    n += 1 << 20
                wire.close()
                sent[path, chunked] = n
        print(f"row 11: bodies of 1 GiB, cut after at most {max(sent.values()) >> 20} MiB; memory {memory_mb(self.pid) - rss:+.0f} MB")
        self.assertLess(max(sent.values()), 64 << 20, sent)
        self.assertLess(memory_mb(self.pid, "VmHWM"), RSS_MAX_MB)

    def test_row_11_slow_connections(self):
        """More than the door has places for, each sending the beginning of a request and no more."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, SLOW + 500)), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        rss, held = memory_mb(self.pid), []
        self.begin_good()
        try:
            for i in range(SLOW):
                connection = socket.socket()
                connection.settimeout(60)
                connection.connect(("127.0.0.1", self.city.port))
                try:
                    connection.sendall((b"GET /health HTTP/1.1\r\nX: ", b"POST " + hostile.CALL.encode() + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n", b"G", b"")[i % 4])
                except OSError:
                    pass
                held.append(connection)
            n = len(self.good.took)
            wait_for(lambda: len(self.good.took) >= n + 30, 60, "calls beside the slow ones")  # three of them on new connections
            said = self.end_good(n + 30)
            grown = memory_mb(self.pid) - rss
        finally:
            for connection in held:
                connection.close()
        print(f"row 11: {len(held)} slow connections for {PLACES} places, memory {grown:+.0f} MB; {said}")
        self.assertLess(memory_mb(self.pid, "VmHWM"), RSS_MAX_MB)


if __name__ == "__main__":
    unittest.main(verbosity=2)
