#!/usr/bin/env python3
"""tools/setup on machines that this one is not: each with programs of its own in place of dpkg, apt-get, id, sudo, npm. What it installs, what
it leaves alone, and the one line with the mend when it cannot."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT  # noqa: E402

TOOLS = "bash sh env sed sort comm grep head tail cut tr cat mkdir touch sha256sum dirname printf true rm mv".split()
ALL_THERE = """case $3 in '${Version}') exit 1 ;; esac; shift 2; for p in "$@"; do echo "installed $p"; done"""
NONE_THERE = "exit 1"


class Setup(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="citybrain-setup-")
        self.addCleanup(shutil.rmtree, self.root)
        os.mkdir(f"{self.root}/tools")
        os.mkdir(f"{self.root}/bin")
        shutil.copy(f"{ROOT}/tools/setup", f"{self.root}/tools/setup")
        for name in TOOLS:
            found = shutil.which(name)
            if found:
                os.symlink(found, f"{self.root}/bin/{name}")
        self.program("id", "echo 0")
        self.program("node", "echo v18.20.4")
        self.program("npm", 'echo "npm $*" >>"$CALLS"; mkdir -p node_modules')
        self.program("apt-get", 'echo "apt-get $*" >>"$CALLS"')
        self.program("dpkg-query", ALL_THERE)
        self.program("promtool", "")

    def program(self, name, script):
        path = f"{self.root}/bin/{name}"
        with open(path, "w", encoding="utf-8") as out:
            out.write(f"#!/bin/bash\n{script}\n")
        os.chmod(path, 0o755)

    def remove(self, name):
        os.remove(f"{self.root}/bin/{name}")

    def web(self, text="{}"):
        os.makedirs(f"{self.root}/cockpit/web", exist_ok=True)
        with open(f"{self.root}/cockpit/web/package-lock.json", "w", encoding="utf-8") as out:
            out.write(text)

    def start(self, mode="run"):
        """(exit code, what it says, what it called)."""
        calls = f"{self.root}/calls"
        if os.path.exists(calls):
            os.remove(calls)
        result = subprocess.run([f"{self.root}/tools/setup", mode], env={"PATH": f"{self.root}/bin", "CALLS": calls, "HOME": self.root, "SETUP_ETC": f"{self.root}/etc"}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        called = ""
        if os.path.exists(calls):
            with open(calls, encoding="utf-8") as text:
                called = text.read()
        return result.returncode, result.stdout, called

    def test_nothing_missing_is_silent(self):
        self.assertEqual(self.start("test"), (0, "", ""))

    def test_installs_what_is_missing_and_only_that(self):
        self.program("dpkg-query", 'shift 2; for p in "$@"; do case $p in meson|sumo) ;; *) echo "installed $p" ;; esac; done')
        code, said, called = self.start()
        self.assertEqual(code, 0, said)
        self.assertIn("installing 2 Debian packages: meson sumo", said)
        self.assertRegex(called, r"install -y --no-install-recommends meson sumo\n")

    def test_no_database_server_is_left_running(self):
        self.program("dpkg-query", NONE_THERE)
        self.program("apt-get", 'case $* in *install*) cat "$SETUP_ETC/postgresql-common/createcluster.d/citybrain.conf" >>"$CALLS" 2>&1 ;; esac')
        _, said, called = self.start("test")
        self.assertEqual(called, "create_main_cluster = false\n", said)  # it was there before the packages came
        os.remove(f"{self.root}/etc/postgresql-common/createcluster.d/citybrain.conf")
        self.start("run")
        self.assertFalse(os.path.exists(f"{self.root}/etc/postgresql-common/createcluster.d/citybrain.conf"))

    def test_tests_tools_are_not_installed_for_run(self):
        self.program("dpkg-query", NONE_THERE)
        _, _, called = self.start("run")
        for name in ("chromium", "libcmocka-dev", "golang-go", "clang"):
            self.assertNotIn(name, called)
        _, _, called = self.start("test")
        for name in ("chromium", "libcmocka-dev", "golang-go", "clang"):
            self.assertIn(name, called)

    def test_a_node_that_is_there_stays(self):
        self.program("dpkg-query", NONE_THERE)
        self.assertNotIn("nodejs", self.start()[2])
        self.remove("node")
        self.assertRegex(self.start()[2], r"install .*\bnodejs npm\b")

    def test_an_old_node_is_named(self):
        self.program("node", "echo v12.22.12")
        code, said, _ = self.start()
        self.assertEqual(code, 1)
        self.assertRegex(said, r"node 12\.22\.12 at .* is too old; mend: ")

    def test_promtool_comes_alone_out_of_its_package(self):
        self.remove("promtool")
        self.program("apt-get", 'echo "apt-get $*" >>"$CALLS"; case $* in *"download prometheus") touch prometheus_2_amd64.deb ;; *) exit 1 ;; esac')
        self.program("dpkg-deb", "exit 0")
        self.program("tar", 'cat; mkdir -p "$3/usr/bin"; printf "#!/bin/bash\n" >"$3/usr/bin/promtool"; chmod 755 "$3/usr/bin/promtool"')
        os.symlink(shutil.which("chmod"), f"{self.root}/bin/chmod")
        code, said, called = self.start("run")
        self.assertEqual((code, said, called), (0, "", ""))
        code, said, called = self.start("test")
        self.assertEqual(code, 0, said)
        self.assertTrue(os.access(f"{self.root}/.cache/promtool", os.X_OK))
        self.assertNotIn("install", called)  # the package would start a server
        self.assertEqual(self.start("test"), (0, "", ""))
        os.remove(f"{self.root}/.cache/promtool")
        self.program("apt-get", "exit 100")
        code, said, _ = self.start("test")
        self.assertEqual(code, 1)
        self.assertRegex(said.splitlines()[-1], r"mend: ")

    def test_neither_root_nor_sudo(self):
        self.program("dpkg-query", NONE_THERE)
        self.program("id", "echo 1000")
        code, said, called = self.start()
        self.assertEqual((code, called), (1, ""))
        self.assertRegex(said, r"neither root nor have sudo without a password; mend: sudo apt-get install --no-install-recommends .*meson")
        self.program("sudo", "exit 1")  # a password is wanted: it never asks
        self.assertEqual(self.start()[0], 1)
        self.program("sudo", 'shift; exec "$@"')
        code, said, called = self.start()
        self.assertEqual(code, 0, said)
        self.assertIn("install -y", called)

    def test_no_network(self):
        self.program("dpkg-query", NONE_THERE)
        self.program("apt-get", 'echo "Err:1 http://archive Temporary failure resolving"; exit 100')
        code, said, _ = self.start()
        self.assertEqual(code, 1)
        self.assertRegex(said.splitlines()[-1], r"no package list from Debian's archive; mend: look at the network")

    def test_a_package_that_the_archive_has_not(self):
        self.program("dpkg-query", NONE_THERE)
        self.program("apt-get", 'case "$*" in *update*) exit 0 ;; esac; echo "E: Unable to locate package libsimdjson-dev"; exit 100')
        code, said, _ = self.start()
        self.assertEqual(code, 1)
        self.assertRegex(said.splitlines()[-1], r"no package libsimdjson-dev; mend: ")

    def test_not_debian(self):
        self.remove("dpkg-query")
        self.remove("apt-get")
        code, said, _ = self.start()
        self.assertEqual(code, 1)
        self.assertIn("this is not Debian", said)

    def test_modules_when_the_lock_file_changed(self):
        self.web()
        code, said, called = self.start("run")
        self.assertEqual(code, 0, said)
        self.assertIn("npm ci --omit=dev", called)
        self.assertEqual(self.start("run"), (0, "", ""))
        self.assertRegex(self.start("test")[2], r"npm ci --no-audit")
        self.assertEqual(self.start("run"), (0, "", ""))
        self.web('{"changed":1}')
        self.assertIn("npm ci", self.start("run")[2])

    def test_the_audit_plugin_is_fetched_once(self):
        self.program("dpkg-query", "case $3 in '${Version}') echo 1:2.3 ;; *) " + ALL_THERE.split("esac; ")[1] + " ;; esac")
        self.program("apt-get", 'echo "apt-get $*" >>"$CALLS"; : >mariadb-server_2.3.deb')
        self.program("dpkg", 'mkdir -p usr/lib/mysql/plugin; echo plugin >usr/lib/mysql/plugin/server_audit.so')
        self.assertEqual(self.start("run"), (0, "", ""))
        code, said, called = self.start("test")
        self.assertEqual((code, called), (0, "apt-get -q download mariadb-server=1:2.3\n"), said)
        with open(f"{self.root}/.cache/mariadb/server_audit.so", encoding="ascii") as plugin:
            self.assertEqual(plugin.read(), "plugin\n")
        self.assertEqual(self.start("test"), (0, "", ""))
        self.program("dpkg-query", "case $3 in '${Version}') echo 1:2.4 ;; *) " + ALL_THERE.split("esac; ")[1] + " ;; esac")
        self.program("apt-get", "exit 100")
        code, said, _ = self.start("test")
        self.assertEqual(code, 1)
        self.assertRegex(said.splitlines()[-1], r"mariadb-server 1:2\.4 cannot be fetched; mend: ")

    def test_registry_that_does_not_answer(self):
        self.web()
        self.program("npm", 'case $1 in config) echo https://registry/ ;; *) echo "npm ERR! code EAI_AGAIN" >&2; exit 1 ;; esac')
        code, said, _ = self.start()
        self.assertEqual(code, 1)
        self.assertRegex(said.splitlines()[-1], r"the registry https://registry/ does not answer; mend: ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
