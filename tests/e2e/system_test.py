#!/usr/bin/env python3
"""Departments in processes of their own, over a real nats-server with TLS and nkeys: the police's SQLite files and a tax office's PostgreSQL lie where the
hub cannot reach them; calls, queries and commands go over the bus; the department's process killed and back, nats-server killed and back, by itself; an asker that goes ends the department's statement; a row that no message holds;
a department whose files grant less than the hub's is not talked out of it; what was served is written down there under the hub's receipts; what its own audit finds becomes a case of the hub's."""
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
from city import DEMO_PASSWORD, ROOT, City, wait_for  # noqa: E402
from departments import Department, declare_key, make_key  # noqa: E402

TAX = """party: hangzhou/tax
connector: postgres
connection: {host: 127.0.0.1, port: %(port)d, database: department, user: hub, password_file: "{data}/secrets/postgres", timeout: 60s}
audit: {file: "%(audit)s", silent_after: 20s}
resources:
  - name: payer
    title: {zh: 纳税人, en: Payers}
    kind: table
    bind: {table: payer}
    fields:
      - {name: number, type: text, class: personal, key: true, meaning: 号}
      - {name: kind, type: text, class: internal, meaning: 类}
      - {name: debt, type: integer, class: internal, meaning: 欠}
      - {name: note, type: text, class: internal, meaning: 注}
    quality:
      - {check: "kind IS NOT NULL", share: 0.99}
      - {check: "debt > 2000", share: 0.99}
  - name: slow
    title: {zh: 慢, en: Slow}
    kind: table
    bind: {table: slow}
    fields:
      - {name: number, type: text, class: personal, key: true, meaning: 号}
      - {name: n, type: integer, class: internal, meaning: 数}
"""
TAX_CONTRACT = """contract: hangzhou/c-95
provider: hangzhou/tax
consumer: hangzhou/scene.parking
resource: hangzhou/tax/payer
uses: [call, query]
fields: [%(fields)s]
purpose: parking.settle
legal_basis: {zh: 依, en: law}
from: 2026-01-01
until: 2028-01-01
keep: 1h
state: agreed
"""
SLOW_CONTRACT = TAX_CONTRACT.replace("c-95", "c-96").replace("tax/payer", "tax/slow") % {"fields": "number, n"}
PAYERS = "CREATE TABLE payer (number text PRIMARY KEY, kind text, debt bigint, note text);" + \
    "INSERT INTO payer SELECT 'N' || i, CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END, i FROM generate_series(1, 3000) i;" + \
    "UPDATE payer SET note = repeat('long', 300000) WHERE number = 'N1234';" + \
    "CREATE VIEW slow AS SELECT 'x'::text AS number, (SELECT 1 FROM pg_sleep(50))::bigint AS n;" + \
    "CREATE ROLE hub LOGIN PASSWORD 'secret'; CREATE ROLE clerk LOGIN PASSWORD 'secret'; GRANT SELECT ON payer, slow TO hub, clerk, auditor;"
PARTIES = ("hub", "police", "tax")


def append_record(folder, record):
    """Behind the last batch of a journal that was closed cleanly: a whole batch, as its own program writes it (docs/ledger.md)."""
    path = os.path.join(folder, sorted(name for name in os.listdir(folder) if name.endswith(".journal"))[-1])
    with open(path, "r+b") as segment:
        data = segment.read()
        salt, at, index = data[28:36], 40, int.from_bytes(data[20:28], "big")
        while at < len(data):
            magic, n, _, length = struct.unpack(">4sIQI", data[at:at + 20])
            assert magic == b"CBJB", (at, len(data))
            at, index = at + 28 + length, index + n
        text = json.dumps(record, separators=(",", ":")).encode()
        body = struct.pack(">I", len(text)) + text
        head = struct.pack(">4sIQII", b"CBJB", 1, index, len(body), zlib.crc32(body))
        segment.write(head + struct.pack(">I", zlib.crc32(head, zlib.crc32(salt))) + body)


class System(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-system-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.nats = servers.start_nats()
        cls.addClassCleanup(cls.nats.close)
        cls.postgres = servers.AuditedPostgres()
        cls.addClassCleanup(cls.postgres.close)
        cls.postgres.sql(PAYERS)
        cls.make_city(cls, os.path.join(cls.folder, "hangzhou"), "number, kind, debt, note")
        cls.city = City(city=os.path.join(cls.folder, "hangzhou"), options=["--over-bus", "hangzhou/police,hangzhou/tax", *cls.bus_options("hub")])
        cls.addClassCleanup(cls.city.close)
        cls.police, cls.tax = (
            Department(cls.city, party, os.path.join(cls.folder, party + "-data"), cls.bus_options(party)) for party in ("police", "tax"))
        os.makedirs(os.path.join(cls.police.data, "departments"))
        for name in ("police.sqlite", "police_inbox.sqlite"):  # where the hub cannot reach them
            shutil.move(os.path.join(cls.city.data, "departments", name), os.path.join(cls.police.data, "departments", name))
        os.makedirs(os.path.join(cls.tax.data, "secrets"))
        with open(os.open(os.path.join(cls.tax.data, "secrets", "postgres"), os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as text:
            text.write("secret\n")
        cls.city.start()
        for department in (cls.police, cls.tax):
            cls.addClassCleanup(department.end)
            department.start()
        with sqlite3.connect(os.path.join(cls.police.data, "departments", "police.sqlite")) as db:
            cls.plates = [row[0] for row in db.execute("SELECT plate FROM vehicle WHERE vehicle_type IN ('K31', 'K32', 'K33') AND status <> 'E' LIMIT 50")]
        cls.bearer = {"Authorization": f"Bearer {cls.city.token('hangzhou/scene.parking')}"}
        wait_for(lambda: cls.call(cls.plates[0])[0] == 200, 60, "an answer by the police")
        wait_for(lambda: cls.debt("N1")[0] == 200, 60, "an answer by the tax office")

    @staticmethod
    def make_city(cls, folder, tax_fields):
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
        path = os.path.join(folder, "parties.yaml")
        with open(path, encoding="utf-8") as text:
            parties = text.read()
        for party in PARTIES:
            public = make_key(cls.folder, party)
            if party == "tax":
                parties = parties.replace("parties:\n", f'parties:\n  - {{name: hangzhou/tax, title: {{zh: 税, en: Tax}}, kind: department, key: "{public}"}}\n', 1)
            else:
                parties = declare_key(parties, party, public)
        with open(path, "w", encoding="utf-8") as out:
            out.write(parties)
        with open(os.path.join(folder, "systems", "tax.yaml"), "w", encoding="utf-8") as out:
            out.write(TAX % {"port": cls.postgres.port, "audit": cls.postgres.audit})
        with open(os.path.join(folder, "contracts", "c-95.yaml"), "w", encoding="utf-8") as out:
            out.write(TAX_CONTRACT % {"fields": tax_fields})
        with open(os.path.join(folder, "contracts", "c-96.yaml"), "w", encoding="utf-8") as out:
            out.write(SLOW_CONTRACT)

    @classmethod
    def bus_options(cls, party):
        return ["--bus", cls.nats.url, "--bus-ca", cls.nats.ca, "--bus-key", cls.nats.key(party), "--party-key", os.path.join(cls.folder, party + ".key")]

    @classmethod
    def post(cls, path, body):
        status, _, answer = cls.city.request("POST", path, body, cls.bearer)
        return status, json.loads(answer)

    @classmethod
    def call(cls, plate):
        return cls.post("/hub/v1/call/hangzhou/police/vehicle", {"purpose": "parking.settle", "key": {"plate": plate}, "fields": ["plate", "vehicle_type"]})

    @classmethod
    def debt(cls, number):
        return cls.post("/hub/v1/call/hangzhou/tax/payer", {"purpose": "parking.settle", "key": {"number": number}, "fields": ["number", "debt"]})

    def act(self, key):
        return self.post("/hub/v1/act/hangzhou/police/dispatch", {
            "purpose": "parking.obstruct", "key": key, "parameters": {"place": "文三路", "reason": "obstruct"}})

    def test_calls_queries_and_commands(self):
        receipts = set()
        for plate in self.plates:
            status, answer = self.call(plate)
            self.assertEqual((status, [row["plate"] for row in answer["rows"]]), (200, [plate]))
            receipts.add(answer["receipt"])
        self.assertEqual(self.debt("N77")[1]["rows"], [{"number": "N77", "debt": 77}])
        self.assertEqual(self.debt("none such")[1]["rows"], [])
        status, answer = self.post("/hub/v1/query", {"purpose": "parking.settle", "sql": 'SELECT kind, count(*) n, sum(debt) s FROM "hangzhou/tax/payer" GROUP BY kind ORDER BY kind'})
        self.assertEqual(status, 200, answer)
        self.assertEqual([list(row.values()) if isinstance(row, dict) else row for row in answer["rows"]], [["a", 1000, 1501500], ["b", 2000, 3000000]])
        status, answer = self.post("/hub/v1/query", {"purpose": "parking.settle", "sql": 'SELECT number, debt FROM "hangzhou/tax/payer" WHERE debt > 100 ORDER BY debt LIMIT 2'})
        self.assertEqual([list(row.values()) if isinstance(row, dict) else row for row in answer["rows"]], [["N101", 101], ["N102", 102]])
        status, answer = self.post("/hub/v1/query", {"purpose": "parking.settle", "sql": 'SELECT number, kind, debt FROM "hangzhou/tax/payer"'})
        self.assertEqual((status, len(answer["rows"])), (200, 1000 if answer.get("truncated") else 3000))
        for key in ("one", "two", "one"):
            status, answer = self.act(key)
            self.assertEqual(status, 200, answer)
        with sqlite3.connect(os.path.join(self.police.data, "departments", "police_inbox.sqlite")) as db:
            kept = [row[0] for row in db.execute("SELECT act_key FROM dispatch ORDER BY act_key")]
        self.assertEqual(sum(" one" in key for key in kept), 1, kept)
        self.assertEqual(sum(" two" in key for key in kept), 1, kept)
        status, _, figures = self.city.request("GET", "/metrics", headers={"Authorization": f"Bearer {self.city.token('hangzhou/monitor')}"})
        self.assertEqual(status, 200)
        self.assertIn('citybrain_bus_link_up{party="hangzhou/hub"} 1', figures.decode())
        self.assertGreater(int(re.search(r'citybrain_bus_questions_total\{party="hangzhou/hub",side="asked"\} (\d+)', figures.decode())[1]), 50)
        served = [receipt for what, _, receipt in self.police.served() if what == "fetch"]
        self.assertTrue(receipts <= set(served))  # each under the hub's own receipt,
        self.assertEqual(len(served), len(set(served)))  # and none twice

    def test_a_row_that_no_message_holds(self):
        status, answer = self.post("/hub/v1/query", {"purpose": "parking.settle", "sql": "SELECT note FROM \"hangzhou/tax/payer\" WHERE number = 'N1234'"})
        self.assertEqual(status, 413, answer)  # and not the time-out of a question that nobody answers
        self.assertEqual(self.debt("N1234")[1]["rows"], [{"number": "N1234", "debt": 1234}])

    def test_an_asker_that_goes(self):
        """What the department does for it is ended there, long before its time is over."""
        def running():
            return self.postgres.sql("SELECT 'n=' || count(*) FROM pg_stat_activity WHERE usename = 'hub' AND state = 'active' AND query LIKE '%slow%'")
        body = json.dumps({"purpose": "parking.settle", "key": {"number": "x"}, "fields": ["n"]})
        with socket.create_connection(("127.0.0.1", self.city.port), timeout=60) as asker:
            asker.sendall(f"POST /hub/v1/call/hangzhou/tax/slow HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nAuthorization: "
                          f"{self.bearer['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            wait_for(lambda: "n=1" in running(), 60, "the department's statement")
        began = time.monotonic()
        wait_for(lambda: "n=0" in running(), 40, "its end")
        print(f"a statement whose asker went was ended over the bus within {time.monotonic() - began:.1f} s", file=sys.stderr)

    def test_quality_that_the_department_promises(self):
        self.city.sign_in("auditor")

        def states():
            checks = next(one for one in self.city.get("/hub/v1/catalog")["resources"] if one["resource"] == "hangzhou/tax/payer")["quality"]
            return all(one["state"] in ("good", "failed") for one in checks) and [(one["state"], one["n"], one["n_good"]) for one in checks]
        self.assertEqual(wait_for(states, 60, "answers about the quality"), [("good", 3000, 3000), ("failed", 3000, 1000)])

    def test_the_departments_process_is_killed_and_comes_back(self):
        for _ in range(2):
            self.police.end()
            status, answer = wait_for(lambda: (lambda one: one if one[0] != 200 else None)(self.call(self.plates[0])), 60, "a refusal")
            self.assertIn(status, (503, 504), answer)
            self.assertEqual(self.debt("N5")[0], 200)  # the other department is untouched
            self.police.start()
            wait_for(lambda: self.call(self.plates[0])[0] == 200, 60, "an answer after the process is back")

    def test_nats_server_is_killed_and_comes_back(self):
        self.nats.kill()
        status, answer = wait_for(lambda: (lambda one: one if one[0] != 200 else None)(self.call(self.plates[0])), 60, "a refusal")
        self.assertIn(status, (503, 504), answer)
        self.nats.start()
        for asking in (lambda: self.call(self.plates[0])[0] == 200, lambda: self.debt("N5")[0] == 200):
            wait_for(asking, 60, "an answer after the server is back")

    def test_under_kills_no_answer_is_wrong_and_no_act_is_done_twice(self):
        answers, lock, stop = [], threading.Lock(), threading.Event()

        def ask(worker):
            number = 0
            while not stop.is_set():
                plate = self.plates[(worker * 7 + number) % len(self.plates)]
                number += 1
                status, answer = self.call(plate)
                acted, _ = self.act(f"k-{worker}-{number // 3}")
                with lock:
                    answers.append((plate, status, answer, acted))

        workers = [threading.Thread(target=ask, args=(worker,)) for worker in range(3)]
        for worker in workers:
            worker.start()
        try:
            for _ in range(2):
                wait_for(lambda n=len(answers): len(answers) > n + 15 and answers[-1][1] == 200, 60, "answers")
                self.police.end()
                wait_for(lambda: answers[-1][1] != 200, 60, "a refusal")
                self.police.start()
            wait_for(lambda n=len(answers): len(answers) > n + 15 and answers[-1][1] == 200, 60, "answers")
        finally:
            stop.set()
            for worker in workers:
                worker.join()
        for plate, status, answer, acted in answers:
            self.assertIn(status, (200, 503, 504))
            self.assertIn(acted, (200, 202, 409, 429, 503, 504))
            if status == 200:
                self.assertEqual([row["plate"] for row in answer["rows"]], [plate])
        receipts = [answer["receipt"] for _, status, answer, _ in answers if status == 200]
        self.assertEqual(len(receipts), len(set(receipts)))
        served = [receipt for what, _, receipt in self.police.served() if what == "fetch"]
        self.assertTrue(set(receipts) <= set(served))  # whatever was answered stands in the department's own journal
        with sqlite3.connect(os.path.join(self.police.data, "departments", "police_inbox.sqlite")) as db:
            keys = [row[0] for row in db.execute("SELECT act_key FROM dispatch")]
        self.assertEqual(len(keys), len(set(keys)))
        print(f"{len(answers)} calls and acts over 2 kills, {len(receipts)} calls answered, {len(keys)} commands done", file=sys.stderr)

    def test_what_is_not_granted_does_not_leave_the_department(self):
        self.tax.end()
        less = os.path.join(self.folder, "less")
        self.make_city(type(self), less, "number, kind")  # the department never agreed to `debt`
        other = Department(self.city, "tax", self.tax.data, self.tax.options)
        self.addCleanup(self.tax.start)
        self.addCleanup(other.end)
        other.start(less)

        def is_refused():
            status, answer = self.debt("N77")
            self.assertEqual((status, "rows" in answer), (503, False))
            return "does not grant what the hub's files grant" in self.city.log("brain")

        wait_for(is_refused, 60, "the department's refusal")
        for _ in range(20):
            is_refused()

    def contract(self, *words, who):
        result = self.city.citybrain("contract", *words, "--as", who, "--url", self.city.url, "--data", self.city.data,
                                     env=dict(os.environ, CITYBRAIN_PASSWORD=DEMO_PASSWORD))
        self.assertEqual(result.returncode, 0, f"{words} as {who}: {result.stdout}{result.stderr}")
        return result.stdout.split()[0]

    def test_a_contract_made_while_all_run_reaches_the_department(self):
        draft = os.path.join(self.folder, "draft.json")
        with open(draft, "w", encoding="utf-8") as text:
            json.dump({"provider": "hangzhou/police", "consumer": "hangzhou/scene.parking", "resource": "hangzhou/police/vehicle", "uses": ["call"],
                       "fields": ["plate", "colour"], "purpose": "parking.charge", "legal_basis": {"zh": "依据", "en": "law"}, "from": "2026-01-01",
                       "until": "2028-01-01", "keep": "1h"}, text)
        name = self.contract("draft", draft, who="parking-contracts")
        self.contract("offer", name, who="parking-contracts")
        self.contract("sign", name, who="parking-contracts")

        def colour():
            return self.post("/hub/v1/call/hangzhou/police/vehicle", {"purpose": "parking.charge", "key": {"plate": self.plates[0]}, "fields": ["colour"]})

        self.assertEqual(colour()[0], 404)
        self.contract("sign", name, "--key", os.path.join(self.folder, "police.key"), who="police-contracts")  # the key that only the police have
        wait_for(lambda: colour()[0] == 200, 60, "an answer under the new contract")
        self.contract("suspend", name, who="police-contracts")
        self.assertEqual(colour()[0], 404)
        self.contract("resume", name, who="police-contracts")
        wait_for(lambda: colour()[0] == 200, 60, "an answer under the resumed contract")
        self.police.end()  # which has it from nobody's files
        self.police.start()
        wait_for(lambda: colour()[0] == 200, 60, "an answer by the process that was started anew")

    def cases(self, kind, member=lambda case: case["title"]["en"]):
        """The cases, as the mayor's office sees them."""
        if not hasattr(type(self), "mayor"):
            type(self).mayor = City(data=self.city.data, port=self.city.port, city=self.city.city)
            self.mayor.sign_in("mayor")
        return [member(case) for case in self.mayor.get(f"/case/v1/cases?kind={kind}&state=all&limit=200")["cases"]]

    def test_x_what_the_departments_own_audit_finds(self):
        """A read past the hub, found by the process beside the database: a case at the hub, also of what was found while the bus was away and the process
        was killed before it could say so."""
        def read(times):
            done = subprocess.run(["psql", "-X", "-q", "-A", "-t", f"host=127.0.0.1 port={self.postgres.port} user=clerk dbname=department password=secret"],
                                  input="SELECT count(*) FROM payer;" * times, capture_output=True, text=True, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)

        def found(kind="read.foreign"):
            return self.cases(kind, lambda case: (case["title"]["en"], case["detail"].split(", 2")[0]))

        def is_found(times):
            return found() == [("Read behind the hub's back: public.payer, by clerk", f"table public.payer, role clerk, client 127.0.0.1: {times} reads")]

        self.assertEqual(found(), [])
        read(3)
        wait_for(lambda: is_found(3), 60, "the reads past the hub")
        self.nats.kill()
        read(4)
        wait_for(lambda: "client 127.0.0.1: 7 reads" in self.city.log("tax"), 60, "the department's own finding")
        self.tax.end()
        self.nats.start()
        self.tax.start()
        wait_for(lambda: is_found(7), 60, "the reads while the bus was away")
        self.assertEqual([found(kind) for kind in ("read.unseen", "audit.gap", "audit.unreadable")], [[], [], []], self.city.log("tax")[-3000:])

    def test_y_what_only_one_side_wrote_down_is_a_case(self):
        """The department's journal of what it served against the hub's ledger; after all the kills above nothing was missing in either."""
        place = os.path.join(self.city.data, "store", "served-police")
        self.assertEqual(self.call(self.plates[0])[0], 200)
        wait_for(lambda: os.path.exists(place), 60, "the hub's reading of the journal")
        self.assertEqual([self.cases(kind) for kind in ("twin.missing", "twin.unasked", "twin.differs")], [[], [], []], self.city.log("brain")[-3000:])
        receipt = self.call(self.plates[1])[1]["receipt"]
        self.assertEqual(self.police.end(signal.SIGTERM), 0)
        served, kept = os.path.join(self.police.data, "served"), os.path.join(self.folder, "served-kept")
        shutil.copytree(served, kept)
        line = {"time_ms": 1, "asker": "hangzhou/hub", "what": "fetch", "resource": "hangzhou/police/vehicle", "contract": "hangzhou/c-17"}
        append_record(served, dict(line, receipt="hangzhou.log/0"))  # a leaf that is no use of theirs
        append_record(served, dict(line, receipt=receipt, contract="hangzhou/c-90"))  # a use of another contract
        self.police.start()
        wait_for(lambda: self.cases("twin.unasked") == ["Served what the hub did not ask: hangzhou/police"], 60, "the use that nobody asked for")
        wait_for(lambda: self.cases("twin.differs") == ["Served another thing than its receipt says: hangzhou/police"], 60, "the line that differs")
        self.assertEqual(self.cases("twin.missing"), [])
        wait_for(lambda: self.call(self.plates[2])[0] == 200, 60, "an answer")
        self.police.end()
        shutil.rmtree(served)
        shutil.copytree(kept, served)  # what it served since is not in its journal any more
        self.police.start()
        # The police have two systems, each with a session of its own, and each session tells it.
        wait_for(lambda: set(self.cases("twin.missing")) == {"The journal of what was served has become shorter: hangzhou/police"}, 60, "the lines that are gone")

    def test_wrong_keys_are_said_at_the_start(self):
        done = City.citybrain(None, "system", self.city.city, "--party", "hangzhou/police", "--data", os.path.join(self.folder, "x"), "--bus", self.nats.url,
                              "--party-key", os.path.join(self.folder, "tax.key"))
        self.assertEqual(done.returncode, 2)
        self.assertIn('this is not the key of "hangzhou/police"', done.stderr)
        done = City.citybrain(None, "system", self.city.city, "--party", "hangzhou/nobody", "--data", os.path.join(self.folder, "x"), "--bus", self.nats.url,
                              "--party-key", os.path.join(self.folder, "tax.key"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no party", done.stderr)

    def test_z_a_clean_end(self):
        self.assertEqual(self.police.end(signal.SIGTERM), 0)
        self.assertEqual(self.city.stop(), 0)


if __name__ == "__main__":
    unittest.main()
