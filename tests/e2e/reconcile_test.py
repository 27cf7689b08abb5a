#!/usr/bin/env python3
"""Reads made behind the hub's back, straight in a department's PostgreSQL and MariaDB, are found by the databases' own audits and become cases, every
single one; the hub's own uses do not. RECONCILE_READS=1000 on each database is the full size (CI: 200)."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402

READS = int(os.environ.get("RECONCILE_READS", "200"))
CLERKS = 5
SECRET = "PLATE-NOBODY-MAY-LOG"

SYSTEM = """party: hangzhou/health
connector: %(connector)s
connection: {host: 127.0.0.1, port: %(port)d, database: department, user: hub, password_file: "%(secret)s"}
audit: {file: %(audit)s, own: [register], silent_after: 8s}
resources:
  - name: %(connector)s
    title: {zh: 车, en: Vehicles}
    kind: table
    bind: {table: vehicle}
    fields:
      - {name: plate, type: text, class: personal, key: true, meaning: 号牌}
      - {name: colour, type: text, class: internal, meaning: 颜色}
"""
CONTRACT = """contract: hangzhou/c-%(number)d
provider: hangzhou/health
consumer: hangzhou/scene.parking
resource: hangzhou/health/%(connector)s
uses: [call]
fields: [plate, colour]
purpose: parking.settle
legal_basis: {zh: 依, en: law}
from: 2026-01-01
until: 2028-01-01
keep: 1h
state: agreed
"""
TABLE = "CREATE TABLE vehicle (plate varchar(30) PRIMARY KEY, colour text);" + "".join(f"INSERT INTO vehicle VALUES ('A{i:03}', 'red');" for i in range(100))


class Reconcile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.postgres = servers.AuditedPostgres()
        cls.addClassCleanup(cls.postgres.close)
        cls.mariadb = servers.AuditedMariadb()
        cls.addClassCleanup(cls.mariadb.close)
        roles = [f"clerk{i}" for i in range(CLERKS)] + ["hub", "register"]
        cls.postgres.sql(TABLE + "GRANT SELECT ON vehicle TO auditor;" +
                         "".join(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'; GRANT SELECT ON vehicle TO {role};" for role in roles))
        cls.mariadb.sql(TABLE + "".join(f"CREATE USER {role}@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON department.* TO {role}@'%';" for role in roles))
        folder = tempfile.mkdtemp(prefix="citybrain-reconcile-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        cls.make_city(os.path.join(folder, "hangzhou"))
        cls.city = City(city=os.path.join(folder, "hangzhou"))
        cls.addClassCleanup(cls.city.close)
        os.makedirs(os.path.join(cls.city.data, "secrets"), exist_ok=True)
        with open(os.open(os.path.join(cls.city.data, "secrets", "postgres"), os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as text:
            text.write("secret\n")
        environment = mock.patch.dict(os.environ, CITYBRAIN_SECRET_MARIADB="secret")
        environment.start()
        cls.addClassCleanup(environment.stop)
        cls.city.start()
        cls.city.sign_in("mayor")

    @classmethod
    def make_city(cls, folder):
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
        for number, server in ((900, cls.postgres), (901, cls.mariadb)):
            secret = "{data}/secrets/postgres" if server is cls.postgres else "env:CITYBRAIN_SECRET_MARIADB"  # one by a file, one by the environment
            values = {"connector": server.name, "port": server.port, "audit": server.audit, "number": number, "secret": secret}
            for path, text in ((f"systems/{server.name}.yaml", SYSTEM), (f"contracts/c-{number}.yaml", CONTRACT)):
                with open(os.path.join(folder, path), "w", encoding="utf-8") as out:
                    out.write(text % values)

    def client(self, server, role, text):
        """As any program of the house would: over TCP, past the hub."""
        if server is self.postgres:
            command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", f"host=127.0.0.1 port={server.port} user={role} dbname=department password=secret"]
        else:
            command = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", "-h127.0.0.1", f"-P{server.port}", f"-u{role}", "-psecret", "department"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)

    def call(self, server, plate):
        status, _, body = self.city.request("POST", f"/hub/v1/call/hangzhou/health/{server.name}", {
            "purpose": "parking.settle", "key": {"plate": plate}, "fields": ["colour"]}, {"Authorization": f"Bearer {self.city.token('hangzhou/scene.parking')}"})
        return status, json.loads(body)

    def cases(self, kind):
        return self.city.get(f"/case/v1/cases?kind={kind}&state=all&limit=200")["cases"]

    def found(self, table):
        """→ {role: reads} of the open cases."""
        found = {}
        for case in self.cases("read.foreign"):
            words = re.match(rf"table {re.escape(table)}, role (\S+), client (\S+): (\d+) reads, ", case["detail"])
            if words:
                found[words[1]] = found.get(words[1], 0) + int(words[3])
        return found

    def settled(self, server):
        """The hub has read over its own connection, so that its sessions are known and its audit is heard."""
        wait_for(lambda: self.call(server, "A001")[0] == 200, 60, "an answer of " + server.name)

    def behind_the_back(self, server, table):
        self.settled(server)
        before = self.found(table)
        each = READS // CLERKS
        kinds = ["SELECT * FROM vehicle WHERE plate = '" + SECRET + "';", "SELECT count(*) FROM vehicle;", "SELECT v.plate FROM vehicle v JOIN vehicle w USING (plate) LIMIT 1;"]
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(CLERKS + 1) as clerks:
            reading = [clerks.submit(self.client, server, f"clerk{i}", "".join(kinds[n % len(kinds)] for n in range(each))) for i in range(CLERKS)]
            reading.append(clerks.submit(self.client, server, "register", kinds[1] * 50))  # the department's own software: named in its file
            reading.append(clerks.submit(self.client, server, "hub", kinds[1] * 3))  # the hub's role, and not the hub
            for n in range(100):
                self.assertEqual(self.call(server, f"A{n:03}")[0], 200)
            for each_one in reading:
                each_one.result()
        want = {**{f"clerk{i}": each for i in range(CLERKS)}, "hub": before.get("hub", 0) + 3}
        try:
            wait_for(lambda: self.found(table) == want, 60, "every read")
        except AssertionError:
            self.fail(f"{self.found(table)} is not {want}\n{self.city.log('brain')[-3000:]}")
        print(f"{server.name}: {sum(n for role, n in self.found(table).items() if role != 'hub')} of {each * CLERKS} reads found {time.monotonic() - begin:.1f} s after the first", file=sys.stderr)

    def figure(self, name, **labels):
        token = {"Authorization": f"Bearer {self.city.token('hangzhou/monitor')}"}
        page = self.city.request("GET", "/metrics", headers=token)[2].decode()
        wanted = name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "} "
        return next((float(line[len(wanted):]) for line in page.splitlines() if line.startswith(wanted)), None)

    def test_postgres(self):
        self.behind_the_back(self.postgres, "public.vehicle")
        self.assertGreaterEqual(self.figure("citybrain_audit_lines_total", department="postgres"), READS)
        self.assertGreaterEqual(self.figure("citybrain_audit_told_total", department="postgres", kind="read.foreign"), 1)
        self.assertEqual(self.figure("citybrain_audit_stopped", department="postgres"), 0)

    def test_mariadb(self):
        self.behind_the_back(self.mariadb, "vehicle")

    def test_over_a_kill(self):
        """What was read while the brain was dead is found when it is back; what was told before is not counted twice."""
        self.settled(self.postgres)
        before = self.found("public.vehicle").get("hub", 0)
        self.client(self.postgres, "hub", "SELECT 1 FROM vehicle;")
        wait_for(lambda: self.found("public.vehicle").get("hub", 0) == before + 1, 60, "the read before the kill")
        self.city.kill()
        self.client(self.postgres, "hub", "SELECT 2 FROM vehicle; SELECT 3 FROM vehicle;")
        self.city.start()
        self.city.sign_in("mayor")
        wait_for(lambda: self.found("public.vehicle").get("hub", 0) == before + 3, 60, "the reads during the kill")
        self.settled(self.postgres)
        self.assertEqual(self.cases("read.unseen"), [])

    def test_z_switched_off(self):
        """A superuser switches the audit off: what he reads then is not seen, but that it is off is; and when it is on again, too. The other department,
        whose audit goes on, has nothing to tell of the hub's uses; and no value of a statement got anywhere."""
        for n in range(100):
            for server in (self.postgres, self.mariadb):
                self.assertEqual(self.call(server, f"A{n:03}")[0], 200)
        before = {kind: self.cases(kind) for kind in ("read.unseen", "audit.silent")}
        self.postgres.sql("ALTER SYSTEM SET pgaudit.role = ''")
        self.postgres.sql("SELECT pg_reload_conf()")
        wait_for(lambda: [case for case in self.cases("audit.silent") if case["state"] == "open"], 60, "the silence")
        wait_for(lambda: self.cases("read.unseen"), 60, "the uses that are not in the audit")
        self.postgres.sql("ALTER SYSTEM SET pgaudit.role = 'auditor'")
        self.postgres.sql("SELECT pg_reload_conf()")
        wait_for(lambda: [case for case in self.cases("audit.silent") if case["state"] == "closed"], 60, "the end of the silence")
        log = self.city.log("brain")
        self.assertEqual(before, {"read.unseen": [], "audit.silent": []}, log[-3000:])
        self.assertEqual((len(self.cases("read.unseen")), len(self.cases("audit.silent"))), (1, 1), log[-3000:])  # of PostgreSQL alone
        for kind in ("audit.gap", "audit.unreadable"):
            self.assertEqual(self.cases(kind), [], log[-3000:])
        self.assertNotIn("answers with errors", log)
        for text in (log, json.dumps(self.cases("read.foreign"))):
            self.assertNotIn(SECRET, text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
