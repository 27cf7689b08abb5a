"""Backup and restore of a brain that goes on serving: callers get receipts and a camera its acknowledgements the whole time, a backup is made
beside them, and what was acknowledged before it began is there after the restore: every receipt verifies against the restored log, by our own
verifier and by the one in Go; passages, contracts and sessions are there. And a damaged, a cut and another city's backup are refused.

BACKUP_CALLS: receipts before the backup (default 400)."""
import base64
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import BRAIN, ROOT, City, wait_for  # noqa: E402

CALLS = int(os.environ.get("BACKUP_CALLS", "400"))
CALL = {"purpose": "parking.settle", "key": {"plate": "浙A00001"}, "fields": ["status"]}


def brain(*arguments):
    return subprocess.run([BRAIN, *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


class Load(threading.Thread):
    """Calls, or passages, until told to stop; notes what was acknowledged, and when."""

    def __init__(self, city, camera=None):
        super().__init__(daemon=True)
        self.city, self.camera, self.ends, self.acknowledged, self.failed = city, camera, False, [], []

    def run(self):
        token = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")}
        n = 0
        while not self.ends:
            n += 1
            try:
                if self.camera:
                    some = passages(self.camera.device, 5, n)
                    status, _ = self.camera.request("POST", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": some}})
                    what = [one["MotorVehicleID"] for one in some]
                else:
                    status, _, body = self.city.request("POST", "/hub/v1/call/hangzhou/police/vehicle", CALL, token)
                    what = json.loads(body)["receipt"] if status == 200 else body
            except OSError as error:
                status, what = 0, error
            if status == 200:
                self.acknowledged.append((time.monotonic(), what))
            else:
                self.failed.append((status, what))

    def stop(self):
        self.ends = True
        self.join(60)
        return self.acknowledged


class Backup(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-backup-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.backup = os.path.join(cls.folder, "backup")
        with City() as city:
            cls.city_dir = city.city
            cls.under_load(city)
            city.kill()
            shutil.copytree(os.path.join(city.data, "departments"), os.path.join(cls.folder, "departments"))

    @classmethod
    def under_load(cls, city):
        with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as text:
            camera = Camera(city.port, devices(city.city)[0], text.read().strip())
        calls, cameras = [Load(city), Load(city)], Load(city, camera)
        for one in [*calls, cameras]:
            one.start()
        wait_for(lambda: sum(len(one.acknowledged) for one in calls) >= CALLS and len(cameras.acknowledged) >= 20, 60, "the load")
        wait_for(lambda: int(city.request("GET", "/log/v1/checkpoint")[2].split(b"\n")[1]) >= 300, 60, "a checkpoint over a full tile")
        mayor = City(data=city.data, port=city.port)
        mayor.sign_in("mayor")
        cls.session = "; ".join(f"{one.name}={one.value}" for one in mayor.cookies)
        begun = time.monotonic()
        os.mkdir(cls.backup, 0o755)  # a folder that is there, for everybody to read: it will hold secrets
        cls.made = brain("backup", cls.backup, "--city", city.city, "--data", city.data)
        cls.took = time.monotonic() - begun
        n = sum(len(one.acknowledged) for one in calls)
        wait_for(lambda: sum(len(one.acknowledged) for one in calls) > n + 5, 60, "the brain to go on serving")
        done = [one.stop() for one in [*calls, cameras]]
        camera.close()
        cls.failed = calls[0].failed + calls[1].failed + cameras.failed
        cls.receipts = [what for at, what in done[0] + done[1] if at < begun]
        cls.later = [what for at, what in done[0] + done[1] if at >= begun]
        cls.passages = [one for at, what in done[2] if at < begun for one in what]

    def restored(self, name):
        data = os.path.join(self.folder, name)
        result = brain("restore", self.backup, "--city", self.city_dir, "--data", data)
        self.assertEqual(result.returncode, 0, result.stderr)
        shutil.copytree(os.path.join(self.folder, "departments"), os.path.join(data, "departments"))
        return data

    def test_1_it_is_made_while_the_brain_serves(self):
        self.assertEqual(self.made.returncode, 0, self.made.stderr)
        self.assertRegex(self.made.stdout, r"^backed up: \d+ files, .* checked$")
        self.assertEqual(self.failed, [])
        self.assertGreaterEqual(len(self.receipts), CALLS)
        self.assertGreater(len(self.later), 5)
        for path, mode in (("secrets/ledger", 0o600), ("tokens/hangzhou_monitor", 0o600)):
            self.assertEqual(os.stat(os.path.join(self.backup, path)).st_mode & 0o777, mode)
        self.assertEqual(os.stat(self.backup).st_mode & 0o777, 0o700)
        self.assertFalse(os.path.exists(os.path.join(self.backup, "departments")))
        print(f"{len(self.receipts)} receipts, {len(self.passages)} passages before; {self.made.stdout.strip()}; {self.took:.2f} s", file=sys.stderr)

    def test_2_nothing_acknowledged_is_missing(self):
        data = self.restored("data")
        with City(data=data) as city:
            numbers = [int(one.split("/")[1]) for one in self.receipts]
            wait_for(lambda: int(city.request("GET", "/log/v1/checkpoint")[2].split(b"\n")[1]) > max(numbers), 30, "the checkpoint")
            vkey = os.path.join(self.folder, "vkey")
            with open(vkey, "wb") as out:
                out.write(city.request("GET", "/log/v1/vkey")[2])
            for number in numbers[:3] + numbers[-3:] + [max(numbers)]:
                path = os.path.join(self.folder, "receipt.json")
                with open(path, "wb") as out:
                    out.write(city.request("GET", f"/log/v1/receipt/{number}")[2])
                verified = brain("verify", path, "--vkey", vkey)
                self.assertEqual(verified.returncode, 0, verified.stderr)
            for number in numbers:  # each is an intent of a call
                leaf = json.loads(json.loads(city.request("GET", f"/log/v1/receipt/{number}")[2])["leaf"])
                self.assertEqual((leaf["type"], leaf["use"], leaf["consumer"]), ("intent", "call", "hangzhou/scene.parking"))
            self.assertEqual(city.request("GET", "/party/v1/session", headers={"Cookie": self.session})[0], 200)  # the mayor is still signed in
            token = {"Authorization": "Bearer " + city.token("hangzhou/scene.parking")}
            self.assertEqual(city.request("GET", f"/hub/v1/opening/{numbers[0]}", headers=token)[0], 200)  # the day's key is there
            self.assertEqual(city.request("POST", "/hub/v1/call/hangzhou/police/vehicle", CALL, token)[0], 200)
            self.assertEqual(city.stop(), 0)
        listed = brain("passages", self.city_dir, "--data", data)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        there = {line.split("\t")[2] for line in listed.stdout.splitlines()}
        self.assertLessEqual(set(self.passages), there)
        with sqlite3.connect(f"file:{data}/hub.sqlite?mode=ro", uri=True) as store:
            self.assertEqual(store.execute("PRAGMA integrity_check").fetchone()[0], "ok")

    def test_3_the_log_hashes_to_its_checkpoint(self):
        """By RFC 6962 in a few lines of Python: a verifier that shares nothing with ours."""
        log = os.path.join(self.restored("hashed"), "ledger", "log")
        with open(os.path.join(log, "checkpoint"), "rb") as text:
            origin, size, root = text.read().split(b"\n")[:3]
        size, entries = int(size), []
        for n in range((size + 255) // 256):
            width = min(256, size - 256 * n)
            with open(os.path.join(log, "tile", "entries", f"{n:03d}" + (f".p/{width}" if width < 256 else "")), "rb") as file:
                bundle, at = file.read(), 0
            while at < len(bundle):
                length = int.from_bytes(bundle[at:at + 2], "big")
                entries.append(bundle[at + 2:at + 2 + length])
                at += 2 + length

        def tree(leaves):
            if len(leaves) == 1:
                return hashlib.sha256(b"\0" + leaves[0]).digest()
            k = 1 << (len(leaves) - 1).bit_length() - 1
            return hashlib.sha256(b"\1" + tree(leaves[:k]) + tree(leaves[k:])).digest()

        self.assertEqual((origin, len(entries)), (b"hangzhou.log", size))
        self.assertEqual(base64.b64encode(tree(entries)), root)

    def test_4_what_is_no_whole_backup_is_refused(self):
        def refused(words, change):
            copy, data = os.path.join(self.folder, "copy"), os.path.join(self.folder, "refused")
            shutil.copytree(self.backup, copy)
            self.addCleanup(shutil.rmtree, copy, ignore_errors=True)
            change(copy)
            result = brain("restore", copy, "--city", self.city_dir, "--data", data)
            self.assertEqual(result.returncode, 1, result.stdout)
            self.assertIn(words, result.stderr)
            self.assertFalse(os.path.exists(data))
            shutil.rmtree(data + ".restoring", ignore_errors=True)
            shutil.rmtree(copy)

        def flip(path):
            def change(copy):
                with open(os.path.join(copy, path), "r+b") as file:
                    file.seek(-1, 2)
                    last = file.read(1)
                    file.seek(-1, 2)
                    file.write(bytes([last[0] ^ 1]))
            return change

        def manifest(**members):
            def change(copy):
                path = os.path.join(copy, "backup.json")
                with open(path, encoding="utf-8") as text:
                    told = json.load(text)
                with open(path, "w", encoding="utf-8") as out:
                    json.dump({**told, **members}, out)
            return change

        def forged(copy):
            """The entries changed, and the manifest made to fit: the checkpoint's root does not."""
            path = os.path.join(copy, "ledger", "log", "tile", "entries", "000")
            with open(path, "rb") as file:
                text = file.read()
            with open(path, "wb") as file:
                file.write(text.replace(b"hangzhou/police", b"hangzhou/polixe", 1))
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            with open(os.path.join(copy, "backup.json"), encoding="utf-8") as file:
                told = json.load(file)
            for one in told["files"]:
                if one["path"] == "ledger/log/tile/entries/000":
                    one["sha256"] = digest
            manifest(**told)(copy)

        refused("this file is not what the backup wrote", flip("store/party.sqlite"))
        refused("this file is not what the backup wrote", flip("ledger/log/tile/0/000"))
        refused("cannot be read", lambda copy: os.remove(os.path.join(copy, "secrets", "ledger")))
        refused("this is no backup, or one that was not finished", lambda copy: os.remove(os.path.join(copy, "backup.json")))
        refused("of a newer program", manifest(backup=2))
        refused("not of hangzhou", manifest(city="puer"))
        refused("names a file without path", manifest(files=[{"path": "../outside", "bytes": 1, "sha256": "0" * 64}]))
        refused("do not hash to the root", forged)

    def test_5_nothing_is_written_over(self):
        result = brain("backup", self.backup, "--city", self.city_dir, "--data", os.path.join(self.folder, "data"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is something in this folder already", result.stderr)
        full = os.path.join(self.folder, "full")
        os.mkdir(full)
        with open(os.path.join(full, "x"), "w", encoding="ascii"):
            pass
        result = brain("restore", self.backup, "--city", self.city_dir, "--data", full)
        self.assertEqual(result.returncode, 1)
        self.assertIn("stop the brain and move the folder away", result.stderr)
        self.assertEqual(os.listdir(full), ["x"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
