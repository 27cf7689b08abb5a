"""What people would count with instead: PostgreSQL, Redis, DuckDB. Each reads the same file of passages and tells, for every second and every area, how many
plates were last seen there within TIMEOUT_S; the rows are compared with the plain hash map's, one by one.

The work is a naive count, less than `citybrain count` does on the same file. What is measured is the CPU of the server (DuckDB: of the process), one thread,
from the file as text to the last row; what feeds it costs nothing. *Each second* means as a live count must: the answer of a second is made before
the next second's passages are looked at. *As a whole* is one statement over the loaded table, which no live count can be; it is told apart.
"""
import csv
import ctypes
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tests"))
from servers import Postgres, free_port  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNPACKED = os.path.join(ROOT, ".cache", "peers")
DUCKDB = os.path.join(ROOT, "bench", "count", "npm", "node_modules", "@duckdb", "node-bindings-linux-x64", "libduckdb.so")
TIMEOUT_S, AREAS = 600, 16
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def note(text):
    print(f"   {text}", file=sys.stderr, flush=True)


class Work:
    """The file, and what the hash map made of it: {(second, area): vehicles}."""

    def __init__(self, folder):
        self.folder, self.passages, self.areas = folder, os.path.join(folder, "passages.csv"), os.path.join(folder, "camera_areas.csv")
        with open(os.path.join(folder, "floor.csv"), encoding="ascii") as rows:
            self.expected = {(int(second), int(area)): int(n) for second, area, n in csv.reader(rows)}
        self.first, self.last = min(self.expected)[0], max(self.expected)[0]

    def check(self, name, rows):
        """Every second and area as the hash map says; a row that is not there says 0."""
        wrong = sum(rows.get(key, 0) != n for key, n in self.expected.items())
        if wrong:
            raise AssertionError(f"{name}: {wrong} of {len(self.expected)} figures are other than the hash map's")


def cpu_of(pid):
    """CPU seconds of a process, its threads and those of its children that live, and of those that ended."""
    total, wanted = 0.0, {pid}
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                stats[int(entry)] = (int(fields[1]), sum(map(int, fields[11:15])))
            except (FileNotFoundError, ProcessLookupError):
                pass
    while True:
        more = {child for child, (parent, _) in stats.items() if parent in wanted} - wanted
        if not more:
            break
        wanted |= more
    for one in wanted:
        total += stats.get(one, (0, 0))[1] * TICK_S
    return total


# ---- SQL, as PostgreSQL and DuckDB both take it ----

WHOLE = """
WITH seen AS (SELECT c.area, p.arrived_ms AS t, lead(p.arrived_ms) OVER (PARTITION BY p.plate ORDER BY p.arrived_ms) AS again
              FROM passage p JOIN camera_area c ON c.camera = p.camera),
     change AS (SELECT area, (t + 999) / 1000 AS s, 1 AS d FROM seen
                UNION ALL SELECT area, least(coalesce((again + 999) / 1000, (t + 999) / 1000 + {timeout}), (t + 999) / 1000 + {timeout}), -1 FROM seen),
     a_second AS (SELECT s, area, sum(d) AS d FROM change GROUP BY s, area),
     grid AS (SELECT g.s AS s, x.a AS area, coalesce(b.d, 0) AS d FROM {seconds} CROSS JOIN {areas} LEFT JOIN a_second b ON b.s = g.s AND b.area = x.a)
SELECT s, area, sum(d) OVER (PARTITION BY area ORDER BY s) AS n FROM grid ORDER BY s, area
"""


class AlonePostgres(Postgres):
    """No replication, no sync of what is lost with the machine anyway, one thread for each statement."""

    def command(self):
        return [*super().command(), "-c", "shared_buffers=1GB", "-c", "work_mem=256MB", "-c", "max_parallel_workers_per_gather=0", "-c", "fsync=off", "-c",
                "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=on", "-c", "max_wal_size=8GB", "-c", "jit=off"]


POSTGRES_EACH = """
CREATE UNLOGGED TABLE last_seen (plate text PRIMARY KEY, area smallint, at_ms bigint) WITH (fillfactor=60);
CREATE UNLOGGED TABLE result (s int, area smallint, n bigint);
CREATE INDEX ON passage (arrived_ms);
ANALYZE passage;
CREATE PROCEDURE each_second() LANGUAGE plpgsql AS $$ BEGIN
  FOR s IN {first}..{last} LOOP
    INSERT INTO last_seen SELECT DISTINCT ON (p.plate) p.plate, c.area, p.arrived_ms FROM passage p JOIN camera_area c ON c.camera = p.camera
      WHERE p.arrived_ms > (s - 1) * 1000::bigint AND p.arrived_ms <= s * 1000::bigint ORDER BY p.plate, p.arrived_ms DESC
      ON CONFLICT (plate) DO UPDATE SET area = EXCLUDED.area, at_ms = EXCLUDED.at_ms;
    INSERT INTO result SELECT s, area, count(*) FROM last_seen WHERE at_ms > (s - {timeout}) * 1000::bigint GROUP BY area;
    COMMIT;
  END LOOP;
END $$;
CALL each_second();
"""


def postgres(work):
    """passages a second of CPU: (each second, as a whole)."""
    server = AlonePostgres()
    try:
        server.sql("CREATE DATABASE bench", database="postgres")

        def run(statement):
            began = cpu_of(server.process.pid)
            answer = server.sql(statement, database="bench")
            time.sleep(.2)
            return cpu_of(server.process.pid) - began, answer

        with open(work.passages, encoding="utf-8") as text:
            next(text)
            rows = text.read()
        copied, _ = run("CREATE UNLOGGED TABLE passage (pass_ms bigint, arrived_ms bigint, camera text, lane smallint, plate text, confidence smallint);\n"
                        f"COPY passage FROM STDIN WITH (FORMAT csv);\n{rows}\\.\n")
        n = rows.count("\n")
        del rows
        with open(work.areas, encoding="ascii") as text:
            next(text)
            server.sql(f"CREATE TABLE camera_area (camera text PRIMARY KEY, area smallint);\nCOPY camera_area FROM STDIN WITH (FORMAT csv);\n{text.read()}\\.\n",
                       database="bench")
        cpu, _ = run(POSTGRES_EACH.format(first=work.first, last=work.last, timeout=TIMEOUT_S))
        told = server.sql("SELECT s, area, n FROM result", database="bench")
        work.check("PostgreSQL", {(int(s), int(area)): int(count) for s, area, count in (row.split("|") for row in told.split())})
        whole, told = run(WHOLE.format(timeout=TIMEOUT_S, seconds=f"generate_series(0, {work.last}) g(s)", areas=f"generate_series(0, {AREAS - 1}) x(a)"))
        work.check("PostgreSQL as a whole", {(int(s), int(area)): int(count) for s, area, count in (row.split("|") for row in told.split())})
        return n / (copied + cpu), n / (copied + whole)
    finally:
        server.close()


# ---- Redis ----

REDIS_PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblua5.1-0", "liblzf1", "libatomic1")
SECOND = """
local now, timeout, areas = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
for i = 4, #ARGV, 3 do
  local plate, area = ARGV[i], ARGV[i + 1]
  local before = redis.call('HGET', 'at', plate)
  if before and before ~= area then redis.call('ZREM', 'z' .. before, plate) end
  if before ~= area then redis.call('HSET', 'at', plate, area) end
  redis.call('ZADD', 'z' .. area, ARGV[i + 2], plate)
end
local told = {}
for area = 0, areas - 1 do
  redis.call('ZREMRANGEBYSCORE', 'z' .. area, '-inf', now - timeout)
  told[area + 1] = redis.call('ZCARD', 'z' .. area)
end
return told
"""


def redis_program():
    """Debian's redis-server, unpacked beside our caches: installing it would start a service. → program, folder of its libraries"""
    program = os.path.join(UNPACKED, "usr/bin/redis-check-rdb")  # redis-server is a link to it
    if not os.access(program, os.X_OK):
        os.makedirs(UNPACKED, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            done = subprocess.run(["apt-get", "download", *REDIS_PACKAGES], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise AssertionError(f"redis cannot be had from Debian's archive: {done.stderr.strip()[-300:]}; mend: apt-get update, or look at the network")
            for name in os.listdir(folder):
                if name.endswith(".deb"):
                    subprocess.run(["dpkg", "-x", os.path.join(folder, name), UNPACKED], check=True)
    link = os.path.join(UNPACKED, "usr/bin/redis-server")
    if not os.path.islink(link):
        os.symlink("redis-check-rdb", link)
    return link, os.path.join(UNPACKED, "usr/lib/x86_64-linux-gnu")


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Redis:
    def __init__(self):
        program, libraries = redis_program()
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory(prefix="citybrain-redis-")
        self.process = subprocess.Popen([program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", self.folder.name],
                                        env=dict(os.environ, LD_LIBRARY_PATH=libraries), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self.socket = socket.create_connection(("127.0.0.1", self.port))
                break
            except ConnectionRefusedError:
                time.sleep(.1)
        self.answers = self.socket.makefile("rb")

    def ask(self, *words):
        self.socket.sendall(command(*words))
        return self.answer()

    def answer(self):
        line = self.answers.readline().rstrip()
        if line[:1] == b"$":
            return self.answers.read(int(line[1:]) + 2)[:-2]
        if line[:1] == b"*":
            return [self.answer() for _ in range(int(line[1:]))]
        if line[:1] == b":":
            return int(line[1:])
        raise AssertionError(f"redis: {line!r}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()


def redis(work):
    """passages a second of CPU, each second: a script of one call a second, so that nothing is spent on single commands."""
    with open(work.areas, encoding="ascii") as text:
        area_of = {row["camera"]: row["area"].encode() for row in csv.DictReader(text)}
    server, told, n = Redis(), {}, 0
    try:
        script = server.ask(b"SCRIPT", b"LOAD", SECOND.encode())
        second, began = [], cpu_of(server.process.pid)

        def finish(now):
            answer = server.ask(b"EVALSHA", script, b"0", b"%d" % (now * 1000), b"%d" % (TIMEOUT_S * 1000), b"%d" % AREAS, *second)
            told.update({(now, area): count for area, count in enumerate(answer)})
            second.clear()

        now = work.first
        with open(work.passages, encoding="utf-8") as text:
            next(text)
            for line in text:
                _, arrived, camera, _, plate, _ = line.split(",")
                while int(arrived) > now * 1000:
                    finish(now)
                    now += 1
                second += [plate.encode(), area_of[camera], arrived.encode()]
                n += 1
        spent = cpu_of(server.process.pid) - began
        work.check("Redis", told)
        return n / spent
    finally:
        server.close()


# ---- DuckDB, by its C interface; in a process of its own, which is all that is measured ----

class _Result(ctypes.Structure):
    _fields_ = [("columns", ctypes.c_uint64), ("rows", ctypes.c_uint64), ("changed", ctypes.c_uint64), ("column", ctypes.c_void_p), ("error", ctypes.c_char_p),
                ("internal", ctypes.c_void_p)]


class Duck:
    def __init__(self):
        self.library = ctypes.CDLL(DUCKDB)
        self.library.duckdb_value_int64.restype = ctypes.c_int64
        self.library.duckdb_value_int64.argtypes = [ctypes.POINTER(_Result), ctypes.c_uint64, ctypes.c_uint64]
        self.library.duckdb_row_count.restype = self.library.duckdb_column_count.restype = ctypes.c_uint64
        self.library.duckdb_result_error.restype = ctypes.c_char_p
        database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        if self.library.duckdb_open(None, ctypes.byref(database)) or self.library.duckdb_connect(database, ctypes.byref(self.connection)):
            raise AssertionError("duckdb does not open")
        self.sql("SET threads=1")

    def sql(self, statement):
        result = _Result()
        if self.library.duckdb_query(self.connection, statement.encode(), ctypes.byref(result)):
            raise AssertionError(f"duckdb: {self.library.duckdb_result_error(ctypes.byref(result)).decode()}: {statement[:200]}")
        pointer = ctypes.byref(result)
        columns = range(self.library.duckdb_column_count(pointer))
        rows = [tuple(self.library.duckdb_value_int64(pointer, column, row) for column in columns) for row in range(self.library.duckdb_row_count(pointer))]
        self.library.duckdb_destroy_result(pointer)
        return rows


def duckdb_here():
    """Whether DuckDB's library is here and loads; says why not."""
    try:
        ctypes.CDLL(DUCKDB)
        return True
    except OSError as error:
        note(f"DuckDB is not measured: {error}")
        return False


def _duckdb_alone(folder, is_whole):
    work, duck = Work(folder), Duck()
    began = time.process_time()
    duck.sql(f"CREATE TABLE passage AS SELECT * FROM read_csv('{work.passages}', header=true, columns={{'pass_ms': 'BIGINT', 'arrived_ms': 'BIGINT', 'camera': 'VARCHAR', "
             "'lane': 'SMALLINT', 'plate': 'VARCHAR', 'confidence': 'SMALLINT'})")
    duck.sql(f"CREATE TABLE camera_area AS SELECT * FROM read_csv('{work.areas}', header=true, columns={{'camera': 'VARCHAR', 'area': 'SMALLINT'}})")
    told = {}
    if is_whole:
        rows = duck.sql(WHOLE.replace(" / 1000", " // 1000").format(timeout=TIMEOUT_S, seconds=f"range(0, {work.last + 1}) g(s)", areas=f"range(0, {AREAS}) x(a)"))
        told = {(second, area): n for second, area, n in rows}
    else:
        duck.sql("CREATE TABLE last_seen (plate VARCHAR PRIMARY KEY, area SMALLINT, at_ms BIGINT)")
        for second in range(work.first, work.last + 1):
            duck.sql("INSERT OR REPLACE INTO last_seen SELECT p.plate, arg_max(c.area, p.arrived_ms), max(p.arrived_ms) FROM passage p JOIN camera_area c "
                     f"ON c.camera = p.camera WHERE p.arrived_ms > {(second - 1) * 1000} AND p.arrived_ms <= {second * 1000} GROUP BY p.plate")
            told.update({(second, area): n for area, n in
                         duck.sql(f"SELECT area, count(*) FROM last_seen WHERE at_ms > {(second - TIMEOUT_S) * 1000} GROUP BY area")})
    spent = time.process_time() - began
    work.check("DuckDB as a whole" if is_whole else "DuckDB", told)
    rows = duck.sql("SELECT count(*) FROM passage")[0][0]
    print(f"{rows / spent} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}")


def duckdb(work):
    """passages a second of CPU: (each second, as a whole)."""
    def run(how):
        return float(subprocess.run([sys.executable, os.path.abspath(__file__), work.folder, how], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[0])
    return run("each"), run("whole")


if __name__ == "__main__":
    _duckdb_alone(sys.argv[1], sys.argv[2] == "whole")
