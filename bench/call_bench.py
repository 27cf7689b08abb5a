#!/usr/bin/env python3
"""call_sqlite_rps: calls by key on the police's SQLite table, 64 keep-alive connections, closed loop: contract, column and row limits, two
leaves each, the intent durable before the answer; the median of three runs of five seconds. call_sqlite_p99_ms: the 99th percentile at half
that rate, open loop (latency counts from the moment a call was due). The load generator (call_load.c) shares the cores with the brain.
call_sqlite_calls: all calls made here, at least a million; the bench fails unless the department's file has the same hash after them."""
import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from city import BUILD, City  # noqa: E402

RUNS = 3
RUN_S = 5
CONNECTIONS = 64
CALLS = 1000000
PATH = "/hub/v1/call/hangzhou/police/vehicle"
BODY = '{"purpose":"parking.settle","key":{"plate":"KEY"},"fields":["plate","plate_class","status"]}'


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Load:
    """Runs the load generator and counts what it did."""

    def __init__(self, city):
        self.city, self.n = city, 0
        with open(os.path.join(city.data, "tokens", "hangzhou_scene.parking"), encoding="ascii") as token:
            self.token = token.read().strip()
        self.keys = os.path.join(city.data, "bench-keys")
        db = sqlite3.connect(f"file:{city.data}/departments/police.sqlite?mode=ro", uri=True)
        plates = db.execute("SELECT plate FROM vehicle WHERE vehicle_type IN ('K31', 'K32', 'K33') AND status <> 'E' ORDER BY substr(plate, -2), plate")
        with open(self.keys, "w", encoding="utf-8") as keys:
            keys.writelines(plate + "\n" for (plate,) in plates)
        db.close()

    def run(self, seconds, rate=0):
        """→ calls a second, p99 in ms."""
        command = [os.path.join(BUILD, "bench", "call_load"), str(self.city.port), self.token, PATH, self.keys, BODY, str(CONNECTIONS), str(seconds), str(rate)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
        self.n += int(answer[0])
        return float(answer[1]), float(answer[3])


def main():
    city = City()
    try:
        city.start()
        department = os.path.join(city.data, "departments", "police.sqlite")
        before = file_hash(department)
        load = Load(city)
        load.run(1)
        rps = statistics.median(load.run(RUN_S)[0] for _ in range(RUNS))
        print(f"call_sqlite_rps {rps:.0f} calls/s", flush=True)
        p99 = statistics.median(load.run(RUN_S, rps / 2)[1] for _ in range(RUNS))
        print(f"call_sqlite_p99_ms {p99:.2f} ms", flush=True)
        while load.n < CALLS:
            load.run(10)
        if file_hash(department) != before:
            sys.exit("the department's file has changed")
        print(f"call_sqlite_calls {load.n} calls")
    finally:
        city.close()


main()
