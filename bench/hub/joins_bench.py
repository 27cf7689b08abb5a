#!/usr/bin/env python3
"""Three joins across departments, ours against postgres_fdw on the same PostgreSQL: join_1, join_2, join_3 as in JOINS below, and an aggregate
over one table of a million; join_1 once more with the million in MariaDB, against mysql_fdw (mariadb_…).

    NAME_ms             our time: POST /hub/v1/query until the last byte, with contracts, column check and receipts
    NAME_fdw_ms         postgres_fdw's: the same statement in a database of foreign tables, by libpq until the last row
    NAME_fdw_ratio      ours over postgres_fdw's, pair by pair, the median; against the fastest of its ways on this join, all analysed: as
                        it comes; as its manual advises for joins (use_remote_estimate, fetch_size 10000, async_capable); and told that
                        asking costs nothing (fdw_startup_cost 0), so that it asks once for each row of the other table
    NAME_round_trips, NAME_rows_moved    what our departments were asked and gave

Both give the same rows, compared here. All of it, the departments' server too, runs on one core; the askers on the other. BENCH_ROUNDS, BENCH_ROWS.
"""
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import peers
import tables
from peers import DIRECT_LOAD, line, load_now, note, pinned

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
NAMES = {"vehicle": '"bench/police/vehicle"', "policy": '"bench/insurance/policy"', "taxi": '"bench/transport/taxi"',
         "policy_mariadb": '"bench/archive/policy"'}
JOINS = {
    # a small table (1,000 rows) with one of a million
    "join_1": "SELECT t.plate, t.company, v.vehicle_type, v.status FROM {taxi} t JOIN {vehicle} v ON v.plate = t.plate",
    # two of a million, with a selective condition on one (about 1,200 rows)
    "join_2": "SELECT v.plate, v.owner_name, p.insurer, p.premium FROM {vehicle} v JOIN {policy} p ON p.plate = v.plate WHERE v.brand = 'B5' AND v.colour = 'C'",
    # an aggregate over two of a million (about 10,000 rows meet)
    "join_3": "SELECT p.insurer, count(*) AS n, sum(p.premium) AS premium FROM {vehicle} v JOIN {policy} p ON p.plate = v.plate WHERE v.brand = 'B7' GROUP BY p.insurer",
    # no join: an aggregate over one
    "aggregate": "SELECT area, count(*) AS n, sum(seats) AS seats FROM {vehicle} WHERE status = 'A' GROUP BY area",
}
MARIADB = {"mariadb_join": "SELECT t.plate, t.company, p.insurer, p.premium FROM {taxi} t JOIN {policy_mariadb} p ON p.plate = t.plate"}
MYSQL_FDW = "/usr/share/postgresql/15/extension/mysql_fdw.control"


class Ours:
    def __init__(self, city):
        self.port, self.connection = city.port, None
        self.headers = {"Authorization": f"Bearer {city.token()}", "Content-Type": "application/json"}

    def connect(self):
        """Anew: an idle connection is closed by the brain after a while."""
        if self.connection:
            self.connection.close()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.connection.connect()

    def ask(self, sql, explain=False):
        """→ ms, the answer as parsed JSON (parsed after the clock has stopped)."""
        self.connect()
        body = json.dumps({"purpose": "bench.query", "sql": sql.format(**NAMES), **({"explain": True} if explain else {})})
        before = time.perf_counter()
        self.connection.request("POST", "/hub/v1/query", body=body, headers=self.headers)
        answer = self.connection.getresponse()
        data = answer.read()
        ms = (time.perf_counter() - before) * 1000
        if answer.status != 200:
            raise AssertionError(f"{sql}: {answer.status} {data[:500]!r}")
        return ms, json.loads(data)


def theirs(postgres, sql, way, times=1):
    text = sql.format(**{name: f"{way}.{name}" for name in NAMES})
    result = subprocess.run(pinned([DIRECT_LOAD, "time", postgres.connection("hub"), text, str(times)], peers.LOAD_CORE), check=True, stdout=subprocess.PIPE, text=True)
    return [float(row.split()[1]) for row in result.stdout.splitlines()]


def same_rows(postgres, sql, answer):
    text = sql.format(**{name: f"tuned.{name}" for name in NAMES})
    expected = sorted(postgres.sql(text + ";", database="hub").splitlines())
    got = sorted("|".join(str(value) for value in row) for row in answer["rows"])
    if got != expected:
        raise AssertionError(f"other rows than postgres_fdw's: {len(got)} and {len(expected)}; {got[:2]} and {expected[:2]}")
    return len(got)


def measure(name, sql, ours, postgres):
    _, answer = ours.ask(sql, explain=True)
    n_rows = same_rows(postgres, sql, answer)
    trips = json.dumps(answer["explain"])
    plain = {way: statistics.median(theirs(postgres, sql, way, 3)) for way in tables.WAYS}
    best = min(plain, key=plain.get)
    note(f"{name}: {n_rows} rows; the wrapper {', '.join(f'{way} {ms:.1f} ms' for way, ms in plain.items())}; {load_now()}")
    rounds = min(ROUNDS, 3) if plain[best] > 500 else ROUNDS  # what takes long is asked less often
    pairs = [(ours.ask(sql)[0], theirs(postgres, sql, best, 2)[-1]) for _ in range(rounds)]  # its second: connections and plans are made
    line(f"{name}_ms", statistics.median(mine for mine, _ in pairs), "ms", 1)
    line(f"{name}_fdw_ms", statistics.median(other for _, other in pairs), "ms", 1)
    line(f"{name}_fdw_ratio", statistics.median(mine / other for mine, other in pairs), "ratio", 3)
    for what in ("round_trips", "rows"):
        line(f"{name}_{what}{'_moved' if what == 'rows' else ''}", sum(int(n) for n in re.findall(rf'"{what}": (\d+)', trips)), "trips" if what != "rows" else "rows")


def main():
    folder = tempfile.mkdtemp(prefix="citybrain-joins-")
    postgres = mariadb = city = None
    joins = dict(JOINS)
    try:
        postgres = tables.BenchPostgres(peers.SERVER_CORE)
        note(f"making the tables, {tables.ROWS} rows each")
        tables.make_postgres(postgres)
        tables.make_foreign(postgres)
        if os.path.exists(MYSQL_FDW):
            mariadb = tables.BenchMariadb(peers.SERVER_CORE)
            tables.make_mariadb(mariadb)
            tables.make_foreign_mariadb(postgres, mariadb)
            joins.update(MARIADB)
        else:
            note("NOT MEASURED: mysql_fdw is not installed (tools/setup bench)")
        data = os.path.join(folder, "data")
        tables.write_secret(data)
        tables.write_city(os.path.join(folder, "city"), postgres, sqlite=False, mariadb=mariadb)
        city = peers.BenchCity(city=os.path.join(folder, "city"), data=data)
        city.start()
        ours = Ours(city)
        for name, sql in joins.items():
            measure(name, sql, ours, postgres)
    finally:
        for thing in (city, mariadb, postgres):
            if thing:
                thing.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
