"""A corpus of hostile requests for an HTTP door: more than 5,000 cases, the same for the same seed. Standard library only.

    for case in hostile.corpus(token, sessions, plate, trap_port, mark): case.kind, case.raw, case.expect

A case is the bytes of one request (or of what pretends to be one) and what may come of it:
    "empty"    taken as a value like any other that nothing has: 200 without rows, or a refusal
    "refused"  never 2xx
    "answered" any answer but a failure of the server's own
    "cut"      it never ends: refused, or the connection closes, once the sender stops
    "one"      at most one answer, and no second request is found in its bytes
Nothing is ever a 5xx but 501 and 505, a crash, a hang; and `mark`, a path that does not exist, still does not exist afterwards.
"""
import json
import random
from collections import namedtuple
from urllib.parse import quote

Case = namedtuple("Case", "kind raw expect")

CALL = "/hub/v1/call/hangzhou/police/vehicle"
QUERY = "/hub/v1/query"
ACT = "/hub/v1/act/hangzhou/police/dispatch"
PURPOSE = "parking.abuse"

SQL = ["' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE vehicle; --", "\"; DROP TABLE vehicle; --", "' UNION SELECT owner_name, owner_id FROM vehicle --", "1; DELETE FROM vehicle",
       "') OR ('1'='1", "' || (SELECT group_concat(sql) FROM sqlite_master) || '", "admin'--", "' AND sleep(10) --", "' AND randomblob(1000000000) --", "%' OR '%'='", "_", "%", "*",
       "' OR plate LIKE '%", "x' AND 1=(SELECT COUNT(*) FROM sqlite_master) --", "'; ATTACH DATABASE '{mark}' AS x; --", "'; PRAGMA writable_schema=1; --", "'; COPY vehicle TO '{mark}'; --",
       "$$; SELECT pg_sleep(10); $$", "'; EXEC xp_cmdshell('id'); --", "' INTO OUTFILE '{mark}", "\\'; SELECT 1; --", "\x1a'", "0x27204f522031", "NULL", "1e309", "-1", "''", "`id`",
       "' GROUP BY owner_name HAVING 1=1 --", "1/**/OR/**/1", "' OR ''='", "char(39)||char(79)", "' LIMIT 1 OFFSET 1 --", "(SELECT 1)", ":plate", "?1", "@@version", "load_extension('x')"]
XSS = ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "javascript:alert(1)", "</script><script>alert(1)</script>", "<iframe src=//x>",
       "<a href=\"data:text/html,x\">", "'-alert(1)-'", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "#{7*7}", "<math><mtext></form>", "&lt;script&gt;", "\u202e<b>", "<!--", "]]>", "<?xml version=\"1.0\"?>",
       "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>", "\" onmouseover=alert(1) x=\"", "<style>*{x:expression(1)}</style>"]
CSV = ["=1+1", "=cmd|' /C calc'!A0", "@SUM(1+1)", "+1+1", "-1+1", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://x\",\"y\")", "=IMPORTXML(\"http://x\",\"//a\")", "\"=1+1\"", ";=1+1", "|calc"]
PATHS = ["../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "....//....//etc/passwd", "/etc/passwd", "..\\..\\windows\\win.ini", "%2e%2e/%2e%2e/etc/passwd", "..%252f..%252fetc/passwd",
         "..%c0%af..%c0%afetc/passwd", "%c0%ae%c0%ae/etc/passwd", "..%00/etc/passwd", "x%00.html", "file:///etc/passwd", "/proc/self/environ", "/proc/self/fd/0", "~root/.ssh/id_rsa", ".git/config",
         "..;/admin", "./././.", "//", "a/../../b", "CON", "index.html::$DATA", "%", "%zz", "%1", "%u002e", "\u2025/\u2025/etc/passwd", ".%0d./etc", "x" * 5000]
SSRF = ["http://127.0.0.1:{trap}/", "http://[::1]:{trap}/", "http://169.254.169.254/latest/meta-data/", "http://localhost:{trap}/x", "gopher://127.0.0.1:{trap}/_x", "ftp://127.0.0.1:{trap}/",
        "dict://127.0.0.1:{trap}/", "//127.0.0.1:{trap}/", "http://0x7f000001:{trap}/", "http://127.1:{trap}/", "ldap://127.0.0.1:{trap}/", "jar:http://127.0.0.1:{trap}!/", "http://user@127.0.0.1:{trap}/"]
TEXTS = ["%s%s%s%n%n", "%x" * 50, "\u0000", "a\u0000b", "\ufeff", "\u202e\u2066", "\U0001f600" * 50, "\ud800", "A" * 60000, "浙" * 20000, " ", "\t", "\r\n", "\r\nX-Injected: 1\r\n\r\n", "\\", "\\u0000", "/", "//",
         "null", "true", "undefined", "NaN", "Infinity", "[]", "{}", "__proto__", "constructor", "${jndi:ldap://127.0.0.1:{trap}/x}", "`touch {mark}`", "$(touch {mark})", "|id", ";id", "&&id", "\u0130", "ß" * 100,
         "\x7f", "\x1b[2J", "e\u0301" * 500, "\uffff", "\u00a0"]
NUMBERS = ["0", "-0", "-1", "1e999", "-1e999", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" * 400, "0." + "0" * 400 + "1", "1e-999", "0x10", "01", "+1", "1.", ".5", "1e", "--1", "1_000",
           "NaN", "Infinity"]


def request(method, path, token, body=None, headers=(), version="1.1", host="h"):
    """The bytes of a well-framed request."""
    if isinstance(path, str):
        path = path.encode("utf-8", "surrogatepass")
    lines = [method.encode() + b" " + path + b" HTTP/" + version.encode(), b"Host: " + host.encode()]
    if token:
        lines.append(b"Authorization: Bearer " + token.encode())
    lines += [name.encode() + b": " + (value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    if body is not None:
        lines += [b"Content-Type: application/json", b"Content-Length: " + str(len(body)).encode()]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (body or b"")


def dumped(value):
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Corpus:
    def __init__(self, token, sessions, plate, trap, mark, seed=20261122):
        self.token, self.sessions, self.trap, self.mark, self.rng, self.cases = token, sessions, str(trap), mark, random.Random(seed), []
        self.call = {"purpose": PURPOSE, "key": {"plate": plate}, "fields": ["plate"]}
        self.good = dumped(self.call)
        self.framings()
        self.heads()
        self.paths()
        self.values()
        self.statements()
        self.forms()
        self.broken()

    def add(self, kind, raw, expect):
        self.cases.append(Case(kind, raw, expect))

    def post(self, kind, path, body, expect, headers=()):
        self.add(kind, request("POST", path, self.token, body, headers), expect)

    def payloads(self):
        """Each with its kind."""
        for kind, texts in (("sql", SQL), ("xss", XSS), ("csv", CSV), ("path", PATHS), ("ssrf", SSRF), ("text", TEXTS)):
            for text in texts:
                yield kind, text.replace("{trap}", self.trap).replace("{mark}", self.mark)

    # ---- where a request ends: two readers of the same bytes must not find different ones ----

    def framings(self):
        inner = request("GET", "/health", None)
        head = [b"POST " + CALL.encode() + b" HTTP/1.1", b"Host: h", b"Authorization: Bearer " + self.token.encode(), b"Content-Type: application/json"]

        def framed(lines, body):
            return b"\r\n".join([*head, *lines]) + b"\r\n\r\n" + body

        n, chunk = str(len(self.good)).encode(), b"%x\r\n%s\r\n" % (len(self.good), self.good)
        lengths = [b"+" + n, b"-1", b"0x10", b" ", b"", n + b" ", n + b", " + n, n + b"," + str(len(self.good) + 1).encode(), n + b"\x00", n + b"\t", b"1e3", n + b"; x", b"9" * 30, b"18446744073709551616", b"\xd9\xa1", b"0" * 50 + n]
        for length in lengths:
            self.add("smuggling", framed([b"Content-Length: " + length], self.good + inner), "answered" if length.strip(b" \t\x00").lstrip(b"0") == n else "one")
        for te in (b"chunked", b"Chunked", b"chunked, identity", b"identity, chunked", b"gzip, chunked", b"x", b"\x0bchunked", b"chunked\x00", b" chunked", b"\"chunked\"", b"chunked;q=1", b"chun ked", b""):
            for length in (None, n, b"0", b"5"):
                lines = [b"Transfer-Encoding: " + te] + ([b"Content-Length: " + length] if length is not None else [])
                is_clear = length is None and te.strip(b" \x00").lower() == b"chunked"  # then what follows is a second request; a NUL ends a value in libmicrohttpd
                self.add("smuggling", framed(lines, b"0\r\n\r\n" + inner), "answered" if is_clear else "one")
                self.add("smuggling", framed(list(reversed(lines)), chunk + b"0\r\n\r\n"), "one")
        for pair in ((b"Content-Length: 5", b"Content-Length: " + n), (b"Content-Length: " + n, b"Content-Length: 5"), (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
                     (b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked"), (b"Content-Length : " + n, b"X: y"), (b"Content-Length\t: " + n, b"X: y"), (b" Content-Length: " + n, b"X: y"),
                     (b"X: y\r\n Content-Length: 5", b"Content-Length: " + n), (b"Content-Length: 5\rContent-Length: " + n, b"X: y"), (b"Content-Length: 5\nX: y", b"X: z"),
                     (b"Transfer-Encoding : chunked", b"Content-Length: " + n), (b"Transfer-Encoding:\x0bchunked", b"Content-Length: " + n), (b"Transfer_Encoding: chunked", b"Content-Length: " + n),
                     (b"Content-Length: " + n, b"Expect: 100-continue"), (b"Content-Length: " + n, b"Expect: nonsense"), (b"Content-Length: " + n, b"Upgrade: h2c"), (b"Content-Length: " + n, b"Connection: Content-Length"),
                     (b"Content-Length: " + n, b"X-HTTP-Method-Override: DELETE"), (b"Content-Length: " + n, b"X-Forwarded-For: 127.0.0.1"), (b"Content-Length: " + n, b"X-Original-URL: /metrics")):
            self.add("smuggling", framed(pair, self.good), "one")
        for size in (b"-1", b"+5", b"0x5", b"5;x=y", b"5 ", b" 5", b"", b"g", b"ffffffffffffffff", b"fffffffffffffffff", b"7fffffffffffffff", b"1" * 100, b"00000005", b"5\x00", b"5\n"):
            self.add("chunks", framed([b"Transfer-Encoding: chunked"], size + b"\r\nhello\r\n0\r\n\r\n"), "cut")
        for tail in (b"0\r\n", b"0\n\n", b"0\r\nX: y\r\n\r\n", b"0\r\n" + b"T: v\r\n" * 5000 + b"\r\n", b"0\r\nContent-Length: 5\r\n\r\n", b"", b"\r\n", b"0;" + b"x" * 20000 + b"\r\n\r\n"):
            self.add("chunks", framed([b"Transfer-Encoding: chunked"], chunk + tail), "cut")
        for size in (1 << 30, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64):
            for path in (CALL, QUERY, ACT, "/hub/v1/contracts", "/party/v1/session", "/VIID/MotorVehicles", "/hub/v1/publish/hangzhou/world/truth"):
                self.add("huge", request("POST", path, self.token, None, [("Content-Type", "application/json"), ("Content-Length", str(size))]), "refused")
        for at in range(0, 200, 4):  # cut in the head, and in the body
            self.add("cut", request("POST", CALL, self.token, self.good)[:20 + at], "cut")
        self.add("cut", b"GET /health HTTP/1.1\r\nHost: h", "cut")

    # ---- heads ----

    def heads(self):
        for method in ("get", "GE T", "", "GET\x00", "PROPFIND", "TRACE", "TRACK", "CONNECT", "OPTIONS", "PATCH", "DEBUG", "A" * 300, "GET\t", "\x16\x03\x01", "PRI * HTTP/2.0", "G" * 9000, "POST\r\n"):
            for path in ("/health", CALL, "*"):
                self.add("methods", method.encode() + b" " + path.encode() + b" HTTP/1.1\r\nHost: h\r\n\r\n", "answered" if method in ("OPTIONS", "PATCH", "PROPFIND", "TRACE", "TRACK", "DEBUG", "get") else "cut")
        for version in ("0.9", "1.0", "1.2", "2.0", "3", "9.9", "1.1.1", "-1", "1.10000", "x"):
            self.add("versions", request("GET", "/health", None, version=version), "cut")
        for name, value in (("X", "a" * 7000), ("X", "a" * 9000), ("X", "a" * 100000), ("X" * 9000, "a"), ("Cookie", "citybrain=" + "a" * 7000), ("Cookie", "a=b;" * 2000), ("Authorization", "Bearer " + "0" * 7000),
                            ("Authorization", "Basic " + "A" * 7000), ("Authorization", "Digest " + "x=y," * 1500), ("Range", "bytes=" + "0-1," * 1500), ("Accept", "*/*;q=" + "9" * 5000), ("If-None-Match", "\"" + "a" * 7000),
                            ("Accept-Encoding", "gzip;q=1," * 700), ("Content-Type", "application/json;" + "x" * 5000)):
            self.add("floods", request("GET", "/health", None, headers=[(name, value)]), "answered")
        for n in (10, 100, 500, 1000, 5000, 10000):
            self.add("floods", request("GET", "/health", None, headers=[(f"X-{i}", "y") for i in range(n)]), "answered")
            self.add("floods", request("GET", "/health", None, headers=[("X", "y")] * n), "answered")
        for line in (b": x", b"X", b"X : y", b" X: y", b"X\x00: y", b"X: y\x00z", b"X: \xff\xfe", b"X: y\r\n\tz", b"\x00", b"Host: a\r\nHost: b", b"Host:", b"Host: a b", b"X: y\rZ: w", b"X: y\nZ: w", b"(x): y", b"X\xc3\xa4: y"):
            self.add("headers", b"GET /health HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n\r\n", "cut")
        for kind, text in self.payloads():
            if not set(text) & set("\r\n\x00") and len(text) < 6000:
                for name in ("User-Agent", "Referer", "X-Forwarded-For", "Cookie", "Authorization", "Host", "Origin", "If-None-Match", "Accept-Language"):
                    raw = text.encode("utf-8", "surrogatepass")
                    self.add(kind, request("GET", "/hub/v1/resources", self.token if name != "Authorization" else None, headers=[(name, raw)]), "answered" if name != "Authorization" else "refused")

    # ---- paths and queries ----

    def paths(self):
        for kind, text in self.payloads():
            encoded = quote(text.encode("utf-8", "surrogatepass"), safe="")[:6000]
            raw = text.encode("utf-8", "surrogatepass").replace(b" ", b"%20").replace(b"\r", b"%0d").replace(b"\n", b"%0a").replace(b"\x00", b"%00")[:6000]
            for path in ("/hub/v1/call/{}/police/vehicle", "/hub/v1/call/hangzhou/{}/vehicle", "/hub/v1/call/hangzhou/police/{}"):
                self.post(kind, path.replace("{}", encoded), self.good, "refused")
            for path in ("/assets/", "/", "/log/v1/tile/", "/hub/v1/object/hangzhou/scene.count/", "/hub/v1/contracts/hangzhou/", "/log/v1/receipt/", "/hub/v1/opening/"):
                self.add(kind, request("GET", path + encoded, self.token), "answered")
                self.add(kind, b"GET " + path.encode() + raw + b" HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + self.token.encode() + b"\r\n\r\n", "cut")
            for path, name in (("/hub/v1/contracts", "view"), ("/hub/v1/object/hangzhou/scene.count/road", "purpose")):
                self.add(kind, request("GET", f"{path}?{name}={encoded}", self.token), "answered")
            for who, path, name in (("citizen", "/hub/v1/uses/mine", "before"), ("official", "/case/v1/cases", "kind"), ("official", "/cockpit/v1/history", "indicator")):
                self.add(kind, request("GET", f"{path}?{name}={encoded}", None, headers=[("Cookie", "citybrain=" + self.sessions[who])]), "answered")
        for target in SSRF:
            self.add("ssrf", request("GET", target.replace("{trap}", self.trap), self.token), "cut")
            self.add("ssrf", request("CONNECT", "127.0.0.1:" + self.trap, self.token), "cut")
        for n in (100, 1000, 4000, 7000, 9000, 100000):
            self.add("long", request("GET", "/" + "a" * n, None), "refused")
            self.add("long", request("GET", "/" + "a/" * n, None), "refused")
            self.add("long", request("GET", "/health?" + "a=b&" * n, None), "answered")

    # ---- values: they are values and nothing else ----

    def values(self):
        for kind, text in self.payloads():
            self.post(kind, CALL, dumped({**self.call, "key": {"plate": text}}), "empty")
            self.post(kind, CALL, dumped({**self.call, "key": {text: "x"}}), "refused")
            self.post(kind, CALL, dumped({**self.call, "purpose": text}), "refused")
            self.post(kind, CALL, dumped({**self.call, "fields": [text]}), "refused")
            self.post(kind, CALL, dumped({**self.call, "fields": ["plate", text]}), "refused")
            self.post(kind, CALL, dumped({**self.call, "contract": text}), "refused")
            self.post(kind, CALL, dumped({**self.call, text: 1}), "refused")
            self.post(kind, ACT, dumped({"purpose": PURPOSE, "key": text, "parameters": {"place": "x", "reason": "order"}}), "answered")
            self.post(kind, ACT, dumped({"purpose": PURPOSE, "key": "fixed", "parameters": {text: "x"}}), "refused")
            self.post(kind, "/party/v1/session", dumped({"name": text, "password": text}), "refused")
            self.post(kind, "/hub/v1/correction", dumped({"resource": "hangzhou/police/vehicle", "key": {"plate": text}, "what": text}), "answered")
            self.post(kind, "/hub/v1/contracts", dumped({"provider": text, "consumer": "hangzhou/scene.parking", "resource": text, "purpose": text}), "refused")

    # ---- SQL of the asker's own: one SELECT over what is granted, and bounded ----

    def statements(self):
        table = '"hangzhou/police/vehicle"'
        texts = [f"DROP TABLE {table}", f"DELETE FROM {table}", f"UPDATE {table} SET plate = 'x'", f"INSERT INTO {table} VALUES (1)", f"ATTACH DATABASE '{self.mark}' AS x", "PRAGMA table_info(x)", f"VACUUM INTO '{self.mark}'",
                 "SELECT load_extension('x')", "SELECT readfile('/etc/passwd')", f"SELECT writefile('{self.mark}', 'y')", "SELECT randomblob(1000000000)", "SELECT zeroblob(2000000000)", "SELECT hex(zeroblob(100000000))",
                 "SELECT * FROM sqlite_master", "SELECT * FROM sqlite_schema", "SELECT * FROM pragma_table_list", "SELECT fts3_tokenizer('x')", "SELECT sqlite_version()", f"SELECT plate FROM {table}; SELECT 1", f"SELECT owner_name FROM {table}",
                 f"SELECT rowid FROM {table}", "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n", "SELECT printf('%.*c', 2000000000, 'x')", "SELECT replace(hex(zeroblob(10000)), '0', hex(zeroblob(10000)))",
                 "EXPLAIN SELECT 1", "BEGIN", "CREATE TABLE x (y)", "CREATE TEMP TABLE x (y)", "SELECT group_concat(plate, char(0)) FROM " + table, "SELECT '" + "x" * 16000 + "'", "SELECT " + "(" * 2000 + "1" + ")" * 2000,
                 "SELECT " + " + ".join(["1"] * 3000), "SELECT " + ", ".join(["1"] * 200), "SELECT 1 " + "UNION SELECT 1 " * 600, "SELECT * FROM " + ", ".join([table + f" t{i}" for i in range(70)]), f"SELECT plate FROM {table} WHERE plate LIKE '" + "%_" * 3000 + "'",
                 f"SELECT plate FROM {table} WHERE plate GLOB '" + "*?" * 3000 + "'", f"SELECT plate FROM {table} WHERE plate REGEXP '(a+)+$'", "SELECT abs(-9223372036854775808)", "SELECT json_extract('{', '$')", "\x00SELECT 1", "SELECT 1\x00; DROP", "", " ", ";", "--", "/*", "'", '"']
        for text in texts:
            self.post("statements", QUERY, dumped({"purpose": PURPOSE, "sql": text}), "answered")
        for kind, text in self.payloads():
            self.post(kind, QUERY, dumped({"purpose": PURPOSE, "sql": text}), "refused")
            self.post(kind, QUERY, dumped({"purpose": PURPOSE, "sql": f"SELECT plate FROM {table} WHERE plate = ?", "parameters": [text]}), "empty")
            self.post(kind, QUERY, dumped({"purpose": PURPOSE, "sql": f"SELECT plate FROM {table} WHERE plate = '{text}'"}), "answered")

    # ---- the form of JSON ----

    def forms(self):
        for depth in (31, 32, 33, 64, 1000, 10000, 30000):
            for opening, closing in (("[", "]"), ('{"a":', "}")):
                whole = opening * depth + ("1" if opening != "[" else "") + closing * depth
                for text in (whole, opening * depth, whole + closing):
                    self.post("nesting", CALL, text.encode(), "refused")
                    self.post("nesting", CALL, self.good[:-1] + b',"more":' + text.encode() + b"}", "refused")
        for n in (10, 1000, 5000, 10000):
            self.post("bombs", CALL, dumped({**self.call, "fields": ["plate"] * n}), "answered" if n == 10 else "refused")
            self.post("bombs", CALL, dumped({**self.call, "key": {f"k{i}": i for i in range(n)}}), "refused")
            self.post("bombs", CALL, b'{"purpose":"' + b"\\u0041" * n + b'"}', "refused")
            self.post("bombs", QUERY, dumped({"purpose": PURPOSE, "sql": "SELECT 1", "parameters": [0] * n}), "answered")
        for name in ("purpose", "key", "fields"):
            value = dumped(self.call[name])
            self.post("twice", CALL, self.good[:-1] + b',"' + name.encode() + b'":' + value + b"}", "refused")
            self.post("twice", CALL, self.good[:-1] + b',"\\u%04x' % ord(name[0]) + name[1:].encode() + b'":' + value + b"}", "refused")
            for other in ("null", "true", "1", "\"x\"", "[[]]", "[{}]", "{\"a\":{}}", "[null]", "[1]"):
                self.post("types", CALL, b"{" + b",".join(b'"%s":%s' % (n.encode(), other.encode() if n == name else dumped(v)) for n, v in self.call.items()) + b"}", "answered")
        self.post("twice", CALL, self.good.replace(b'{"plate"', b'{"plate":"x","plate"'), "refused")
        for number in NUMBERS:
            self.post("numbers", CALL, b'{"purpose":"parking.abuse","fields":["plate"],"key":{"plate":' + number.encode() + b"}}", "answered")
            self.post("numbers", QUERY, b'{"purpose":"parking.abuse","sql":"SELECT ?","parameters":[' + number.encode() + b"]}", "answered")
        for odd in (b"\xc0\xaf", b"\xc0\x80", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\xfe\xff", b"\x80", b"\xc3", b"\xf8\x88\x80\x80\x80", b"\x00", b"\x01", b"\x1f", b"\n", b"\\u0000", b"\\ud800",
                    b"\\udc00\\ud800", b"\\x41", b"\\u12", b"\\U00000041", b"\\", b"\\'"):
            for at in (b'"plate": "', b'"purpose": "', b'["'):
                self.post("utf8", CALL, self.good.replace(at, at + odd, 1), "empty" if at == b'"plate": "' else "refused")
        for before, after in ((b"\xef\xbb\xbf", b""), (b"", b"x"), (b"", b"{}"), (b"", b"\x00"), (b"//x\n", b""), (b"/*x*/", b""), (b"", b",") , (b"[", b"]"), (b" " * 60000, b""), (b"", b" " * 60000), (b"\x0c", b""), (b"", b"\xff"), (b")]}',\n", b"")):
            self.post("around", CALL, before + self.good + after, "answered" if (before + after).strip() == b"" else "refused")
        for media in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "", "application/json; charset=utf-16", "*/*", "application/json\x00", "text/html"):
            raw = request("POST", CALL, self.token, self.good).replace(b"Content-Type: application/json", b"Content-Type: " + media.encode())
            self.add("types", raw, "answered")

    # ---- good ones, broken anywhere ----

    def broken(self):
        bodies = [(CALL, self.good), (QUERY, dumped({"purpose": PURPOSE, "sql": 'SELECT plate FROM "hangzhou/police/vehicle" WHERE plate = ?', "parameters": ["x"]})),
                  (ACT, dumped({"purpose": PURPOSE, "key": "fixed", "parameters": {"place": "x", "reason": "order"}})), ("/party/v1/session", dumped({"name": "mayor", "password": "guess"}))]
        for path, body in bodies:
            for at in range(len(body)):
                self.post("truncated", path, body[:at], "refused")
            for _ in range(200):
                changed = bytearray(body)
                for _ in range(self.rng.randint(1, 4)):
                    at = self.rng.randrange(len(changed))
                    changed[at:at + self.rng.randint(0, 2)] = bytes(self.rng.choice(b'"\\{}[]:,0x\x00\xff') for _ in range(self.rng.randint(0, 2)))
                self.post("changed", path, bytes(changed), "answered")
        whole = request("POST", CALL, self.token, self.good)
        for _ in range(400):
            changed = bytearray(whole)
            for _ in range(self.rng.randint(1, 3)):
                changed[self.rng.randrange(len(changed))] = self.rng.randrange(256)
            self.add("changed", bytes(changed), "cut")


def corpus(token, sessions, plate, trap, mark, seed=20261122):
    """`sessions`: of an "official" and of a "citizen", the value of the cookie."""
    return Corpus(token, sessions, plate, trap, mark, seed).cases
