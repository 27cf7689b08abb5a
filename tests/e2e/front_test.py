#!/usr/bin/env python3
"""make run as a reader meets it: it starts the city and tells where it is, the city comes alive, it stops on Ctrl-C without leaving a process, and says in
one line what is wrong."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City, free_port, free_ports, made_data, wait_for  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tools"))
import run_parts  # noqa: E402


def processes_of(data):
    """Processes that have the data folder in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as text:
                if data.encode() in text.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


LIVE_WITHIN_S = 240  # from the start of the brain, all being built, to the first count of the demo city under its demand of the morning peak


class StopOnSignals(unittest.TestCase):
    def test_a_signal_at_any_moment_ends_the_children(self):
        """Also within the look at whether a child still lives, which must not be left half done."""
        log = tempfile.NamedTemporaryFile(prefix="citybrain-front-")
        self.addCleanup(log.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        for i in range(100):
            signals = run_parts.Signals()
            signals.note_only()
            child = run_parts.Child("sleep", ["sleep", "100"], log.name)
            signal.signal(signal.SIGALRM, signals.tell)
            signal.setitimer(signal.ITIMER_REAL, 0.0005 + i * 1e-6)
            with self.assertRaises(KeyboardInterrupt):
                while not child.ended():
                    signals.check()
            child.stop()
            self.assertEqual(child.process.returncode, -signal.SIGTERM)


class FrontDoor(unittest.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="citybrain-front-")
        self.addCleanup(shutil.rmtree, self.data, ignore_errors=True)
        shutil.copytree(made_data(), self.data, dirs_exist_ok=True)
        self.port = free_port()

    def start(self, *options, port=None, tool="run"):
        """tools/run, which `make run` becomes after the set-up, in a process group of its own, as a terminal gives it one."""
        process = subprocess.Popen([os.path.join(ROOT, "tools", tool), "--data", self.data, "--port", str(port or self.port), *options],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def until(self, process, pattern):
        """Reads what it prints until a line matches."""
        seen = ""
        for line in process.stdout:
            seen += line
            if re.search(pattern, line):
                return seen
        self.fail(f"ended without {pattern!r}:\n{seen}")

    def refused(self, *options, port=None):
        process = self.start(*options, port=port)
        text = process.communicate(timeout=240)[0]
        self.assertEqual(process.returncode, 1, text)
        return text.rstrip("\n").splitlines()[-1]

    def test_starts_tells_and_stops(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number.name):
                process = self.start()
                seen = self.until(process, "Ctrl-C")
                self.assertIn(f"http://127.0.0.1:{self.port}/", seen)
                self.assertRegex(seen, r"sign in as +mayor +citybrain-demo")
                self.assertGreaterEqual(len(processes_of(self.data)), 3, "the tool, the brain, the world")
                os.killpg(process.pid, number)
                rest = process.communicate(timeout=240)[0]
                self.assertEqual(process.returncode, 0, rest)
                self.assertIn("stopped", rest)
                self.assertEqual(processes_of(self.data), [])

    def test_the_federation_starts_and_stops(self):
        self.port = free_ports(4)
        process = self.start(tool="run_district")
        seen = self.until(process, "Ctrl-C")
        for at, area in enumerate(("hangzhou", "hangzhou.xihu", "hangzhou.gongshu", "hangzhou.xihu.gudang")):
            self.assertRegex(seen, rf"(?m)^ +{area} +http://127.0.0.1:{self.port + at}/")
        self.assertRegex(seen, r"with the receipt hangzhou\.log/\d+")
        self.assertGreaterEqual(len(processes_of(self.data)), 9, "the tool, four NATS servers, four hubs")
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=240)[0]
        self.assertEqual(process.returncode, 0, rest)
        self.assertEqual(processes_of(self.data), [])

    def test_the_city_comes_alive(self):
        process = self.start()
        self.until(process, "starting the brain")
        started = time.monotonic()
        self.until(process, "Ctrl-C")
        city = City(data=self.data, port=self.port)  # a visitor: starts nothing
        city.sign_in("mayor")

        def counted():
            for one in city.get("/cockpit/v1/indicators?area=hangzhou")["indicators"]:
                if one["name"] == "vehicles_in_transit":
                    return one["value"] is not None and one["value"] > 0 and not one["stale"] and one
            return None

        found = wait_for(counted, max(1, started + LIVE_WITHIN_S - time.monotonic()), "the first count")
        print(f"live after {time.monotonic() - started:.1f} s: {found['value']:.0f} vehicles in transit", file=sys.stderr)
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.communicate(timeout=240)[0].count("stopped"), 1)
        self.assertEqual(process.returncode, 0)

    def test_leaves_nothing_behind_when_killed(self):
        process = self.start()
        self.until(process, "Ctrl-C")
        process.kill()
        wait_for(lambda: not processes_of(self.data), 30, "the end of the brain and the world")

    def test_busy_port(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.port))
            other.listen(1)
            line = self.refused()
        self.assertRegex(line, rf"port {self.port} .*in use; mend: make run PORT={self.port + 1}")

    def test_second_run_on_the_same_data(self):
        process = self.start()
        self.until(process, "Ctrl-C")
        line = self.refused(port=free_port())
        self.assertRegex(line, rf"in use by process {process.pid}; mend: ")
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=240)

    def test_broken_city(self):
        with tempfile.TemporaryDirectory() as folder:
            city = os.path.join(folder, "hangzhou")
            shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), city)
            with open(os.path.join(city, "areas.yaml"), "a", encoding="utf-8") as out:
                out.write("nonsense: 1\n")
            process = self.start("--city", city)
            text = process.communicate(timeout=240)[0]
        self.assertEqual(process.returncode, 1, text)
        self.assertRegex(text, r"areas\.yaml:\d+: .*nonsense")

    def test_no_city(self):
        self.assertIn("is no city", self.refused("--city", "/nonexistent"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
