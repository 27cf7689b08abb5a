"""The hub as a department's system sees it that pushes a stream: system/push/README.md. What is published here goes on to the subscribers."""
import json
import os

from report import Client, expect, read_token, same


class System:
    def __init__(self, options):
        self.hub = Client(options.url, read_token(options.token_file))
        self.stranger = Client(options.url)
        self.stranger.reachable("/health")
        self.resource, self.path = options.resource, "/hub/v1/publish/" + options.resource
        self.event = json.loads(options.event)
        self.posting = "conformance-" + os.urandom(8).hex()

    def accepted(self, body, n, repeated=False):
        answer = self.hub.post(self.path, body)
        same(answer.status, 200, "the status")
        same(answer.json(), {"accepted": n, **({"repeated": True} if repeated else {})}, "the answer")

    def nobody_is_let_in(self):
        answer = self.stranger.post(self.path, {"events": [self.event]})
        answer.problem(401)
        expect(answer.headers.get("WWW-Authenticate"), "a 401 without WWW-Authenticate")

    def the_stream_is_described(self):
        one = next((one for one in self.hub.get("/hub/v1/resources").json() if one["resource"] == self.resource), None)
        expect(one is not None, f"{self.resource} is not among the resources of this program")
        same(one["kind"], "stream", "the kind of the resource")
        expect(set(self.event) <= {field["name"] for field in one["fields"]}, "the event has a field that the stream does not declare")

    def another_stream_is_none(self):
        self.hub.post(self.path.rpartition("/")[0] + "/no-such-stream", {"events": []}).problem(404)

    def names_the_event(self):
        problem = self.hub.post(self.path, {"events": [self.event, {**self.event, "no_such_field": 1}]}).problem(400)
        expect("1" in problem.get("detail", ""), "the refusal does not say which event")

    def refused(self, body, *statuses):
        return lambda: self.hub.post(self.path, body).problem(*statuses) and None

    def a_name_stands_for_one_posting(self):
        self.hub.post(self.path, {"events": [], "posting": self.posting}).problem(409)

    def the_door_is_for_posting(self):
        answer = self.hub.get(self.path)
        answer.problem(405)
        expect("POST" in (answer.headers.get("Allow") or ""), "a 405 that does not say what is allowed")


def run(report, options):
    s = System(options)
    check, event = report.check, s.event
    wrong = {name: [] for name in event}  # no field is a list
    check("without a token nobody is let in (401, WWW-Authenticate)", s.nobody_is_let_in)
    check("the stream is described to its provider", s.the_stream_is_described)
    check("one event is accepted", lambda: s.accepted({"events": [event]}, 1))
    check("none are accepted, too: the provider is there", lambda: s.accepted({"events": []}, 0))
    check("several are accepted and counted", lambda: s.accepted({"events": [event] * 3}, 3))
    check("a field may be left out", lambda: s.accepted({"events": [dict([next(iter(event.items()))])]}, 1))
    check("a posting with a name is accepted", lambda: s.accepted({"events": [event], "posting": s.posting}, 1))
    check("sent again it is accepted once", lambda: s.accepted({"events": [event], "posting": s.posting}, 1, True))
    check("and again", lambda: s.accepted({"events": [event], "posting": s.posting}, 1, True))
    check("another body under that name is refused (409)", s.a_name_stands_for_one_posting)
    check("an undeclared field refuses the posting and names the event (400)", s.names_the_event)
    check("a value of a wrong type is refused (400)", s.refused({"events": [wrong]}, 400))
    check("an event that is no object is refused (400)", s.refused({"events": [1]}, 400))
    check("events that are no list are refused (400)", s.refused({"events": {}}, 400))
    check("a member too many is refused (400)", s.refused({"events": [], "more": 1}, 400))
    check("what is no JSON is refused (400)", s.refused(b'{"events":[', 400))
    check("more than 10,000 events are refused (413)", s.refused(b'{"events":[' + b"{}," * 10000 + b"{}]}", 413))
    check("a body over 1 MiB is refused (413)", s.refused(b" " * (1025 << 10) + b'{"events":[]}', 413))
    check("a stream that is not there, or another's, is none (404)", s.another_stream_is_none)
    check("the door takes postings only (405)", s.the_door_is_for_posting)
