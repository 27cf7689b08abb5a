#!/usr/bin/env python3
"""zone_passages_per_s, zone_checks_per_s, …: the check of passes at the cameras' rate, through contract and table.

Five thousand passages a second, for SECONDS, of ten thousand vehicles from other provinces, by two cameras within the demo's restricted zone: over GA/T
1400 into the brain, the stream under c-60 to the scene; its questions under c-61 to the office's table in SQLite, in which every second
vehicle has a pass; each with its receipts. All of it on this machine, the sender too. The first seconds are the worst: nobody's pass is known yet.

- zone_passages_per_s: what was sent and acknowledged.
- zone_checks_per_s: answered by the table, from the first passage until no check waits.
- zone_waiting_max, zone_given_up: checks that waited at once (looked at five times a second), and those that were given up for want of room.
- zone_behind_s: from the last passage's acknowledgement until no check waits.
- zone_brain_cpu_us_per_passage: of the whole brain, door and counting scene included.
"""
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from camera import Camera, passages  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402

WITHIN = ("教工路/文三路 南进口", "教工路/文三路 北进口")
RATE, SECONDS, VEHICLES, BATCH = 5000, 6, 10000, 250


def at_any_hour(folder):
    """The demo city, whose zone restricts at every hour of every day."""
    shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), folder)
    path = os.path.join(folder, "scenes", "zone.yaml")
    with open(path, encoding="utf-8") as file:
        lines = file.read().replace('from: "06:00", until: "22:00"', 'from: "00:00", until: "24:00"').split("\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(line for line in lines if "free_days" not in line))
    return folder


def plate(number):
    return f"京A{number:05d}"


def give_passes(city):
    db = sqlite3.connect(os.path.join(city.data, "departments", "permit.sqlite"))
    first = db.execute("SELECT coalesce(max(number), 0) + 1 FROM pass").fetchone()[0]
    db.executemany("INSERT INTO pass (number, plate, zone, state, starts_h) VALUES (?, ?, NULL, 'issued', 0)",
                   [(first + n, plate(n)) for n in range(0, VEHICLES, 2)])
    db.commit()
    db.close()


def bodies(devices):
    """Ready to be sent: what is encoded in the run is not the brain's time."""
    made = []
    for n in range(RATE * SECONDS // BATCH):
        device = devices[n % 2]
        objects = passages(device, BATCH, n + 1)
        for i, one in enumerate(objects):
            one.update(PlateNo=plate((n * BATCH + i) % VEHICLES), PlateReliability="99", PlateClass="02")
        made.append((n % 2, json.dumps({"MotorVehicleListObject": {"MotorVehicleObject": objects}}).encode()))
    return made


class Watch(threading.Thread):
    """The scene's figures, a few times a second."""

    def __init__(self, city):
        super().__init__(daemon=True)
        self.city, self.max, self.is_over = city, 0, False
        self.headers = {"Authorization": "Bearer " + city.token("hangzhou/monitor")}

    def figures(self):
        _, _, body = self.city.request("GET", "/metrics", headers=self.headers)
        found = {}
        for line in body.decode().split("\n"):
            for key in ('citybrain_zone_checks_total{party="hangzhou/scene.zone",how="asked"}', 'citybrain_zone_checks_total{party="hangzhou/scene.zone",how="given_up"}',
                        'citybrain_zone_passages_total{party="hangzhou/scene.zone",what="taken"}', 'citybrain_queue_length{queue="zone_checks",of="hangzhou/scene.zone"}'):
                if line.startswith(key):
                    found[key.split('"')[3]] = float(line.rsplit(" ", 1)[1])
        found["waiting"] = found.pop("hangzhou/scene.zone", 0)
        self.max = max(self.max, found["waiting"])
        return found

    def run(self):
        while not self.is_over:
            self.figures()
            time.sleep(0.2)


def cpu_s(city):
    with open(f"/proc/{city.brain.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(city):
    with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as secret:
        password = secret.read().split()[0]
    with open(os.path.join(city.city, "systems", "cameras.yaml"), encoding="utf-8") as lines:
        devices = [line.split('"')[1] for line in lines if any(title in line for title in WITHIN)]
    give_passes(city)
    cameras, watch = [Camera(city.port, device, password) for device in devices], Watch(city)
    sent = bodies(devices)
    watch.start()
    before_s, began = cpu_s(city), time.monotonic()
    for n, (which, body) in enumerate(sent):
        time.sleep(max(0, began + n * BATCH / RATE - time.monotonic()))
        status, _ = cameras[which].request("POST", "/VIID/MotorVehicles", body)
        if status != 200:
            raise AssertionError(f"the door answered {status}")
    acknowledged = time.monotonic()

    def is_done():
        now = watch.figures()
        return now if now["taken"] >= RATE * SECONDS and now["waiting"] == 0 else None

    figures = wait_for(is_done, 120, "every check to be answered")
    done = time.monotonic()
    watch.is_over = True
    watch.join()
    for camera in cameras:
        camera.close()
    print(f"zone_passages_per_s {RATE * SECONDS / (acknowledged - began):.0f} /s")
    print(f"zone_checks_per_s {figures['asked'] / (done - began):.0f} /s")
    print(f"zone_waiting_max {watch.max:.0f} checks")
    print(f"zone_given_up {figures['given_up']:.0f} checks")
    print(f"zone_behind_s {done - acknowledged:.2f} s")
    print(f"zone_brain_cpu_us_per_passage {(cpu_s(city) - before_s) / (RATE * SECONDS) * 1e6:.1f} us")


def main():
    folder = tempfile.mkdtemp(prefix="citybrain-zone-")
    city = City(city=at_any_hour(os.path.join(folder, "hangzhou")))
    try:
        city.start()
        measure(city)
    finally:
        city.close()
        shutil.rmtree(folder, True)


if __name__ == "__main__":
    main()
