"""Nothing is served without the right to it: every route of the program, asked by nobody, by a stranger's token, and from another area."""
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, wait_for  # noqa: E402

PUBLIC = {("get", "/health"), ("get", "/healthz"), ("get", "/readyz"), ("post", "/party/v1/session"), ("get", "/"), ("get", "/assets/{rest}"), ("get", "/{file}"), ("get", "/log/v1/checkpoint"),
          ("get", "/log/v1/tile/{rest}"), ("get", "/log/v1/proof/{index}"), ("get", "/log/v1/receipt/{index}"), ("get", "/log/v1/vkey"),
          ("get", "/log/v1/policy")}


def filled(pattern):
    for name in ("area", "party", "name", "index", "rest", "file", "id"):
        pattern = pattern.replace("{" + name + "}", {"index": "0", "area": "hangzhou", "party": "police", "name": "vehicle"}.get(name, "x"))
    return pattern


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City()
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)

    def routes(self):
        signed_in = City(data=self.city.data, port=self.city.port)  # a second visitor with cookies of its own; starts nothing
        signed_in.sign_in("mayor")
        paths = signed_in.get("/docs/openapi.json")["paths"]
        return [(method, path) for path, methods in paths.items() for method in methods if method in ("get", "post", "put", "delete")]

    def test_every_route_refuses_a_stranger(self):
        routes = self.routes()
        self.assertGreater(len(routes), 20)
        stranger = City(data=self.city.data, port=self.city.port)
        for method, path in routes:
            if (method, path.replace("...", "")) in PUBLIC:
                continue
            for headers in ({}, {"Authorization": "Bearer " + "0" * 64}, {"Cookie": "citybrain=" + "0" * 64}, {"Authorization": "Basic eDp5"},
                            {"Authorization": 'Digest username="x", realm="citybrain", nonce="x", uri="/", response="' + "0" * 32 + '"'}):
                status, _, body = stranger.request(method.upper(), filled(path), {} if method in ("post", "put") else None, headers)
                self.assertEqual(status, 401, f"{method} {path} with {headers}: {body[:200]!r}")
                problem = json.loads(body) if body else {}
                self.assertLessEqual(set(problem), {"type", "title", "status", "detail", "Response", "ResponseStatusObject"}, path)

    def test_a_street_sees_its_own_area_only(self):
        street = City(data=self.city.data, port=self.city.port)
        who = street.sign_in("gudang")
        self.assertEqual((who["area"], who["level"]), ("hangzhou.xihu.gudang", "street"))
        for path in ("indicators", "ranking", "junctions", "road_states", "zone_states", "sources", "live", "why", "history"):
            for area in ("hangzhou", "hangzhou.xihu", "hangzhou.xihu.xixi", "hangzhou.gongshu", "hangzhou.xihu.gudangx", "nowhere", ""):
                if area == "":
                    continue
                status, _, body = street.request("GET", f"/cockpit/v1/{path}?area={area}&indicator=vehicles_in_transit")
                self.assertEqual(status, 404, f"{path} of {area}: {body[:200]!r}")
        names = {area["name"] for area in street.get("/cockpit/v1/areas") if area["own"]}
        self.assertEqual(names, {"hangzhou.xihu.gudang"})

    def test_a_program_finds_no_cockpit(self):
        program = City(data=self.city.data, port=self.city.port)
        token = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")}
        for path in ("areas", "indicators", "ranking", "junctions", "road_states", "roads", "zones", "zone_states", "ground", "sources", "live", "why", "history"):
            status, _, body = program.request("GET", f"/cockpit/v1/{path}?indicator=vehicles_in_transit", headers=token)
            self.assertEqual(status, 404, f"{path}: {body[:200]!r}")

    def test_signing_out_ends_it(self):
        person = City(data=self.city.data, port=self.city.port)
        person.sign_in("xihu")
        self.assertEqual(person.get("/party/v1/session")["person"], "xihu")
        live = person.opener.open(f"{person.url}/cockpit/v1/live?area=hangzhou.xihu", timeout=30)
        self.assertTrue(live.readline().startswith(b"retry:"))
        self.assertEqual(person.request("DELETE", "/party/v1/session")[0], 204)
        self.assertEqual(person.request("GET", "/party/v1/session")[0], 401)
        started = time.monotonic()
        for _ in live:  # what was opened before ends, too: the server asks again every 10 s
            self.assertLess(time.monotonic() - started, 20, "the live stream outlives its session")

    def test_wrong_passwords_are_slowed_down(self):
        guesser = City(data=self.city.data, port=self.city.port)
        answers = [guesser.request("POST", "/party/v1/session", {"name": "police", "password": f"guess-{i}"})[0] for i in range(7)]
        self.assertEqual(answers[:5], [401] * 5)
        self.assertEqual(answers[5:], [429] * 2)
        unknown = guesser.request("POST", "/party/v1/session", {"name": "nobody-here", "password": "x"})
        self.assertEqual(unknown[0], 401)

    def test_malformed_sign_ins(self):
        guesser = City(data=self.city.data, port=self.city.port)
        for body in (b"", b"{", b"[]", b'{"name":1,"password":2}', b'{"name":"a","name":"b","password":"c"}', b"[" * 2000, b'{"name":"' + b"x" * 10000 + b'"}', b"\xff\xfe"):
            status, _, answer = guesser.request("POST", "/party/v1/session", body)
            self.assertIn(status, (400, 413), f"{body[:40]!r}: {answer[:100]!r}")

    def test_a_thousand_idle_connections_harm_nobody(self):
        idle = []
        try:
            for _ in range(1000):
                connection = socket.create_connection(("127.0.0.1", self.city.port), timeout=5)
                connection.sendall(b"GET /health HTTP/1.1\r\n")  # and never the rest
                idle.append(connection)
            wait_for(lambda: self.city.get("/health")["status"] == "ok", 5, "an answer beside a thousand idle connections")
        finally:
            for connection in idle:
                connection.close()
        self.assertEqual(self.city.get("/health")["status"], "ok")


if __name__ == "__main__":
    unittest.main(verbosity=2)
