"""Nothing is served without the right to it: every route of the program, asked by nobody, by a stranger's token, by a program, by a citizen, by an
official, and from another area. A new route fails here until OPEN_TO says to whom it is open."""
import json
import os
import re
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City, wait_for  # noqa: E402

OPEN_TO = {
    "anybody": """get /health  get /healthz  get /readyz  post /party/v1/session  get /  get /assets/{rest}  get /{file}  get /log/v1/checkpoint
        get /log/v1/tile/{rest}  get /log/v1/proof/{index}  get /log/v1/receipt/{index}  get /log/v1/vkey  get /log/v1/policy""",
    "cameras": """post /VIID/System/Register  post /VIID/System/Keepalive  post /VIID/System/UnRegister  get /VIID/System/Time  post /VIID/MotorVehicles
        post /VIID/SubscribeNotifications""",
    "officials": """get /cockpit/v1/areas  get /cockpit/v1/indicators  get /cockpit/v1/history  get /cockpit/v1/ranking  get /cockpit/v1/junctions
        get /cockpit/v1/road_states  get /cockpit/v1/roads  get /cockpit/v1/ground  get /cockpit/v1/zones  get /cockpit/v1/zone_states
        get /cockpit/v1/sources  get /cockpit/v1/why  get /cockpit/v1/live
        get /case/v1/cases  get /case/v1/cases/{id}  get /case/v1/live  get /case/v1/posts  post /case/v1/cases/{id}/{step}""",
    "citizens": "get /hub/v1/uses/mine  post /case/v1/objection",
    # programs, officials and citizens: the answer has what is theirs
    "who is signed in": """post /hub/v1/query  post /hub/v1/call/{area}/{party}/{name}  get /hub/v1/subscribe/{area}/{party}/{name}  get /hub/v1/resources
        get /hub/v1/opening/{index}  get /hub/v1/outcome/{index}  get /hub/v1/object/{area}/{party}/{name}  post /hub/v1/act/{area}/{party}/{name}
        get /hub/v1/catalog  get /hub/v1/contracts  post /hub/v1/contracts  get /hub/v1/contracts/unfit  get /hub/v1/contracts/{area}/{index}
        post /hub/v1/contracts/{area}/{index}/{event}  post /hub/v1/publish/hangzhou/world/truth  get /party/v1/session  delete /party/v1/session
        get /hub/v1/receipt/{log}/{index}  get /hub/v1/opening/{log}/{index}  post /hub/v1/correction  get /metrics  get /docs/openapi.json""",
}
SECURITY = {"anybody": [], "cameras": [{"digest": []}], "officials": [{"session": ["official"]}], "citizens": [{"session": ["citizen"]}],
            "who is signed in": [{"token": []}, {"session": []}]}  # as the description says it
# What a citizen is answered at a route for who is signed in: a list with nothing in it, or what anybody may know. Everything else refuses.
CITIZEN_GETS = {"get /hub/v1/resources": lambda a: a == [], "get /hub/v1/contracts": lambda a: a == [], "get /hub/v1/contracts/unfit": lambda a: a == [],
                "get /hub/v1/catalog": lambda a: a["resources"] == [] and a["parties"] == [], "get /party/v1/session": lambda a: a["citizen"] and a["area"] == "",
                "get /hub/v1/receipt/{log}/{index}": lambda a: a["receipt"] == "hangzhou.log/0", "get /docs/openapi.json": lambda a: "paths" in a}
VALUES = {"area": "hangzhou", "party": "police", "name": "vehicle", "index": "0", "log": "hangzhou.log", "id": "1", "step": "start", "event": "sign"}


def open_to(whom):
    return [tuple(route.split(" ")) for line in OPEN_TO[whom].split("\n") for route in line.strip().split("  ")]


def filled(pattern):
    return re.sub(r"\{(\w+)\}", lambda name: VALUES.get(name[1], "x"), pattern)


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City()
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)

    def visitor(self, name=None):
        """One with cookies of its own; starts nothing."""
        visitor = City(data=self.city.data, port=self.city.port)
        if name:
            visitor.sign_in(name)
        return visitor

    def ask(self, visitor, method, path, headers=()):
        """Status and problem; of a list of events the status alone."""
        query = "?indicator=vehicles_in_transit&purpose=x" if method == "get" and path.startswith(("/cockpit/", "/hub/v1/object", "/hub/v1/subscribe")) else ""
        if path.endswith("/live") and visitor.request("HEAD", filled(path), None, headers)[0] == 200:
            return 200, {}
        status, _, body = visitor.request(method.upper(), filled(path) + query, {} if method in ("post", "put") else None, headers)
        return status, json.loads(body) if body.startswith((b"{", b"[")) else body

    def test_every_route_is_listed_and_the_description_says_the_same(self):
        paths = self.visitor("mayor").get("/docs/openapi.json")["paths"]
        described = {(method, path): route["security"] for path, methods in paths.items() for method, route in methods.items()}
        listed = {route: SECURITY[whom] for whom in OPEN_TO for route in open_to(whom)}
        self.assertEqual(sum(len(open_to(whom)) for whom in OPEN_TO), len(listed), "a route stands twice")
        self.assertEqual(set(described), set(listed), "OPEN_TO does not say to whom a route is open, or names one that is gone")
        for route, security in described.items():
            self.assertEqual(security, listed[route], route)

    def test_what_is_not_for_an_asker_is_not_there(self):
        token = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.parking")}
        operator = {"Authorization": "Bearer " + self.city.token("hangzhou/monitor")}
        citizen, official, program = self.visitor("citizen"), self.visitor("police"), self.visitor()
        nothing = self.ask(official, "get", "/no/such/path")
        self.assertEqual(nothing[0], 404)
        askers = {"citizens": [(official, ()), (program, token), (program, operator)], "officials": [(citizen, ()), (program, token), (program, operator)]}
        for whom, others in askers.items():
            for method, path in open_to(whom):
                for visitor, headers in others:
                    self.assertEqual(self.ask(visitor, method, path, headers), nothing, f"{method} {path} is for {whom}")
        for visitor, whom in ((official, "officials"), (citizen, "citizens")):  # and it is there for whom it is for
            for method, path in open_to(whom):
                self.assertNotEqual(self.ask(visitor, method, path), nothing, f"{method} {path} for {whom}")

    def test_a_citizen_is_told_nothing_of_an_officials(self):
        citizen = self.visitor("citizen")
        for method, path in open_to("who is signed in"):
            if method == "delete":
                continue
            status, answer = self.ask(citizen, method, path)
            route = f"{method} {path}"
            if route in CITIZEN_GETS:
                self.assertTrue(status == 200 and CITIZEN_GETS[route](answer), f"{route}: {status} {str(answer)[:300]}")
            else:
                self.assertIn(status, (400, 403, 404), f"{route}: {str(answer)[:300]}")

    def test_every_route_refuses_a_stranger(self):
        stranger = self.visitor()
        for method, path in (route for whom in OPEN_TO if whom != "anybody" for route in open_to(whom)):
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
