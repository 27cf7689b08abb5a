"""The disk is full: the brain says so in one clear line and ends with 74, nothing that was acknowledged is lost, and with room again it starts and goes on.

Full in two ways: a file may not grow any more (RLIMIT_FSIZE, set from outside while the brain runs), and a file system of its own has no room
(a tmpfs, in a mount namespace of this test's own; where the machine lets nobody mount, the first way alone is shown and a line says so).
"""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, made_data  # noqa: E402
from load import Load, check_leaves, check_passages  # noqa: E402

EXIT_BAD_INPUT, EXIT_CANNOT_STORE = 2, 74
ENDS_WITHIN_S = 30
ROOM = 64 << 10  # what is left when the disk "fills": a torn record is likely, a clean end of a file is not
OWN_MOUNTS = "CITYBRAIN_TEST_OWN_MOUNTS"  # set inside of the mount namespace
LOADS = {"cameras": {"cameras": 3, "callers": 0}, "callers": {"cameras": 0, "callers": 3}, "all": {"cameras": 2, "callers": 2, "readers": 1, "sign_ins": 1}}


class FileLimit:
    """A limit on the size of every file that the brain writes."""

    name = "RLIMIT_FSIZE"
    stays_full = False  # the next process has no limit

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="citybrain-full-")

    def fill(self, city, load):
        of = {"cameras": "passages", "callers": "ledger/journal", "all": "ledger/journal"}[load]
        largest = max(entry.stat().st_size for entry in os.scandir(os.path.join(city.data, of)))
        limit = min(largest + ROOM, 1 << 20)  # a fast machine has filled whole segments: under the size of one, or the next would begin in time
        resource.prlimit(city.brain.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def make_room(self):
        pass

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)


class SmallDisk:
    """A file system of its own, whose size can be changed."""

    name = "ENOSPC"
    stays_full = True

    def __init__(self):
        self.data = tempfile.mkdtemp(prefix="citybrain-full-")
        self._mount("-t", "tmpfs", "-o", "size=400m", "tmpfs")

    def _mount(self, *arguments):
        subprocess.run(["mount", *arguments, self.data], check=True)

    def fill(self, city=None, load=None, room=4 * ROOM):
        for _ in range(50):  # the brain goes on writing between the look and the mount, which is refused when more is there by then
            left = os.statvfs(self.data)
            used = (left.f_blocks - left.f_bfree) * left.f_frsize
            if subprocess.run(["mount", "-o", f"remount,size={used + room}", self.data], capture_output=True).returncode == 0:
                return
        self._mount("-o", f"remount,size={used + room}")

    def make_room(self):
        self._mount("-o", "remount,size=400m")

    def remove(self):
        subprocess.run(["umount", self.data], check=True)
        os.rmdir(self.data)


def can_mount():
    return os.environ.get(OWN_MOUNTS) == "1"


class DiskFull(unittest.TestCase):
    def run_full(self, disk, load_name):
        self.addCleanup(disk.remove)
        shutil.copytree(made_data(), disk.data, dirs_exist_ok=True)
        city = City(data=disk.data)
        self.addCleanup(city.close)
        city.logs = tempfile.mkdtemp(prefix="citybrain-full-log-")
        self.addCleanup(shutil.rmtree, city.logs, True)
        city.start()
        city.sign_in("mayor")
        load = Load(city, 1, **LOADS[load_name])
        time.sleep(1.5)
        filled = time.monotonic()
        try:
            disk.fill(city, load_name)
            code = city.brain.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.fail(f"the brain goes on with a full disk; refused: {load.refused}\n{city.log('brain')[-3000:]}")
        finally:
            load.end()
        took = time.monotonic() - filled
        words = city.log("brain")
        self.assertEqual(code, EXIT_CANNOT_STORE, words[-3000:])
        line = words.rstrip("\n").splitlines()[-1]
        self.assertRegex(line, r"the disk refused.*[Mm]end")
        print(f"{disk.name}, {load_name}: ended with {code} after {took:.1f} s; acknowledged: {len(load.passages)} passages, {len(load.receipts)} leaves",
              file=sys.stderr)
        self.assertGreater(len(load.passages) + len(load.receipts), 100)
        if disk.stays_full:
            disk.fill(room=0)  # what the end of the process has set free
            self.refuses_to_start(city)
        disk.make_room()
        city.start()
        city.sign_in("mayor")
        check_leaves(self, city, load.receipts)
        again = Load(city, 2, **LOADS["all"])
        time.sleep(1)
        again.end()
        check_leaves(self, city, again.receipts)
        self.assertGreater(len(again.receipts), 10)
        self.assertGreater(len(again.passages), 10)
        self.assertEqual(city.stop(), 0, city.log("brain")[-3000:])
        check_passages(self, city, load.passages + again.passages)

    def refuses_to_start(self, city):
        """Still no room: it ends at once, or at the first write; in both cases with words and the mend."""
        n_before = len(city.log("brain"))
        city.spawn_brain()
        code = city.brain.wait(ENDS_WITHIN_S)
        words = city.log("brain")[n_before:]
        self.assertIn(code, (EXIT_BAD_INPUT, EXIT_CANNOT_STORE), words)
        self.assertRegex(words, r"disk is full|the disk refused")

    def test_a_file_cannot_grow(self):
        for load in LOADS:
            with self.subTest(load):
                self.run_full(FileLimit(), load)

    def test_no_room_on_the_disk(self):
        if not can_mount():
            print("nobody may mount here: the full file system is not shown, the full file is", file=sys.stderr)
            return
        for load in LOADS:
            with self.subTest(load):
                self.run_full(SmallDisk(), load)


def in_own_mounts():
    """Starts this program again in a mount namespace of its own, as root or as root of a user namespace; what it mounts goes with it."""
    for how in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        probe = subprocess.run([*how, "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True)
        if probe.returncode == 0:
            os.environ[OWN_MOUNTS] = "1"
            os.execvp(how[0], [*how, sys.executable, *sys.argv])


if __name__ == "__main__":
    if OWN_MOUNTS not in os.environ:
        in_own_mounts()
    unittest.main(verbosity=2)
