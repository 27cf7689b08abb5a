"""The description of the HTTP interface is true: what a running brain takes and answers is held against the schemas that it gives of itself.

Every route of the description is asked here, with a body and an answer that are checked (but for the screens' static files); a route that nobody
asks fails, and so does one that answers JSON without a schema. The copy in docs/ is this description (tools/openapi writes it). A new route that needs no more than its query is asked by itself (AS, QUERY); another
one gets its line in `asked`. Needs Debian's python3-jsonschema (JSON Schema 2020-12).
"""
import json
import os
import shutil
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

try:
    from jsonschema import Draft202012Validator
except ImportError:  # another Python than Debian's stands first in PATH: Debian's has the package (tools/setup test)
    if os.path.realpath(sys.executable) == os.path.realpath("/usr/bin/python3"):
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from camera import Camera, devices, passages  # noqa: E402
from city import ROOT, City, wait_for  # noqa: E402

STATIC = {("get", "/assets/{rest}"), ("get", "/{file}")}  # files as the screens' build made them
ELSEWHERE = {("post", "/hub/v1/act/{area}/{party}/{name}"),  # the demo has no command: act_test.py has a city with some
             ("get", "/log/v1/policy")}  # the demo's ledger has no witnesses: witness_test.py
QUERY = {"indicator": "vehicles_true", "purpose": "cockpit.show", "limit": "3"}  # what a required name of a query is asked with
EVENTS = {"indicators": "LiveIndicators", "road_states": "RoadStates", "ranking": "Ranking", "junctions": "Junctions", "zone_states": "ZoneStates", "sources": "Sources", "recorded": "LiveRecorded",
          "ping": "LivePing"}  # what /cockpit/v1/live sends: OpenAPI has no word for it


def pairs_once(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key stands twice: {keys}"
    return dict(pairs)


def bare(media_type):
    return (media_type or "").split(";")[0].strip().lower()


class Description:
    def __init__(self, text):
        self.doc = json.loads(text, object_pairs_hook=pairs_once)
        self.asked = set()  # (method, path) that answered as described

    def routes(self):
        return [(method, path) for path, methods in self.doc["paths"].items() for method in methods]

    def schemas(self):
        return self.doc["components"]["schemas"]

    def errors(self, schema, value):
        whole = {**schema, "components": self.doc["components"]}  # so that its "#/components/…" resolve
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in Draft202012Validator(whole).iter_errors(value)]

    def body_errors(self, method, path, value, media_type="application/json"):
        return self.errors(self.doc["paths"][path][method]["requestBody"]["content"][media_type].get("schema", {}), value)

    def check(self, method, path, status, content_type, body):
        """What is wrong with an answer; None: nothing."""
        answers = self.doc["paths"][path][method]["responses"]
        said = answers.get(str(status)) or (answers["default"] if status >= 400 else None)
        if said is None:
            return f"status {status} is not described"
        content = {bare(name): value for name, value in said.get("content", {}).items()}
        found = content.get(bare(content_type), content.get("*/*"))
        if not body and not content:
            found = {}
        if found is None:
            return f"{status} comes as {content_type}, and is described as {list(content) or 'nothing'}"
        if bare(content_type).endswith("json") and "schema" not in found and "*/*" not in content:
            return f"{status} is JSON and has no schema"
        if "schema" in found and bare(content_type).endswith("json"):
            errors = self.errors(found["schema"], json.loads(body))
            if errors:
                return f"{status}: " + "; ".join(errors[:5]) + f"\n{body[:500]!r}"
        if status < 300:
            self.asked.add((method, path))
        return None


class Interface(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-openapi-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.city = City(world=True, city=cls.copy_of_the_city())
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.world = {"Authorization": "Bearer " + cls.city.token("hangzhou/world")}
        cls.parking = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.parking")}
        cls.city.sign_in("mayor")
        cls.description = Description(cls.city.request("GET", "/docs/openapi.json")[2])
        cls.feed()

    @classmethod
    def copy_of_the_city(cls):
        """The demo city, whose truth is recorded as it comes and not sampled each two minutes: nobody waits that long for a record."""
        copy = os.path.join(cls.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), copy)
        path = os.path.join(copy, "cockpits", "indicators.yaml")
        with open(path, encoding="utf-8") as source:
            lines = source.readlines()
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(line for line in lines if not line.strip().startswith("sampled:"))
        return copy

    @classmethod
    def feed(cls):
        """Until no list of an answer is empty: the world drives, and a record of the truth is there at once."""
        now = int(time.time() * 1000)
        event = {"name": "vehicles_true", "area": "hangzhou", "time": now // 120000 * 120000, "period_ms": 120000, "value": 41203, "n": 41203}
        status, _, body = cls.city.request("POST", "/hub/v1/publish/hangzhou/world/truth", {"events": [event]}, cls.world)
        assert status == 200, body
        with open(os.path.join(cls.city.data, "secrets", "camera"), encoding="ascii") as text:
            password = text.read().split()[-1]
        cls.names = devices(cls.city.city)
        cls.camera = Camera(cls.city.port, cls.names[0], password)
        wait_for(lambda: cls.city.request("GET", "/cockpit/v1/why?indicator=mean_speed")[0] == 200, 300, "a figure")
        wait_for(lambda: cls.city.get("/cockpit/v1/ranking")["roads"], 300, "a road in the ranking")
        wait_for(lambda: cls.city.get("/cockpit/v1/history?indicator=vehicles_true")["points"], 60, "a record")
        wait_for(lambda: cls.city.request("GET", "/cockpit/v1/roads")[0] == 200, 60, "the roads")

    def ask(self, method, path, body=None, headers=(), query="", status=200, **params):
        """Asks, holds body and answer against the description, and gives the parsed answer."""
        described = self.description.doc["paths"][path][method]
        if body is not None:
            self.assertEqual(self.description.body_errors(method, path, body), [], f"{method} {path} takes {body}")
        for name, value in params.items():
            path_asked = (path if name == next(iter(params)) else path_asked).replace("{" + name + "}", urllib.parse.quote(value, safe="/"))
        target = (path_asked if params else path) + ("?" + query if query else "")
        names = {one["name"] for one in described.get("parameters", []) if one["in"] == "query"}
        self.assertLessEqual(set(urllib.parse.parse_qs(query)), names, f"{method} {path}: a name of the query is not described")
        got, answer_headers, text = self.city.request(method.upper(), target, body, headers)
        self.assertEqual(got, status, f"{method} {target}: {text[:300]!r}")
        self.assertIsNone(self.description.check(method, path, got, answer_headers.get("Content-Type"), text), f"{method} {target}")
        return json.loads(text) if bare(answer_headers.get("Content-Type")).endswith("json") else text

    def viid(self, method, path, body=None, status=200):
        if body is not None and status == 200:
            for media_type in ("application/json", "application/VIID+JSON"):
                self.assertEqual(self.description.body_errors(method, path, body, media_type), [])
        got, answer = self.camera.request(method.upper(), path, body)
        self.assertEqual(got, status, answer)
        self.assertIsNone(self.description.check(method, path, got, self.camera.content_type, json.dumps(answer).encode()), f"{method} {path}")

    # ---- the description itself ----

    def test_1_it_is_openapi_with_whole_schemas(self):
        doc, schemas = self.description.doc, self.description.schemas()
        self.assertEqual(self.description.errors(schemas["OpenApi"], doc), [])
        self.assertGreater(len(schemas), 40)
        for name, schema in schemas.items():
            Draft202012Validator.check_schema(schema)
            self.assertNotEqual(schema, {}, name)
        text = json.dumps(doc)
        for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
            self.assertIn(reference.removeprefix("#/components/schemas/"), schemas)
        for name, schema in schemas.items():  # what a schema itself gives as an example is one
            for example in schema.get("examples", []):
                self.assertEqual(self.description.errors(schema, example), [], name)
        for method, path in self.description.routes():
            route = doc["paths"][path][method]
            self.assertTrue(route["summary"], path)
            problem = route["responses"]["default"]["content"]["application/problem+json"]["schema"]
            self.assertEqual(problem, {"$ref": "#/components/schemas/Problem"})
            if method in ("post", "put") and "requestBody" in route:
                for media_type, content in route["requestBody"]["content"].items():
                    self.assertTrue(content.get("schema"), f"{method} {path}: a body {media_type} without a schema")

    def test_1_the_copy_in_docs_is_this_description(self):
        with open(os.path.join(ROOT, "docs", "openapi.json"), encoding="utf-8") as text:
            copy = json.load(text, object_pairs_hook=pairs_once)
        mend = "docs/openapi.json is stale; run tools/openapi and commit what it writes"
        self.assertEqual(sorted(copy["paths"]), sorted(self.description.doc["paths"]), mend)
        for path, methods in self.description.doc["paths"].items():
            self.assertEqual(copy["paths"][path], methods, mend)
        for name, schema in self.description.schemas().items():
            self.assertEqual(copy["components"]["schemas"].get(name), schema, mend)
        self.assertEqual(copy, self.description.doc, mend)

    # ---- each route, asked as it is described ----

    def test_2_programs(self):
        token = self.parking
        plate = self.plate()
        call = {"purpose": "parking.settle", "key": {"plate": plate}, "fields": ["plate", "vehicle_type"]}
        where = {"area": "hangzhou", "party": "police", "name": "vehicle"}
        called = self.ask("post", "/hub/v1/call/{area}/{party}/{name}", call, token, **where)
        self.assertEqual(called["rows"][0]["plate"], plate)
        self.ask("post", "/hub/v1/call/{area}/{party}/{name}", {**call, "contract": "hangzhou/c-17"}, token, **where)
        index = called["receipt"].split("/")[1]
        query = {"purpose": "parking.plan", "sql": 'SELECT vehicle_type, count(*) FROM "hangzhou/police/vehicle" WHERE seats > ? GROUP BY 1', "parameters": [5]}
        self.assertTrue(self.ask("post", "/hub/v1/query", query, token)["rows"])
        self.assertTrue(self.ask("post", "/hub/v1/query", {**query, "explain": True}, token)["explain"])
        self.ask("post", "/hub/v1/query", {**query, "sql": "SELECT"}, token, status=400)
        self.ask("get", "/hub/v1/opening/{index}", headers=token, index=index)
        self.ask("get", "/hub/v1/opening/{log}/{index}", headers=token, log=called["receipt"].split("/")[0], index=index)
        referral = {"Authorization": "Bearer " + self.city.token("hangzhou/scene.referral")}
        where_xray = {"area": "hangzhou", "party": "health", "name": "xray"}
        self.ask("get", "/hub/v1/object/{area}/{party}/{name}", headers=referral, query="purpose=medical.refer&key=X0000001", **where_xray)
        headers = self.city.request("GET", "/hub/v1/object/hangzhou/health/xray?purpose=medical.refer&key=X0000002", headers=referral)[1]
        index_of_object = headers["Citybrain-Receipt"].split("/")[1]
        wait_for(lambda: self.city.request("GET", "/hub/v1/outcome/" + index_of_object, headers=referral)[0] == 200, 60, "the outcome")
        self.ask("get", "/hub/v1/outcome/{index}", headers=referral, index=index_of_object)
        self.ask("get", "/hub/v1/resources", headers=token)
        self.assertTrue(self.ask("get", "/hub/v1/contracts", headers=token))
        about = {"resource": "hangzhou/police/vehicle", "what": "the type is another", "key": {"plate": plate}}
        self.ask("post", "/hub/v1/correction", about, token, status=201)
        publish = "/hub/v1/publish/hangzhou/world/truth"
        self.assertEqual(self.ask("post", publish, {"events": []}, self.world), {"accepted": 0})
        for answer in ({"accepted": 0}, {"accepted": 0, "repeated": True}):
            self.assertEqual(self.ask("post", publish, {"events": [], "posting": "one"}, self.world), answer)
        self.ask("post", publish, {"events": [{"name": "vehicles_true", "area": "hangzhou", "time": int(time.time() * 1000), "period_ms": 1000, "value": None, "n": 0}]},
                 self.world)
        wait_for(lambda: self.city.request("GET", f"/log/v1/proof/{index}")[0] == 200, 60, "the checkpoint")
        for path in ("/log/v1/proof/{index}", "/log/v1/receipt/{index}"):
            self.ask("get", path, index=index)
        self.ask("get", "/log/v1/tile/{rest}", rest="entries/999", status=404)
        size = int(self.ask("get", "/log/v1/checkpoint").split(b"\n")[1])
        self.ask("get", "/log/v1/tile/{rest}", rest=f"entries/000.p/{size}" if size < 256 else "entries/000")

    def plate(self):
        """A plate that the police's database has."""
        with open(os.path.join(self.city.data, "world", "plates.txt"), encoding="utf-8") as lines:
            return lines.readline().split()[0]

    def test_3_people(self):
        person = City(data=self.city.data, port=self.city.port)
        self.city, mine = person, self.city
        self.addCleanup(setattr, self, "city", mine)
        who = self.ask("post", "/party/v1/session", {"name": "xihu", "password": "citybrain-demo"})
        self.assertEqual(self.ask("get", "/party/v1/session"), who)
        self.ask("delete", "/party/v1/session", status=204)
        self.ask("get", "/party/v1/session", status=401)

    def as_person(self, name):
        """The asker from here to the end of the test."""
        person = City(data=self.city.data, port=self.city.port)
        person.sign_in(name)
        self.addCleanup(setattr, self, "city", self.city)
        self.city = person

    def test_3_contracts(self):
        draft = {"provider": "hangzhou/police", "consumer": "hangzhou/scene.parking", "resource": "hangzhou/police/vehicle", "uses": ["call"],
                 "fields": ["plate", "status"], "purpose": "parking.check", "legal_basis": {"zh": "依", "en": "law"}, "from": "2026-01-01",
                 "until": "2028-01-01", "per_day": 100, "keep": "1h"}
        self.as_person("police-contracts")
        drafted = self.ask("post", "/hub/v1/contracts", draft, status=201)
        area, index = drafted["contract"].split("/")
        one, step = "/hub/v1/contracts/{area}/{index}", "/hub/v1/contracts/{area}/{index}/{event}"
        self.ask("post", step, {**draft, "rows": "status <> 'E'", "per_month": None}, area=area, index=index, event="change")
        for event in ("offer", "sign"):
            self.ask("post", step, {}, area=area, index=index, event=event)
        self.as_person("parking-contracts")
        self.assertTrue(self.ask("get", "/hub/v1/contracts", query="view=to-sign"))
        self.assertEqual(self.ask("post", step, {}, area=area, index=index, event="sign")["state"], "agreed")
        self.ask("post", step, {}, area=area, index=index, event="suspend")
        self.ask("post", step, {}, area=area, index=index, event="offer", status=409)
        self.ask("post", step, {"key": "ed25519:" + "A" * 44, "signature": "0" * 128}, area=area, index=index, event="sign", status=409)
        full = self.ask("get", one, area=area, index=index)
        self.assertEqual(len(full["history"]), 6)
        self.ask("post", step, {}, area=area, index=index, event="withdraw")
        for view in ("mine", "in-force", "history"):
            self.assertTrue(self.ask("get", "/hub/v1/contracts", query="view=" + view))
        self.as_person("auditor")
        self.ask("get", one, area=area, index=index)
        self.ask("get", "/hub/v1/catalog")
        self.as_person("operator")
        self.ask("get", "/hub/v1/contracts", status=403)
        self.ask("get", "/metrics")

    def test_3_work(self):
        """After test_2, whose correction is a case of the police's."""
        self.as_person("police-contracts")
        posts = self.ask("get", "/case/v1/posts")["posts"]
        cases = self.ask("get", "/case/v1/cases", query="state=all&limit=50")["cases"]
        mine = next(one for one in cases if one["kind"] == "data.correction")
        number = str(mine["id"])
        for name, body in (("assign", {"to": posts[0]["post"]}), ("comment", {"text": "looked at"}), ("close", {"text": "mended"}), ("reopen", {"text": "not yet"})):
            self.ask("post", "/case/v1/cases/{id}/{step}", body, id=number, step=name)
        self.ask("post", "/case/v1/cases/{id}/{step}", {}, id=number, step="comment", status=400)
        self.assertGreater(len(self.ask("get", "/case/v1/cases/{id}", id=number)["history"]), 3)
        self.as_person("auditor")
        self.ask("get", "/case/v1/cases", query="state=all&area=hangzhou&kind=data.correction")
        self.ask("get", "/case/v1/cases/{id}", id="999999", status=404)
        call = {"purpose": "parking.settle", "key": {"plate": "浙A00001"}, "fields": ["status"]}
        self.ask("post", "/hub/v1/call/{area}/{party}/{name}", call, self.parking, area="hangzhou", party="police", name="vehicle")
        self.as_person("citizen")
        self.ask("get", "/party/v1/session")
        uses = self.ask("get", "/hub/v1/uses/mine", query="limit=5")["uses"]
        self.ask("get", "/hub/v1/uses/mine", query="before=1,r1", status=400)
        log, index = uses[0]["receipt"].split("/")
        wait_for(lambda: self.city.request("GET", "/hub/v1/receipt/" + uses[0]["receipt"])[0] == 200, 60, "the checkpoint")
        self.ask("get", "/hub/v1/receipt/{log}/{index}", log=log, index=index)
        self.ask("get", "/hub/v1/receipt/{log}/{index}", log="other.log", index=index, status=404)
        self.ask("get", "/hub/v1/opening/{log}/{index}", log=log, index=index, status=404)
        self.ask("post", "/case/v1/objection", {"receipt": uses[0]["receipt"], "what": "not me"})
        self.ask("post", "/case/v1/objection", {"receipt": "hangzhou.log/0", "what": "not me"}, status=404)

    def test_4_cameras(self):
        device = {"DeviceID": self.camera.device}
        for word in ("Register", "Keepalive", "UnRegister"):
            self.viid("post", "/VIID/System/" + word, {word + "Object": device})
        self.viid("get", "/VIID/System/Time")
        good = passages(self.camera.device, 3, 77)
        strange = [{**good[0], "PassTime": "20200701160000"}, {**good[1], "DeviceID": self.names[1]}, {"MotorVehicleID": "x"}, {}]
        self.viid("post", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": good + strange}})
        self.viid("post", "/VIID/MotorVehicles", {"MotorVehicleListObject": {"MotorVehicleObject": good[2]}})
        notification = {"NotificationID": "n1", "MotorVehicleObjectList": {"MotorVehicleObject": passages(self.camera.device, 1, 78)}}
        self.viid("post", "/VIID/SubscribeNotifications", {"SubscribeNotificationListObject": {"SubscribeNotificationObject": [notification, {"NotificationID": "n2"}]}})
        for body in (b"{", b'{"MotorVehicleListObject":[1}'):
            self.viid("post", "/VIID/MotorVehicles", body, status=400)

    def test_5_subscribe(self):
        path = "/hub/v1/subscribe/{area}/{party}/{name}"
        target = "/hub/v1/subscribe/hangzhou/scene.count/indicator?purpose=parking.guide&fields=name,value"
        stream = self.city.opener.open(urllib.request.Request(self.city.url + target, headers=self.parking), timeout=30)
        with stream:
            self.assertIsNone(self.description.check("get", path, 200, stream.headers["Content-Type"], b""))
            lines = list(iter(lambda: stream.readline().decode().rstrip(), "event: rows"))
            self.assertTrue(lines[-2].startswith('data: {"contract":"hangzhou/c-44","receipt":"hangzhou.log/'), lines)
            rows = json.loads(stream.readline().decode().removeprefix("data: "))
        self.assertEqual([list(row) for row in rows], [["name", "value"]] * len(rows))
        for query, rule in (("purpose=x&fields=name", 8), ("purpose=parking.guide&fields=basis", 9), ("purpose=parking.guide&fields=", 9)):
            problem = self.ask("get", path, query=query, headers=self.parking, status=404, area="hangzhou", party="scene.count", name="indicator")
            self.assertEqual(problem["rule"], rule)

    def test_5_live_cases(self):
        with self.city.opener.open(self.city.url + "/case/v1/live", timeout=30) as stream:
            self.assertIsNone(self.description.check("get", "/case/v1/live", 200, stream.headers["Content-Type"], b""))
            lines = [stream.readline().decode().rstrip() for _ in range(4)]
        event = next(line[5:] for line in lines if line.startswith("data:"))
        self.assertEqual(self.description.errors(self.description.schemas()["CaseLive"], json.loads(event)), [])

    def test_5_live(self):
        seen = set()
        with self.city.opener.open(self.city.url + "/cockpit/v1/live?area=hangzhou", timeout=30) as stream:
            self.assertIsNone(self.description.check("get", "/cockpit/v1/live", 200, stream.headers["Content-Type"], b""))
            until, event = time.monotonic() + 20, None
            while time.monotonic() < until and seen != set(EVENTS):
                line = stream.readline().decode().rstrip()
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    errors = self.description.errors(self.description.schemas()[EVENTS[event]], json.loads(line[5:]))
                    self.assertEqual(errors, [], event)
                    seen.add(event)
                if seen == set(EVENTS) - {"recorded"}:  # the next record makes one
                    now = int(time.time() * 1000)
                    self.city.request("POST", "/hub/v1/publish/hangzhou/world/truth",
                                      {"events": [{"name": "vehicles_true", "area": "hangzhou", "time": now, "period_ms": 120000, "value": 7, "n": 7}]}, self.world)
        self.assertEqual(seen, set(EVENTS))

    def test_6_every_route_answers_as_it_says(self):
        """The others: each GET by itself, as the mayor; then nobody may be left."""
        for method, path in self.description.routes():
            route = self.description.doc["paths"][path][method]
            parameters = route.get("parameters", [])
            if method != "get" or (method, path) in self.description.asked | ELSEWHERE or any(one["in"] == "path" for one in parameters):
                continue
            query = "&".join(f"{one['name']}={QUERY.get(one['name'], 'x')}" for one in parameters if one["required"])
            with self.subTest(path):
                self.ask("get", path, query=query)
        indicators = self.ask("get", "/cockpit/v1/indicators", query="area=hangzhou.xihu")["indicators"]
        self.assertGreater(len(indicators), 4)
        for indicator in indicators:  # one after the other: each has thresholds, roll-up and lineage of its own
            self.ask("get", "/cockpit/v1/history", query="from=0&indicator=" + indicator["name"])
            if self.city.request("GET", "/cockpit/v1/why?indicator=" + indicator["name"])[0] == 200:
                self.ask("get", "/cockpit/v1/why", query="indicator=" + indicator["name"])
        self.ask("get", "/cockpit/v1/ranking", query="limit=3")
        wait_for(lambda: self.city.get("/cockpit/v1/junctions")["junctions"], 300, "a junction with a wait")
        self.ask("get", "/cockpit/v1/junctions", query="limit=3")
        where = {"area": "hangzhou", "party": "scene.count", "name": "road"}
        self.ask("get", "/hub/v1/object/{area}/{party}/{name}", query="purpose=x", status=404, **where)
        left = set(self.description.routes()) - self.description.asked - STATIC - ELSEWHERE
        self.assertEqual(left, set(), "no test has had the described answer of these routes; ask them here")

    # ---- what the brain refuses the schemas refuse, and the refusal is as described ----

    def test_7_bodies_that_are_refused(self):
        call = {"purpose": "parking.settle", "key": {"plate": "浙A12345"}, "fields": ["plate"]}
        wrong = {
            "/hub/v1/call/{area}/{party}/{name}": [[], {}, {**call, "purpose": 1}, {**call, "fields": "plate"}, {**call, "fields": [1]}, {**call, "key": []},
                                                  {**call, "more": 1}, {**call, "contract": 7}, {**call, "fields": ["x"] * 65},
                                                  {"purpose": "p", "fields": []}, {**call, "key": {str(i): 1 for i in range(65)}}],
            "/hub/v1/query": [[], {}, {"purpose": "p"}, {"purpose": "p", "sql": 1}, {"purpose": "p", "sql": "SELECT 1", "more": 1},
                              {"purpose": "p", "sql": "SELECT 1", "parameters": [[]]}, {"purpose": "p", "sql": "SELECT 1", "parameters": [1] * 101},
                              {"purpose": "p", "sql": "SELECT 1", "explain": 1}],
            "/hub/v1/publish/hangzhou/world/truth": [[], {}, {"events": {}}, {"events": [1]}, {"events": [], "more": 1}],
            "/party/v1/session": [[], {}, {"name": "mayor"}, {"name": 1, "password": "x"}],
        }
        for path, bodies in wrong.items():
            target = path.replace("{area}/{party}/{name}", "hangzhou/police/vehicle")
            for body in bodies:
                with self.subTest(path, body=str(body)[:80]):
                    self.assertNotEqual(self.description.body_errors("post", path, body), [], "the schema takes it")
                    headers = self.world if "publish" in path else self.parking if "hub" in path else {}
                    status, answer_headers, text = self.city.request("POST", target, body, headers)
                    self.assertEqual(status, 400, text)
                    self.assertIsNone(self.description.check("post", path, status, answer_headers.get("Content-Type"), text))

    def test_8_refusals_are_problems(self):
        where = {"area": "hangzhou", "party": "police", "name": "vehicle"}
        call = {"purpose": "another", "key": {"plate": "x"}, "fields": ["plate"]}
        problem = self.ask("post", "/hub/v1/call/{area}/{party}/{name}", call, self.parking, status=404, **where)
        self.assertEqual(problem["rule"], 8)  # docs/decide.md: the purpose
        for method, path in self.description.routes():
            if (method, path) in STATIC or path == "/":
                continue
            target = path.replace("{", "").replace("}", "")
            stranger = City(data=self.city.data, port=self.city.port)
            body = {} if "requestBody" in self.description.doc["paths"][path][method] else None
            status, headers, text = stranger.request(method.upper(), target, body)
            if status >= 400:
                with self.subTest(f"{method} {path}", status=status):
                    self.assertIsNone(self.description.check(method, path, status, headers.get("Content-Type"), text))

    # ---- and this test would notice ----

    def test_9_a_lie_is_found(self):
        path = "/hub/v1/call/{area}/{party}/{name}"
        good = b'{"rows":[],"truncated":false,"receipt":"h.log/1"}'
        check = Description(json.dumps(self.description.doc)).check
        self.assertIsNone(check("post", path, 200, "application/json", good))
        self.assertIsNotNone(check("post", path, 200, "application/json", good.replace(b"false", b"0")))
        self.assertIsNotNone(check("post", path, 200, "application/json", good[:-1] + b',"more":1}'))
        self.assertIsNotNone(check("post", path, 200, "text/plain", good))
        self.assertIsNotNone(check("post", path, 202, "application/json", good))
        self.assertIsNotNone(check("get", "/log/v1/vkey", 200, "application/json", b"{}"))
        self.assertIsNotNone(check("delete", "/party/v1/session", 200, "application/json", b"{}"))
        without = json.loads(json.dumps(self.description.doc))
        del without["paths"][path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        self.assertIn("no schema", Description(json.dumps(without)).check("post", path, 200, "application/json", good))


if __name__ == "__main__":
    unittest.main(verbosity=2)
