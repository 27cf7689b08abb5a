"""Load on a city for the tests: cameras, callers, readers and a viewer at work at once; it keeps what the brain has acknowledged, and checks afterwards
that all of it is still there. Standard library only.
"""
import glob
import http.client
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

from camera import Camera, devices, passages
from city import BRAIN, DEMO_PASSWORD, wait_for

CALL = "/hub/v1/call/hangzhou/police/vehicle"
READ = ("/cockpit/v1/history?indicator=vehicles_in_transit&area=hangzhou", "/cockpit/v1/roads", "/cockpit/v1/why?indicator=vehicles_in_transit&area=hangzhou",
        "/cockpit/v1/ranking?area=hangzhou.xihu", "/log/v1/checkpoint")


def a_plate(city):
    """A plate that the parking scene may ask for."""
    with sqlite3.connect(f"file:{city.data}/departments/police.sqlite?mode=ro", uri=True) as db:
        return db.execute("SELECT plate FROM vehicle WHERE vehicle_type IN ('K31', 'K32', 'K33') AND status <> 'E' LIMIT 1").fetchone()[0]


def granted_fields(city_dir):
    """What the parking scene's contract lets it see of a vehicle."""
    for path in glob.glob(os.path.join(city_dir, "contracts", "*.yaml")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if "purpose: parking.settle" in text and "police/vehicle" in text:
            return [name.strip() for name in re.search(r"fields: \[([^\]]*)\]", text)[1].split(",")]
    raise AssertionError("no contract lets the parking scene call police/vehicle")


class Load:
    """Each on a thread of its own until end(); the city's mayor has signed in. `life` makes the passages' names unique: one number a Load.

    .passages [(device, id)] with status 0, .receipts of answered calls, .recorded rows of the viewer's "recorded" events, .refused {status: n} of
    calls and of the cameras' messages, .n_read answered pages of the readers.
    """

    def __init__(self, city, life, cameras=4, callers=2, readers=0, sign_ins=0):
        self.city, self.stop = city, threading.Event()
        self.passages, self.receipts, self.recorded, self.refused = [], [], [], {}
        self.n_read = 0
        with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as text:
            self.password = text.read().split()[0]
        self.token = city.token("hangzhou/scene.parking")
        self.question = json.dumps({"purpose": "parking.settle", "key": {"plate": a_plate(city)}, "fields": granted_fields(city.city)}).encode()
        of = devices(city.city)
        self.threads = [threading.Thread(target=self._camera, args=(of[i], life * 100 + i)) for i in range(cameras)]
        self.threads += [threading.Thread(target=self._repeat, args=(self._call,)) for _ in range(callers)]
        self.threads += [threading.Thread(target=self._repeat, args=(self._read,)) for _ in range(readers)]
        self.threads += [threading.Thread(target=self._repeat, args=(self._sign_in,)) for _ in range(sign_ins)]
        self.threads += [threading.Thread(target=self._viewer)]
        for thread in self.threads:
            thread.daemon = True  # a test that fails before end() ends all the same
            thread.start()

    def _until_stopped(self, work):
        while not self.stop.is_set():
            try:
                work()
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                time.sleep(0.02)

    def _refused(self, status):
        self.refused[status] = self.refused.get(status, 0) + 1
        time.sleep(0.05)

    def _camera(self, device, seed):
        camera = Camera(self.city.port, device, self.password)
        counter = [seed * 1000]

        def work():
            counter[0] += 1
            stored = camera.send(passages(device, 20, counter[0]))
            self.passages += [(device, identity) for identity in stored]
            if not stored:
                self._refused("camera")
        self._until_stopped(work)
        camera.close()

    def _repeat(self, ask):
        """ask(connection) over one connection that is kept, and made again when it broke."""
        connection = [None]

        def work():
            if not connection[0]:
                connection[0] = http.client.HTTPConnection("127.0.0.1", self.city.port, timeout=5)
            try:
                ask(connection[0])
            except BaseException:
                connection[0].close()
                connection[0] = None
                raise
        self._until_stopped(work)
        if connection[0]:
            connection[0].close()

    def _call(self, connection):
        connection.request("POST", CALL, self.question, {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status == 200:
            self.receipts.append(json.loads(text)["receipt"])
        else:
            self._refused(answer.status)

    def _read(self, connection):
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.city.cookies)
        for path in READ:
            connection.request("GET", path, headers={"Cookie": cookies})
            answer = connection.getresponse()
            answer.read()
            self.n_read += answer.status == 200

    def _sign_in(self, connection):
        body = json.dumps({"name": "police", "password": DEMO_PASSWORD}).encode()
        connection.request("POST", "/party/v1/session", body, {"Content-Type": "application/json"})
        connection.getresponse().read()

    def _viewer(self):
        try:
            answer = self.city.opener.open(f"{self.city.url}/cockpit/v1/live?area=hangzhou", timeout=30)
            event = None
            for raw in answer:  # an event comes each second
                if self.stop.is_set():
                    break
                line = raw.decode().strip()
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:") and event == "recorded":
                    self.recorded.append(json.loads(line[5:]))
        except (OSError, ValueError, http.client.HTTPException):
            pass

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def recorded_values(rows):
    """{(indicator, area, time): value} of `recorded` events."""
    return {(one["indicator"], one["area"], one["time"]): one["value"] for one in rows}


def check_leaves(test, city, receipts):
    """Every receipt that was answered is a leaf of its own, of the use that it was answered for."""
    test.assertEqual(len(set(receipts)), len(receipts), "a leaf's number was given twice")
    connection = http.client.HTTPConnection("127.0.0.1", city.port, timeout=30)
    for receipt in sorted(receipts, key=lambda name: int(name.rsplit("/", 1)[1])):
        text = wait_for(lambda r=receipt: _receipt_file(connection, r), 60, f"the proof of {receipt}")
        leaf = json.loads(json.loads(text)["leaf"])
        test.assertEqual((leaf["type"], leaf["use"], leaf["consumer"], leaf["purpose"]), ("intent", "call", "hangzhou/scene.parking", "parking.settle"), receipt)
    connection.close()


def _receipt_file(connection, receipt):
    connection.request("GET", "/log/v1/receipt/" + receipt.rsplit("/", 1)[1])
    answer = connection.getresponse()
    body = answer.read()
    return body.decode() if answer.status == 200 else None


def check_recorded(test, city, recorded):
    """Every value that was told as recorded is in the history."""
    for indicator, area in {(one[0], one[1]) for one in recorded}:
        points = dict(map(tuple, city.get(f"/cockpit/v1/history?indicator={indicator}&area={area}")["points"]))
        for (name, of, at), value in recorded.items():
            if (name, of) == (indicator, area):
                test.assertIn(at, points, f"{name} of {of}")
                test.assertEqual(points[at], value, f"{name} of {of} at {at}")


def check_passages(test, city, acknowledged):
    """Every acknowledged passage is in the journal, once. The journal itself is asked, with the brain down."""
    result = subprocess.run([BRAIN, "passages", city.city, "--data", city.data], capture_output=True, text=True, timeout=120)
    test.assertEqual(result.returncode, 0, result.stderr[-2000:])
    stored = [tuple(line.split("\t")[1:3]) for line in result.stdout.splitlines()]
    missing = set(acknowledged) - set(stored)
    test.assertEqual(missing, set(), f"{len(missing)} acknowledged passages are not in the journal")
    test.assertEqual(len(stored), len(set(stored)), "a passage was stored twice")
