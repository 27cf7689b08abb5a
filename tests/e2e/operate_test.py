"""Operating a brain from outside: alive, ready, and every figure of /metrics, checked with Prometheus' own promtool; what a use, a refusal and a
full place do to the figures. Who may ask for them."""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import BUILD, ROOT, City, wait_for  # noqa: E402

SAMPLE = re.compile(r'^([a-zA-Z_][a-zA-Z0-9_]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


def promtool():
    found = shutil.which("promtool") or os.path.join(ROOT, ".cache", "promtool")
    assert os.access(found, os.X_OK), "promtool is not there; mend: tools/setup test"
    return found


class Page:
    def __init__(self, text):
        self.text, self.samples = text, {}
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value = SAMPLE.match(line).groups()
            key = (name, tuple(sorted(LABEL.findall(labels or ""))))
            assert key not in self.samples, f"twice: {line}"
            self.samples[key] = float(value)

    def sum(self, name, **labels):
        """Of all samples of this name with at least these labels; None: there are none."""
        found = [value for (one, own), value in self.samples.items() if one == name and set(labels.items()) <= set(own)]
        return sum(found) if found else None


class Operating(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City()
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.monitor = {"Authorization": "Bearer " + cls.city.token("hangzhou/monitor")}
        cls.parking = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.parking")}

    def page(self):
        status, headers, body = self.city.request("GET", "/metrics", headers=self.monitor)
        self.assertEqual(status, 200, body)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        return Page(body.decode())

    def call(self, purpose="parking.settle"):
        body = {"purpose": purpose, "key": {"plate": "浙A00001"}, "fields": ["status"]}
        return self.city.request("POST", "/hub/v1/call/hangzhou/police/vehicle", body, self.parking)[0]

    def grows(self, before, by, name, **labels):
        """A figure is as much larger as it must be, in a moment: what is counted on other threads comes behind the answer."""
        was = before.sum(name, **labels) or 0
        wait_for(lambda: (self.page().sum(name, **labels) or 0) - was >= by, 60, f"{name}{labels} to grow by {by}")

    def test_who_may_ask(self):
        ask = self.city.request
        self.assertEqual(ask("GET", "/metrics")[0], 401)
        self.assertEqual(ask("GET", "/metrics", headers=self.parking)[0], 403)
        for person, status in (("mayor", 403), ("police-contracts", 403), ("operator", 200)):
            one = City(data=self.city.data, port=self.city.port)
            one.sign_in(person)
            self.assertEqual(one.request("GET", "/metrics")[0], status, person)
        for path, answer in (("/healthz", b'{"status":"ok"}'), ("/readyz", b'{"missing":[],"ready":true}')):
            status, headers, body = ask("GET", path)
            self.assertEqual((status, body, headers["Cache-Control"]), (200, answer, "no-store"))

    def test_promtool_agrees(self):
        self.call()
        self.call(purpose="something.else")
        page = self.page()
        checked = subprocess.run([promtool(), "check", "metrics"], input=page.text, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        broken = page.text.replace("# TYPE citybrain_hub_decisions_total counter", "# TYPE citybrain_hub_decisions_total gauge", 1)
        checked = subprocess.run([promtool(), "check", "metrics"], input=broken, capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(checked.returncode, 0, "this test would not notice")

    def test_every_queue_has_its_limit(self):
        page = self.page()
        queues = {labels for name, labels in page.samples if name == "citybrain_queue_length"}
        self.assertEqual(queues, {labels for name, labels in page.samples if name == "citybrain_queue_limit"})
        for labels in queues:
            limit = page.samples["citybrain_queue_limit", labels]
            self.assertLessEqual(page.samples["citybrain_queue_length", labels], limit, labels)
        names = {dict(labels)["queue"] for labels in queues}
        self.assertLessEqual({"http_connections", "http_body_bytes", "http_streams", "journal_bytes", "camera_unpublished", "hub_sources", "hub_calls", "hub_queries",
                              "hub_source_reports", "hub_stream_batches", "ledger_untiled", "bus_batches", "party_sessions", "party_sign_ins", "db_writes", "department", "department_queries", "files", "count_vehicles", "count_cameras", "count_records", "count_plates_untold",
                              "zone_checks", "zone_alerts", "zone_cameras"}, names)
        stores = {dict(labels)["of"] for labels in queues if dict(labels)["queue"] == "db_writes"}
        self.assertLessEqual({"hub", "acts", "party", "cases", "cockpit"}, stores)

    def test_a_use_and_a_refusal_are_counted(self):
        before = self.page()
        for _ in range(3):
            self.assertEqual(self.call(), 200)
        self.assertEqual(self.call(purpose="something.else"), 404)
        route = "POST /hub/v1/call/{area}/{party}/{name}"
        after = self.page()
        for by, name, labels in ((3, "citybrain_http_answers_total", {"route": route, "status": "200"}), (1, "citybrain_http_answers_total", {"route": route, "status": "404"}),
                                 (4, "citybrain_http_answer_seconds_count", {"route": route}), (3, "citybrain_hub_decisions_total", {"use": "call", "rule": "0"}),
                                 (1, "citybrain_hub_decisions_total", {"use": "call", "rule": "8"}), (3, "citybrain_hub_uses_total", {"use": "call", "status": "ok"}),
                                 (3, "citybrain_department_asked_total", {"department": "police"}), (3, "citybrain_department_seconds_count", {"department": "police"})):
            with self.subTest(name, **labels):
                self.assertGreaterEqual((after.sum(name, **labels) or 0) - (before.sum(name, **labels) or 0), by)
        self.grows(before, 6, "citybrain_ledger_leaves_total")  # an intent and an outcome each
        self.grows(before, 6, "citybrain_journal_records_total", journal="ledger")
        self.grows(before, 3, "citybrain_journal_sync_seconds_count", journal="ledger")
        self.grows(before, 1, "citybrain_ledger_publish_seconds_count")
        self.assertEqual(after.sum("citybrain_department_pending", department="police"), 0)

    def test_passages_are_counted_by_their_status(self):
        before = self.page()
        with open(os.path.join(self.city.data, "secrets", "camera"), encoding="ascii") as text:
            password = text.read().strip()
        name = devices(self.city.city)[0]
        camera = Camera(self.city.port, name, password)
        self.addCleanup(camera.close)
        bulk = passages(name, 5, 1) + [{"MotorVehicleID": "x"}]
        camera.request("POST", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": bulk}})
        self.grows(before, 5, "citybrain_camera_objects_total", status="0")
        self.grows(before, 1, "citybrain_camera_objects_total", status="8")
        self.grows(before, 5, "citybrain_camera_passages_total", system="cameras")
        self.grows(before, 5, "citybrain_bus_rows_total", subject="hangzhou.police.passage")

    def query(self, resource):
        body = {"purpose": "parking.plan", "sql": f'SELECT count(*) FROM "{resource}"'}
        return self.city.request("POST", "/hub/v1/query", body, self.parking)[0]

    def test_a_departments_database_is_gone_and_comes_back(self):
        """The row "a department's database down" of docs/operate.md."""
        before = self.page()
        here, away = (os.path.join(self.city.data, "departments", name) for name in ("police.sqlite", "police.away"))
        self.assertEqual(self.query("hangzhou/health/hospital"), 200)
        os.rename(here, away)
        try:
            wait_for(lambda: self.call() == 503, 60, "the refusal")
            self.assertEqual(self.query("hangzhou/health/hospital"), 200)  # the others go on
            self.assertEqual(self.city.request("GET", "/readyz")[0], 200)  # and so does the brain
            self.grows(before, 1, "citybrain_department_failed_total", department="police")
            self.grows(before, 1, "citybrain_hub_sources", health="down")
        finally:
            os.rename(away, here)
        wait_for(lambda: self.call() == 200, 60, "the answer")

    def test_a_loop_that_stands_still(self):
        """Neither alive nor ready, said by the brain itself: its main thread alone is held, as a debugger would; the HTTP threads go on."""
        libc, pid = ctypes.CDLL(None, use_errno=True), self.city.brain.pid

        def ptrace(request):
            if libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), ctypes.c_void_p(0), ctypes.c_void_p(0)) != 0:
                self.fail(f"ptrace({request:#x}): {os.strerror(ctypes.get_errno())}")

        ptrace(0x4206)  # PTRACE_SEIZE
        ptrace(0x4207)  # PTRACE_INTERRUPT
        os.waitpid(pid, 0x40000000)  # __WALL: it stands
        try:
            wait_for(lambda: self.city.request("GET", "/healthz")[0] == 503, 60, "the refusal of /healthz")
            status, _, body = self.city.request("GET", "/readyz")
            self.assertEqual((status, json.loads(body)), (503, {"ready": False, "missing": ["hub: its loop is stuck"]}))
            shown = self.status("--lang", "en")
            self.assertEqual(shown.returncode, 1, shown.stdout)
            self.assertIn("its loop is stuck", shown.stdout)
        finally:
            ptrace(17)  # PTRACE_DETACH
        wait_for(lambda: self.city.request("GET", "/readyz")[0] == 200, 60, "being ready again")
        self.assertEqual(self.city.request("GET", "/healthz")[0], 200)

    def status(self, *more):
        return self.city.citybrain("status", "--city", self.city.city, "--data", self.city.data, "--url", self.city.url, *more)

    def test_status(self):
        self.call()
        for language, words in (("en", ("Hangzhou · citybrain", "  ready         yes\n", "hangzhou.log: ", "agreed", "department ", "hangzhou.police.passage ")),
                                ("zh", ("杭州 · citybrain", "  就绪          是\n", "hangzhou.log：", "生效", "部门系统 ", "hangzhou.police.passage "))):
            shown = self.status("--lang", language)
            self.assertEqual((shown.returncode, shown.stderr), (0, ""))
            for word in words:
                self.assertIn(word, shown.stdout)
            self.assertRegex(shown.stdout, r"\n  police +[1-9][0-9,]* +[0-9]+ +0 +[0-9.]+ ms\n")
        told = json.loads(self.status("--json").stdout)
        self.assertEqual((told["ready"], told["missing"]), (True, []))
        self.assertGreater(sum(one["value"] for one in told["figures"]["citybrain_ledger_leaves_total"]), 0)
        for more, words in ((("--as", "hangzhou/scene.parking"), "403"), (("--as", "hangzhou/nobody"), "has no token"),
                            (("--url", "http://127.0.0.1:1"), "no brain answers at http://127.0.0.1:1")):
            refused = self.status(*more)
            self.assertEqual((refused.returncode, refused.stdout), (2, ""))
            self.assertIn(words, refused.stderr)

    def test_every_line_of_the_log_is_one_event_in_json(self):
        log = self.city.log("brain")
        self.assertGreater(log.count("\n"), 0)
        for line in log.splitlines():
            event = json.loads(line)
            self.assertLessEqual({"time", "priority", "part", "message"}, set(event), line)

    def test_the_process(self):
        page = self.page()
        self.assertTrue(10e6 < page.sum("process_resident_memory_bytes") < 1e9)
        self.assertTrue(10 < page.sum("process_open_fds") < page.sum("process_max_fds"))
        self.assertGreater(page.sum("process_cpu_seconds_total"), 0)
        with open(f"/proc/{self.city.brain.pid}/status", encoding="ascii") as text:
            threads = int(re.search(r"^Threads:\s+(\d+)", text.read(), re.M).group(1))
        self.assertLessEqual(abs(page.sum("process_threads") - threads), 4)


class Watched(unittest.TestCase):
    """What systemd hears from Type=notify with a watchdog: by the datagrams themselves."""

    def test_ready_alive_stopping(self):
        with tempfile.TemporaryDirectory(prefix="citybrain-notify-") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            path = os.path.join(folder, "notify")
            heard.bind(path)
            heard.settimeout(30)
            with mock.patch.dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="30000000"):
                city = City()
                with city:
                    said = heard.recv(4096).decode()
                    while said == "WATCHDOG=1":
                        said = heard.recv(4096).decode()
                    self.assertEqual(said, f"READY=1\nSTATUS=serves on port {city.port}")
                    self.assertEqual([heard.recv(4096) for _ in range(2)], [b"WATCHDOG=1"] * 2)
                    city.brain.send_signal(signal.SIGSTOP)  # the main loop does not come round
                    heard.settimeout(3)
                    with self.assertRaises(TimeoutError):
                        while True:
                            heard.recv(4096)
                    city.brain.send_signal(signal.SIGCONT)
                    heard.settimeout(30)
                    self.assertEqual(heard.recv(4096), b"WATCHDOG=1")
                    city.brain.send_signal(signal.SIGTERM)
                    while said != "STOPPING=1\nSTATUS=stopping":
                        said = heard.recv(4096).decode()
                    self.assertEqual(city.brain.wait(30), 0)


class Installed(unittest.TestCase):
    """make install, without the building: what is there, that it runs by itself, what systemd says of the unit; and that all of it goes again."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="citybrain-install-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(os.path.join(self.folder, "web"))
        with open(os.path.join(self.folder, "web", "index.html"), "w", encoding="ascii") as out:
            out.write("<!doctype html><title>installed</title>")

    def install(self, *arguments, **more):
        made = subprocess.run([os.path.join(ROOT, "tools", "install"), *arguments], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, BUILD=BUILD, WEB=os.path.join(self.folder, "web"), **more))
        return made.returncode, made.stdout + made.stderr

    def test_it_runs_and_goes(self):
        prefix = os.path.join(self.folder, "usr")
        self.assertEqual(self.install(PREFIX=prefix)[0], 0)
        self.assertEqual(self.install(PREFIX=prefix)[0], 0)  # again: in place of the first
        units = os.path.join(prefix, "lib", "systemd", "system")
        self.assertEqual(sorted(os.listdir(units)), ["citybrain-district@.service", "citybrain-hub@.service", "citybrain-system@.service", "citybrain-witness@.service", "citybrain@.service"])
        paths = [os.path.join(units, name) for name in sorted(os.listdir(units))]
        for unit in paths:
            with open(unit, encoding="utf-8") as text:
                self.assertNotRegex(text.read(), "@[A-Z]+@")  # nothing left to fill in
        checked = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((checked.returncode, checked.stdout + checked.stderr), (0, ""))
        rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", *paths], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(rated.returncode, 0, rated.stdout)  # exposure of at most 2.0 of 10
        with open(os.path.join(prefix, "share", "man", "man1", "citybrain.1"), encoding="utf-8") as text:
            page = text.read().replace("\\-", "-")
        for command in "run system hub district witness bus-key check status backup restore call query act object contract verify password".split():
            self.assertRegex(page, rf'\.BR? .*\b{command}\b', command)
        self.assertTrue(os.access(os.path.join(prefix, "share", "citybrain", "examples", "city", "hangzhou", "city.yaml"), os.R_OK))
        program = os.path.join(prefix, "bin", "citybrain")
        city = City(city=os.path.join(prefix, "share/citybrain/examples/city/hangzhou"))
        with mock.patch("city.BRAIN", program), mock.patch("city.ROOT", self.folder), city:
            self.assertIn(b"<title>installed</title>", city.request("GET", "/")[2])  # the screens beside the program, from another folder
        self.assertEqual(self.install("--uninstall", PREFIX=prefix)[0], 0)
        self.assertEqual(os.listdir(self.folder), ["web"])
        self.assertEqual(self.install("--uninstall", PREFIX=prefix)[0], 1)

    def test_for_a_package(self):
        destination = os.path.join(self.folder, "package")
        self.assertEqual(self.install(PREFIX="/usr", DESTDIR=destination)[0], 0)
        with open(os.path.join(destination, "usr/lib/systemd/system/citybrain@.service"), encoding="utf-8") as text:
            self.assertIn("ExecStart=/usr/bin/citybrain run /etc/citybrain/%i --data /var/lib/citybrain/%i --web /usr/share/citybrain/web\n", text.read())
        self.assertEqual(self.install(PREFIX="usr", DESTDIR=destination)[0], 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
