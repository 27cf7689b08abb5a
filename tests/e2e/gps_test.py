#!/usr/bin/env python3
"""Floating cars and induction loops through the whole program: a fleet's gateway of JT/T 808 speaks to a real Mosquitto, the hub hands its points on under contract, and the
count tells the speeds of roads where no camera saw anybody. Refusals are counted, the broker dies and comes back."""
import json
import math
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
from camera import Camera, devices, passages  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tools"))
import departments  # noqa: E402

SEED = int(os.environ.get("CITYBRAIN_SEED", "1"))
FROM, TO = "120.1015,30.2990", "120.1300,30.2790"  # across the demo city
METRES = 111195.0  # a degree of latitude
SPEED_MPS = 5.0
TAXIS = 6
EVERY_S, FOR_S = 8, 320


class Fleet(departments.Gauge):
    """A gateway of JT/T 808: message 0x0200 as JSON, a list of positions a message."""

    def __init__(self, port, fleet="taxi"):
        super().__init__(port, f"gateway-{fleet}-{time.time_ns()}")
        self.topic = f"cb/hangzhou/gps/{fleet}"

    def tell_points(self, points):
        self.tell_bytes(json.dumps(points).encode())


class Detectors(departments.Gauge):
    """The gateway of induction loops."""

    def __init__(self, port):
        super().__init__(port, f"detectors-{time.time_ns()}")
        self.topic = "cb/hangzhou/loop/roadside"

    def tell_lanes(self, rows):
        self.tell_bytes(json.dumps(rows).encode())


def row(lane, place, heading, count):
    """Of a minute that has just ended."""
    begin, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago)) for ago in (61, 1))
    return {"detector": f"D#{lane}", "lane": lane, "from": begin, "to": end, "count": count, "lon": place[0], "lat": place[1], "heading": heading}


def point(phone, lon, lat, at, speed_mps=SPEED_MPS, direction=0, **changed):
    return {"phone": phone, "serial": int(at) % 65536, "alarm": 0, "status": 3, "lat": round(lat * 1e6), "lon": round(lon * 1e6), "height": 12,
            "speed": round(speed_mps * 36), "direction": round(direction) % 360, "time": time.strftime("%y%m%d%H%M%S", time.gmtime(at + 8 * 3600))} | changed


class Gps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = servers.start_mosquitto()
        cls.addClassCleanup(cls.broker.close)
        cls.city = City()
        cls.addClassCleanup(cls.city.close)
        os.makedirs(os.path.join(cls.city.data, "broker"), exist_ok=True)
        os.symlink(cls.broker.socket, os.path.join(cls.city.data, "broker", "mqtt.sock"))
        cls.city.start()
        cls.city.sign_in("mayor")
        cls.monitor = {"Authorization": "Bearer " + cls.city.token("hangzhou/monitor")}
        with open(os.path.join(cls.city.data, "secrets", "camera"), encoding="ascii") as text:
            password = text.read().strip()
        cls.camera = Camera(cls.city.port, devices(cls.city.city)[-1], password)
        cls.addClassCleanup(cls.camera.close)
        cls.n_passages = 0
        cls.line, cls.edges = cls.way()

    @classmethod
    def way(cls):
        """Where a way across the city leads: its places, and its edges."""
        out = os.path.join(cls.city.data, "way.json")
        done = cls.city.citybrain("route", "--network", os.path.join(cls.city.data, "road", "network.net.xml"), "--from", FROM, "--to", TO, "--geojson", out)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        with open(out, encoding="utf-8") as text:
            feature = json.load(text)
        return feature["geometry"]["coordinates"], feature["properties"]["edges"]

    def figure(self, sample):
        page = self.city.request("GET", "/metrics", headers=self.monitor)[2].decode()
        found = [line.rsplit(" ", 1)[1] for line in page.splitlines() if line.rsplit(" ", 1)[0] == sample]
        return float(found[0]) if found else 0

    def drive(self, phone, chance, end):
        """A taxi along the way at SPEED_MPS, until `end`, with the noise of a receiver."""
        points, on, left = [], 0.0, [tuple(place) for place in self.line]
        here, heading = left.pop(0), 0.0
        for i in range(FOR_S // EVERY_S):
            while left and on > 0:
                east, north = (left[0][0] - here[0]) * METRES * math.cos(math.radians(here[1])), (left[0][1] - here[1]) * METRES
                step = math.hypot(east, north)
                share = min(1.0, on / step) if step > 0 else 1.0
                heading = math.degrees(math.atan2(east, north)) % 360 if step > 0 else heading
                here = (here[0] + share * (left[0][0] - here[0]), here[1] + share * (left[0][1] - here[1]))
                on -= share * step
                if share == 1.0:
                    left.pop(0)
            noise = [chance.gauss(0, 4) / METRES for _ in range(2)]
            points.append(point(phone, here[0] + noise[0], here[1] + noise[1], end - FOR_S + i * EVERY_S, direction=heading))
            on += SPEED_MPS * EVERY_S
        return points

    def seen_by_a_camera(self):
        """One passage far away: the city is heard of, so that its figures are fresh."""
        type(self).n_passages += 1
        self.camera.request("POST", "/VIID/MotorVehicles",
                            {"MotorVehicleListObject": {"MotorVehicleObject": passages(self.camera.device, 1, self.n_passages)}})

    def on_the_way(self):
        """The middle of the longest straight part of the way, and where it leads."""
        def length(a, b):
            return math.hypot((b[0] - a[0]) * METRES * math.cos(math.radians(a[1])), (b[1] - a[1]) * METRES)

        a, b = max(zip(self.line, self.line[1:]), key=lambda part: length(*part))
        east, north = (b[0] - a[0]) * math.cos(math.radians(a[1])), b[1] - a[1]
        return ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2), math.degrees(math.atan2(east, north)) % 360

    def speeds(self):
        """Of the way's edges, those that have one."""
        self.seen_by_a_camera()
        status, _, body = self.city.request("GET", "/cockpit/v1/road_states?area=hangzhou")
        edges = json.loads(body)["edges"] if status == 200 else []  # 503: the cockpit is starting
        return {edge[0]: edge[1] for edge in edges if edge[0] in self.edges and edge[1] is not None}

    def told(self, fleet, chance, prefix, extra=()):
        """Drives that ended now, told as a gateway would: mixed, a second or so in a message. How many points."""
        end = time.time()
        points = [one for i in range(TAXIS) for one in self.drive(f"{prefix}{i}", chance, end)]
        points = sorted([*points, *extra], key=lambda one: one["time"])
        for i in range(0, len(points), 20):
            fleet.tell_points(points[i:i + 20])
        return len(points)

    def connected(self, name):
        """The hub's subscription is at the broker: a message comes through."""
        fleet = wait_for(lambda: Fleet(self.broker.port), 60, "the broker")
        before = self.figure('citybrain_mqtt_messages_total{department="taxi"}')

        def is_there():
            fleet.tell_points([point(name, 120.10, 30.30, time.time(), status=0)])
            return self.figure('citybrain_mqtt_messages_total{department="taxi"}') > before

        wait_for(is_there, 60, "a first message")
        return fleet

    def check_speeds(self, speeds):
        self.assertGreaterEqual(len(speeds), 4, (speeds, self.edges))
        mean = sum(speeds.values()) / len(speeds)
        self.assertTrue(0.8 * SPEED_MPS < mean < 1.25 * SPEED_MPS, (mean, speeds))

    def way_now(self):
        """The fastest way across the city as another scene asks for it, under contract."""
        question = {"purpose": "medical.transport", "key": {"from": FROM, "to": TO},
                    "fields": ["time", "seconds", "free_flow_s", "length_m", "observed", "edges"]}
        status, _, body = self.city.request("POST", "/hub/v1/call/hangzhou/scene.count/route", question,
                                            {"Authorization": "Bearer " + self.city.token("hangzhou/scene.referral")})
        self.assertEqual(status, 200, body)
        answer = json.loads(body)
        self.assertTrue(answer["receipt"].startswith("hangzhou.log/"), answer)
        return answer["rows"][0]

    def test_1_a_fleet_tells_the_speed_of_roads_without_passages(self):
        chance = random.Random(SEED)
        fleet = self.connected("t-first")
        self.assertEqual(self.speeds(), {})
        free = self.way_now()
        self.assertEqual((free["observed"], free["edges"].split()), (0, self.edges))
        self.assertLess(abs(free["seconds"] / free["free_flow_s"] - 1), 0.01, free)
        here, now = self.line[0], time.time()
        odd = [point("t-2000", *here, 946684800), point("t-zero", 0, 0, now), point("t-none", *here, now, status=1), point("t-far", 121.47, 31.23, now),
               point("t-late", *here, now - 3600), point("t-soon", *here, now + 3600), point("", *here, now), point("t-half", *here, now) | {"lat": None}]
        self.told(fleet, chance, "t", odd)
        # At least four edges of the way, as soon as they are certain; the slowest machine's cockpit has them a little later.
        speeds = wait_for(lambda: found if len(found := self.speeds()) >= 4 else None, 60, "speeds along the way")
        self.check_speeds(speeds)
        # Taxis at 5 m/s are slower than free flow: the way takes longer now, or another one is taken.
        now_s = wait_for(lambda: way["seconds"] if (way := self.way_now())["seconds"] > 1.1 * free["seconds"] else None, 60, "a way that takes longer now")
        self.assertLess(now_s, 4 * free["seconds"])
        self.assertEqual(self.figure('citybrain_mqtt_refused_total{department="taxi",why="wrong type"}'), 0)
        for payload in (b"no JSON", b"[" * 100, json.dumps([point("t-odd", *here, now) | {"lat": "north"}]).encode(), b'{"phone": "t", "time": "yesterday"}'):
            fleet.tell_bytes(payload)
        wait_for(lambda: self.figure('citybrain_mqtt_refused_total{department="taxi",why="no JSON"}') == 2, 60, "two refusals")
        wait_for(lambda: self.figure('citybrain_mqtt_refused_total{department="taxi",why="wrong type"}') == 2, 60, "two more")
        self.assertEqual(self.city.request("GET", "/readyz")[0], 200)
        fleet.close()

    def test_1b_loops_tell_the_flow_of_a_road_without_a_camera(self):
        """A minute's vehicles of each lane, as the police's gateway of detectors tells them: by the contract they are the flow of the road there."""
        gateway = wait_for(lambda: Detectors(self.broker.port), 60, "the broker")
        place, heading = self.on_the_way()
        taken = 'citybrain_count_loop_rows_total{party="hangzhou/scene.count",verdict="%s"}'
        wrong = [{"count": -1}, {"detector": "far", "lon": 121.47}, {"from": "2000-01-01T00:00:00+08:00", "to": "2000-01-01T00:01:00+08:00"}]

        def flows():
            """Of the way's edges, when a row came through; each try is of another moment, since a minute is taken once."""
            gateway.tell_lanes([row(lane, place, heading, 11) for lane in range(1, 5)] + [row(1, place, heading, 11) | one for one in wrong])
            self.seen_by_a_camera()
            if not self.figure(taken % "taken"):
                return None
            edges = json.loads(self.city.request("GET", "/cockpit/v1/road_states?area=hangzhou")[2])["edges"]
            return {edge[0]: edge[3] for edge in edges if edge[0] in self.edges and edge[3] is not None}

        found = wait_for(flows, 60, "the flow of a road where loops lie")
        self.assertEqual(len(found), 1, found)
        vph = next(iter(found.values()))
        self.assertTrue(vph > 0 and abs(vph / 660 - round(vph / 660)) < 0.01, found)  # 11 a minute on each of its lanes
        for verdict in ("broken", "beside", "late"):
            wait_for(lambda v=verdict: self.figure(taken % v) >= 1, 60, verdict)
        gateway.close()

    def test_2_the_broker_dies_and_comes_back(self):
        self.broker.kill()
        if os.path.exists(self.broker.socket):
            os.unlink(self.broker.socket)  # Mosquitto does not take over what a killed one left
        lost = wait_for(lambda: self.figure('citybrain_mqtt_connections_lost_total{department="taxi"}'), 60, "the loss")
        self.assertGreaterEqual(lost, 1)
        self.broker.start()
        fleet = self.connected("u-first")
        rows = self.figure('citybrain_mqtt_rows_total{department="taxi"}')
        n_told = self.told(fleet, random.Random(SEED + 1), "u")
        wait_for(lambda: self.figure('citybrain_mqtt_rows_total{department="taxi"}') >= rows + n_told, 60, "the rows")
        self.check_speeds(wait_for(lambda: found if len(found := self.speeds()) >= 4 else None, 60, "speeds along the way"))
        fleet.close()


if __name__ == "__main__":
    unittest.main()
