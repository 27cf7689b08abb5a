#!/usr/bin/env python3
"""cityworld against a door of this test's own: Digest, registering, keepalives, passages, the truth, a door that goes and comes back,
SUMO killed, a clean end. usage: cityworld_test.py CITYWORLD
"""
import calendar
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import city  # noqa: E402  tests/city.py
import departments  # noqa: E402
import servers  # noqa: E402

CITY = os.path.join(ROOT, "city", "hangzhou")
PLATE = re.compile("[浙沪苏皖赣闽京粤][A-Z][0-9A-Z]{5,6}$")


SPEED = 4
BEGIN = time.time()


def brain_time():
    """The clock of a brain that runs as fast as the world."""
    return BEGIN + SPEED * (time.time() - BEGIN)


def moment(text, form):
    """A time of the world's city as seconds since 1970."""
    return calendar.timegm(time.strptime(text, form)) - 8 * 3600


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


class Door(http.server.ThreadingHTTPServer):
    """What a brain does for cameras, in fifty lines: nothing is kept but counts."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port, password, token):
        super().__init__(("127.0.0.1", port), Handler)
        self.password, self.token = password, token
        self.lock = threading.Lock()
        self.registered, self.passages, self.truth, self.bad = set(), {}, [], []
        self.n_busy, self.n_repeats, self.n_strangers, self.connections = 0, 0, 0, []
        self.ahead_s = -1e9   # of the clock, the latest passage when it arrived
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self.thread.start()

    def handle_error(self, request, client_address):
        pass   # connections that the world's end has cut

    def end(self):
        self.shutdown()
        self.server_close()
        for connection in self.connections:   # a brain that ends leaves no connection open
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections.append(self.connection)

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, headers=()):
        data = json.dumps(body or {}).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def digest_device(self):
        """Who signs, or None; RFC 2617 with qop=auth."""
        text = self.headers.get("Authorization", "")
        f = dict(re.findall(r'(\w+)="?([^",]+)"?', text))
        if not text.startswith("Digest ") or f.get("nonce") != "n1":
            return None
        ha1, ha2 = md5(f"{f['username']}:citybrain:{self.server.password}"), md5(f"{self.command}:{f['uri']}")
        return f["username"] if f["response"] == md5(f"{ha1}:n1:{f['nc']}:{f['cnonce']}:auth:{ha2}") else None

    def do_GET(self):
        self.handle_one()

    def do_POST(self):
        self.handle_one()

    def handle_one(self):
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/hub/v1/publish/"):
            with server.lock:
                if self.headers.get("Authorization") != "Bearer " + server.token or self.path != "/hub/v1/publish/hangzhou/world/truth":
                    server.bad.append(self.path)
                server.truth.append(json.loads(body)["events"])
            return self.answer(200, {"accepted": 1})
        device = self.digest_device()
        if not device:
            return self.answer(401, None, [("WWW-Authenticate", 'Digest realm="citybrain",qop="auth",algorithm="MD5",nonce="n1"')])
        with server.lock:
            if self.path == "/VIID/MotorVehicles" and device not in server.registered:
                server.n_strangers += 1
                return self.answer(403)
            if self.path == "/VIID/MotorVehicles" and server.n_busy > 0:
                server.n_busy -= 1
                return self.answer(503)
            return self.answer(200, self.react(device, json.loads(body) if body else None))

    def react(self, device, body):
        server = self.server
        if self.path == "/VIID/System/Time":
            return {"SystemTimeObject": {"LocalTime": time.strftime("%Y%m%d%H%M%S", time.gmtime(brain_time() + 8 * 3600))}}
        if self.path == "/VIID/System/Register":
            server.registered.add(body["RegisterObject"]["DeviceID"])
        if self.path == "/VIID/MotorVehicles":
            statuses = []
            for one in body["MotorVehicleListObject"]["MotorVehicleObject"]:
                if one["DeviceID"] != device or self.headers.get("User-Identify") != device:
                    server.bad.append(one)
                server.n_repeats += one["MotorVehicleID"] in server.passages
                server.passages[one["MotorVehicleID"]] = one
                server.ahead_s = max(server.ahead_s, moment(one["PassTime"], "%Y%m%d%H%M%S") - brain_time())
                statuses.append({"Id": one["MotorVehicleID"], "StatusCode": "0"})
            return {"ResponseStatusListObject": {"ResponseStatusObject": statuses}}
        is_known = device in server.registered   # who is not, registers when its keepalive is refused
        return {"ResponseStatusObject": {"Id": device, "StatusCode": "0" if is_known else "4", "StatusString": "OK" if is_known else "not registered"}}


def check(is_true, words):
    if not is_true:
        raise AssertionError(words)


def check_passages(door, n_cameras, started):
    """`started`: when the world was. Its clock begins there: a slow machine makes no passage too old, and none is from ahead of its arrival."""
    with door.lock:
        passages, bad, registered = list(door.passages.values()), list(door.bad), len(door.registered)
    check(not bad, f"the door met what it must not: {bad[:2]}")
    check(registered == n_cameras - 3, f"{registered} cameras registered, not {n_cameras - 3}: three are dead")
    for one in passages:
        check(len(one["MotorVehicleID"]) == 48, one)
        check(PLATE.match(one["PlateNo"]), one)
        check(1 <= one["LaneNo"] <= 4 and 0 < one.get("Speed", 1) < 165 and 0 < int(one["PlateReliability"]) <= 100, one)
        check(moment(one["PassTime"], "%Y%m%d%H%M%S") >= started - 5, f"a passage of before the world was: {one['PassTime']}")
    check(door.ahead_s <= 5, f"a passage came {door.ahead_s} s before it happened")
    with open(os.path.join(door.data, "world", "plates.txt"), encoding="utf-8") as f:
        known = {line.split()[0] for line in f}
    right = sum(one["PlateNo"] in known for one in passages)
    check(0.75 < right / len(passages) < 0.999, f"{right} of {len(passages)} plates are registered, with a tenth misread")


def check_truth(rows, names):
    by_area = {row["area"]: row["value"] for row in rows if row["period_ms"] == 1000}
    check(set(by_area) == names, f"truth for {sorted(by_area)}")
    check(all(row["name"] == "vehicles_true" and row["stale_since"] is None for row in rows), rows[0])
    check(by_area["hangzhou"] > 150, f"{by_area['hangzhou']} vehicles in the whole city")
    parts = sum(value for area, value in by_area.items() if area.count(".") == 2)
    check(abs(parts - by_area["hangzhou"]) <= 0.05 * by_area["hangzhou"] + 5, f"the streets hold {parts} of {by_area['hangzhou']}")
    check(by_area["hangzhou.xihu"] + by_area["hangzhou.gongshu"] >= parts, "districts hold less than their streets")


class Listener(departments.Gauge):
    """Whoever subscribes to a topic at the broker, with QoS 0."""

    def __init__(self, port, topic):
        super().__init__(port, "listener-" + topic[-4:])
        self.topic = topic.encode()
        self.connection.settimeout(120)  # two minutes of the city, on a slow machine
        self._send(0x82, b"\x00\x01" + struct.pack(">H", len(self.topic)) + self.topic + b"\x00")  # SUBSCRIBE, 3.8
        if self._take(5)[:2] != b"\x90\x03":  # SUBACK, 3.9
            raise OSError("the broker takes no subscription")

    def rows(self):
        """Of the next message."""
        self._take(1)
        length, shift = 0, 0
        while True:  # 2.2.3
            digit = self._take(1)[0]
            length, shift = length | (digit & 127) << shift, shift + 7
            if digit < 128:
                break
        body = self._take(length)
        n_topic = struct.unpack(">H", body[:2])[0]
        check(body[2:2 + n_topic] == self.topic, body[:40])
        return json.loads(body[2 + n_topic:])


def check_positions(listener, started):
    """A taxi tells where it is each ten seconds, in the standard's units: on the map, of since the world was, mostly located."""
    seen = {}
    while sum(len(one) for one in seen.values()) < 60:
        for one in listener.rows():
            check(set(one) == {"phone", "serial", "alarm", "status", "lat", "lon", "height", "speed", "direction", "time"}, one)
            check(one["status"] in (1, 3) and 0 <= one["speed"] < 1500 and 0 <= one["direction"] < 360, one)
            check(one["status"] == 1 or (30.2e6 < one["lat"] < 30.4e6 and 120.0e6 < one["lon"] < 120.3e6), one)
            at = moment(one["time"], "%y%m%d%H%M%S")  # messages wait in the socket: what their age is when they are read says nothing
            check(started - 5 <= at <= brain_time() + 5, f"a position of another time: {one['time']}")
            seen.setdefault(one["phone"], []).append(at)
    check(any(len(times) > 1 for times in seen.values()), "nobody is heard of twice")


def check_loops(listener, started):
    """Each lane's vehicles of a minute, on some of the roads: of minutes since the world was, no more than drive."""
    rows, lanes = listener.rows(), set()
    check(len(rows) > 40, f"{len(rows)} lanes with a loop")
    for one in rows:
        check(set(one) == {"detector", "lane", "from", "to", "count", "lon", "lat", "heading"}, one)
        begin, end = moment(one["from"], "%Y-%m-%dT%H:%M:%S.000+08:00"), moment(one["to"], "%Y-%m-%dT%H:%M:%S.000+08:00")
        check(end - begin == 60 and end % 60 == 0 and started <= begin and end <= brain_time() + 5, one)
        check(30.2 < one["lat"] < 30.4 and 120.0 < one["lon"] < 120.3 and 0 <= one["heading"] <= 360 and 1 <= one["lane"] <= 8, one)
        check(0 <= one["count"] <= 60, one)
        lanes.add((one["detector"], one["lane"]))
    check(len(lanes) == len(rows), "a lane is told twice")
    check(20 < sum(one["count"] for one in rows) < 4000, "vehicles over all loops in a minute")


def check_demand(cityworld, data, n_cameras):
    """The demo's own demand at its peak, rehearsed: several thousand vehicles that get through, seen by cameras, led by signals."""
    out = subprocess.run([cityworld, CITY, "--data", data, "--from", "08:20", "--rehearse", "30"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         universal_newlines=True, timeout=120, check=True).stdout
    said = re.search(r"(\d+) vehicles on the road, (\d+) cameras", out)
    check(said and int(said[1]) >= 2000, f"at least 2,000 vehicles at the peak: {out}")
    check(int(said[2]) == n_cameras >= 60, f"at least 60 cameras: {out}")
    with open(os.path.join(data, "road", "network.net.xml"), encoding="utf-8") as f:
        n_signals = len(set(re.findall(r'<tlLogic id="([^"]+)"', f.read())))
    check(n_signals >= 16, f"{n_signals} signals")


def children(pid):
    out = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,comm="], stdout=subprocess.PIPE, universal_newlines=True, check=False).stdout
    return {int(line.split()[0]): line.split()[1] for line in out.splitlines()}


def main():
    cityworld = os.path.abspath(sys.argv[1])
    data = tempfile.mkdtemp(prefix="cityworld-test-")
    shutil.copytree(city.made_data(), data, dirs_exist_ok=True)
    os.makedirs(os.path.join(data, "tokens"), exist_ok=True)
    os.makedirs(os.path.join(data, "broker"), exist_ok=True)
    with open(os.path.join(data, "tokens", "hangzhou_world"), "w", encoding="ascii") as f:
        f.write("t0ken\n")
    with open(os.path.join(data, "secrets", "camera"), encoding="ascii") as f:
        password = f.read().strip()
    with open(os.path.join(CITY, "systems", "cameras.yaml"), encoding="utf-8") as f:
        n_cameras = f.read().count("device:")
    with open(os.path.join(CITY, "areas.yaml"), encoding="utf-8") as f:
        names = set(re.findall(r"- name: (\S+)", f.read()))
    check_demand(cityworld, data, n_cameras)
    port = city.free_port()
    command = [cityworld, CITY, "--data", data, "--port", str(port), "--peak", "400", "--speed", str(SPEED), "--misread", "0.1", "--dead-camera", "3"]
    started = time.time()
    world = subprocess.Popen(command, stderr=subprocess.PIPE, universal_newlines=True)
    lines = []
    reader = threading.Thread(target=lambda: lines.extend(world.stderr))
    reader.start()
    door = broker = None
    try:
        time.sleep(2)   # the world is there before its brain, and before its taxis' broker
        broker = servers.start_mosquitto()
        os.symlink(broker.socket, os.path.join(data, "broker", "mqtt.sock"))
        listener, detectors = Listener(broker.port, "cb/hangzhou/gps/taxi"), Listener(broker.port, "cb/hangzhou/loop/roadside")
        door = Door(port, password, "t0ken")
        door.data = data
        city.wait_for(lambda: len(door.passages) > 20 and len(door.registered) == n_cameras - 3 and door.truth, 60, "passages and truth")
        check_passages(door, n_cameras, started)
        check_truth(door.truth[-1], names)
        check_positions(listener, started)
        door.n_busy = 10   # 503: everything is sent again
        seen = len(door.passages)
        city.wait_for(lambda: door.n_busy == 0 and len(door.passages) > seen + 10, 60, "passages after 503")

        door.end()         # the brain goes, and another comes
        time.sleep(2)
        before = len(door.passages)
        second = Door(port, password, "t0ken")
        second.data = data
        door = second
        city.wait_for(lambda: len(second.passages) > 20, 60, "passages after the door came back")
        check(before > 0, "passages before the door went")
        city.wait_for(lambda: len(second.registered) == n_cameras - 3, 60, "every camera registered again")

        check_loops(detectors, started)
        broker.close()     # and without it

        sumo = [pid for pid, name in children(world.pid).items() if name == "sumo"]
        check(len(sumo) == 1, f"one SUMO under the world, found {children(world.pid)}")
        os.kill(sumo[0], signal.SIGKILL)
        check(world.wait(60) == 1, "the world ends with 1 when SUMO ends")
        reader.join()
        check(any("SUMO has ended" in line for line in lines), lines)

        world = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        seen = len(second.passages)
        city.wait_for(lambda: len(second.passages) > seen, 60, "passages of a new world")
        sumo = list(children(world.pid))
        world.send_signal(signal.SIGTERM)
        check(world.wait(60) == 0, "a clean end is 0")
        check(not [pid for pid in sumo if os.path.exists(f"/proc/{pid}")], "SUMO is left behind")
    except BaseException:
        print("".join(lines[-20:]))
        raise
    finally:
        if world.poll() is None:
            world.kill()
            world.wait()
        if door:
            door.end()
        if broker:
            broker.close()
        shutil.rmtree(data, ignore_errors=True)
    print("passed")


main()
