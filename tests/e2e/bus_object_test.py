#!/usr/bin/env python3
"""Objects of a department in a process of its own, over a real nats-server: a long one through both processes in bounded memory
(CITYBRAIN_OBJECT_MB, 200 unless said; 2048 for the full size), readers that stand still and that go, parts, a department's process killed on the
way, a file that is changed on the way, and what is not granted."""
import hashlib
import os
import re
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from city import City, wait_for  # noqa: E402
from departments import Departments, memory  # noqa: E402
from objects import PATH, WithObjects  # noqa: E402
from system_test import append_record  # noqa: E402

MB = int(os.environ.get("CITYBRAIN_OBJECT_MB", "200"))
MEMORY_MB = 100  # what either process may hold meanwhile
USE = ("object", "hangzhou/health/xray")
AS = ("--as", "hangzhou/scene.referral", "--purpose", "medical.refer")
STANDING = 8


class BusObjects(WithObjects, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = Departments("health")
        cls.addClassCleanup(cls.city.close)
        cls.health = cls.city.department["health"]
        cls.folder = os.path.join(cls.city.move("health", "xray", "health.sqlite"), "xray")
        cls.city.start()
        cls.health.start()
        cls.bearer = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.referral")}
        wait_for(lambda: cls.get("X0000001")[0] == 200, 60, "the health commission's process")

    @classmethod
    def get(cls, key, **headers):
        status, head, body = cls.city.request("GET", PATH + key, headers={**cls.bearer, **headers}, timeout=60)
        return status, body, head

    def n_open(self, name):
        """How often the department's process holds this file open."""
        folder, n = f"/proc/{self.health.process.pid}/fd", 0
        for fd in os.listdir(folder):
            try:
                n += os.readlink(os.path.join(folder, fd)).endswith(f"/{name}.png")
            except FileNotFoundError:
                pass
        return n

    def test_a_long_one_in_bounded_memory(self):
        path = self.make_long("long", MB)
        to = os.path.join(self.city.data, "got.png")
        self.addCleanup(lambda: os.path.exists(to) and os.unlink(to))
        standing = [self.open_slowly("long") for _ in range(STANDING)]  # who do not read hold next to nothing
        done = self.city.citybrain(*USE, "long", "--to", to, *AS, "--data", self.city.data, "--url", self.city.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "rb") as one, open(to, "rb") as other:
            self.assertEqual(hashlib.file_digest(one, "sha256").hexdigest(), hashlib.file_digest(other, "sha256").hexdigest())
        most, theirs = memory(self.city.brain), self.health.memory()
        print(f"{MB} MB with {STANDING} standing still: the brain held {most} MB at most, the department's process {theirs} MB", file=sys.stderr)
        self.assertLess(most, MEMORY_MB)
        self.assertLess(theirs, MEMORY_MB)
        receipt = done.stdout.split("receipt ")[1].strip()
        leaf = self.outcome(receipt)
        self.assertEqual((leaf["status"], leaf["bytes"], leaf["first"], leaf["total"]), ("ok", MB << 20, 0, MB << 20))
        self.assertEqual(self.n_open("long"), STANDING)
        for connection, _ in standing:
            connection.close()
        for _, one in standing:
            leaf = self.outcome(one)
            self.assertEqual(leaf["status"], "cancelled")
            self.assertLess(leaf["bytes"], MB << 20)
        wait_for(lambda: self.n_open("long") == 0, 60, "the end at the department of what the askers have left")
        served = self.health.served()  # each once, under the hub's own receipt, however many pieces it had
        for one in (receipt, *(one for _, one in standing)):
            self.assertEqual(served.count(("object", "hangzhou/health/xray", one)), 1)

    def test_parts(self):
        with open(os.path.join(self.folder, "X0000001.png"), "rb") as picture:
            bytes_ = picture.read()
        status, body, head = self.get("X0000001")
        self.assertEqual((status, head["Content-Type"], body), (200, "image/png", bytes_))
        for wanted, first, last in (("0-99", 0, 99), ("-100", len(bytes_) - 100, len(bytes_) - 1), ("1000-", 1000, len(bytes_) - 1)):
            status, body, head = self.get("X0000001", Range="bytes=" + wanted)
            self.assertEqual((status, head["Content-Range"], body), (206, f"bytes {first}-{last}/{len(bytes_)}", bytes_[first:last + 1]))
            leaf = self.outcome(head["Citybrain-Receipt"])
            self.assertEqual((leaf["first"], leaf["bytes"], leaf["total"]), (first, last + 1 - first, len(bytes_)))
        self.assertEqual(self.get("X0000001", Range="bytes=9999999-")[0], 416)
        status, _, head = self.get("X9999999")
        self.assertEqual((status, "Citybrain-Receipt" in head), (404, True))

    def test_the_departments_process_is_killed_on_the_way(self):
        """The transfer waits for the process that comes back, opens the same file there, and ends whole."""
        path = self.make_long("killed", 32)
        connection, receipt = self.open_slowly("killed")
        self.health.end()
        self.health.start()
        body = b""
        while chunk := connection.recv(1 << 20):
            body += chunk
            if len(body) >= 32 << 20:
                break
        with open(path, "rb") as file:
            self.assertEqual(hashlib.sha256(body).hexdigest(), hashlib.sha256(file.read()).hexdigest())
        self.assertEqual(self.outcome(receipt)["status"], "ok")
        self.assertEqual(self.health.served().count(("object", "hangzhou/health/xray", receipt)), 2)  # opened twice: it says so

    def test_a_file_that_changes_on_the_way(self):
        path = self.make_long("changed", 32)
        connection, receipt = self.open_slowly("changed")
        with open(path, "r+b") as out:
            out.seek(16 << 20)
            out.write(b"other")
        got = 0
        while chunk := connection.recv(1 << 20):
            got += len(chunk)
        self.assertLess(got, 32 << 20)
        self.assertEqual(self.outcome(receipt)["status"], "changed")

    def cases(self, kind):
        if not hasattr(type(self), "mayor"):
            type(self).mayor = City(data=self.city.data, port=self.city.port, city=self.city.city)
            self.mayor.sign_in("mayor")
        return [case["title"]["en"] for case in self.mayor.get(f"/case/v1/cases?kind={kind}&state=all&limit=200")["cases"]]

    def test_y_the_departments_journal_of_objects(self):
        """Each object's use stands in it, whoever was killed; a line about another thing, or about none of the hub's uses, is a case."""
        receipt = self.get("X0000001")[2]["Citybrain-Receipt"]
        wait_for(lambda: os.path.exists(os.path.join(self.city.data, "store", "served-health")), 60, "the hub's reading of the journal")
        self.assertEqual([self.cases(kind) for kind in ("twin.missing", "twin.unasked", "twin.differs")], [[], [], []], self.city.log("brain")[-3000:])
        self.assertEqual(self.health.end(signal.SIGTERM), 0)
        line = {"time_ms": 1, "asker": "hangzhou/hub", "what": "object", "resource": "hangzhou/health/xray", "contract": "hangzhou/c-50"}
        append_record(os.path.join(self.health.data, "served"), dict(line, receipt="hangzhou.log/0"))
        append_record(os.path.join(self.health.data, "served"), dict(line, receipt=receipt, contract="hangzhou/c-17"))
        self.health.start()
        wait_for(lambda: self.cases("twin.unasked") == ["Served what the hub did not ask: hangzhou/health"], 60, "the object that nobody asked for")
        wait_for(lambda: self.cases("twin.differs") == ["Served another thing than its receipt says: hangzhou/health"], 60, "the line that differs")
        self.assertEqual(self.cases("twin.missing"), [])

    def test_z_what_the_departments_files_do_not_grant(self):
        less = os.path.join(self.city.folder, "less")
        if not os.path.exists(less):
            import shutil
            shutil.copytree(self.city.city, less)
        contract = os.path.join(less, "contracts", "c-50.yaml")
        with open(contract, encoding="utf-8") as text:
            changed = re.sub(r"state: agreed", "state: suspended", text.read())
        with open(contract, "w", encoding="utf-8") as out:
            out.write(changed)
        self.health.end()
        self.health.start(less)
        self.addCleanup(lambda: (self.health.end(), self.health.start()))
        status = wait_for(lambda: self.get("X0000001")[0] in (503,) and "does not grant what the hub's files grant" in self.city.log("brain"), 60, "a refusal")
        self.assertTrue(status)


if __name__ == "__main__":
    unittest.main()
