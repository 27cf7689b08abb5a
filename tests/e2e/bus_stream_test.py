#!/usr/bin/env python3
"""A stream of a department in a process of its own, over a real nats-server: alarms that a gateway sends to the department's MQTT broker become cases at
the hub, each once and in their order, while the department's process, the hub and nats-server are killed -9 in turn (CITYBRAIN_STREAM_EVENTS, 600
unless said). What the department's process has acknowledged to its broker lies in its record until the hub has it."""
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import servers  # noqa: E402
from city import wait_for  # noqa: E402
from departments import Departments  # noqa: E402
from system_test import append_record  # noqa: E402

EVENTS = int(os.environ.get("CITYBRAIN_STREAM_EVENTS", "600"))
FIELDS = ("kind", "area", "party", "key", "state", "title_zh", "title_en", "detail", "receipt", "time")
SYSTEM = """party: hangzhou/transport
connector: mqtt
connection: {host: 127.0.0.1, port: %d}
resources:
  - name: alarm
    title: {zh: 车辆告警, en: Alarms of vehicles}
    kind: stream
    bind: {topic: cb/alarm, id: /key, fields: {%s}}
    fields:
%s
"""
CONTRACT = """contract: hangzhou/c-98
provider: hangzhou/transport
consumer: hangzhou/case
resource: hangzhou/transport/alarm
uses: [subscribe]
fields: [%s]
purpose: case.handle
legal_basis: {zh: 依, en: law}
from: 2026-01-01
until: 2028-01-01
keep: 1095d
state: agreed
"""


def edit_files(port):
    def edit(folder):
        types = "\n".join(f"      - {{name: {name}, type: {'time' if name == 'time' else 'text'}, class: internal, meaning: x}}" for name in (*FIELDS, "secret"))
        mapping = ", ".join(f"{name}: /{name}" for name in (*FIELDS, "secret"))
        with open(os.path.join(folder, "systems", "transport.yaml"), "w", encoding="utf-8") as out:
            out.write(SYSTEM % (port, mapping, types))
        with open(os.path.join(folder, "contracts", "c-98.yaml"), "w", encoding="utf-8") as out:
            out.write(CONTRACT % ", ".join(FIELDS))
        for name, old, new in (("parties.yaml", "parties:\n", "parties:\n  - {name: hangzhou/transport, title: {zh: 交通, en: Transport}, kind: department}\n"),
                               ("cases.yaml", "alerts: [hangzhou/hub/alert]", "alerts: [hangzhou/hub/alert, hangzhou/transport/alarm]")):
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as text:
                changed = text.read().replace(old, new, 1)
            with open(path, "w", encoding="utf-8") as out:
                out.write(changed)
    return edit


class Gateway:
    """An MQTT 3.1.1 client that publishes with QoS 1 and waits for each acknowledgement of the broker."""

    def __init__(self, port):
        self.socket, self.number = socket.create_connection(("127.0.0.1", port), timeout=60), 0
        self.socket.sendall(self.packet(0x10, b"\0\4MQTT\4\2\0\x3c" + self.text("gateway")))
        if self.read(4)[3] != 0:
            raise AssertionError("the broker refuses")

    @staticmethod
    def text(text):
        return len(text).to_bytes(2, "big") + text.encode()

    @staticmethod
    def packet(kind, body):
        n, length = len(body), b""
        while True:
            length += bytes([n % 128 | (128 if n > 127 else 0)])
            n //= 128
            if n == 0:
                return bytes([kind]) + length + body

    def read(self, n):
        got = b""
        while len(got) < n:
            chunk = self.socket.recv(n - len(got))
            if not chunk:
                raise AssertionError("the broker went")
            got += chunk
        return got

    def publish(self, body):
        self.number = self.number % 65535 + 1
        self.socket.sendall(self.packet(0x32, self.text("cb/alarm") + self.number.to_bytes(2, "big") + json.dumps(body).encode()))
        self.read(4)


class BusStream(unittest.TestCase):
    number = 0

    @classmethod
    def setUpClass(cls):
        cls.broker = servers.start_mosquitto()
        cls.addClassCleanup(cls.broker.close)
        cls.city = Departments("transport", edit=edit_files(cls.broker.port))
        cls.addClassCleanup(cls.city.close)
        cls.transport = cls.city.department["transport"]
        cls.city.start()
        cls.transport.start()
        cls.gateway, cls.sent = Gateway(cls.broker.port), []

    def send(self, n, pause=0.0):
        for _ in range(n):
            number = BusStream.number  # never again, also when what was sent first was nobody's: an alarm of the same key is the same case
            BusStream.number += 1
            self.gateway.publish({"kind": "other", "area": "hangzhou.xihu", "party": "hangzhou/transport", "key": f"alarm/{number:06}", "state": "red", "title_zh": "告警",
                                  "title_en": "Alarm", "detail": f"number {number}", "receipt": "", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "secret": "nobody's"})
            self.sent.append(f"number {number}")
            time.sleep(pause)

    def cases(self):
        """Details of the alarms' cases, in the order in which they were opened."""
        found, before = [], None
        while True:
            status, _, body = self.city.request("GET", "/case/v1/cases?state=all&kind=other&limit=200" + (f"&before={before}" if before else ""))
            if status != 200:
                raise ValueError(f"cases: {status}")  # busy; wait_for() asks again
            page = json.loads(body)
            found += [one["detail"] for one in page["cases"]]
            before = page.get("next")
            if not before:
                return [detail for detail in reversed(found) if detail.startswith("number ")]

    def wait_for_all(self):
        wait_for(lambda: len(set(self.cases())) >= len(self.sent), 120, f"{len(self.sent)} cases")
        got = self.cases()
        self.assertEqual(got, self.sent)  # each once, and in the order in which the broker took them

    def test_a_stream_and_kills_in_turn(self):
        self.city.sign_in("auditor")
        # What comes before the department's process is known to the broker is nobody's.
        wait_for(lambda: self.send(1) or self.cases(), 60, "a first case")
        time.sleep(0.5)
        wait_for(lambda: self.cases() and self.cases()[-1] == self.sent[-1], 60, "the newest one's case")
        del self.sent[:len(self.sent) - len(self.cases())]
        self.assertEqual(self.cases(), self.sent)
        sender = threading.Thread(target=self.send, args=(EVENTS, 0.01))
        sender.start()
        kills = []
        while len(kills) < 4 or (sender.is_alive() and len(kills) < 12):
            what = ("department", "nats", "hub", "department")[len(kills) % 4]
            time.sleep(EVENTS * 0.01 / 6)
            if what == "department":
                self.transport.end()
                self.transport.start()
            elif what == "nats":
                self.city.nats.kill()
                time.sleep(0.5)
                self.city.nats.start()
            else:
                self.city.kill()
                self.city.start()
            kills.append(what)
        sender.join()
        self.city.sign_in("auditor")
        self.wait_for_all()
        print(f"{len(self.sent)} alarms over {len(kills)} kills ({', '.join(kills)}): each a case, once, in order", file=sys.stderr)
        # What no contract grants has not left the department's process.
        store = os.path.join(self.city.data, "store")
        for folder, _, names in os.walk(store):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertNotIn(b"nobody's", file.read())
        self.assertIn(("stream", "hangzhou/transport/alarm", ""), self.transport.served())
        monitor = {"Authorization": f"Bearer {self.city.token('hangzhou/monitor')}"}
        figures = self.city.request("GET", "/metrics", headers=monitor)[2].decode()
        watermark = int(re.search(r'citybrain_hub_stream_watermark_seconds\{resource="hangzhou/transport/alarm"\} (\d+)', figures)[1])
        self.assertLess(abs(watermark - time.time()), 60)

    def test_b_without_the_key_of_what_waits(self):
        """A data folder that came back without the key of its streams: the department's process does not start while events wait there that were accepted
        and are not confirmed; with its key they come."""
        key, streams = (os.path.join(self.transport.data, *parts) for parts in (("secrets", "streams"), ("streams",)))
        journal = os.path.join(streams, "hangzhou~transport~alarm")
        self.city.kill()  # nobody takes what comes now
        before = max(os.stat(os.path.join(journal, name)).st_mtime_ns for name in os.listdir(journal))
        self.send(4)
        wait_for(lambda: max(os.stat(os.path.join(journal, name)).st_mtime_ns for name in os.listdir(journal)) > before, 60, "events that wait")
        self.assertEqual(self.transport.end(signal.SIGTERM), 0)
        os.rename(key, key + ".away")
        self.transport.start()
        self.assertEqual(self.transport.process.wait(60), 2)
        self.assertIn(f"{key}: this file is not there, and holds the key of what was accepted and is not confirmed in {journal}", self.city.log("transport"))
        self.assertFalse(os.path.exists(key))
        os.rename(key + ".away", key)
        self.transport.start()
        self.city.start()
        self.city.sign_in("auditor")
        self.wait_for_all()

    def test_y_the_departments_journal_of_what_it_gave(self):
        """After all those kills each answer that the hub got stands in it, and no other; rows that the hub did not take are a case."""
        def found(kind):
            return [case["title"]["en"] for case in self.city.get(f"/case/v1/cases?kind={kind}&state=all&limit=200")["cases"]]

        self.city.sign_in("auditor")
        place = os.path.join(self.city.data, "store", "served-transport")
        wait_for(lambda: os.path.exists(place), 60, "the hub's reading of the journal")
        self.assertEqual([found(kind) for kind in ("twin.missing", "twin.unasked", "twin.differs")], [[], [], []], self.city.log("brain")[-3000:])
        self.assertEqual(self.transport.end(signal.SIGTERM), 0)
        for number in range(100):  # some questions of the hub's were lost on the way, and might have left a line
            append_record(os.path.join(self.transport.data, "served"), {
                "time_ms": 1, "asker": "hangzhou/hub", "what": "stream", "resource": "hangzhou/transport/alarm", "contract": "", "receipt": "",
                "records": f"1/{number}+1"})
        self.transport.start()
        wait_for(lambda: found("twin.unasked") == ["Gave rows of a stream that the hub did not take: hangzhou/transport"], 60, "the rows that the hub did not take")
        self.assertEqual(found("twin.missing"), [])


if __name__ == "__main__":
    unittest.main()
