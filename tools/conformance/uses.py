"""The hub's other uses as a consumer sees them: a statement (docs/query.md), a command (docs/act.md), a stream (docs/hub.md). Each is asked only where its options say what of."""
import hashlib
import hmac
import http.client
import json
import os
import time

import consumer
import tlog
from report import TIMEOUT_S, Answer, expect, same, shown, wait_for

REFUSAL = {"type", "title", "status", "detail", "instance", "rule"}
EVENTS_WITHIN_S = 30


class Uses:
    """What all of them share: the receipt of a use, proven with the log's key."""

    def __init__(self, by):
        self.hub, self.stranger, self.options = by.hub, by.stranger, by.options
        self.no_such = self.options.resource.rpartition("/")[0] + "/no-such-resource"

    def proven(self, receipt, **said):
        """The leaf of a receipt, proven offline, of this use."""
        match = consumer.RECEIPT.match(receipt)
        expect(match, f"a receipt is named ORIGIN/INDEX, and not {receipt}")
        key = tlog.Key(self.stranger.get("/log/v1/vkey").text().strip())

        def ask():
            answer = self.stranger.get(f"/log/v1/receipt/{match['index']}")
            return answer.json() if answer.status == 200 else None

        file = wait_for(ask, consumer.PROOF_WITHIN_S, "the proof of the receipt")
        proof = tlog.Proof(file["proof"])
        same(proof.index, int(match["index"]), "the index in the proof")
        proof.verify(key, file["leaf"].encode())
        leaf = json.loads(file["leaf"])
        for name, value in {"type": "intent", "rule": 0, **said}.items():
            same(leaf.get(name), value, f"{name} of the leaf")
        return match["index"], leaf

    def opens(self, index, leaf, request):
        salt = bytes.fromhex(self.hub.get(f"/hub/v1/opening/{index}").json()["salt"])
        same(leaf["request"], hmac.new(salt, consumer.canonical(request).encode(), hashlib.sha256).hexdigest(), "the commitment to the request")

    def refused(self, answer, *statuses):
        problem = answer.problem(*statuses)
        expect(set(problem) <= REFUSAL, f"a refusal that says more: {shown(sorted(problem))}")
        return problem


class Query(Uses):
    def __init__(self, by):
        super().__init__(by)
        self.resource, self.field, self.purpose = self.options.query, self.options.query_field, self.options.query_purpose
        self.sql = f'SELECT "{self.field}" AS one FROM "{self.resource}" WHERE "{self.field}" IS NOT NULL LIMIT 3'

    def ask(self, sql, **more):
        return self.hub.post("/hub/v1/query", {"purpose": self.purpose, "sql": sql, **more})

    def nobody_is_let_in(self):
        self.refused(self.stranger.post("/hub/v1/query", {"purpose": self.purpose, "sql": self.sql}), 401)

    def is_answered(self):
        answer = self.ask(self.sql)
        same(answer.status, 200, "the status")
        said = answer.json()
        same(set(said), {"columns", "rows", "truncated", "receipts"}, "the answer's members")
        same(said["columns"], ["one"], "the columns")
        expect(isinstance(said["truncated"], bool), "truncated is not true or false")
        expect(0 < len(said["rows"]) <= 3, f"{len(said['rows'])} rows of at most 3: give a field that has values, or nothing can be seen")
        expect(all(isinstance(row, list) and len(row) == 1 and row[0] is not None for row in said["rows"]), "a row that has not a value for each column")
        return said

    def has_a_receipt_for_each_resource(self, said):
        same([(one["resource"], sorted(one)) for one in said["receipts"]], [(self.resource, ["contract", "receipt", "resource"])], "the receipts")
        return self.proven(said["receipts"][0]["receipt"], use="query", resource=self.resource, purpose=self.purpose, contract=said["receipts"][0]["contract"])

    def opens_to_the_statement(self, index, leaf):
        self.opens(index, leaf, {"fields": [self.field], "parameters": [], "purpose": self.purpose, "resource": self.resource, "sql": self.sql})

    def a_parameter_is_a_value(self):
        said = self.ask(f'SELECT count(*) AS n FROM "{self.resource}" WHERE CAST("{self.field}" AS TEXT) = ?', parameters=["' OR '1'='1"]).json()
        same(said["rows"], [[0]], "the rows that have the text of an injection")

    def explains_without_values(self):
        said = self.ask(f'SELECT count(*) AS n FROM "{self.resource}" WHERE CAST("{self.field}" AS TEXT) = ?', parameters=["conformance-" + "0" * 16], explain=True).json()
        expect(said["explain"], "nothing is explained")
        for part in said["explain"]:
            same(set(part), {"resource", "asked", "round_trips", "rows"}, "a part of the explanation")
        expect("conformance-" not in json.dumps(said["explain"]), "the explanation tells a value")

    def denied_and_unknown_look_the_same(self):
        asked = [self.hub.post("/hub/v1/query", {"purpose": self.purpose, "sql": f'SELECT count(*) FROM "{name}"'}) for name in (self.options.ungranted or self.no_such, self.no_such)]
        for answer in asked:
            self.refused(answer, 404)
        same(asked[0].body, asked[1].body, "the refusal of a resource that is there")

    def another_purpose_is_denied(self):
        problem = self.refused(self.hub.post("/hub/v1/query", {"purpose": "no.such.purpose", "sql": self.sql}), 404)
        same(problem.get("rule"), 8, "the rule")

    def bad(self, sql, *statuses, **more):
        return lambda: self.refused(self.ask(sql, **more), *statuses) and None


class Act(Uses):
    def __init__(self, by):
        super().__init__(by)
        self.resource, self.purpose = self.options.act, self.options.act_purpose
        self.path = "/hub/v1/act/" + self.resource
        self.parameters = {name: consumer.value_of(value) for name, _, value in (one.partition("=") for one in self.options.parameter or ())}
        self.key = "conformance-" + os.urandom(8).hex()

    def body(self, **changes):
        return {"purpose": self.purpose, "key": self.key, "parameters": self.parameters, **changes}

    def nobody_is_let_in(self):
        self.refused(self.stranger.post(self.path, self.body()), 401)

    def is_done(self):
        answer = self.hub.post(self.path, self.body())
        same(answer.status, 200, "the status")
        said = answer.json()
        same(set(said), {"state", "answer", "repeated", "receipt"}, "the answer's members")
        same((said["state"], said["repeated"]), ("done", False), "state and repeated")
        return said

    def the_same_key_is_the_same_act(self, first):
        for _ in range(2):
            answer = self.hub.post(self.path, self.body())
            same(answer.status, 200, "the status")
            same(answer.json(), {**first, "repeated": True}, "the answer to the same key")

    def another_key_is_another(self, first):
        said = self.hub.post(self.path, self.body(key="conformance-" + os.urandom(8).hex() + ".2")).json()
        same((said["state"], said["repeated"]), ("done", False), "state and repeated of another key")
        expect(said["receipt"] != first["receipt"] and said["answer"] != first["answer"], "another key has the same act")

    def has_its_receipt(self, first):
        return self.proven(first["receipt"], use="act", resource=self.resource, purpose=self.purpose)

    def a_key_stands_for_its_parameters(self):
        changed = {name: value + "x" if isinstance(value, str) and name == next(iter(self.parameters)) else value for name, value in self.parameters.items()}
        self.refused(self.hub.post(self.path, self.body(parameters=changed)), 409)

    def another_purpose_is_denied(self):
        same(self.refused(self.hub.post(self.path, self.body(purpose="no.such.purpose")), 404).get("rule"), 8, "the rule")

    def a_parameter_not_granted_is_denied(self):
        same(self.refused(self.hub.post(self.path, self.body(parameters={**self.parameters, "no_such_parameter": 1})), 404).get("rule"), 9, "the rule")

    def unknown_is_none(self):
        self.refused(self.hub.post("/hub/v1/act/" + self.no_such, self.body()), 404)

    def bad(self, body):
        return lambda: self.refused(self.hub.post(self.path, body), 400) and None


class Stream(Uses):
    def __init__(self, by):
        super().__init__(by)
        self.resource, self.purpose, self.fields = self.options.stream, self.options.stream_purpose, (self.options.stream_fields or "").split(",")

    def open(self, client, resource=None, purpose=None, fields=None):
        """The answer's head, and its connection; what is refused has its body, too."""
        path = f"/hub/v1/subscribe/{resource or self.resource}?purpose={purpose or self.purpose}&fields={','.join(fields or self.fields)}"
        connection = client.kind(client.host, client.port, timeout=TIMEOUT_S)
        connection.request("GET", client.base + path, headers={"Authorization": "Bearer " + client.token} if client.token else {})
        answer = connection.getresponse()
        if answer.status == 200:
            return connection, answer, None
        try:
            return None, answer, Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def refuses(self, *statuses, client=None, **asked):
        connection, _, refusal = self.open(client or self.hub, **asked)
        if connection:
            connection.close()
        expect(refusal is not None, "it is answered with a stream")
        return self.refused(refusal, *statuses), refusal

    def nobody_is_let_in(self):
        self.refuses(401, client=self.stranger)

    def comes_in_windows(self):
        """(window, rows): the first of each."""
        connection, answer, _ = self.open(self.hub)
        expect(connection is not None, f"the status is {answer.status}, and not 200")
        same((answer.headers.get("Content-Type") or "").split(";")[0], "text/event-stream", "the media type of a stream")
        until, event, window = time.monotonic() + EVENTS_WITHIN_S, None, None
        try:
            while time.monotonic() < until:
                line = answer.readline()
                expect(line, "the stream ends without rows")
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "window":
                    window = json.loads(value)
                    same(set(window), {"contract", "receipt"}, "the members of a window")
                elif name == "data" and event == "rows":
                    expect(window is not None, "rows that belong to no window")
                    return window, json.loads(value)
        except (TimeoutError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        expect(False, f"no rows came within {EVENTS_WITHIN_S} s: the stream has to be one on which something is published")

    def rows_have_the_fields(self, rows):
        expect(isinstance(rows, list) and rows, "rows are no list, or none")
        for row in rows:
            same(list(row), self.fields, "the fields of a row, in their order")

    def window_is_proven(self, window):
        self.proven(window["receipt"], use="subscribe", resource=self.resource, purpose=self.purpose, contract=window["contract"])

    def another_purpose_is_denied(self):
        same(self.refuses(404, purpose="no.such.purpose")[0].get("rule"), 8, "the rule")

    def a_field_not_granted_is_denied(self):
        same(self.refuses(404, fields=[*self.fields, "no_such_field"])[0].get("rule"), 9, "the rule")

    def what_is_no_stream_of_mine_is_none(self):
        seen = [self.refuses(404, resource=name)[1].body for name in (self.no_such, self.resource.rpartition("/")[0] + "/no-such-stream")]
        same(seen[0], seen[1], "the refusals of what is not there")


def run_query(report, by):
    q = Query(by)
    check = report.check
    check("a statement: without a token nobody is let in (401)", q.nobody_is_let_in)
    said = check("a statement is answered with columns, rows, truncated and receipts", q.is_answered)
    leaf = check("a statement: each resource has its receipt, proven offline", lambda: q.has_a_receipt_for_each_resource(said))
    check("a statement: the leaf's commitment opens to it", lambda: q.opens_to_the_statement(*leaf))
    check("a statement's parameter is a value and nothing else", q.a_parameter_is_a_value)
    check("a statement is explained without values", q.explains_without_values)
    check("a statement: denied and unknown look the same", q.denied_and_unknown_look_the_same)
    check("a statement: another purpose is denied by rule 8", q.another_purpose_is_denied)
    check("a statement that changes something is refused (400)", q.bad(f'DELETE FROM "{q.resource}"', 400))
    check("two statements are refused (400)", q.bad(q.sql + "; SELECT 1", 400))
    check("a field that is not granted is no column (400)", q.bad(f'SELECT no_such_field FROM "{q.resource}"', 400))
    check("a statement over 16 KiB is refused (400)", q.bad(q.sql + " " * (17 << 10), 400))
    check("parameters that are no plain values are refused (400)", q.bad(q.sql, 400, parameters=[[]]))


def run_act(report, by):
    a = Act(by)
    check = report.check
    check("a command: without a token nobody is let in (401)", a.nobody_is_let_in)
    first = check("a command is done and answered with its receipt", a.is_done)
    check("the same key is the same act, told as repeated", lambda: a.the_same_key_is_the_same_act(first))
    check("another key is another act", lambda: a.another_key_is_another(first))
    check("a command's receipt is proven offline", lambda: a.has_its_receipt(first))
    check("other parameters under a used key are refused (409)", a.a_key_stands_for_its_parameters)
    check("a command: another purpose is denied by rule 8", a.another_purpose_is_denied)
    check("a parameter that is not granted is denied by rule 9", a.a_parameter_not_granted_is_denied)
    check("a command that is not there is none (404)", a.unknown_is_none)
    check("a command without a key is refused (400)", a.bad({"purpose": a.purpose, "parameters": a.parameters}))
    check("a key of other letters is refused (400)", a.bad(a.body(key="a b")))
    check("parameters that are no object are refused (400)", a.bad(a.body(parameters=[1])))


def run_stream(report, by):
    s = Stream(by)
    check = report.check
    check("a stream: without a token nobody is let in (401)", s.nobody_is_let_in)
    came = check("a stream comes in windows, each told before its rows", s.comes_in_windows)
    check("a stream's rows have the fields asked for, in their order", lambda: s.rows_have_the_fields(came[1]))
    check("a window's receipt is proven offline", lambda: s.window_is_proven(came[0]))
    check("a stream: another purpose is denied by rule 8", s.another_purpose_is_denied)
    check("a stream: a field that is not granted is denied by rule 9", s.a_field_not_granted_is_denied)
    check("a stream that is not there is none (404)", s.what_is_no_stream_of_mine_is_none)


def run(report, by):
    for is_asked, one in ((by.options.query, run_query), (by.options.act, run_act), (by.options.stream, run_stream)):
        if is_asked:
            one(report, by)
