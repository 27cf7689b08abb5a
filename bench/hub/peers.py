"""Peers of make bench-hub, and what all of its scripts share: cores, CPU accounting, the load generator, lines.

Servers run on core 0, what loads them on core 1. CPU is that of the server's processes, all their threads and children, as the kernel
counts it (/proc/PID/stat), for each answer while the load ran. Standard library only.
"""
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tests"))
from city import BRAIN, BUILD, ROOT, City, free_port, wait_for  # noqa: E402

_cores = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = _cores[0], _cores[min(1, len(_cores) - 1)]
CALL_LOAD, DIRECT_LOAD = (os.path.join(BUILD, "bench", name) for name in ("call_load", "direct_load"))
NO_EVIDENCE = os.path.join(BUILD, "bench", "citybrain_no_evidence")
NPM = os.path.join(ROOT, "bench", "hub", "npm")
PEERS = os.path.join(ROOT, ".cache", "peers")
TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def note(text):
    print(f"   {text}", file=sys.stderr, flush=True)


def line(name, value, unit, digits=0):
    print(f"{name} {value:.{digits}f} {unit}", flush=True)


def load_now():
    return f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"


# ---- CPU ----

def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[1]), sum(int(field) for field in fields[11:15])  # parent; user, system, and the same of children that ended


def cpu_s(pids):
    """CPU seconds so far of these processes and all below them."""
    stats = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stats[int(entry)] = _stat(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                pass
    wanted, grew = set(pids), True
    while grew:
        more = {pid for pid, (parent, _) in stats.items() if parent in wanted} - wanted
        wanted |= more
        grew = bool(more)
    return sum(stats[pid][1] for pid in wanted if pid in stats) * TICK_S


# ---- processes of ours, on a core ----

def pinned(command, core):
    return ["taskset", "-c", str(core), *command]


class Peer:
    """A program started on the servers' core; ended by its id."""

    def __init__(self, name, command, port, **more):
        self.port = port
        self.log_path = tempfile.mktemp(prefix=f"citybrain-bench-{name}-")
        with open(self.log_path, "wb") as out:
            self.process = subprocess.Popen(pinned(command, SERVER_CORE), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **more)

        def listens():
            if self.process.poll() is not None:
                raise AssertionError(f"{name} ended at its start: {self.log()[-2000:]}")
            subprocess.run(["bash", "-c", f": </dev/tcp/127.0.0.1/{port}"], check=True, stderr=subprocess.DEVNULL)
            return True

        try:
            wait_for(_quietly(listens), 60, f"{name} at its port")
        except BaseException:
            self.close()
            raise

    @property
    def pids(self):
        return [self.process.pid]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as text:
            return text.read()

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.unlink(self.log_path)


def _quietly(what):
    def tried():
        try:
            return what()
        except subprocess.CalledProcessError:
            return False
    return tried


class BenchCity(City):
    """The brain on the servers' core; `program` may be the one without evidence."""

    def __init__(self, program=BRAIN, **more):
        self.program = program
        super().__init__(**more)

    def spawn_brain(self):
        self.brain = self._spawn("brain", pinned([self.program, "run", self.city, "--data", self.data, "--port", str(self.port), *self.options], SERVER_CORE))

    def processes(self):
        """name → kill -9 and start again."""
        def brain():
            self.kill()
            self.start()
        return {"brain": brain}

    @property
    def pids(self):
        return [self.brain.pid]

    def token(self):
        with open(os.path.join(self.data, "tokens", "bench_scene"), encoding="ascii") as token:
            return token.read().strip()


# ---- nginx, from Debian's package, without installing its service ----

def nginx_program():
    """Debian's nginx, unpacked beside our caches: installing it would start a server on port 80."""
    for installed in ("/usr/sbin/nginx", os.path.join(PEERS, "usr/sbin/nginx")):
        if os.access(installed, os.X_OK):
            return installed
    os.makedirs(PEERS, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(["apt-get", "download", "nginx"], cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise AssertionError(f"nginx cannot be had from Debian's archive: {result.stderr.strip()[-300:]}; mend: apt-get update, or look at the network")
        subprocess.run(["dpkg", "-x", os.path.join(folder, next(name for name in os.listdir(folder) if name.endswith(".deb"))), PEERS], check=True)
    return os.path.join(PEERS, "usr/sbin/nginx")


class Nginx(Peer):
    """One worker: `port` answers a call's bytes by itself, `port_proxy` passes on to that, `port_brain` to the brain."""

    def __init__(self, brain_port, answer):
        self.folder = tempfile.mkdtemp(prefix="citybrain-nginx-")
        self.port_proxy, self.port_brain = free_port(), free_port()
        port = free_port()

        def server(listen, what):
            return f"  server {{ listen 127.0.0.1:{listen} backlog=1024; location / {{ {what} }} }}\n"

        def proxy(name):
            return f"proxy_pass http://{name}; proxy_http_version 1.1; proxy_set_header Connection \"\";"

        with open(os.path.join(self.folder, "nginx.conf"), "w", encoding="utf-8") as out:
            out.write("daemon off; master_process off; worker_processes 1; error_log stderr error; pid nginx.pid;\nevents { worker_connections 1024; }\n"
                      "http {\n  access_log off; keepalive_requests 100000000; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n"
                      "  uwsgi_temp_path uwsgi; scgi_temp_path scgi; default_type application/json;\n"
                      f"  upstream itself {{ server 127.0.0.1:{port}; keepalive 128; }}\n  upstream brain {{ server 127.0.0.1:{brain_port}; keepalive 128; }}\n"
                      + server(port, f"return 200 '{answer}';") + server(self.port_proxy, proxy("itself")) + server(self.port_brain, proxy("brain")) + "}\n")
        super().__init__("nginx", [nginx_program(), "-p", self.folder, "-c", "nginx.conf"], port)

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


# ---- npm ----

def npm_modules():
    """What the npm peers are made of; better-sqlite3 is compiled here and may be missing. → the names that are there."""
    found = {name for name in ("fastify", "pg", "postgraphile") if os.path.isdir(os.path.join(NPM, "node_modules", name))}
    if os.path.exists(os.path.join(NPM, "node_modules/better-sqlite3/build/Release/better_sqlite3.node")):
        found.add("better-sqlite3")
    return found


def npm_api(token, *words):
    port = free_port()
    return Peer("api", ["node", os.path.join(NPM, "api.mjs"), str(port), token, *words], port, env=dict(os.environ, NODE_ENV="production"))


def postgraphile(dsn):
    port = free_port()
    return Peer("postgraphile", ["node", os.path.join(NPM, "node_modules/.bin/postgraphile"), "-c", dsn, "-s", "public", "-n", "127.0.0.1", "-p", str(port),
                                 "--disable-query-log", "--disable-graphiql", "--no-ignore-rbac", "--max-pool-size", "16"], port,
                env=dict(os.environ, NODE_ENV="production"))


# ---- one measurement ----

class Figures:
    """What one rung has shown so far: rates and CPU of closed loops, latencies of open loops at half the rate."""

    def __init__(self):
        self.rps, self.p50, self.p99, self.cpu_us = [], [], [], []

    def median(self, name):
        return statistics.median(getattr(self, name))


def run_load(command, pids, own_cpu=False):
    """Runs a load program on its core; (n, rps, p50 ms, p99 ms, CPU µs a request of `pids`, with the load's own when it is part of the work)."""
    before = cpu_s(pids)
    result = subprocess.run(pinned(command, LOAD_CORE), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise AssertionError(f"{command[0]}: {result.stdout.strip()} {result.stderr.strip()[-600:]}")
    spent = cpu_s(pids) - before
    words = [float(word) for word in result.stdout.split()]
    return words[0], words[1], words[2], words[3], spent * 1e6 / words[0] + (words[4] if own_cpu else 0)
