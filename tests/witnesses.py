"""Witnesses for the tests: real `citybrain witness` processes, and a city that asks them.

    with WitnessedCity(5, 3) as city:       # five witnesses, three make a quorum; the brain runs
        city.witnesses[0].kill()

Standard library only.
"""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from city import BRAIN, ROOT, City, free_port, wait_for


def ask(url, body=None, timeout=5):
    """The text of an answer; raises urllib.error.HTTPError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data=body), timeout=timeout) as answer:
        return answer.read().decode()


class Witness:
    """One witness in a folder of its own, on a port that stays."""

    def __init__(self, folder, name):
        self.folder, self.name, self.port, self.process = folder, name, free_port(), None
        os.makedirs(folder)
        self.write([])
        self.vkey = subprocess.run([BRAIN, "witness", folder, "--vkey"], check=True, capture_output=True, text=True).stdout.strip()

    def write(self, logs):
        with open(os.path.join(self.folder, "witness.yaml"), "w", encoding="utf-8") as out:
            out.write(f"witness: {self.name}\nhttp: {{address: 127.0.0.1, port: {self.port}}}\nlogs: [{', '.join(logs)}]\n")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        with open(os.path.join(self.folder, "witness.log"), "ab") as out:
            self.process = subprocess.Popen([BRAIN, "witness", self.folder, "--log", "info"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0))
        wait_for(lambda: self.process.poll() is not None or ask(self.url + "/health"), 60, f"{self.name}'s health check")
        assert self.process.poll() is None, self.log()

    def log(self):
        with open(os.path.join(self.folder, "witness.log"), encoding="utf-8") as text:
            return text.read()

    def kill(self, number=signal.SIGKILL):
        if self.process is None:
            return None
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process = None
        return code


class WitnessedCity(City):
    """The demo city with n witnesses, `quorum` of which make its checkpoints count."""

    def __init__(self, n, quorum, **more):
        self.folder = tempfile.mkdtemp(prefix="citybrain-witnesses-")
        self.witnesses, self.log_vkey = [], None
        city = os.path.join(self.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), city)
        super().__init__(city=city, **more)
        try:
            super().start()  # once without, for the log's verifier key
            self.log_vkey = ask(self.url + "/log/v1/vkey").strip()
            self.stop()
            for i in range(n):
                witness = Witness(os.path.join(self.folder, f"w{i}"), f"hangzhou/witness-{i}")
                witness.write([self.log_vkey])
                self.witnesses.append(witness)
            self.write_policy(quorum)
            for witness in self.witnesses:
                witness.start()
        except BaseException:
            self.close()
            raise

    @property
    def policy(self):
        return os.path.join(self.city, "policy")

    def write_policy(self, quorum):
        names = [f"w{i}" for i in range(len(self.witnesses))]
        with open(self.policy, "w", encoding="utf-8") as out:
            out.write(f"# whose word counts\nlog {self.log_vkey}\n")
            for name, witness in zip(names, self.witnesses):
                out.write(f"witness {name} {witness.vkey} {witness.url}/\n")
            out.write(f"group departments {quorum} {' '.join(names)}\nquorum departments\n")
        path = os.path.join(self.city, "city.yaml")
        with open(path, encoding="utf-8") as text:
            changed = re.sub(r"(?m)^witnesses:.*\n", "", text.read())
        with open(path, "w", encoding="utf-8") as out:
            out.write(changed + "witnesses: policy\n")

    def set_option(self, line):
        """One more line of city.yaml, for the next start."""
        with open(os.path.join(self.city, "city.yaml"), "a", encoding="utf-8") as out:
            out.write(line + "\n")

    def health(self):
        return self.get("/health")["ledger"]

    def checkpoint(self):
        """(size, names of those who signed) of the published checkpoint."""
        text, _, lines = ask(self.url + "/log/v1/checkpoint").rpartition("\n\n")
        return int(text.split("\n")[1]), {line.split(" ")[1] for line in lines.splitlines()}

    def close(self):
        super().close()
        for witness in self.witnesses:
            try:
                witness.kill()
            except (OSError, subprocess.TimeoutExpired):
                pass
        shutil.rmtree(self.folder, ignore_errors=True)
