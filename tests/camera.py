"""A GA/T 1400 camera for the tests: registers with Digest, sends passages, reads each object's status. Standard library only."""
import glob
import hashlib
import http.client
import json
import os
import random
import re
import time


def passages(device, n, seed, at=None):
    """n plausible objects of one camera, ids unique by seed."""
    chance = random.Random(seed)
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime((at or time.time()) + 8 * 3600))
    objects = []
    for i in range(n):
        plate = "浙A" + "".join(chance.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(5))
        objects.append({"MotorVehicleID": f"{device}{stamp}{seed:08d}{i:06d}", "InfoKind": 1, "SourceID": device + "02" + stamp, "DeviceID": device,
                        "StorageUrl1": "http://192.0.2.1/a.jpg", "LaneNo": chance.randint(1, 3), "HasPlate": "1", "PlateClass": "02", "PlateColor": "5",
                        "PlateNo": plate, "PlateReliability": str(chance.randint(80, 99)), "Speed": round(chance.uniform(5, 60), 1), "VehicleColor": "A",
                        "PassTime": stamp})
    return objects


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def devices(city_dir):
    """The ids of the cameras that a city's files declare."""
    found = []
    for path in sorted(glob.glob(os.path.join(city_dir, "systems", "*.yaml"))):
        with open(path, encoding="utf-8") as text:
            found += re.findall(r'device: "?(\d{20})"?', text.read())
    return found


class Camera:
    def __init__(self, port, device, password):
        self.port, self.device, self.password = port, device, password
        self.connection = None
        self.challenge, self.count = None, 0
        self.content_type = None  # of the last answer

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def _authorization(self, method, path):
        self.count += 1
        realm, nonce = self.challenge
        ha1, ha2 = md5(f"{self.device}:{realm}:{self.password}"), md5(f"{method}:{path}")
        nc, cnonce = f"{self.count:08x}", os.urandom(8).hex()
        response = md5(f"{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")
        return (f'Digest username="{self.device}", realm="{realm}", nonce="{nonce}", uri="{path}", qop=auth, nc={nc}, cnonce="{cnonce}", '
                f'response="{response}", algorithm="MD5"')

    def request(self, method, path, body=None):
        """(status, parsed answer); answers a challenge once."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        for _ in range(2):
            if not self.connection:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            headers = {"Content-Type": "application/VIID+JSON", "User-Identify": self.device}
            if self.challenge:
                headers["Authorization"] = self._authorization(method, path)
            try:
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                text = answer.read()
            except BaseException:
                self.close()
                raise
            self.content_type = answer.headers.get("Content-Type")
            if answer.status != 401:
                return answer.status, json.loads(text) if text else None
            found = answer.headers.get("WWW-Authenticate", "")
            self.challenge = (re.search(r'realm="([^"]*)"', found)[1], re.search(r'nonce="([^"]*)"', found)[1])
            self.count = 0
        return 401, None

    def register(self):
        return self.request("POST", "/VIID/System/Register", {"RegisterObject": {"DeviceID": self.device}})

    def send(self, objects):
        """The ids that were acknowledged, status 0; [] when the door refused the whole."""
        status, answer = self.request("POST", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": objects}})
        if status != 200:
            return []
        return [one["Id"] for one in answer["ResponseStatusListObject"]["ResponseStatusObject"] if str(one["StatusCode"]) == "0"]
