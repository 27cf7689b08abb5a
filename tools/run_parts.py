"""What tools/run and tools/run_district share: children in groups of their own, ports and folders that are free, signals."""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from front import Failed, say

HEALTHY_WITHIN_S = 60
STOPPED_WITHIN_S = 15
DEMO_PASSWORD = "citybrain-demo"


def read_text(path):
    with open(path, encoding="utf-8") as text:
        return text.read()


def one_line(path, name):
    """The value of a `name: value` inside a city's file; the brain itself reads these files properly."""
    found = re.search(rf"[{{,\s]{name}:\s*([^,}}\s]+)", read_text(path))
    return found[1] if found else None


def take_port(address, port):
    """Fails unless the port is free. The brain's listeners share their port among themselves, so it would not notice another brain."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            raise Failed(f"port {port} of {address}: {error.strerror.lower()}; mend: make run PORT={port + 1 if port < 65535 else 8080}") from None


def take_data(data):
    """The data folder is for one run at a time; the lock goes with this process."""
    os.makedirs(data, exist_ok=True)
    lock = open(os.path.join(data, "run.lock"), "a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise Failed(f"{data} is in use by process {lock.read().strip() or '?'}; mend: stop that one first, or take another --data folder") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


class Child:
    """One program of ours, in a process group of its own, its words in a log file."""

    def __init__(self, name, command, log):
        self.name, self.command, self.log = name, command, log
        parent = os.getpid()

        def before_exec():
            # Ends with us even when we are killed without a chance to say so.
            ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
            if os.getppid() != parent:
                os._exit(1)

        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=before_exec)

    def ended(self):
        return self.process.poll() is not None

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            lines = [line for line in text.read().splitlines() if line.strip()]
        return "\n".join(lines[-5:])

    def stop(self):
        """Asks, waits, and in the end ends the whole group, so that no child of a child is left."""
        if not self.ended():
            self.process.terminate()
            try:
                self.process.wait(STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                say(f"{self.name} did not stop within {STOPPED_WITHIN_S} s and was ended")
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def start_broker(city, data, logs):
    """The MQTT broker of the city's fleet, at the Unix socket that its file names. None: the city has no fleet, or this machine no broker; then
    that one source is down, and everything else goes on."""
    place = "broker/mqtt.sock"
    if not any(f'host: "{{data}}/{place}"' in read_text(os.path.join(city, "systems", name)) for name in os.listdir(os.path.join(city, "systems"))):
        return None
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if not program:
        say("there is no mosquitto, so the taxis' positions and the loops' counts do not come; mend: apt-get install mosquitto")
        return None
    folder, path = os.path.join(data, "broker"), os.path.abspath(os.path.join(data, place))
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(path):
        os.unlink(path)  # of a broker that was killed
    config = os.path.join(folder, "mosquitto.conf")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"listener 0 {path}\nallow_anonymous true\npersistence false\nuser root\n")  # a user is taken on by root alone
    return Child("the broker", [program, "-c", config], os.path.join(logs, "broker.log"))


def wait_healthy(brain, address, port, signals):
    url = f"http://{'[' + address + ']' if ':' in address else address}:{port}/health"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + HEALTHY_WITHIN_S
    while time.monotonic() < until:
        signals.check()
        if brain.ended():
            print(brain.last_words(), file=sys.stderr)
            raise Failed(f"the brain ended at its start (exit code {brain.process.returncode}); see above and {brain.log}")
        try:
            with direct.open(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.02)
    raise Failed(f"the brain does not answer {url} after {HEALTHY_WITHIN_S} s; see {brain.log}")


class Signals:
    """The three ways of being told to stop are one: KeyboardInterrupt, once.

    At first it is raised wherever the program is, so that a build ends. Once there are children it must not be: raised inside Popen.poll() it would leave
    Popen's lock held, and the wait for that child would never end. From then on a signal is noted, and raised by check(), which every loop calls.
    """

    def __init__(self):
        self.is_told, self.is_noted_only = False, False
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, self.tell)

    def tell(self, number, frame):
        is_first, self.is_told = not self.is_told, True
        if is_first and not self.is_noted_only:
            raise KeyboardInterrupt

    def note_only(self):
        self.is_noted_only = True

    def check(self):
        if self.is_told:
            raise KeyboardInterrupt
