#!/usr/bin/env python3
"""The departments of city/hangzhou-connectors through the whole program: a database by its ODBC driver, a company's HTTP interface, gauges at a real
Mosquitto. Calls, a query over two of them, a reservation that acts once, readings on the cockpit, refusals counted; each of them away and back."""
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import servers  # noqa: E402
from city import ROOT, City, free_port, wait_for  # noqa: E402

sys.path.insert(0, os.path.join(ROOT, "tools"))
import departments  # noqa: E402

QUERY = """SELECT p.purpose, count(*) AS n, sum(l.free) AS free FROM "hangzhou/land/parcel" p JOIN "hangzhou.xihu/garage/lot" l ON l.lot = p.lot
           WHERE p.square_metres >= 600 GROUP BY p.purpose ORDER BY n"""


def replaced(path, old, new):
    with open(path, encoding="utf-8") as text:
        whole = text.read()
    if old not in whole:
        raise AssertionError(f"{path} has no {old}")
    with open(path, "w", encoding="utf-8") as out:
        out.write(whole.replace(old, new))


class Connectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="citybrain-connectors-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        files, cls.data = os.path.join(folder, "city"), os.path.join(folder, "data")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou-connectors"), files)
        cls.broker = servers.start_mosquitto()
        cls.addClassCleanup(cls.broker.close)
        cls.garage_port = free_port()
        cls.garage = departments.Garage(cls.garage_port)
        cls.addClassCleanup(lambda: cls.garage.close())
        replaced(os.path.join(files, "systems", "garage.yaml"), ":8096/", f":{cls.garage_port}/")
        replaced(os.path.join(files, "systems", "water.yaml"), "port: 1886", f"port: {cls.broker.port}")
        departments.make_land(cls.data)
        departments.make_secret(cls.data)
        cls.city = City(city=files, data=cls.data)
        cls.addClassCleanup(cls.city.close)
        cls.city.start()
        cls.parking = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.parking")}
        cls.monitor = {"Authorization": "Bearer " + cls.city.token("hangzhou/monitor")}

    def ask(self, path, body):
        status, _, answer = self.city.request("POST", path, body, self.parking)
        return status, json.loads(answer)

    def call(self, resource, fields, **key):
        """The rows; a status other than 200."""
        status, answer = self.ask("/hub/v1/call/" + resource, {"purpose": "parking.plan", "key": key, "fields": fields})
        return answer["rows"] if status == 200 else status

    def figure(self, sample):
        page = self.city.request("GET", "/metrics", headers=self.monitor)[2].decode()
        found = [line.rsplit(" ", 1)[1] for line in page.splitlines() if line.rsplit(" ", 1)[0] == sample]
        return float(found[0]) if found else None

    def test_1_calls_and_a_query_over_two_of_them(self):
        rows = wait_for(lambda: self.call("hangzhou/land/parcel", ["parcel", "square_metres"], lot="L007"), 30, "the land bureau")
        self.assertEqual([(row["parcel"], row["square_metres"]) for row in rows], [("P0007", 470)])
        self.assertNotIn("holder", rows[0])
        rows = self.call("hangzhou.xihu/garage/lot", ["places", "free"], lot="L007")
        self.assertEqual([(row["places"], row["free"]) for row in rows], [(57, 7)])
        self.assertEqual(self.call("hangzhou.xihu/garage/lot", ["places", "free"], lot="L999"), [])
        status, answer = self.ask("/hub/v1/query", {"purpose": "parking.plan", "sql": QUERY})
        self.assertEqual(status, 200, answer)
        expected = {}
        for i in range(20, departments.LOTS + 1):
            n, free = expected.get("交通" if i % 3 else "公园", (0, 0))
            expected["交通" if i % 3 else "公园"] = (n + 1, free + i)
        self.assertEqual({row[0]: (row[1], row[2]) for row in answer["rows"]}, expected)

    def test_2_a_reservation_acts_once(self):
        before = len(self.garage.reservations)
        for key in ("k-1", "k-1", "k-1", "k-2"):
            status, answer = self.ask("/hub/v1/act/hangzhou.xihu/garage/reserve", {"purpose": "parking.plan", "key": key, "parameters": {"lot": "L030", "minutes": 15}})
            self.assertEqual(status, 200, answer)
        self.assertEqual(len(self.garage.reservations), before + 2)
        self.assertEqual(self.call("hangzhou.xihu/garage/lot", ["places", "free"], lot="L030")[0]["free"], 28)
        status, answer = self.ask("/hub/v1/act/hangzhou.xihu/garage/reserve", {"purpose": "parking.plan", "key": "k-3", "parameters": {"lot": "L999", "minutes": 15}})
        self.assertEqual(status, 422, answer)
        self.assertIn("there is no such car park", json.dumps(answer))

    def level(self):
        status, _, answer = self.city.request("GET", "/cockpit/v1/indicators?area=hangzhou")
        indicators = json.loads(answer)["indicators"] if status == 200 else []  # 503: the cockpit is starting
        return next((one.get("value") for one in indicators if one["name"] == "water_level"), None)

    def comes(self, gauge, metres):
        """Readings until one is on the cockpit: a broker keeps none for who has not subscribed yet."""
        def is_there():
            gauge.tell(metres)
            return self.level() == metres

        wait_for(is_there, 60, f"a reading of {metres} m")

    def test_3_readings_on_the_cockpit(self):
        self.city.sign_in("mayor")
        gauge = departments.Gauge(self.broker.port)
        self.addCleanup(gauge.close)
        self.comes(gauge, 3.25)
        gauge.tell("high")
        gauge.tell_bytes(b"no JSON")
        wait_for(lambda: self.figure('citybrain_mqtt_refused_total{department="water",why="wrong type"}') == 1, 60, "a refusal")
        wait_for(lambda: self.figure('citybrain_mqtt_refused_total{department="water",why="no JSON"}') == 1, 60, "another")
        self.comes(gauge, 3.5)
        self.broker.kill()
        self.broker.start()
        gauge = wait_for(lambda: departments.Gauge(self.broker.port, "gauge-2"), 60, "the broker")
        self.addCleanup(gauge.close)
        self.comes(gauge, 4.0)
        self.assertGreaterEqual(self.figure('citybrain_mqtt_connections_lost_total{department="water"}'), 1)

    def test_4_away_and_back(self):
        self.garage.close()
        wait_for(lambda: self.call("hangzhou.xihu/garage/lot", ["places", "free"], lot="L001") == 503, 30, "the company's being away")
        self.assertNotEqual(self.call("hangzhou/land/parcel", ["parcel"], lot="L001"), 503)
        type(self).garage = departments.Garage(self.garage_port)
        wait_for(lambda: self.call("hangzhou.xihu/garage/lot", ["places", "free"], lot="L001") not in (503, 504), 30, "the company's being back")


if __name__ == "__main__":
    unittest.main()
