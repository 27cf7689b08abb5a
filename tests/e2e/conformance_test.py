"""The conformance kit (tools/conformance, docs/conformance.md): our brain and our witness pass it, and a server that breaks one rule fails at that rule's line.

The broken server is a stand-in on loopback that answers as ours did a moment ago (each role is recorded once) but for one violation. Every check of the kit
must be the first to fail for some violation: a check that cannot fail is a defect.
"""
import http.client
import http.server
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import types
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City, wait_for  # noqa: E402
from load import CALL, a_plate  # noqa: E402
from witnesses import Witness  # noqa: E402

KIT = os.path.join(ROOT, "tools", "conformance")
sys.path.insert(0, KIT)
import consumer  # noqa: E402
import ed25519  # noqa: E402
import report  # noqa: E402
import system  # noqa: E402
import tlog  # noqa: E402
import tlog_log  # noqa: E402
import uses  # noqa: E402
import witness  # noqa: E402

# A consumer's other uses (tools/conformance/uses.py) by themselves: a violation of the last need not pass all the checks before.
OTHER_USES = types.SimpleNamespace(run=lambda found, options: uses.run(found, consumer.Consumer(found, options)))
ROLES = {"consumer": consumer, "uses": OTHER_USES, "system": system, "log": tlog_log, "witness": witness}
QUOTA = """contract: hangzhou/c-97
provider: hangzhou/police
consumer: hangzhou/scene.parking
resource: hangzhou/police/vehicle
uses: [call]
fields: [plate, status]
purpose: parking.quota
legal_basis: {zh: 测试, en: a test}
per_day: 5
from: 2026-01-01
until: 2028-01-01
keep: 1h
state: agreed
"""
HOP = {"connection", "transfer-encoding", "content-length", "date", "keep-alive"}
OWN_SEED = bytes(range(32))  # of the log that a lying hub keeps


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, dict(headers), body

    def json(self):
        return json.loads(self.body)

    def with_(self, status=None, body=None, drop=(), **headers):
        kept = {n: v for n, v in self.headers.items() if n not in drop}
        kept.update({n.replace("_", "-"): v for n, v in headers.items()})
        body = self.body if body is None else body
        return Reply(status or self.status, kept, body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())


def until_rows(answer):
    """A stream has no end: what comes until its first rows have come."""
    lines = []
    while not (len(lines) > 1 and lines[-2] == b"event: rows\n"):
        lines.append(answer.readline())
    return b"".join(lines) + b"\n"


class StandIn:
    """Answers from a recording, but for what `violate(request, reply)` makes of it; records from `upstream` what it has no answer for."""

    def __init__(self, recording, upstream=None, violate=None):
        self.recording, self.upstream, self.violate, self.asked = recording, upstream, violate, {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                outer.handle(self)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *unused):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        token = handler.headers.get("Authorization") or ""
        named = re.sub(rb"conformance-[0-9a-f]{16}", b"conformance-", body)
        key = (handler.command, handler.path, token, named)
        request = types.SimpleNamespace(method=handler.command, path=handler.path, token=token, body=body, n=self.asked.get(key, 0))
        self.asked[key] = request.n + 1
        if self.upstream:
            self.recording.setdefault(key, []).append(self.forward(handler, body))
        replies = self.recording.get(key)
        reply = replies[min(request.n, len(replies) - 1)] if replies else Reply(500, {}, b"nobody has asked this before")
        reply = (self.violate and self.violate(request, reply)) or reply
        handler.send_response_only(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    def forward(self, handler, body):
        host, port, base = self.upstream
        connection = http.client.HTTPConnection(host, port, timeout=30)
        headers = {n: v for n, v in handler.headers.items() if n.lower() not in HOP | {"host"}}
        try:
            connection.request(handler.command, base + handler.path, body=body or None, headers=headers)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = connection.getresponse()
        body = until_rows(answer) if answer.headers.get("Content-Type", "").startswith("text/event-stream") else answer.read()
        reply = Reply(answer.status, {n: v for n, v in answer.headers.items() if n.lower() not in HOP}, body)
        connection.close()
        return reply

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ---- violations: (role, the check that has to fail first, what is done to an answer) ----


def on(matches, change):
    """`change(reply)` where `matches(request, reply)`."""
    return lambda request, reply: change(reply) if matches(request, reply) else None


def asks(method=None, path=None, token=None, body=None, n=None, status=None):
    def matches(request, reply):
        return ((method is None or request.method == method) and (path is None or re.fullmatch(path, request.path)) and (token is None or token in request.token)
                and (token != "" or not request.token) and (body is None or body in request.body) and (n is None or request.n == n) and (status is None or reply.status == status))
    return matches


def edited(change):
    """The answer's JSON, changed in place. What is of another form stays: the check that was to fail says so."""
    def run(reply):
        value = reply.json()
        try:
            return reply.with_(body=change(value) or value)
        except (KeyError, TypeError):
            return None
    return run


def flipped(body, at):
    return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]


def replaced(old, new):
    return lambda reply: reply.with_(body=reply.body.replace(old, new))


def accepted(reply):
    return reply.with_(200, {"accepted": 0}, Content_Type="application/json")


def key_of_own(name):
    return tlog.key_text(name, tlog.ED25519, ed25519.public_key(OWN_SEED))


def forged(change):
    """A hub that lies in its log, and signs it: the receipt's leaf is another, its proof and the log's key go with that."""
    def violate(request, reply):
        if request.path == "/log/v1/vkey":
            return reply.with_(body=(key_of_own(tlog.Key(reply.body.decode().strip()).name) + "\n").encode())
        if not request.path.startswith("/log/v1/receipt/") or reply.status != 200:
            return None
        file = reply.json()
        leaf = json.loads(file["leaf"])
        if leaf.get("type") != "intent":
            return None
        file["leaf"] = change(leaf) or consumer.canonical(leaf)
        origin, index = file["receipt"].split("/")
        proof, at = tlog.Proof(file["proof"]), int(index)
        root = root_of(tlog.leaf_hash(file["leaf"].encode()), at, proof.checkpoint.size, proof.path)
        note = tlog.signed(tlog.checkpoint_text(origin, proof.checkpoint.size, root), origin, OWN_SEED)
        file["proof"] = f"c2sp.org/tlog-proof@v1\nindex {at}\n" + "".join(tlog.b64(one) + "\n" for one in proof.path) + "\n" + note
        return reply.with_(body=file)
    return violate


def root_of(leaf, index, size, path):
    """The root that makes this path a proof."""
    fn, sn, r = index, size - 1, leaf
    for one in path:
        if fn & 1 or fn == sn:
            r = tlog.node_hash(one, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = tlog.node_hash(r, one)
        fn, sn = fn >> 1, sn >> 1
    return r


def in_receipt(change):
    return on(asks("GET", r"/log/v1/receipt/\d+", status=200), edited(change))


def proof_flipped(file):
    lines = file["proof"].split("\n")
    lines[2] = tlog.b64(flipped(tlog.unb64(lines[2], ""), 5))
    file["proof"] = "\n".join(lines)


def signature_flipped(file):
    head, _, line = file["proof"].rstrip("\n").rpartition(" ")
    file["proof"] = f"{head} {tlog.b64(flipped(tlog.unb64(line, ''), 30))}\n"


CALLED = r"/hub/v1/call/hangzhou/police/vehicle"
NO_PURPOSE, NO_FIELD = b'"no.such.purpose"', b'"no_such_field"'
WHOLE = b'"fields": ["plate", "vehicle_type"]}'
FEWER = b'"fields": ["vehicle_type"]}'


def reordered(answer):
    answer["rows"] = [dict(reversed(row.items())) for row in answer["rows"]]


def consumer_violations():
    ok = {"Content-Type": "application/json"}
    call = "a call is answered with rows, truncated and receipt"
    proven = "the receipt is proven offline"
    this_use = "the leaf is this use: who, what, why, which fields"
    unknown = "denied and unknown look the same"
    nothing = "what is not there is a problem, too (404)"
    first = asks("POST", CALLED, body=WHOLE, n=0, status=200)
    last_leaf = "the outcome leaf holds count and digest of the rows"
    quota = "a quota ends with 429, its rule and Retry-After"
    listed = asks("GET", "/hub/v1/resources")
    return [
        ("without a token nobody is let in (401, WWW-Authenticate)", on(asks("POST", token="", status=401), lambda r: r.with_(drop=("WWW-Authenticate",)))),
        ("without a token nobody is let in (401, WWW-Authenticate)", on(asks("POST", token=""), lambda r: r.with_(404))),
        ("a made-up token is nobody's (401)", on(asks(token="0" * 64), lambda r: Reply(200, ok, b'{"rows":[],"truncated":false,"receipt":"h.log/1"}'))),
        ("it describes itself (OpenAPI 3.1)", on(asks(path="/docs/openapi.json"), edited(lambda d: d.update(openapi="3.0.3")))),
        ("it describes itself (OpenAPI 3.1)", on(asks(path="/docs/openapi.json"), edited(lambda d: d["paths"].pop("/hub/v1/resources") and None))),
        ("the resource is listed with fields and keys", on(listed, lambda r: r.with_(body=[]))),
        ("the resource is listed with fields and keys", on(listed, edited(lambda d: [{**one, "fields": [{**f, "key": False} for f in one["fields"]]} for one in d]))),
        (call, on(first, edited(lambda d: d.update(more=1)))),
        (call, on(first, edited(lambda d: d.update(rows=[])))),
        (call, on(first, lambda r: r.with_(Content_Type="text/html"))),
        (call, on(first, replaced(b'"truncated":false', b'"truncated":0'))),
        (call, on(first, replaced(b'"truncated":false', b'"truncated":false,"truncated":false'))),
        ("rows have the fields asked for, in their order", on(first, edited(reordered))),
        ("rows have the fields asked for, in their order", on(first, edited(lambda d: [row.update(owner_name="x") for row in d["rows"]] and None))),
        ("fewer fields give fewer", on(asks("POST", CALLED, body=FEWER), edited(lambda d: [row.update(plate="x") for row in d["rows"]] and None))),
        ("each call has a receipt of its own", on(asks("POST", CALLED, body=WHOLE, n=1, status=200), edited(lambda d: d.update(receipt=d["receipt"].split("/")[0] + "/0")))),
        ("each call has a receipt of its own", on(asks("POST", CALLED, body=WHOLE, n=1), edited(lambda d: d.update(receipt="receipt 17")))),
        ("the log has a verifier key", on(asks(path="/log/v1/vkey"), replaced(b"+", b"+0"))),
        ("the receipt's proof comes with the next checkpoint", on(asks(path=r"/log/v1/receipt/\d+"), lambda r: r.with_(409))),
        ("the receipt's proof comes with the next checkpoint", on(asks(path=r"/log/v1/receipt/\d+"), lambda r: r.with_(404))),
        (proven, in_receipt(lambda f: f.update(leaf=f["leaf"].replace('"rule":0', '"rule":1')))),
        (proven, in_receipt(proof_flipped)),
        (proven, in_receipt(signature_flipped)),
        (proven, in_receipt(lambda f: f.update(receipt=f["receipt"] + "0"))),
        (proven, on(asks(path="/log/v1/vkey"), lambda r: r.with_(body=key_of_own("hangzhou.log").encode()))),
        (this_use, forged(lambda leaf: leaf.update(resource="hangzhou/police/driver"))),
        (this_use, forged(lambda leaf: leaf.update(purpose="parking.plan"))),
        (this_use, forged(lambda leaf: leaf.update(fields_sha256="0" * 64))),
        (this_use, forged(lambda leaf: leaf.update(nonce="17"))),
        (this_use, forged(lambda leaf: json.dumps(leaf, sort_keys=True))),
        ("the leaf tells nothing of the subject", None),  # the test knows the plate
        ("the leaf's commitment opens to the request", on(asks("GET", r"/hub/v1/opening/\d+", n=0, token="Bearer"), edited(lambda d: d.update(salt="0" * 64)))),
        ("a stranger does not get the opening", on(asks("GET", r"/hub/v1/opening/\d+", token=""), lambda r: Reply(200, ok, b'{"salt":"00"}'))),
        (last_leaf, on(lambda q, r: q.path.startswith("/log/v1/receipt/") and b'\\"type\\":\\"outcome' in r.body, edited(lambda d: d.update(leaf=re.sub(r'"rows":\d+', '"rows":99', d["leaf"]))))),
        (last_leaf, on(lambda q, r: q.path.startswith("/log/v1/receipt/") and b'\\"type\\":\\"outcome' in r.body, edited(lambda d: d.update(leaf=re.sub(r'"digest":"..', '"digest":"zz', d["leaf"]))))),
        (unknown, on(asks("POST", "/hub/v1/call/hangzhou/police/passage"), edited(lambda d: d.update(rule=5)))),
        (unknown, on(asks("POST", "/hub/v1/call/hangzhou/police/passage"), edited(lambda d: d.update(detail="no contract")))),
        (unknown, on(asks("POST", "/hub/v1/call/hangzhou/police/passage"), lambda r: r.with_(X_Resource="known"))),
        (unknown, on(asks("POST", "/hub/v1/call/hangzhou/police/no-such-resource"), lambda r: r.with_(403))),
        ("another purpose is denied by rule 8", on(asks("POST", CALLED, body=NO_PURPOSE), edited(lambda d: d.update(rule=9)))),
        ("another purpose is denied by rule 8", on(asks("POST", CALLED, body=NO_PURPOSE), lambda r: r.with_(403))),
        ("a field not granted is denied by rule 9", on(asks("POST", CALLED, body=NO_FIELD), edited(lambda d: d.pop("rule") and None))),
        ("a contract that is none is denied", on(asks("POST", CALLED, body=b"c-999999999"), lambda r: Reply(200, ok, b"{}"))),
        ("a key field of another name is told (400)", on(asks("POST", CALLED, body=b"no_such_key"), lambda r: Reply(200, ok, b"{}"))),
        ("a refusal gives nothing away", on(asks("POST", CALLED, body=NO_PURPOSE), edited(lambda d: d.update(contract="hangzhou/c-17")))),
        ("what is no JSON is refused (400)", on(lambda q, r: q.body == b'{"purpose":', lambda r: r.with_(500))),
        ("a name given twice is refused (400)", on(asks(body=b'"purpose":"a","purpose":"b"'), lambda r: Reply(200, ok, b"{}"))),
        ("a member too many is refused (400)", on(asks(body=b'"more": 1'), lambda r: Reply(200, ok, b"{}"))),
        ("fields that are no list are refused (400)", on(asks(body=b'"fields": "x"'), lambda r: Reply(200, ok, b"{}"))),
        ("a body over 64 KiB is refused (413)", on(asks(body=b"   {}"), lambda r: r.with_(400))),
        (nothing, on(asks(path="/hub/v1/no-such-door"), lambda r: r.with_(Content_Type="text/html"))),
        (nothing, on(asks(path="/hub/v1/no-such-door"), edited(lambda d: d.update(status=400)))),
        (nothing, on(asks(path="/hub/v1/no-such-door"), edited(lambda d: d.pop("title") and None))),
        ("another method is refused with those allowed (405)", on(asks("DELETE"), lambda r: r.with_(drop=("Allow",)))),
        (quota, on(asks(body=b"c-97", status=429), lambda r: r.with_(drop=("Retry-After",)))),
        (quota, on(asks(body=b"c-97", status=429), edited(lambda d: d.update(rule=8)))),
        (quota, on(asks(body=b"c-97", status=429), lambda r: Reply(200, ok, b"{}"))),
    ]


def query_violations():
    ok = {"Content-Type": "application/json"}
    query = "/hub/v1/query"
    asked = asks("POST", query, body=b'AS one FROM', status=200)
    answered = "a statement is answered with columns, rows, truncated and receipts"
    receipt, same_refusal = "a statement: each resource has its receipt, proven offline", "a statement: denied and unknown look the same"
    value, explained = "a statement's parameter is a value and nothing else", "a statement is explained without values"
    return [
        ("a statement: without a token nobody is let in (401)", on(asks("POST", query, token=""), lambda r: Reply(200, ok, b'{"columns":[]}'))),
        (answered, on(asked, edited(lambda d: d.update(more=1)))),
        (answered, on(asked, edited(lambda d: d.update(columns=["two"])))),
        (answered, on(asked, edited(lambda d: d.update(rows=[])))),
        (answered, on(asked, edited(lambda d: d["rows"].extend([["x"]] * 5)))),
        (answered, on(asked, edited(lambda d: d.update(truncated=0)))),
        (receipt, on(asked, edited(lambda d: d.update(receipts=[])))),
        (receipt, on(asked, edited(lambda d: d["receipts"][0].update(receipt=re.sub(r"\d+$", "0", d["receipts"][0]["receipt"]))))),
        (receipt, on(asked, edited(lambda d: d["receipts"][0].update(contract="hangzhou/c-17")))),
        ("a statement: the leaf's commitment opens to it", "opening of a query"),
        (value, on(asks("POST", query, body=b"OR '1'='1"), edited(lambda d: d.update(rows=[[7]])))),
        (explained, on(asks("POST", query, body=b'"explain"'), edited(lambda d: d.update(explain=[])))),
        (explained, on(asks("POST", query, body=b'"explain"'), edited(lambda d: d["explain"][0].update(asked="plate = conformance-" + "0" * 16)))),
        (same_refusal, on(asks("POST", query, body=b"police/passage"), edited(lambda d: d.update(detail="no contract")))),
        (same_refusal, on(asks("POST", query, body=b"no-such-resource"), lambda r: r.with_(403))),
        ("a statement: another purpose is denied by rule 8", on(asks("POST", query, body=NO_PURPOSE), edited(lambda d: d.update(rule=9)))),
        ("a statement: another purpose is denied by rule 8", on(asks("POST", query, body=NO_PURPOSE), edited(lambda d: d.update(contract="hangzhou/c-30")))),
        ("a statement that changes something is refused (400)", on(asks("POST", query, body=b"DELETE FROM"), lambda r: Reply(200, ok, b"{}"))),
        ("two statements are refused (400)", on(asks("POST", query, body=b"; SELECT 1"), lambda r: Reply(200, ok, b"{}"))),
        ("a field that is not granted is no column (400)", on(asks("POST", query, body=b"no_such_field"), lambda r: r.with_(500))),
        ("a statement over 16 KiB is refused (400)", on(asks("POST", query, body=b" " * 16384), lambda r: Reply(200, ok, b"{}"))),
        ("parameters that are no plain values are refused (400)", on(asks("POST", query, body=b"[[]]"), lambda r: Reply(200, ok, b"{}"))),
    ]


def act_violations():
    ok = {"Content-Type": "application/json"}
    act = "/hub/v1/act/hangzhou/police/dispatch"
    mine = asks("POST", act, body=b'"key": "conformance-', status=200)
    done, again, other = "a command is done and answered with its receipt", "the same key is the same act, told as repeated", "another key is another act"

    def is_other(request, reply):  # ".2" ends the key
        return mine(request, reply) and b'.2"' in request.body

    def is_first(n):
        return lambda request, reply: mine(request, reply) and b'.2"' not in request.body and request.n == n

    return [
        ("a command: without a token nobody is let in (401)", on(asks("POST", act, token=""), lambda r: Reply(200, ok, b"{}"))),
        (done, on(is_first(0), edited(lambda d: d.update(more=1)))),
        (done, on(is_first(0), edited(lambda d: d.update(state="begun")))),
        (done, on(is_first(0), edited(lambda d: d.update(repeated=True)))),
        (again, on(is_first(1), edited(lambda d: d.update(repeated=False)))),
        (again, on(is_first(2), edited(lambda d: d.update(answer={"number": 99999})))),
        (again, on(is_first(2), edited(lambda d: d.update(receipt=d["receipt"] + "0")))),
        (other, "one act for two keys"),
        (other, on(is_other, edited(lambda d: d.update(repeated=True)))),
        ("a command's receipt is proven offline", on(lambda q, r: is_first(0)(q, r) or is_first(1)(q, r) or is_first(2)(q, r), edited(lambda d: d.update(receipt=d["receipt"].split("/")[0] + "/0")))),
        ("other parameters under a used key are refused (409)", on(asks("POST", act, status=409), lambda r: Reply(200, ok, b"{}"))),
        ("a command: another purpose is denied by rule 8", on(asks("POST", act, body=NO_PURPOSE), edited(lambda d: d.update(rule=9)))),
        ("a parameter that is not granted is denied by rule 9", on(asks("POST", act, body=b"no_such_parameter"), edited(lambda d: d.pop("rule") and None))),
        ("a command that is not there is none (404)", on(asks("POST", "/hub/v1/act/hangzhou/police/no-such-resource"), lambda r: r.with_(403))),
        ("a command without a key is refused (400)", on(lambda q, r: q.path == act and b'"key"' not in q.body, lambda r: Reply(200, ok, b"{}"))),
        ("a key of other letters is refused (400)", on(asks("POST", act, body=b'"a b"'), lambda r: Reply(200, ok, b"{}"))),
        ("parameters that are no object are refused (400)", on(asks("POST", act, body=b'"parameters": [1]'), lambda r: Reply(200, ok, b"{}"))),
    ]


def stream_violations():
    stream = r"/hub/v1/subscribe/hangzhou/scene.count/indicator\?.*"
    came = asks("GET", stream, status=200)
    windows, proven = "a stream comes in windows, each told before its rows", "a window's receipt is proven offline"
    return [
        ("a stream: without a token nobody is let in (401)", on(asks("GET", stream, token=""), lambda r: r.with_(404))),
        (windows, on(came, lambda r: r.with_(Content_Type="text/plain"))),
        (windows, on(came, replaced(b"event: window", b"event: news"))),
        (windows, on(came, replaced(b'"contract":', b'"more":1,"contract":'))),
        (windows, on(came, lambda r: r.with_(body=r.body[:r.body.index(b"event: rows")]))),
        ("a stream's rows have the fields asked for, in their order", on(came, replaced(b'{"name":', b'{"basis":"x","name":'))),
        (proven, on(came, lambda r: r.with_(body=re.sub(rb'log/\d+"', b'log/0"', r.body)))),
        (proven, on(came, replaced(b'"contract":"hangzhou/c-44"', b'"contract":"hangzhou/c-17"'))),
        ("a stream: another purpose is denied by rule 8", on(asks("GET", r".*purpose=no\.such\.purpose.*"), edited(lambda d: d.update(rule=9)))),
        ("a stream: a field that is not granted is denied by rule 9", on(asks("GET", r".*no_such_field.*"), edited(lambda d: d.pop("rule") and None))),
        ("a stream that is not there is none (404)", on(asks("GET", r".*no-such-stream.*"), edited(lambda d: d.update(detail="no stream")))),
    ]


def system_violations():
    named = asks("POST", body=b'"posting"', status=200)
    again, again2 = asks("POST", body=b'"posting"', status=200, n=1), asks("POST", body=b'"posting"', status=200, n=2)
    publish = r"/hub/v1/publish/hangzhou/world/truth"
    rules = [
        ("without a token nobody is let in (401, WWW-Authenticate)", on(asks("POST", token=""), lambda r: r.with_(200))),
        ("the stream is described to its provider", on(asks(path="/hub/v1/resources"), edited(lambda d: [{**one, "kind": "table"} for one in d]))),
        ("the stream is described to its provider", on(asks(path="/hub/v1/resources"), edited(lambda d: [{**one, "fields": []} for one in d]))),
        ("a posting with a name is accepted", on(named, lambda r: r.with_(503))),
        ("sent again it is accepted once", on(again, edited(lambda d: d.pop("repeated") and None))),
        ("and again", on(again2, edited(lambda d: d.pop("repeated") and None))),
        ("another body under that name is refused (409)", on(asks(body=b'"posting"', status=409), accepted)),
        ("an undeclared field refuses the posting and names the event (400)", on(asks(body=b"no_such_field"), edited(lambda d: d.update(detail="a field is wrong")))),
        ("an undeclared field refuses the posting and names the event (400)", on(asks(body=b"no_such_field"), accepted)),
        ("a value of a wrong type is refused (400)", on(asks(body=b'"name": []'), accepted)),
        ("an event that is no object is refused (400)", on(asks(body=b'"events": [1]'), accepted)),
        ("events that are no list are refused (400)", on(asks(body=b'"events": {}'), accepted)),
        ("a member too many is refused (400)", on(asks(body=b'"more": 1'), accepted)),
        ("what is no JSON is refused (400)", on(lambda q, r: q.body == b'{"events":[', accepted)),
        ("more than 10,000 events are refused (413)", on(lambda q, r: q.body.startswith(b'{"events":[{},{}'), accepted)),
        ("a body over 1 MiB is refused (413)", on(lambda q, r: q.body.startswith(b"   "), accepted)),
        ("a stream that is not there, or another's, is none (404)", on(asks(path=r".*no-such-stream"), lambda r: r.with_(403))),
        ("the door takes postings only (405)", on(asks("GET", publish), lambda r: r.with_(drop=("Allow",)))),
    ]
    one, none, several, part = ({"accepted": n} for n in (1, 0, 3, 1))
    for name, size, answer in (("one event is accepted", 1, one), ("several are accepted and counted", 3, several), ("none are accepted, too: the provider is there", 0, none)):
        def is_this(q, r, size=size):
            return q.method == "POST" and r.status == 200 and b"posting" not in q.body and q.body.count(b'"value"') == size and (size or q.body == b'{"events": []}')
        rules.append((name, on(is_this, lambda r, answer=answer: r.with_(body={"accepted": answer["accepted"] + 1}))))
    rules.append(("a field may be left out", on(lambda q, r: q.method == "POST" and r.status == 200 and b'"name"' in q.body and b'"value"' not in q.body, lambda r: r.with_(body={**part, "more": 1}))))
    return rules


def log_violations():
    is_one, signed = "the checkpoint is one: origin, size, root", "it is signed with the log's key"
    checkpoint = asks(path="/checkpoint")
    full = r"/tile/0/000"
    return [
        (is_one, on(checkpoint, replaced(b"hangzhou.log\n", b"another.log\n"))),
        (is_one, on(checkpoint, lambda r: r.with_(body=re.sub(rb"\n(\d+)\n", rb"\n0\1\n", r.body)))),
        (is_one, on(checkpoint, lambda r: r.with_(body=r.body.replace(b"\n\n", b"\n")))),
        (is_one, on(checkpoint, lambda r: r.with_(Content_Type="application/json"))),
        (signed, on(checkpoint, lambda r: r.with_(body=re.sub(rb"\n(\d+)\n", lambda m: b"\n%d\n" % (int(m[1]) + 1), r.body)))),
        (signed, on(checkpoint, lambda r: r.with_(body=(r.body.decode().replace("\u2014 hangzhou.log", "\u2014 hangzhou.lag")).encode()))),
        ("the tiles make its root", on(asks(path=r"/tile/1/000.*"), lambda r: r.with_(body=flipped(r.body, 3)))),
        ("the tiles make its root", on(asks(path=r"/tile/0/001.*"), lambda r: r.with_(body=r.body[:-1]))),
        ("leaves are included, by proofs made from the tiles", on(asks(path=full), lambda r: r.with_(body=flipped(r.body, 3)))),
        ("the entries are the leaves of the tiles", on(asks(path=r"/tile/entries/000"), lambda r: r.with_(body=flipped(r.body, 30)))),
        ("the entries are the leaves of the tiles", on(asks(path=r"/tile/entries/000"), lambda r: r.with_(body=r.body[:-1]))),
        ("the log's own proofs hold", on(asks(path=r"/proof/\d+"), lambda r: r.with_(body=re.sub(rb"index (\d+)", rb"index 1\1", r.body)))),
        ("the log's own proofs hold", on(asks(path=r"/proof/0"), lambda r: r.with_(body="\n".join(line if i != 2 else tlog.b64(bytes(32)) for i, line in enumerate(r.body.decode().split("\n"))).encode()))),
        ("past the end there is nothing (404)", on(asks(status=404), lambda r: r.with_(200))),
        ("full tiles may be kept for ever, the checkpoint may not", on(asks(path=full, n=1), lambda r: r.with_(drop=("Cache-Control",)))),
        ("full tiles may be kept for ever, the checkpoint may not", on(asks(path="/checkpoint", n=2), lambda r: r.with_(Cache_Control="immutable"))),
        ("what was kept at the last run is a beginning of it", "kept"),  # a later checkpoint was kept, and the log has gone back
    ]


def cosign_violations(name, matches):
    """What can be wrong with a cosignature."""
    def at(offset):
        def run(reply):
            head, _, line = reply.body.decode().rstrip("\n").rpartition(" ")
            return reply.with_(body=f"{head} {tlog.b64(flipped(tlog.unb64(line, ''), offset))}\n".encode())
        return run
    return [(name, on(matches, at(8))), (name, on(matches, at(40))), (name, on(matches, at(1))), (name, on(matches, lambda r: r.with_(body=b""))), (name, on(matches, lambda r: r.with_(202)))]


def witness_violations(bodies):
    """`bodies`: [(name of the check, body that it sent)] in order."""
    changes, seen = [], {}
    for name, body in bodies:
        is_this = (lambda wanted, n: lambda q, r: (q.body, q.n) == (wanted, n))(body, seen.get(body, 0))
        seen[body] = seen.get(body, 0) + 1
        if "cosigned" in name or "goes on" in name:
            changes += cosign_violations(name, is_this) if name.startswith("growth") else [(name, on(is_this, lambda r: r.with_(503)))]
        elif "409" in name or "stands where" in name:
            changes += [(name, on(is_this, lambda r: r.with_(422))), (name, on(is_this, lambda r: r.with_(Content_Type="text/plain"))), (name, on(is_this, lambda r: r.with_(body=b"3\n")))]
        else:
            changes += [(name, on(is_this, lambda r: r.with_(200))), (name, on(is_this, lambda r: r.with_(body="\u2014 w AAAA\n".encode())))]
    return changes


class Stopped(Exception):
    """At the first line that failed."""


class Conformance(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-conformance-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        copy = os.path.join(cls.folder, "hangzhou")
        shutil.copytree(os.path.join(ROOT, "city", "hangzhou"), copy)
        with open(os.path.join(copy, "contracts", "c-97.yaml"), "w", encoding="utf-8") as out:
            out.write(QUOTA)
        cls.city = City(city=copy)
        cls.city.__enter__()
        cls.addClassCleanup(cls.city.close)
        cls.plate = a_plate(cls.city)
        cls.fill()
        cls.witness = Witness(os.path.join(cls.folder, "w"), "hangzhou/witness")
        cls.addClassCleanup(cls.witness.kill)
        made = subprocess.run([sys.executable, KIT, "log-key", os.path.join(cls.folder, "log.key")], check=True, capture_output=True, text=True)
        cls.witness.write([made.stdout.strip()])
        cls.witness.start()
        cls.recordings = {}

    @classmethod
    def fill(cls, n=150):
        """So many calls; by default more leaves than one tile holds."""
        token = {"Authorization": "Bearer " + cls.city.token("hangzhou/scene.parking")}
        for _ in range(n):
            body = {"purpose": "parking.settle", "key": {"plate": cls.plate}, "fields": ["plate"]}
            assert cls.city.request("POST", CALL, body, token)[0] == 200
        wait_for(lambda: int(cls.city.request("GET", "/log/v1/checkpoint")[2].split(b"\n")[1]) > 256, 30, "a checkpoint over a full tile")

    def words(self, role):
        """The kit's arguments for this role, without the address."""
        def token(party):
            return os.path.join(self.city.data, "tokens", party.replace("/", "_"))

        event = {"name": "vehicles_true", "area": "hangzhou", "time": 1795000000000, "period_ms": 1000, "value": 5, "n": 5}
        log_key = self.city.request("GET", "/log/v1/vkey")[2].decode().strip()
        return {
            "consumer": ["--token-file", token("hangzhou/scene.parking"), "--resource", "hangzhou/police/vehicle", "--purpose", "parking.settle", "--key",
                         "plate=" + self.plate, "--fields", "plate,vehicle_type", "--ungranted", "hangzhou/police/passage", "--quota", "hangzhou/c-97"],
            "uses": ["--token-file", token("hangzhou/scene.parking"), "--resource", "hangzhou/police/vehicle", "--ungranted", "hangzhou/police/passage", "--fields", "plate",
                         "--query", "hangzhou/police/vehicle", "--query-purpose", "parking.plan", "--query-field", "vehicle_type",
                         "--act", "hangzhou/police/dispatch", "--act-purpose", "parking.obstruct", "--parameter", "place=路口", "--parameter", "reason=order",
                         "--stream", "hangzhou/scene.count/indicator", "--stream-purpose", "parking.guide", "--stream-fields", "name,area,value"],
            "system": ["--token-file", token("hangzhou/world"), "--resource", "hangzhou/world/truth", "--event", json.dumps(event)],
            "log": ["--vkey", log_key, "--keep", os.path.join(self.folder, "kept")],
            "witness": ["--vkey", self.witness.vkey, "--log-key", os.path.join(self.folder, "log.key")],
        }[role]

    def upstream(self, role):
        return ("127.0.0.1", self.witness.port, "") if role == "witness" else ("127.0.0.1", self.city.port, "/log/v1" if role == "log" else "")

    def options(self, role, url):
        words = iter(self.words(role))
        found = {"url": url, "json": True, "key": [], "ungranted": None, "quota": None, "keep": None, "query": None, "act": None, "stream": None}
        for name, value in zip(words, words):
            name = name.removeprefix("--").replace("-", "_")
            found[name] = [*found.get(name, ()), value] if name in ("key", "parameter") else value
        return types.SimpleNamespace(**found)

    def run_role(self, role, stand_in, found=None):
        """[(check, why it failed or None)] of this server."""
        found = found or report.Report(role, stand_in.url, True)
        ROLES[role].run(found, self.options(role, stand_in.url))
        return found.results

    def first_failed(self, role, stand_in):
        found = report.Report(role, stand_in.url, True)
        whole = found.check

        def check(name, run):
            value = whole(name, run)
            if found.results[-1][1]:
                raise Stopped(name)
            return value

        found.check = check
        try:
            self.run_role(role, stand_in, found)
        except Stopped as stopped:
            return str(stopped)
        return None

    def record(self, role):
        stand_in = StandIn({}, self.upstream(role))
        self.addCleanup(stand_in.close)
        results = self.run_role(role, stand_in)
        self.assertEqual([(name, why) for name, why in results if why], [])
        for key, replies in stand_in.recording.items():  # nobody waits again for the checkpoint
            if key[0] == "GET":
                replies[:] = [reply for reply in replies if reply.status != 409] or replies
        return stand_in.recording, [name for name, _ in results]

    def hold(self, role, rules, recording, names):
        """Each violation fails at its line first, and each line has one."""
        consumer.PROOF_WITHIN_S = 1  # whatever comes is there
        for number, (wanted, violate) in enumerate(rules):
            self.assertIn(wanted, names, "a violation of no check")
            if violate == "kept":
                self.keep_a_later_one()
                violate = None
            stand_in = StandIn(recording, violate=violate)
            try:
                with self.subTest(role, violation=number):
                    self.assertEqual(self.first_failed(role, stand_in), wanted)
            finally:
                stand_in.close()
        self.assertEqual(set(names) - {wanted for wanted, _ in rules}, set(), "these checks have not been seen to fail")

    def keep_a_later_one(self):
        with open(os.path.join(self.folder, "kept"), encoding="utf-8") as file:
            before = tlog.Checkpoint(file.read()).size
        self.fill(1)
        later = wait_for(lambda: next(iter(c for c in [self.city.request("GET", "/log/v1/checkpoint")[2].decode()] if tlog.Checkpoint(c).size > before), None), 30, "a later checkpoint")
        with open(os.path.join(self.folder, "kept"), "w", encoding="utf-8") as file:
            file.write(later)

    # ---- ours pass ----

    def test_1_our_own(self):
        url = {"consumer": self.city.url, "system": self.city.url, "log": self.city.url + "/log/v1", "witness": self.witness.url}
        other_uses = self.words("uses")[self.words("uses").index("--query"):]
        for role in url:
            words = [w for w in self.words(role) if w not in ("--quota", "hangzhou/c-97")] + (other_uses if role == "consumer" else [])
            with self.subTest(role):
                done = subprocess.run([sys.executable, KIT, role, "--url", url[role], *words], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertRegex(done.stdout.splitlines()[-1], r"^\d+ passed, 0 failed$")
                again = subprocess.run([sys.executable, KIT, role, "--json", "--url", url[role], *words], capture_output=True, text=True)
                said = json.loads(again.stdout)
                self.assertEqual((said["failed"], said["passed"]), (0, len(said["checks"])))
                self.assertEqual(f"{said['passed']} passed, 0 failed", done.stdout.splitlines()[-1])

    def test_1_nobody_there(self):
        for words in (["consumer", "--url", "http://127.0.0.1:1", *self.words("consumer")], ["log", "--url", self.city.url, "--vkey", "nonsense"], ["witness"]):
            done = subprocess.run([sys.executable, KIT, *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertTrue(done.stderr)

    # ---- a broken one fails, at the right line ----

    def test_2_consumer(self):
        recording, names = self.record("consumer")
        plate = self.plate
        rules = [(name, violate or forged(lambda leaf: leaf.update(subject=plate))) for name, violate in consumer_violations()]
        self.hold("consumer", rules, recording, names)

    def test_2_other_uses(self):
        recording, names = self.record("uses")
        acts = [json.loads(replies[0].body) for key, replies in recording.items() if "/act/" in key[1] and replies[0].status == 200]
        special = {"opening of a query": self.opening_of_a_query(recording),
                   "one act for two keys": on(lambda q, r: "/act/" in q.path and b'.2"' in q.body, edited(lambda d: d.update(answer=acts[0]["answer"], receipt=acts[0]["receipt"])))}
        rules = [(name, violate if callable(violate) else special[violate]) for name, violate in query_violations() + act_violations() + stream_violations()]
        self.hold("uses", rules, recording, names)

    @staticmethod
    def opening_of_a_query(recording):
        """A wrong salt, for the receipt that the statement's answer names, and for no other."""
        said = next(json.loads(replies[0].body) for key, replies in recording.items() if key[1] == "/hub/v1/query" and replies[0].status == 200 and b"AS one" in key[3])
        return on(asks("GET", "/hub/v1/opening/" + said["receipts"][0]["receipt"].split("/")[1]), edited(lambda d: d.update(salt="0" * 64)))

    def test_2_system(self):
        recording, names = self.record("system")
        self.hold("system", system_violations(), recording, names)

    def test_2_log(self):
        recording, names = self.record("log")
        self.hold("log", log_violations(), recording, names)

    def test_2_witness(self):
        stand_in, bodies = StandIn({}, self.upstream("witness")), []
        self.addCleanup(stand_in.close)
        found = report.Report("witness", stand_in.url, True)
        kept = found.check

        def check(name, run):
            before = dict(stand_in.asked)
            value = kept(name, run)
            new = [key for key, n in stand_in.asked.items() if n > before.get(key, 0)]
            bodies.append((name, new[-1][3]))
            return value

        found.check = check
        witness.run(found, self.options("witness", stand_in.url))
        self.assertEqual([one for one in found.results if one[1]], [])
        self.hold("witness", witness_violations(bodies), stand_in.recording, [name for name, _ in found.results])

    # ---- and the kit's own mathematics ----

    def test_3_signatures(self):
        """RFC 8032, 7.1, tests 1 to 3; and what must not verify."""
        rows = (("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                 "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
                ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                 "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
                ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                 "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"))
        for seed, public, message, signature in ([bytes.fromhex(one) for one in row] for row in rows):
            self.assertEqual(ed25519.public_key(seed), public)
            self.assertEqual(ed25519.sign(seed, message), signature)
            self.assertTrue(ed25519.verify(public, message, signature))
            self.assertFalse(ed25519.verify(public, message + b"x", signature))
            self.assertFalse(ed25519.verify(public, message, flipped(signature, 40)))
            high = (int.from_bytes(signature[32:], "little") + ed25519.ORDER).to_bytes(32, "little")
            self.assertFalse(ed25519.verify(public, message, signature[:32] + high), "an S above the order")

    def test_3_trees(self):
        dice = random.Random(20261122)
        for size in (1, 2, 3, 7, 8, 13, 64, 100):
            tree = tlog.tree_of([tlog.leaf_hash(str(i).encode()) for i in range(size)])
            for index in range(size):
                path = tree.inclusion(index)
                tlog.verify_inclusion(tree.subtree(0, index), index, size, path, tree.root())
                self.assertEqual(root_of(tree.subtree(0, index), index, size, path), tree.root())
                for wrong in (path + [bytes(32)], path[:-1] if path else [bytes(32)]):
                    self.assertRaises(report.Wrong, tlog.verify_inclusion, tree.subtree(0, index), index, size, wrong, tree.root())
            if size > 1:
                self.assertRaises(report.Wrong, tlog.verify_inclusion, bytes(32), dice.randrange(size), size, tree.inclusion(0), tree.root())


if __name__ == "__main__":
    unittest.main(verbosity=2)
