"""A wrong clock: the brain runs on a machine whose time of day jumps (a library in front of clock_gettime), forward a day, back a day, years
ahead. What holds: steady time is another clock, so nothing hangs; the ledger goes on, its numbers only grow and its receipts verify; passages of
cameras whose clock is right are refused one by one with the reason, never dropped in silence, and taken again when the time is right; a contract whose
end lies before the wrong time permits nothing."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import BRAIN, City, wait_for  # noqa: E402

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* The seconds that the file says are added to the time of day; steady clocks stay as they are. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    char text[32] = "";
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, ts);
    if (id == CLOCK_REALTIME) {
        int fd = open(getenv("CLOCK_OFFSET_FILE"), O_RDONLY);
        if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
            ts->tv_sec += atol(text);
        if (fd >= 0)
            close(fd);
    }
    return code;
}
"""
DAY = 86400
CALL = {"purpose": "parking.settle", "key": {"plate": "浙A00001"}, "fields": ["status"]}


class WrongClock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="citybrain-clock-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder, cls.offset = folder.name, os.path.join(folder.name, "offset")
        source, library = os.path.join(folder.name, "shim.c"), os.path.join(folder.name, "shim.so")
        with open(source, "w", encoding="ascii") as out:
            out.write(SHIM)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        cls.be(0)
        with mock.patch.dict(os.environ, LD_PRELOAD=library, CLOCK_OFFSET_FILE=cls.offset):
            cls.city = City()
            cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.token = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.parking")}
        cls.seed = 0

    @classmethod
    def be(cls, seconds):
        with open(cls.offset + ".new", "w", encoding="ascii") as out:
            out.write(f"{seconds}\n")
        os.rename(cls.offset + ".new", cls.offset)

    def call(self):
        status, _, body = self.city.request("POST", "/hub/v1/call/hangzhou/police/vehicle", CALL, self.token)
        return status, json.loads(body)

    def leaf(self, receipt):
        """The leaf, once its receipt has been verified offline."""
        number, path = receipt.split("/")[1], os.path.join(self.folder, "receipt.json")
        wait_for(lambda: self.city.request("GET", f"/log/v1/proof/{number}")[0] == 200, 30, "the checkpoint")
        with open(path, "wb") as out:
            out.write(self.city.request("GET", f"/log/v1/receipt/{number}")[2])
        verified = subprocess.run([BRAIN, "verify", path], capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(verified.returncode, 0, verified.stderr)
        with open(path, encoding="utf-8") as text:
            return int(number), json.loads(json.load(text)["leaf"])

    def pass_by(self):
        """(status, words) of a passage that a camera with a right clock sends."""
        with open(os.path.join(self.city.data, "secrets", "camera"), encoding="ascii") as text:
            camera = Camera(self.city.port, devices(self.city.city)[0], text.read().strip())
        type(self).seed += 1
        _, answer = camera.request("POST", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": passages(camera.device, 1, self.seed)}})
        camera.close()
        judged = answer["ResponseStatusListObject"]["ResponseStatusObject"][0]
        return str(judged["StatusCode"]), judged["StatusString"]

    def test_1_days_off_and_back(self):
        numbers, times = [], []
        for days, camera in ((0, True), (2, False), (-2, False), (0, True)):
            self.be(days * DAY)
            with self.subTest(days=days):
                status, answer = self.call()
                self.assertEqual(status, 200, answer)
                number, leaf = self.leaf(answer["receipt"])
                numbers.append(number)
                times.append(leaf["time_ms"])
                code, words = self.pass_by()
                self.assertEqual(code == "0", camera, words)
                self.assertEqual(self.city.request("GET", "/readyz")[0], 200)
        self.assertEqual(numbers, sorted(numbers))  # the ledger's order is not the clock's
        self.assertAlmostEqual((times[1] - times[0]) / 1000, 2 * DAY, delta=600)
        self.assertAlmostEqual((times[2] - times[0]) / 1000, -2 * DAY, delta=600)

    def test_2_years_ahead_nothing_is_permitted(self):
        self.be(5 * 365 * DAY)
        status, answer = self.call()
        self.assertEqual((status, "rows" in answer), (404, False))
        self.assertIn(answer["rule"], (1, 3))  # over, or ended since by the hub
        self.assertEqual(self.city.request("GET", "/healthz")[0], 200)
        self.assertIsNone(self.city.brain.poll())
        wait_for(lambda: self.call()[1]["rule"] == 1, 60, "the hub's watch to end the contract")
        self.be(0)
        status, answer = self.call()
        self.assertEqual((status, answer["rule"]), (404, 1))  # for good: docs/operate.md says what to do


if __name__ == "__main__":
    unittest.main(verbosity=2)
