"""A city in two processes over NATS: the hub, and the police's connector beside its database (`citybrain system`). Standard library only."""
import os
import subprocess
import sys

import peers
import tables
from peers import BRAIN, BenchCity, pinned, wait_for

sys.path.insert(0, os.path.join(peers.ROOT, "tests"))
from servers import Nats  # noqa: E402

PARTIES = ("hub", "police")


def is_there():
    """Does this citybrain have `system`, and Debian's nats-server stand ready?"""
    return os.access(Nats.program, os.X_OK) and subprocess.run([BRAIN, "system", "--help"], capture_output=True, check=False).returncode == 0


class BenchNats(Nats):
    def become(self):
        os.sched_setaffinity(0, {peers.SERVER_CORE})
        super().become()


class ApartCity(BenchCity):
    """The brain reaches the police over the bus; pids are those of hub, connector and nats-server."""

    def __init__(self, postgres, folder):
        self.nats, self.system = None, None
        os.makedirs(folder, exist_ok=True)
        self.keys = {name: os.path.join(folder, name + ".key") for name in PARTIES}
        public = {name: subprocess.run([BRAIN, "contract", "key", path], check=True, capture_output=True, text=True).stdout.split()[-1] for name, path in self.keys.items()}
        self.folder, city, data = folder, os.path.join(folder, "city"), os.path.join(folder, "data")
        tables.write_city(city, postgres, sqlite=False, keys=public)
        tables.write_secret(data)
        tables.write_secret(data + "-police")
        self.nats = BenchNats()
        super().__init__(city=city, data=data, options=["--over-bus", "bench/police", *self.bus("hub")])

    def bus(self, name):
        return ["--bus", self.nats.url, "--bus-key", self.nats.key(name), "--bus-ca", self.nats.ca, "--party-key", self.keys[name]]

    def start_system(self):
        with open(os.path.join(self.folder, "system.log"), "ab") as out:
            self.system = subprocess.Popen(pinned([BRAIN, "system", self.city, "--party", "bench/police", "--data", self.data + "-police", *self.bus("police")],
                                                  peers.SERVER_CORE), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)

    def start(self, within_s=30):
        if not self.system:
            self.start_system()
        super().start(within_s)

    def wait(self):
        wait_for(self.answers, 60, "an answer over the bus")

    def answers(self):
        """One call goes all the way."""
        body = {"purpose": "bench.call", "key": {"plate": "浙A0000001"}, "fields": ["plate"]}
        return self.request("POST", "/hub/v1/call/bench/police/vehicle", body, {"Authorization": f"Bearer {self.token()}"})[0] == 200

    @property
    def pids(self):
        return [self.brain.pid, self.system.pid, self.nats.process.pid]

    def kill_system(self):
        self.system.kill()
        self.system.wait()

    def processes(self):
        """name → kill -9 and start again."""
        def system():
            self.kill_system()
            self.start_system()

        def nats():
            self.nats.kill()
            self.nats.start()
        return {**super().processes(), "system": system, "nats": nats}

    def close(self):
        super().close()
        if self.system:
            self.kill_system()
        if self.nats:
            self.nats.close()
