"""Departments in processes of their own, over a real nats-server with TLS and nkeys, for the tests.

    with Departments("health") as city:           # hangzhou/health beside its data, the brain with --over-bus, both joined by NATS
        city.department["health"].end()           # kill -9; .start() again
        city.nats.kill(); city.nats.start()

`Departments` is a City (tests/city.py) whose folder of files is a copy, with the parties' keys in it; `edit(folder)` may add files to it.
"""
import os
import re
import shutil
import signal
import tempfile

import servers
from city import BRAIN, ROOT, City


def make_key(folder, party):
    """The party's private key in folder/PARTY.key, made when there is none yet; its public half as text."""
    secret = os.path.join(folder, party + ".key")
    if not os.path.exists(secret):
        made = City.citybrain(None, "contract", "key", secret)
        with open(secret + ".pub", "w", encoding="ascii") as out:
            out.write(made.stdout.strip())
    with open(secret + ".pub", encoding="ascii") as text:
        return text.read()


def declare_key(parties, party, public):
    """The text of parties.yaml with the key of hangzhou/PARTY, which is declared in it on a line."""
    return re.sub(rf"(\{{name: hangzhou/{party}, [^\n]*)\}}\n", rf'\1, key: "{public}"}}\n', parties, count=1)


class Department:
    """`citybrain system` for one party, on a data folder of its own."""

    def __init__(self, city, party, data, options):
        self.city, self.party, self.data, self.options, self.process = city, party, data, options, None
        os.makedirs(self.data, exist_ok=True)

    def start(self, files=None):
        """Starts it on the city's files, or on others."""
        self.process = self.city._spawn(self.party, [
            BRAIN, "system", files or self.city.city, "--party", f"hangzhou/{self.party}", "--data", self.data, "--log", "info", *self.options])

    def end(self, number=signal.SIGKILL):
        code = City._end(self.process, number)
        self.process = None
        return code

    def memory(self, what="VmHWM"):
        """MB that it holds, or held at most."""
        return memory(self.process, what)

    def served(self):
        """(what, resource, receipt) of each line of its journal of what it served."""
        text = b""
        for name in sorted(os.listdir(os.path.join(self.data, "served"))):
            with open(os.path.join(self.data, "served", name), "rb") as segment:
                text += segment.read()
        return [tuple(part.decode() for part in line)
                for line in re.findall(rb'"what":"([a-z]+)","resource":"([^"]*)","contract":"[^"]*","receipt":"([^"]*)"', text)]


def memory(process, what="VmHWM"):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as text:
        return next(int(line.split()[1]) for line in text if line.startswith(what + ":")) // 1024


class Departments(City):
    def __init__(self, *parties, edit=None, options=()):
        self.folder = tempfile.mkdtemp(prefix="citybrain-departments-")
        self.nats = None
        try:
            self.nats = servers.start_nats()
            files = os.path.join(self.folder, "hangzhou")
            shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), files)
            if edit:
                edit(files)
            self._declare_keys(files, ("hub", *parties))
            names = ",".join(f"hangzhou/{party}" for party in parties)
            super().__init__(city=files, options=["--over-bus", names, *self.bus_options("hub"), *options])
            self.department = {
                party: Department(self, party, os.path.join(self.folder, party + "-data"), self.bus_options(party)) for party in parties}
        except BaseException:
            self._clean()
            raise

    def _declare_keys(self, files, parties):
        path = os.path.join(files, "parties.yaml")
        with open(path, encoding="utf-8") as text:
            declared = text.read()
        for party in parties:
            declared = declare_key(declared, party, make_key(self.folder, party))
        with open(path, "w", encoding="utf-8") as out:
            out.write(declared)

    def bus_options(self, party):
        return ["--bus", self.nats.url, "--bus-ca", self.nats.ca, "--bus-key", self.nats.key(party), "--party-key", os.path.join(self.folder, party + ".key")]

    def move(self, party, *names):
        """Files of the departments' folder to where the hub cannot reach them."""
        to = os.path.join(self.department[party].data, "departments")
        os.makedirs(to, exist_ok=True)
        for name in names:
            shutil.move(os.path.join(self.data, "departments", name), os.path.join(to, name))
        return to

    def _clean(self):
        if self.nats is not None:
            self.nats.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self):
        for department in self.department.values():
            department.end()
        super().close()
        self._clean()
