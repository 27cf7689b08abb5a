"""The three departments of city/hangzhou-connectors, played: the land bureau's database, the parking company's HTTP interface, the water bureau's
gauges that speak MQTT. Small and plain; what a connector meets, not what a company would run. Standard library only.
"""
import http.server
import json
import os
import socket
import sqlite3
import struct
import threading
import time
import urllib.parse

LOTS = 45
TOKEN = "garage-demo-token"


def make_land(data):
    """The bureau's database: a parcel for each car park, and as many others."""
    os.makedirs(os.path.join(data, "departments"), exist_ok=True)
    path = os.path.join(data, "departments", "land.sqlite")
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE IF NOT EXISTS parcel (parcel VARCHAR(20) PRIMARY KEY, lot VARCHAR(20), purpose VARCHAR(40), square_metres INTEGER, holder TEXT)")
        db.executemany("INSERT OR IGNORE INTO parcel VALUES (?, ?, ?, ?, ?)",
                       [(f"P{i:04}", f"L{i:03}" if i <= LOTS else None, "交通" if i % 3 else "公园", 400 + 10 * i, f"虚构权利人 {i}") for i in range(1, 2 * LOTS + 1)])
    db.close()
    return path


def make_secret(data):
    """What the hub shows the company."""
    os.makedirs(os.path.join(data, "secrets"), mode=0o700, exist_ok=True)
    path = os.path.join(data, "secrets", "garage")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write(TOKEN + "\n")


class Garage:
    """The company's interface: GET /v1/lots by page, POST /v1/reservations once a key, GET /v1/health."""

    def __init__(self, port):
        garage = self
        self.reservations, self.requests, self.connections, self.lock = {}, [], set(), threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, value):
                body = json.dumps(value, ensure_ascii=False).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def is_known(self):
                if self.headers.get("Authorization") == "Bearer " + TOKEN:
                    return True
                self.answer(401, {"detail": "who are you?"})
                return False

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                asked = dict(urllib.parse.parse_qsl(url.query))
                if not self.is_known():
                    return
                with garage.lock:
                    garage.requests.append(self.path)
                if url.path == "/v1/health":
                    self.answer(200, {"status": "ok"})
                elif url.path == "/v1/lots":
                    self.answer(200, {"data": {"items": garage.page(asked)}})
                else:
                    self.answer(404, {"detail": "there is no such page"})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not self.is_known():
                    return
                if self.path == "/v1/reservations" and self.headers.get("Idempotency-Key"):
                    self.answer(*garage.reserve(self.headers["Idempotency-Key"], json.loads(body)))
                else:
                    self.answer(404, {"detail": "there is no such page"})

            def setup(self):
                super().setup()
                garage.connections.add(self.connection)

            def finish(self):
                garage.connections.discard(self.connection)
                super().finish()

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self, lot):
        return sum(one["lot"] == lot for one in self.reservations.values())

    def page(self, asked):
        with self.lock:
            lots = [{"id": f"L{i:03}", "name": f"{i} 号停车场(虚构)", "places": {"all": 50 + i, "free": i - self.taken(f"L{i:03}")}, "ts": int(time.time())} for i in range(1, LOTS + 1)]
        if "id" in asked:
            lots = [lot for lot in lots if lot["id"] == asked["id"]]
        size = min(int(asked.get("limit", 20)), 20)
        begin = (int(asked.get("page", 1)) - 1) * size
        return lots[begin:begin + size]

    def reserve(self, key, wanted):
        """Once a key, and the second time the same answer."""
        with self.lock:
            if wanted.get("lot") not in {f"L{i:03}" for i in range(1, LOTS + 1)}:
                return 422, {"detail": "there is no such car park"}
            if key not in self.reservations:
                self.reservations[key] = {"lot": wanted["lot"], "number": len(self.reservations) + 1}
            return 201, {"number": self.reservations[key]["number"]}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.connections):  # those that are kept alive
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Gauge:
    """A gauge of the water bureau's: MQTT 3.1.1, QoS 1, one message at a time (section numbers of the OASIS standard)."""

    def __init__(self, port, name="gauge-1"):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.topic, self.n = f"water/hangzhou/level/{name}", 0
        self._send(0x10, b"\x00\x04MQTT\x04\x02" + struct.pack(">HH", 600, len(name)) + name.encode())  # CONNECT, 3.1
        if self._take(4)[:2] != b"\x20\x02":  # CONNACK, 3.2
            raise OSError("the broker takes no gauge")

    def _take(self, n):
        out = b""
        while len(out) < n:
            more = self.connection.recv(n - len(out))
            if not more:
                raise OSError("the broker has gone")
            out += more
        return out

    def _send(self, kind, body):
        length, rest = b"", len(body)
        while True:  # 2.2.3
            rest, digit = divmod(rest, 128)
            length += bytes([digit | (128 if rest else 0)])
            if not rest:
                break
        self.connection.sendall(bytes([kind]) + length + body)

    def tell(self, metres, **changed):
        """Publishes one reading, and returns when the broker has it."""
        self.n += 1
        reading = {"serial": f"{self.topic}/{self.n}/{time.time_ns()}", "figure": "water_level", "area": "hangzhou", "ts": int(time.time()), "period": 60000, "metres": metres}
        self.tell_bytes(json.dumps(reading | changed).encode())

    def tell_bytes(self, payload):
        self.n += 1
        number = struct.pack(">H", self.n % 65535 + 1)
        self._send(0x32, struct.pack(">H", len(self.topic)) + self.topic.encode() + number + payload)  # PUBLISH, 3.3
        if self._take(4) != b"\x40\x02" + number:  # PUBACK, 3.4
            raise OSError("the broker does not acknowledge")

    def close(self):
        self.connection.close()
