"""A city for the tests: the real programs on a data folder and a port of their own.

    with City() as city:                    # brain only;  City(world=True) also starts the simulated world
        city.sign_in("mayor")
        city.get("/cockpit/v1/areas")       # → parsed JSON; raises urllib.error.HTTPError

The road network and the departments' databases are made once for a build folder and copied, as making them takes seconds. Every
process is ended by its id at the end, also when the test fails. The build folder is CITYBRAIN_BUILD, else build/.
Standard library only.
"""
import contextlib
import ctypes
import fcntl
import http.cookiejar
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("CITYBRAIN_BUILD", os.path.join(ROOT, "build")))
BRAIN = os.path.join(BUILD, "brain", "citybrain")
WORLD = os.path.join(BUILD, "world", "cityworld")
DEMO_PASSWORD = "citybrain-demo"


def free_port():
    return free_ports(1)


_claims = []  # held until this process ends


def claim(first, n):
    """True when nobody uses these ports and no other test of this machine was given them: two that draw the same one would meet later.
    The claim is a name of the kernel's (an abstract socket), so that it ends with its holder however that ends."""
    with contextlib.ExitStack() as held, contextlib.ExitStack() as probes:
        try:
            for port in range(first, first + n):
                held.enter_context(socket.socket(socket.AF_UNIX)).bind(f"\0citybrain-test-port-{port}")
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
        except OSError:
            return False
        _claims.append(held.pop_all())
        return True


def free_ports(n):
    """The first of n free ports in a row, this test's alone, below those that the system gives to clients."""
    for first in random.sample(range(20000, 30000, n), 100):
        if claim(first, n):
            return first
    raise AssertionError(f"no {n} free ports in a row")


def wait_for(what, within_s, describe="it"):
    """Calls what() until it gives something true, and gives that back; fails after within_s seconds."""
    until = time.monotonic() + within_s
    last = None
    while time.monotonic() < until:
        try:
            value = what()
            if value:
                return value
        except (urllib.error.URLError, OSError, ValueError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"{describe} did not come within {within_s} s" + (f" ({last})" if last else ""))


def made_data(name="hangzhou"):
    """The folder with a made road network and databases, for copying; remade when what makes it is newer."""
    folder = os.path.join(BUILD, "tests", name + "-data")
    stamp = os.path.join(folder, ".made")
    sources = [os.path.join(ROOT, "tools", "make_city")]
    for below, _, files in os.walk(os.path.join(ROOT, "city", name)):
        sources += [os.path.join(below, file) for file in files]
    newest = max(os.stat(source).st_mtime for source in sources)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:  # tests run side by side: one makes, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(stamp) or os.stat(stamp).st_mtime < newest:
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            subprocess.run([sources[0], os.path.join(ROOT, "city", name), folder], check=True, stdout=subprocess.DEVNULL)
            with open(stamp, "w", encoding="ascii"):
                pass
    return folder


def changed_city(test, change, name="hangzhou"):
    """A copy of the city's files that change(folder) has altered; the path of it, gone when the test ends."""
    above = tempfile.mkdtemp(prefix="citybrain-changed-")
    test.addCleanup(shutil.rmtree, above, True)
    folder = os.path.join(above, name)
    shutil.copytree(os.path.join(ROOT, "city", name), folder)
    change(folder)
    return folder


class City:
    def __init__(self, world=False, speed=None, city=None, data=None, options=(), port=None, world_options=()):
        self.city = city or os.path.join(ROOT, "city", "hangzhou")
        self.port = port or free_port()
        speed = ["--speed", str(speed)] if speed else []  # both clocks keep step
        self.with_world, self.options, self.world_options = world, [*options, *speed], [*world_options, *speed]
        self.own_data = data is None
        self.data = data or tempfile.mkdtemp(prefix="citybrain-test-")
        self.logs = self.data
        if self.own_data:
            shutil.copytree(made_data(), self.data, dirs_exist_ok=True)
        self.brain = self.world = None
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies))

    def __enter__(self):
        try:
            self.start()
            if self.with_world:
                self.start_world()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *unused):
        self.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def log_path(self, name):
        return os.path.join(self.logs, name + ".test.log")

    def _spawn(self, name, command):
        with open(self.log_path(name), "ab") as out:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=ROOT,
                                    preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0))  # ends when a test is killed (PR_SET_PDEATHSIG)

    def spawn_brain(self):
        """Starts the brain and waits for nothing."""
        self.brain = self._spawn("brain", [BRAIN, "run", self.city, "--data", self.data, "--port", str(self.port), *self.options])

    def start(self, within_s=60):
        """Starts the brain and waits for its health check."""
        self.spawn_brain()

        def healthy():
            if self.brain.poll() is not None:
                raise AssertionError(f"the brain ended at its start ({self.brain.returncode}):\n{self.log('brain')[-3000:]}")
            return self.opener.open(self.url + "/health", timeout=2).status == 200

        wait_for(healthy, within_s, "the brain's health check")

    def start_world(self):
        """Starts the simulated world; it has a process group of its own, with SUMO in it."""
        self.world = self._spawn("world", [WORLD, self.city, "--data", self.data, "--port", str(self.port), *self.world_options])

    def log(self, name):
        if not os.path.exists(self.log_path(name)):
            return ""
        with open(self.log_path(name), encoding="utf-8", errors="replace") as text:
            return text.read()

    @staticmethod
    def _end(process, number, within_s=15):
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(within_s)
            except subprocess.TimeoutExpired:
                pass
        late = process.poll() is None
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        return None if late else process.returncode

    def stop(self):
        """SIGTERM to the brain; its exit code, or None when it had to be killed."""
        code = self._end(self.brain, signal.SIGTERM)
        self.brain = None
        return code

    def kill(self):
        """kill -9 of the brain."""
        self._end(self.brain, signal.SIGKILL)
        self.brain = None

    def stop_world(self, number=signal.SIGTERM):
        code = self._end(self.world, number)
        self.world = None
        return code

    def close(self):
        self.stop_world()
        self.stop()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)

    def request(self, method, path, body=None, headers=(), timeout=30):
        """(status, headers, bytes) of an answer, also of a refusal."""
        data = json.dumps(body).encode() if body is not None and not isinstance(body, bytes) else body
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in dict(headers).items():
            request.add_header(name, value)
        try:
            with self.opener.open(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers, refusal.read()

    def get(self, path, **more):
        """Parsed JSON of a GET that must succeed."""
        status, _, body = self.request("GET", path, **more)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body[:300]!r}")
        return json.loads(body)

    def sign_in(self, name, password=DEMO_PASSWORD):
        """Signs a person in; the session's cookie stays with this object."""
        status, _, body = self.request("POST", "/party/v1/session", {"name": name, "password": password})
        if status != 200:
            raise AssertionError(f"sign-in of {name}: {status} {body[:300]!r}")
        return json.loads(body)

    def token(self, party):
        """The token of a program of the demo, `hangzhou/world`: written by the brain at its first start."""
        with open(os.path.join(self.data, "tokens", party.replace("/", "_")), encoding="ascii") as text:
            return text.read().strip()

    def citybrain(self, *arguments, **more):
        """Runs the command line; gives back the finished process with its text."""
        return subprocess.run([BRAIN, *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT, **more)
