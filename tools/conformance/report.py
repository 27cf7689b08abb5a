"""What was asked and what became of it: a line a check, counts at the end; and the HTTP client, which follows nothing and trusts nothing."""
import http.client
import json
import time
import urllib.parse

TIMEOUT_S = 30


class Unusable(Exception):
    """The thing to be checked cannot be asked at all."""


class Wrong(Exception):
    """A promise is not kept; the text says how."""


def expect(is_so, what):
    if not is_so:
        raise Wrong(what)


def same(got, wanted, what):
    expect(got == wanted, f"{what} is {shown(got)}, and not {shown(wanted)}")


def shown(value, most=120):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= most else text[:most] + "…"


class Report:
    def __init__(self, role, url, as_json):
        self.role, self.url, self.as_json, self.results = role, url, as_json, []

    def check(self, name, run):
        """Runs one check; what it gives back, None when it failed. A check that needs what an earlier one should have given fails with it."""
        why, value = None, None
        try:
            value = run()
        except Wrong as error:
            why = str(error)
        except (OSError, http.client.HTTPException) as error:
            why = f"no answer: {error!r}"
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError) as error:
            why = f"not of the form: {error!r}"
        self.results.append((name, why))
        if not self.as_json:
            print(f"ok      {name}" if why is None else f"FAILED  {name}: {why}", flush=True)
        return value

    def end(self):
        failed = sum(why is not None for _, why in self.results)
        passed = len(self.results) - failed
        if self.as_json:
            checks = [{"name": name, "passed": why is None, **({"why": why} if why else {})} for name, why in self.results]
            print(json.dumps({"role": self.role, "url": self.url, "passed": passed, "failed": failed, "checks": checks}, ensure_ascii=False))
        else:
            print(f"{passed} passed, {failed} failed")
        return 1 if failed else 0


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def media_type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0].strip().lower()

    def json(self):
        def once(pairs):
            if len(dict(pairs)) != len(pairs):
                raise Wrong("a name stands twice in the answer's JSON")
            return dict(pairs)

        expect(self.media_type.endswith("json"), f"an answer of {self.media_type or 'no type'} where JSON is expected")
        return json.loads(self.body, object_pairs_hook=once)

    def text(self):
        return self.body.decode("utf-8")

    def problem(self, *statuses):
        """RFC 9457: a refusal says of itself what HTTP says of it."""
        expect(self.status in statuses, f"the status is {self.status}, and not {' or '.join(map(str, statuses))}: {shown(self.body.decode('utf-8', 'replace'))}")
        same(self.media_type, "application/problem+json", "the media type of the refusal")
        problem = self.json()
        same(problem.get("status"), self.status, "the problem's status")
        expect(isinstance(problem.get("type"), str) and isinstance(problem.get("title"), str), "a problem without type and title")
        return problem


class Client:
    """One party's requests; each on a connection of its own, no proxy, no redirect."""

    def __init__(self, url, token=None):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Unusable(f"{url} is no address; write one like http://127.0.0.1:8080")
        self.kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.host, self.port, self.base, self.token = parts.hostname, parts.port, parts.path.rstrip("/"), token

    def ask(self, method, path, body=None, headers=()):
        connection = self.kind(self.host, self.port, timeout=TIMEOUT_S)
        sent = {"Connection": "close"}
        if self.token:
            sent["Authorization"] = "Bearer " + self.token
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent.update(dict(headers))
        try:
            try:
                connection.request(method, self.base + path, body=body, headers=sent)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all of it was sent: the answer may be there all the same
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body, **more):
        return self.ask("POST", path, body, **more)

    def reachable(self, path):
        try:
            return self.get(path)
        except OSError as error:
            raise Unusable(f"nobody answers at {self.host}:{self.port} ({error})") from error


def wait_for(what, within_s, describe):
    until = time.monotonic() + within_s
    while True:
        value = what()
        if value is not None:
            return value
        expect(time.monotonic() < until, f"{describe} did not come within {within_s} s")
        time.sleep(0.1)


def read_token(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()
