"""The tables that make bench-hub asks, the same rows in SQLite and in PostgreSQL, and the city that offers them.

    vehicle      1,000,000 rows by plate: the police's, in PostgreSQL and once more in SQLite
    policy       1,000,000 rows by plate: the insurers', in a database of its own
    taxi             1,000 rows by plate: the transport department's, in a third
    hub          a database with foreign tables (postgres_fdw) for the three, for the same joins

All rows are generated from the row's number; nobody is real. Standard library only.
"""
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tests"))
from servers import Mariadb, Postgres  # noqa: E402

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
TAXIS = 1000
PASSWORD = "bench"

# Lengths as registers have them.
VEHICLE = """plate varchar(15) PRIMARY KEY, plate_class varchar(2), vehicle_type varchar(4), brand varchar(32), colour varchar(5), seats integer,
 owner_name varchar(128), area varchar(64), status varchar(1)"""
# i: the row's number; `pick` takes the (i * factor) mod n of a list of letters or words.
VEHICLE_ROW = {
    "plate": "{plate}", "plate_class": "CASE WHEN i % 10 < 7 THEN '02' ELSE '52' END", "vehicle_type": "'K3' || (i % 4)",
    "brand": "'B' || ((i * 7919) % 101)", "colour": "substr('ABCEHJZM', CAST(1 + (i * 31) % 8 AS integer), 1)", "seats": "2 + i % 7",
    "owner_name": "'Owner ' || i", "area": "'hangzhou.d' || ((i * 13) % 40)",
    "status": "CASE WHEN i % 20 = 0 THEN 'E' WHEN i % 7 = 0 THEN 'Q' ELSE 'A' END",
}
ROW_CONDITION = "status <> 'E'"
FIELDS = ["plate", "plate_class", "status"]
BODY = '{"purpose":"bench.call","key":{"plate":"KEY"},"fields":["plate","plate_class","status"]}'
TYPES = {"seats": "integer", "premium": "integer"}

DEPARTMENTS = {  # of the city's files: fields of each table
    "police": ("vehicle", ["plate", "plate_class", "vehicle_type", "brand", "colour", "seats", "owner_name", "area", "status"]),
    "insurance": ("policy", ["plate", "insurer", "premium", "class"]),
    "transport": ("taxi", ["plate", "company"]),
}


def row(plate):
    return ", ".join(f"{text.format(plate=plate)} AS {name}" for name, text in VEHICLE_ROW.items())


def make_sqlite(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    db = sqlite3.connect(path)
    db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE vehicle ({VEHICLE})")
    plate = "'浙A' || printf('%07d', i)"
    db.execute(f"INSERT INTO vehicle SELECT {row(plate)} FROM "
               f"(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) SELECT i FROM n)")
    db.commit()
    db.close()


def write_keys(path):
    """Every plate that the contract lets through, in an order that jumps about the table."""
    with open(path, "w", encoding="utf-8") as out:
        step = 7919 * 13  # with no divisor in common with a power of ten
        out.writelines(f"浙A{i:07d}\n" for i in ((n * step) % ROWS + 1 for n in range(min(ROWS, 200000))) if i % 20)


class BenchMariadb(Mariadb):
    """MariaDB with memory; on one core."""

    def __init__(self, core):
        self.core = core
        super().__init__()

    def become(self):
        os.sched_setaffinity(0, {self.core})
        super().become()

    def command(self):
        return super().command() + ["--innodb-buffer-pool-size=256M"]


class BenchPostgres(Postgres):
    """PostgreSQL as a department runs it: syncs its log, has memory; its processes on one core."""

    def __init__(self, core):
        self.core = core
        super().__init__()

    def become(self):
        os.sched_setaffinity(0, {self.core})
        super().become()

    def command(self):
        settings = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "4GB", "work_mem": "64MB", "max_connections": "100", "jit": "off",
                    "max_parallel_workers_per_gather": "0"}
        return super().command() + [f"--{key}={value}" for key, value in settings.items()]

    def dsn(self, database):
        return f"postgres://hub:{PASSWORD}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def connection(self, database):
        return f"host=127.0.0.1 port={self.port} dbname={database} user=hub password={PASSWORD} sslmode=disable"


def make_postgres(postgres, tables=("police", "insurance", "transport")):
    postgres.sql(f"CREATE ROLE hub LOGIN PASSWORD '{PASSWORD}'")
    plate = "'浙A' || lpad(i::text, 7, '0')"
    rows = {
        "police": f"CREATE TABLE vehicle ({VEHICLE}); "
                  f"INSERT INTO vehicle SELECT {row(plate)} FROM generate_series(1, {ROWS}::bigint) AS i",
        "insurance": "CREATE TABLE policy (plate varchar(15) PRIMARY KEY, insurer varchar(8), premium integer, class varchar(8)); "
                     f"INSERT INTO policy SELECT {plate}, 'I' || ((i * 17) % 9), 1000 + (i * 37) % 9000, 'C' || (i % 5) FROM generate_series(1, {ROWS}::bigint) AS i",
        "transport": "CREATE TABLE taxi (plate varchar(15) PRIMARY KEY, company varchar(8)); "
                     f"INSERT INTO taxi SELECT {plate}, 'T' || (n % 12) FROM (SELECT n, 1 + (n * 997) % {ROWS} AS i FROM generate_series(1, {TAXIS}::bigint) AS n) t",
    }
    for database in tables:
        table = DEPARTMENTS[database][0]
        postgres.sql(f"CREATE DATABASE {database}", database="")
        postgres.sql(f"{rows[database]}; GRANT SELECT ON {table} TO hub", database=database)
        postgres.sql(f"VACUUM (ANALYZE, FREEZE) {table}", database=database)
    postgres.sql("CHECKPOINT", database="")  # what is replayed after a kill is no more than what came later


def make_mariadb(mariadb):
    """The insurers' table once more, in MariaDB; the same rows."""
    mariadb.sql(f"CREATE USER hub@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'; CREATE DATABASE insurance", database="")
    mariadb.sql("CREATE TABLE policy (plate varchar(16) COLLATE utf8mb4_bin PRIMARY KEY, insurer varchar(8), premium integer, class varchar(8));"
                "INSERT INTO policy SELECT concat('浙A', lpad(seq, 7, '0')), concat('I', (seq * 17) % 9), 1000 + (seq * 37) % 9000, concat('C', seq % 5) "
                f"FROM seq_1_to_{ROWS}; ANALYZE TABLE policy; GRANT SELECT ON insurance.policy TO hub@'127.0.0.1'", database="insurance")


def make_foreign_mariadb(postgres, mariadb):
    """MariaDB's table in the schemas of make_foreign(), by mysql_fdw: as it comes, and with more rows fetched at a time (its
    use_remote_estimate makes this join a hundred times slower)."""
    text = "CREATE EXTENSION mysql_fdw;"
    for way, options in (("plain", ""), ("tuned", ", fetch_size '10000'"), ("near", ", fetch_size '1000'")):
        text += (f"CREATE SERVER {way}_mariadb FOREIGN DATA WRAPPER mysql_fdw OPTIONS (host '127.0.0.1', port '{mariadb.port}'{options});"
                 f"CREATE USER MAPPING FOR hub SERVER {way}_mariadb OPTIONS (username 'hub', password '{PASSWORD}');"
                 f"CREATE USER MAPPING FOR postgres SERVER {way}_mariadb OPTIONS (username 'hub', password '{PASSWORD}');"
                 f"CREATE FOREIGN TABLE {way}.policy_mariadb (plate text, insurer text, premium integer, class text) SERVER {way}_mariadb "
                 f"OPTIONS (dbname 'insurance', table_name 'policy'); GRANT SELECT ON {way}.policy_mariadb TO hub;")
    postgres.sql(text, database="hub")


TUNED = ", use_remote_estimate 'true', fetch_size '10000', async_capable 'true'"
WAYS = {"plain": "", "tuned": TUNED, "near": TUNED + ", fdw_startup_cost '0', fdw_tuple_cost '0.01'"}


def make_foreign(postgres):
    """The database "hub": each department a foreign server, in each of WAYS: as postgres_fdw comes, with what its manual advises for joins, and
    told that asking costs nothing."""
    postgres.sql("CREATE DATABASE hub", database="")
    text = "CREATE EXTENSION postgres_fdw; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO hub;"
    for way, options in WAYS.items():
        text += f"CREATE SCHEMA {way}; GRANT USAGE ON SCHEMA {way} TO hub;"
        for database, (table, _) in DEPARTMENTS.items():
            text += (f"CREATE SERVER {way}_{database} FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{postgres.port}', dbname '{database}'{options});"
                     f"CREATE USER MAPPING FOR hub SERVER {way}_{database} OPTIONS (user 'hub', password '{PASSWORD}');"
                     f"CREATE USER MAPPING FOR postgres SERVER {way}_{database} OPTIONS (user 'hub', password '{PASSWORD}');"
                     f"IMPORT FOREIGN SCHEMA public LIMIT TO ({table}) FROM SERVER {way}_{database} INTO {way}; GRANT SELECT ON {way}.{table} TO hub;"
                     f"ANALYZE {way}.{table};")
    postgres.sql(text, database="hub")


def _fields(names):
    return "\n".join(f"      - {{name: {name}, type: {TYPES.get(name, 'text')}, class: {'personal, key: true' if name == 'plate' else 'internal'}}}" for name in names)


CONTRACT = """contract: bench/c-{number}
provider: bench/{party}
consumer: bench/scene
resource: bench/{party}/{table}
uses: [{use}]
fields: [{fields}]
{rows}purpose: bench.{use}
legal_basis: {{zh: 基准, en: benchmark}}
from: 2026-01-01
until: 2099-01-01
keep: 1h
state: agreed
"""


def write_city(folder, postgres, sqlite=True, mariadb=None, keys=None):
    """A city of departments: police, insurance, transport (PostgreSQL); registry (the same vehicles in SQLite); archive (the same policies in
    MariaDB)."""
    def write(path, text):
        os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
        with open(os.path.join(folder, path), "w", encoding="utf-8") as out:
            out.write(text)

    parties = [*DEPARTMENTS] + (["registry"] if sqlite else []) + (["archive"] if mariadb else [])
    def key_of(party):
        return f", key: '{keys[party]}'" if keys and party in keys else ""

    same = {"registry": "police", "archive": "insurance"}
    write("city.yaml", "city: bench\ntitle: {zh: 基准, en: Bench}\ntime_zone: Asia/Shanghai\nlog: bench.log\n"
          "http: {address: 127.0.0.1, port: 8080}\ndemo: true\n")
    write("areas.yaml", "areas:\n  - {name: bench, title: {zh: 基准, en: Bench}, level: city, outline: [[120, 30], [121, 30], [121, 31]]}\n")
    write("parties.yaml", "parties:\n" + "".join(
        f"  - {{name: bench/{name}, title: {{zh: {name}, en: {name}}}, kind: {kind}{more}{key_of(name)}}}\n"
        for name, kind, more in [(party, "department", "") for party in parties] + [("hub", "program", ""), ("cockpit", "program", ""), ("case", "program", ""), ("scene", "scene", ", token: demo")]))
    write("cockpits/indicators.yaml", "party: bench/cockpit\npurpose: cockpit.show\nreads: {}\nindicators: []\n")
    number = 0
    for party in parties:
        table, fields = DEPARTMENTS[same.get(party, party)]
        binding = f"resources:\n  - name: {table}\n    title: {{zh: {table}, en: {table}}}\n    kind: table\n    bind: {{table: {table}}}\n    fields:\n{_fields(fields)}\n"
        if party == "registry":
            connection = "connector: sqlite\nconnection: {file: \"{data}/departments/registry.sqlite\", timeout: 10s}\n"
        else:
            connector, server = ("mariadb", mariadb) if party == "archive" else ("postgres", postgres)
            connection = (f"connector: {connector}\nconnection: {{host: 127.0.0.1, port: {server.port}, database: {same.get(party, party)}, user: hub, "
                          "password_file: \"{data}/secrets/postgres\", timeout: 10s}\n")
        write(f"systems/{party}.yaml", f"party: bench/{party}\n{connection}{binding}")
        uses = [("query", fields, "")]
        if table == "vehicle":
            uses.append(("call", FIELDS, f"rows: \"{ROW_CONDITION}\"\n"))
        for use, granted, rows in uses:
            number += 1
            write(f"contracts/c-{number}.yaml", CONTRACT.format(number=number, party=party, table=table, use=use, fields=", ".join(granted), rows=rows))


def write_secret(data):
    os.makedirs(os.path.join(data, "secrets"), mode=0o700, exist_ok=True)
    path = os.path.join(data, "secrets", "postgres")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write(PASSWORD + "\n")
