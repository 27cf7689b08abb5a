"""The hub as a consumer sees it: docs/hub.md. Every check asks the hub over HTTP and judges with this kit's own code."""
import hashlib
import hmac
import json
import re

import tlog
from report import Client, expect, read_token, same, shown, wait_for

RECEIPT = re.compile(r"(?P<origin>[a-z0-9_.-]+)/(?P<index>0|[1-9][0-9]*)\Z")
PROOF_WITHIN_S = 20
OUTCOMES_AFTER = 200  # so many leaves behind an intent its outcome is looked for: others use the hub, too
USES_MAX = 1000  # of a quota that is to be used up


def canonical(value):
    """RFC 8785 for what stands in a request: texts, integers, lists, objects with ASCII names."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def value_of(text):
    try:
        value = json.loads(text)
        return value if isinstance(value, (bool, int)) else text
    except ValueError:
        return text


class Consumer:
    def __init__(self, report, options):
        self.report, self.options = report, options
        self.hub = Client(options.url, read_token(options.token_file))
        self.stranger = Client(options.url)
        self.stranger.reachable("/health")
        self.fields = options.fields.split(",")
        self.key = {name: value_of(value) for name, _, value in (one.partition("=") for one in options.key)}
        self.path = self.path_of(options.resource)
        self.vkey = None

    @staticmethod
    def path_of(resource):
        return "/hub/v1/call/" + resource

    def body(self, **changes):
        return {"purpose": self.options.purpose, "key": self.key, "fields": self.fields, **changes}

    # ---- who may ask ----

    def nobody_is_let_in(self):
        answer = self.stranger.post(self.path, self.body())
        answer.problem(401)
        expect(answer.headers.get("WWW-Authenticate"), "a 401 without WWW-Authenticate")

    def a_made_up_token_is_nobody(self):
        Client(self.options.url, "0" * 64).post(self.path, self.body()).problem(401)

    def it_describes_itself(self):
        answer = self.hub.get("/docs/openapi.json")
        same(answer.status, 200, "the status")
        description = answer.json()
        expect(str(description["openapi"]).startswith("3.1."), "the description is not OpenAPI 3.1")
        for method, path in (("post", "/hub/v1/call/{area}/{party}/{name}"), ("get", "/hub/v1/resources"), ("get", "/log/v1/receipt/{index}")):
            expect(method in description["paths"].get(path, {}), f"{method} {path} is not described")

    def the_resource_is_listed(self):
        resources = self.hub.get("/hub/v1/resources").json()
        one = next((one for one in resources if one["resource"] == self.options.resource), None)
        expect(one is not None, f"{self.options.resource} is not among the resources that this program may use")
        fields = {field["name"]: field for field in one["fields"]}
        expect(set(self.fields) <= set(fields), "a field that was asked for is not described")
        expect(all(fields[name]["key"] for name in self.key), "what was given as key is no key field")

    # ---- a call ----

    def a_call_is_answered(self):
        answer = self.hub.post(self.path, self.body())
        same(answer.status, 200, "the status")
        called = answer.json()
        same(set(called), {"rows", "truncated", "receipt"}, "the answer's members")
        expect(isinstance(called["truncated"], bool), "truncated is not true or false")
        expect(called["rows"], "no row has this key: give one that is there, or nothing can be seen")
        return answer

    def rows_have_the_fields_asked_for(self, answer):
        for row in answer.json()["rows"]:
            same(list(row), self.fields, "the fields of a row, in their order")

    def fewer_fields_give_fewer(self):
        answer = self.hub.post(self.path, self.body(fields=self.fields[-1:]))
        same(answer.status, 200, "the status")
        same([list(row) for row in answer.json()["rows"]][:1], [self.fields[-1:]], "the fields of a row")

    def each_call_has_a_receipt_of_its_own(self, answer):
        other = self.hub.post(self.path, self.body()).json()["receipt"]
        names = [RECEIPT.match(name) for name in (answer.json()["receipt"], other)]
        expect(all(names), f"a receipt is named ORIGIN/INDEX, and not {other}")
        expect(int(names[0]["index"]) < int(names[1]["index"]), "a later call's receipt does not stand behind the earlier one's")
        return names[0]

    # ---- its receipt ----

    def the_log_has_a_key(self):
        answer = self.stranger.get("/log/v1/vkey")
        same(answer.status, 200, "the status")
        key = tlog.Key(answer.text().strip())
        same(key.kind, tlog.ED25519, "the algorithm of the log's key")
        return key

    def the_proof_comes(self, receipt):
        path = f"/log/v1/receipt/{receipt['index']}"

        def ask():
            answer = self.stranger.get(path)
            if answer.status == 409:
                expect(answer.headers.get("Retry-After"), "a 409 that does not say when to ask again")
                return None
            same(answer.status, 200, "the status")
            return answer.json()

        return wait_for(ask, PROOF_WITHIN_S, "the proof of the receipt")

    def the_receipt_is_proven(self, receipt, file, key):
        same(file["receipt"], receipt[0], "the receipt's name in its file")
        same(receipt["origin"], key.name, "the origin of the receipt's name")
        proof = tlog.Proof(file["proof"])
        same(proof.index, int(receipt["index"]), "the index in the proof")
        proof.verify(key, file["leaf"].encode())

    def the_leaf_is_this_use(self, file):
        leaf = json.loads(file["leaf"])
        for name, value in (("type", "intent"), ("use", "call"), ("resource", self.options.resource), ("purpose", self.options.purpose), ("rule", 0)):
            same(leaf.get(name), value, f"{name} of the leaf")
        same(leaf["fields_sha256"], hashlib.sha256(canonical(self.fields).encode()).hexdigest(), "fields_sha256 of the leaf")
        same(file["leaf"], canonical(leaf), "the leaf's form (RFC 8785)")
        expect(re.fullmatch(r"[0-9a-f]{32}", leaf["nonce"]), "the nonce is not 16 bytes in hexadecimal")
        return leaf

    def the_leaf_tells_nothing_of_the_subject(self, file):
        for name, value in self.key.items():
            expect(str(value) not in file["leaf"], f"the leaf holds the value of {name}")

    def the_leaf_opens(self, receipt, leaf):
        answer = self.hub.get(f"/hub/v1/opening/{receipt['index']}")
        same(answer.status, 200, "the status")
        salt = bytes.fromhex(answer.json()["salt"])
        request = canonical({"fields": self.fields, "key": self.key, "purpose": self.options.purpose, "resource": self.options.resource})
        same(leaf["request"], hmac.new(salt, request.encode(), hashlib.sha256).hexdigest(), "the commitment to the request")

    def nobody_else_opens_it(self, receipt):
        self.stranger.get(f"/hub/v1/opening/{receipt['index']}").problem(401)

    def the_outcome_is_in_the_log(self, receipt, answer):
        first = int(receipt["index"])

        def look():
            for index in range(first + 1, first + OUTCOMES_AFTER):
                file = self.stranger.get(f"/log/v1/receipt/{index}")
                if file.status != 200:
                    return None
                leaf = json.loads(file.json()["leaf"])
                if leaf.get("type") == "outcome" and leaf.get("intent") == first:
                    return index, leaf
            return None

        index, leaf = wait_for(look, PROOF_WITHIN_S, "the outcome leaf of the call")
        same(leaf["status"], "ok", "the outcome's status")
        same(leaf["rows"], len(answer.json()["rows"]), "the rows in the outcome")
        salt = bytes.fromhex(self.hub.get(f"/hub/v1/opening/{index}").json()["salt"])
        sent = answer.body[answer.body.index(b'"rows":') + 7:answer.body.rindex(b',"truncated"')]
        same(leaf["digest"], hmac.new(salt, sent, hashlib.sha256).hexdigest(), "the digest of the rows as they were sent")

    # ---- what is refused ----

    def denied_and_unknown_look_the_same(self):
        area, party, _ = self.options.ungranted.split("/")
        denied = self.hub.post(self.path_of(self.options.ungranted), self.body())
        unknown = self.hub.post(self.path_of(f"{area}/{party}/no-such-resource"), self.body())
        denied.problem(404)
        unknown.problem(404)
        same(denied.body, unknown.body, "the refusal of a resource that is there")
        ignored = ("date", "content-length", "connection")
        seen = [sorted((n.lower(), v) for n, v in one.headers.items() if n.lower() not in ignored) for one in (denied, unknown)]
        same(seen[0], seen[1], "the headers of the refusal of a resource that is there")

    def another_purpose_is_denied_by_its_rule(self):
        same(self.hub.post(self.path, self.body(purpose="no.such.purpose")).problem(404).get("rule"), 8, "the rule")

    def a_field_not_granted_is_denied_by_its_rule(self):
        same(self.hub.post(self.path, self.body(fields=[*self.fields, "no_such_field"])).problem(404).get("rule"), 9, "the rule")

    def another_contract_is_none(self):
        self.hub.post(self.path, self.body(contract=self.options.resource.split("/")[0] + "/c-999999999")).problem(404)

    def a_wrong_key_is_told(self):
        self.hub.post(self.path, self.body(key={"no_such_key": 1})).problem(400)

    def a_refusal_gives_nothing_away(self):
        problem = self.hub.post(self.path, self.body(purpose="no.such.purpose")).problem(404)
        expect(set(problem) <= {"type", "title", "status", "detail", "instance", "rule"}, f"a refusal that says more: {shown(sorted(problem))}")

    def bad_form(self, body, *statuses):
        return lambda: self.hub.post(self.path, body).problem(*statuses) and None

    def nothing_there(self):
        self.hub.get("/hub/v1/no-such-door").problem(404)

    def another_method(self):
        answer = self.hub.ask("DELETE", "/hub/v1/resources")
        answer.problem(405)
        expect("GET" in (answer.headers.get("Allow") or ""), "a 405 that does not say what is allowed")

    def a_quota_ends(self):
        contracts = self.hub.get("/hub/v1/contracts").json()
        one = next((one for one in contracts if one["contract"] == self.options.quota), None)
        expect(one is not None, f"{self.options.quota} is not among this program's contracts")
        limit = one["per_day"] or one["per_month"] or one["per_second"]
        expect(limit and limit <= USES_MAX, f"{self.options.quota} has no quota of at most {USES_MAX} uses")
        body = {"purpose": one["purpose"], "contract": one["contract"], "key": self.key, "fields": one["fields"][:1]}
        for n in range(limit + 1):
            answer = self.hub.post(self.path_of(one["resource"]), body)
            if answer.status != 200:
                break
        problem = answer.problem(429)
        expect(problem.get("rule") in (10, 11, 12), f"the rule is {problem.get('rule')}, and not 10, 11 or 12")
        expect(n <= limit - one["today"] or problem["rule"] == 10, "more uses than the quota has")
        expect((answer.headers.get("Retry-After") or "").isdigit(), "a 429 that does not say when to ask again")


def run(report, options):
    c = Consumer(report, options)
    check = report.check
    check("without a token nobody is let in (401, WWW-Authenticate)", c.nobody_is_let_in)
    check("a made-up token is nobody's (401)", c.a_made_up_token_is_nobody)
    check("it describes itself (OpenAPI 3.1)", c.it_describes_itself)
    check("the resource is listed with fields and keys", c.the_resource_is_listed)
    answer = check("a call is answered with rows, truncated and receipt", c.a_call_is_answered)
    check("rows have the fields asked for, in their order", lambda: c.rows_have_the_fields_asked_for(answer))
    check("fewer fields give fewer", c.fewer_fields_give_fewer)
    receipt = check("each call has a receipt of its own", lambda: c.each_call_has_a_receipt_of_its_own(answer))
    key = check("the log has a verifier key", c.the_log_has_a_key)
    file = check("the receipt's proof comes with the next checkpoint", lambda: c.the_proof_comes(receipt))
    check("the receipt is proven offline", lambda: c.the_receipt_is_proven(receipt, file, key))
    leaf = check("the leaf is this use: who, what, why, which fields", lambda: c.the_leaf_is_this_use(file))
    check("the leaf tells nothing of the subject", lambda: c.the_leaf_tells_nothing_of_the_subject(file))
    check("the leaf's commitment opens to the request", lambda: c.the_leaf_opens(receipt, leaf))
    check("a stranger does not get the opening", lambda: c.nobody_else_opens_it(receipt))
    check("the outcome leaf holds count and digest of the rows", lambda: c.the_outcome_is_in_the_log(receipt, answer))
    if options.ungranted:
        check("denied and unknown look the same", c.denied_and_unknown_look_the_same)
    check("another purpose is denied by rule 8", c.another_purpose_is_denied_by_its_rule)
    check("a field not granted is denied by rule 9", c.a_field_not_granted_is_denied_by_its_rule)
    check("a contract that is none is denied", c.another_contract_is_none)
    check("a key field of another name is told (400)", c.a_wrong_key_is_told)
    check("a refusal gives nothing away", c.a_refusal_gives_nothing_away)
    check("what is no JSON is refused (400)", c.bad_form(b'{"purpose":', 400))
    check("a name given twice is refused (400)", c.bad_form(b'{"purpose":"a","purpose":"b","key":{},"fields":["x"]}', 400))
    check("a member too many is refused (400)", c.bad_form(c.body(more=1), 400))
    check("fields that are no list are refused (400)", c.bad_form(c.body(fields="x"), 400))
    check("a body over 64 KiB is refused (413)", c.bad_form(b" " * (65 << 10) + b"{}", 413))
    check("what is not there is a problem, too (404)", c.nothing_there)
    check("another method is refused with those allowed (405)", c.another_method)
    if options.quota:
        check("a quota ends with 429, its rule and Retry-After", c.a_quota_ends)
    import uses  # which stands on this module
    uses.run(report, c)
