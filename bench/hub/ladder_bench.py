#!/usr/bin/env python3
"""The ladder: one row by its key out of the same million, on the same SQLite file and the same PostgreSQL, by ever more work.

    NAME_rps        closed loop, 64 connections (direct: one; pipelined: 64 under way), servers on one core, load on the other
    NAME_p50_ms     open loop at half that rate; latency counts from the moment a request was due
    NAME_p99_ms     the same
    NAME_cpu_us     CPU of the closed loop a request: of all servers (the database's too), not of the load; of direct: with its client

    direct_sqlite, direct_pg, direct_pg_pipeline   the client library alone: a prepared statement, the contract's condition and columns
    nginx_answer, nginx_proxy    what HTTP costs: nginx answers the call's bytes by itself; passes on to that, connections kept
    npm_sqlite, npm_pg           fastify with better-sqlite3, with pg: token, schema, query, the same answer; no contract, no receipt
    npm_pg_audit                 the same with a row in a logged table before the answer, PostgreSQL's own commit and sync
    postgraphile                 PostGraphile 4 over the same table
    call_sqlite_bare, call_pg_bare    our call with a ledger that says at once that a leaf is durable (bench/no_ledger.c)
    call_sqlite, call_pg         our call: contract, columns, rows, intent leaf synced before the answer, outcome leaf behind it
    nginx_call_pg                the same with nginx in front, as in production
    call_bus                     call_pg over NATS (TLS, nkeys, a keyed session): hub and `citybrain system` are processes of their own

then what follows from them: call_sqlite_core_rps, call_pg_overhead_us (call_pg_cpu_us less that of direct_pg_pipeline), ratios of CPU. One run,
one machine, the rungs in turn, ROUNDS times; medians. nginx speaks no SQL: its rungs are the floor of HTTP, not a peer of the work.
BENCH_ROUNDS, BENCH_SECONDS (of one loop), BENCH_ROWS, BENCH_ONLY (names, for looking into one).
"""
import os
import shutil
import sys
import tempfile

import apart
import peers
import tables
from peers import CALL_LOAD, DIRECT_LOAD, Figures, line, load_now, note, run_load

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
ONLY = set(os.environ.get("BENCH_ONLY", "").split())
CONNECTIONS = 64
SQL = f"SELECT plate, plate_class, status FROM vehicle WHERE plate = $1 AND {tables.ROW_CONDITION}"
ANSWER = '{"rows":[{"plate":"浙A0000001","plate_class":"02","status":"A"}],"truncated":false,"receipt":"bench.log/1234567"}'
GRAPHQL = '{"query":"query($p:String!){vehicleByPlate(plate:$p){plate plateClass status}}","variables":{"p":"KEY"}}'


class Ladder:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-ladder-")
        self.open, self.rungs, self.figures = [], {}, {}
        self.keys = os.path.join(self.folder, "keys")
        self.sqlite = os.path.join(self.folder, "data", "departments", "registry.sqlite")

    def close(self):
        for thing in reversed(self.open):
            thing.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, thing):
        self.open.append(thing)
        return thing

    def wants(self, *names):
        return not ONLY or bool(ONLY & set(names))

    # A rung is a function (seconds, rate) → run_load's figures.
    def rung(self, name, function):
        if self.wants(name):
            self.rungs[name] = function
            self.figures[name] = Figures()

    def http(self, name, port, token, path, pids, mark='"receipt":"', body=tables.BODY):
        self.rung(name, lambda seconds, rate: run_load(
            [CALL_LOAD, "-m", mark, str(port), token, path, self.keys, body, str(CONNECTIONS), str(seconds), str(rate)], pids()))

    def direct(self):
        sql = SQL.replace("$1", "?1")
        self.rung("direct_sqlite", lambda seconds, rate: run_load([DIRECT_LOAD, "sqlite", self.sqlite, sql, self.keys, str(seconds), str(rate)], [], True))
        for name, depth in (("direct_pg", 1), ("direct_pg_pipeline", 64)):
            self.rung(name, lambda seconds, rate, depth=depth: run_load(
                [DIRECT_LOAD, "pg", self.postgres.connection("police"), SQL, self.keys, str(seconds), str(rate), str(depth)], self.pg_pids(), True))

    def pg_pids(self):
        return [self.postgres.process.pid]

    def npm(self):
        there, token = peers.npm_modules(), "bench-token"
        self.skipped = []
        if {"fastify", "better-sqlite3"} <= there and self.wants("npm_sqlite"):
            api = self.keep(peers.npm_api(token, "sqlite", self.sqlite))
            self.http("npm_sqlite", api.port, token, "/call", lambda api=api: api.pids, '"rows":[{')
        if {"fastify", "pg"} <= there and self.wants("npm_pg", "npm_pg_audit"):
            dsn = self.postgres.dsn("police")
            api = self.keep(peers.npm_api(token, "pg", dsn))
            self.http("npm_pg", api.port, token, "/call", lambda api=api: api.pids + self.pg_pids(), '"rows":[{')
            audit = self.keep(peers.npm_api(token, "pg", dsn, "--evidence"))
            self.http("npm_pg_audit", audit.port, token, "/call", lambda: audit.pids + self.pg_pids())
        if "postgraphile" in there and self.wants("postgraphile"):
            graph = self.keep(peers.postgraphile(self.postgres.dsn("police")))
            self.http("postgraphile", graph.port, token, "/graphql", lambda: graph.pids + self.pg_pids(), '"vehicleByPlate":{', GRAPHQL)
        for name in ("npm_sqlite", "npm_pg", "npm_pg_audit", "postgraphile"):
            if name not in self.rungs and self.wants(name):
                note(f"NOT MEASURED: {name}: its modules are not installed (tools/setup bench; better-sqlite3 needs Node's headers, libnode-dev)")

    def brain(self, name, program):
        data = os.path.join(self.folder, name)
        tables.write_secret(data)
        os.makedirs(os.path.join(data, "departments"), exist_ok=True)
        if not os.path.exists(os.path.join(data, "departments", "registry.sqlite")):
            os.symlink(self.sqlite, os.path.join(data, "departments", "registry.sqlite"))
        city = self.keep(peers.BenchCity(program, city=os.path.join(self.folder, "city"), data=data))
        city.start()
        return city

    def ours(self):
        for suffix, program in (("_bare", peers.NO_EVIDENCE), ("", peers.BRAIN)):
            if not self.wants("call_sqlite" + suffix, "call_pg" + suffix, *(["nginx_call_pg", "nginx_answer", "nginx_proxy"] if not suffix else [])):
                continue
            city = self.brain("data" + (suffix or "_full"), program)
            self.http("call_sqlite" + suffix, city.port, city.token(), "/hub/v1/call/bench/registry/vehicle", lambda city=city: city.pids)
            self.http("call_pg" + suffix, city.port, city.token(), "/hub/v1/call/bench/police/vehicle", lambda city=city: city.pids + self.pg_pids())
        if self.wants("call_bus") and apart.is_there():
            bus = self.keep(apart.ApartCity(self.postgres, os.path.join(self.folder, "apart")))
            bus.start()
            bus.wait()
            self.http("call_bus", bus.port, bus.token(), "/hub/v1/call/bench/police/vehicle", lambda: bus.pids + self.pg_pids())
        elif self.wants("call_bus"):
            note("NOT MEASURED: call_bus: there is no `citybrain system` or no nats-server here")
        if self.wants("nginx_answer", "nginx_proxy", "nginx_call_pg"):
            nginx = self.keep(peers.Nginx(city.port, ANSWER))
            self.http("nginx_answer", nginx.port, "t", "/", lambda: nginx.pids)
            self.http("nginx_proxy", nginx.port_proxy, "t", "/", lambda: nginx.pids)
            self.http("nginx_call_pg", nginx.port_brain, city.token(), "/hub/v1/call/bench/police/vehicle", lambda: nginx.pids + city.pids + self.pg_pids())

    def build(self):
        note("making the tables: 1,000,000 rows each" if tables.ROWS == 1000000 else f"making the tables: {tables.ROWS} rows each")
        self.postgres = self.keep(tables.BenchPostgres(peers.SERVER_CORE))
        tables.make_postgres(self.postgres)
        self.postgres.sql("CREATE TABLE audit (id bigserial PRIMARY KEY, party text, purpose text, plate text, asked_at timestamptz);"
                          "GRANT SELECT, INSERT ON audit TO hub; GRANT USAGE ON audit_id_seq TO hub", database="police")
        tables.make_sqlite(self.sqlite)
        tables.write_keys(self.keys)
        tables.write_city(os.path.join(self.folder, "city"), self.postgres)
        self.direct()
        self.npm()
        self.ours()

    def measure(self):
        for name, rung in self.rungs.items():
            rung(0.5, 0)  # warm: caches, statements, just-in-time compilers
        for turn in range(ROUNDS):
            note(f"round {turn + 1} of {ROUNDS}, {load_now()}")
            for name, rung in self.rungs.items():
                figures = self.figures[name]
                _, rps, _, _, cpu_us = rung(SECONDS, 0)
                _, _, p50, p99, _ = rung(SECONDS, rps / 2)
                for values, value in ((figures.rps, rps), (figures.cpu_us, cpu_us), (figures.p50, p50), (figures.p99, p99)):
                    values.append(value)

    def tell(self):
        for name, figures in self.figures.items():
            line(f"{name}_rps", figures.median("rps"), "req/s")
            line(f"{name}_p50_ms", figures.median("p50"), "ms", 3)
            line(f"{name}_p99_ms", figures.median("p99"), "ms", 3)
            line(f"{name}_cpu_us", figures.median("cpu_us"), "us", 1)
        cpu = {name: figures.median("cpu_us") for name, figures in self.figures.items()}
        if "call_sqlite" in cpu:
            line("call_sqlite_core_rps", self.figures["call_sqlite"].median("rps"), "req/s")
        for ours, floor in (("call_pg", "direct_pg_pipeline"), ("call_pg_bare", "direct_pg_pipeline"), ("call_sqlite", "direct_sqlite")):
            if ours in cpu and floor in cpu:
                line(f"{ours}_overhead_us", cpu[ours] - cpu[floor], "us", 1)
        for ours, other in (("call_pg", "npm_pg"), ("call_pg", "npm_pg_audit"), ("call_pg", "postgraphile"), ("call_sqlite", "npm_sqlite"),
                            ("call_pg", "call_pg_bare"), ("call_sqlite", "call_sqlite_bare"), ("call_sqlite", "nginx_proxy"), ("nginx_call_pg", "call_pg"), ("call_bus", "call_pg")):
            if ours in cpu and other in cpu:
                line(f"{ours}_to_{other}_cpu_ratio", cpu[ours] / cpu[other], "ratio", 2)


def main():
    ladder = Ladder()
    try:
        ladder.build()
        ladder.measure()
        ladder.tell()
    finally:
        ladder.close()


if __name__ == "__main__":
    sys.exit(main())
