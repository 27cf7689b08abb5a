#!/usr/bin/env python3
"""Objects through the whole program: a long one in bounded memory (CITYBRAIN_OBJECT_MB, 200 unless said; 2048 for the full size), checked by the
command line against its receipt; parts; a reader that stands still; one that goes; a kill on the way."""
import hashlib
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, wait_for  # noqa: E402
from objects import PATH, WithObjects  # noqa: E402

MB = int(os.environ.get("CITYBRAIN_OBJECT_MB", "200"))
MEMORY_MB = 100  # what the brain may hold meanwhile
USE = ("object", "hangzhou/health/xray")
AS = ("--as", "hangzhou/scene.referral", "--purpose", "medical.refer")


class Objects(WithObjects, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City()
        try:
            cls.city.start()
            cls.folder = os.path.join(cls.city.data, "departments", "xray")
            cls.bearer = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.referral")}
        except BaseException:
            cls.city.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.city.close()

    def memory(self, what):
        with open(f"/proc/{self.city.brain.pid}/status", encoding="ascii") as text:
            return next(int(line.split()[1]) for line in text if line.startswith(what + ":")) // 1024

    def run_object(self, *arguments):
        return self.city.citybrain(*USE, *arguments, *AS, "--data", self.city.data, "--url", self.city.url)

    def test_a_long_one_in_bounded_memory(self):
        path = self.make_long("long", MB)
        to = os.path.join(self.city.data, "got.png")
        self.addCleanup(lambda: os.path.exists(to) and os.unlink(to))
        standing = [self.open_slowly("long") for _ in range(8)]  # who do not read hold next to nothing
        done = self.run_object("long", "--to", to)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "rb") as one, open(to, "rb") as other:
            digest = hashlib.file_digest(one, "sha256").hexdigest()
            self.assertEqual(hashlib.file_digest(other, "sha256").hexdigest(), digest)
        self.assertIn(f"{MB << 20} bytes, sha256 {digest}, image/png, receipt hangzhou.log/", done.stdout)
        most = self.memory("VmHWM")
        print(f"{MB} MB with 8 standing still: the brain held {most} MB at most", file=sys.stderr)
        self.assertLess(most, MEMORY_MB)
        leaf = self.outcome(done.stdout.split("receipt ")[1].strip())
        self.assertEqual((leaf["status"], leaf["bytes"], leaf["first"], leaf["total"]), ("ok", MB << 20, 0, MB << 20))
        for connection, receipt in standing:
            connection.close()
        for _, receipt in standing:
            leaf = self.outcome(receipt)
            self.assertEqual(leaf["status"], "cancelled")
            self.assertLess(leaf["bytes"], MB << 20)

    def test_the_demo_and_its_parts(self):
        with open(os.path.join(self.folder, "X0000001.png"), "rb") as picture:
            bytes_ = picture.read()
        status, headers, body = self.city.request("GET", PATH + "X0000001", headers=self.bearer)
        self.assertEqual((status, headers["Content-Type"], body), (200, "image/png", bytes_))

        def settled():  # the file has just been made: its version is a weak one for two seconds
            etag = self.city.request("HEAD", PATH + "X0000001", headers=self.bearer)[1]["ETag"]
            return not etag.startswith("W/") and etag
        etag = wait_for(settled, 60, "a strong version")
        for wanted, first, last in (("0-99", 0, 99), ("-100", len(bytes_) - 100, len(bytes_) - 1), ("1000-", 1000, len(bytes_) - 1)):
            status, headers, body = self.city.request("GET", PATH + "X0000001", headers={**self.bearer, "Range": "bytes=" + wanted, "If-Range": etag})
            self.assertEqual((status, headers["Content-Range"]), (206, f"bytes {first}-{last}/{len(bytes_)}"))
            self.assertEqual(body, bytes_[first:last + 1])
            leaf = self.outcome(headers["Citybrain-Receipt"])
            self.assertEqual((leaf["first"], leaf["bytes"], leaf["total"]), (first, last + 1 - first, len(bytes_)))
        self.assertEqual(self.city.request("GET", PATH + "X0000001", headers={**self.bearer, "If-None-Match": etag})[0], 304)
        self.assertEqual(self.city.request("GET", PATH + "X0000001", headers={**self.bearer, "Range": "bytes=9999999-"})[0], 416)
        self.assertEqual(self.city.request("GET", PATH + "..%2Fpolice", headers=self.bearer)[0], 404)
        to = os.path.join(self.city.data, "part")
        done = self.run_object("X0000001", "--range", "10-19", "--to", to)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(to, "rb") as part:
            self.assertEqual(part.read(), bytes_[10:20])
        os.unlink(to)
        done = self.run_object("X9999999", "--to", to)
        self.assertEqual((done.returncode, os.path.exists(to), os.path.exists(to + ".part")), (1, False, False))
        self.assertIn("the department has no such object", done.stderr)
        self.city.sign_in("auditor")
        catalog = {entry["resource"]: entry for entry in self.city.get("/hub/v1/catalog")["resources"]}
        self.assertEqual(catalog["hangzhou/health/xray"]["kind"], "object")

    def test_a_kill_on_the_way(self):
        """What is under way is gone, its intent is not: the brain comes back, and the next asking is served."""
        self.make_long("killed", 64)
        connection, receipt = self.open_slowly("killed")
        self.city.kill()
        try:
            while connection.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass
        self.city.start()
        status, _, body = self.city.request("GET", "/hub/v1/opening/" + receipt.split("/")[1], headers=self.bearer)
        self.assertEqual((status, json.loads(body)["leaf"]["type"]), (200, "intent"))
        status, _, body = self.city.request("GET", PATH + "killed", headers={**self.bearer, "Range": "bytes=1048576-1048576"})
        self.assertEqual((status, body), (206, b"1"))


if __name__ == "__main__":
    unittest.main()
