#!/usr/bin/env python3
"""Queries through the real door: those whose asker has gone end, and make room; the door's own refusals."""
import json
import os
import socket
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import City  # noqa: E402

TABLES = ", ".join(f'"hangzhou/health/hospital" {name}' for name in "abcdefghij")
ENDLESS = f"SELECT count(*) FROM {TABLES} WHERE " + " + ".join(f"{name}.beds" for name in "abcdefghij") + " = -1"
SIMPLE = 'SELECT count(*) FROM "hangzhou/health/hospital"'


class Query(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.city = City()
        cls.addClassCleanup(cls.city.close)
        cls.city.start()
        with open(os.path.join(cls.city.data, "tokens", "hangzhou_scene.parking"), encoding="ascii") as token:
            cls.token = token.read().strip()

    def request(self, body):
        """→ (status, JSON)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.city.port}/hub/v1/query", json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def leave(self, body):
        """Asks, and closes the connection without waiting for the answer."""
        text = json.dumps(body).encode()
        asker = socket.create_connection(("127.0.0.1", self.city.port))
        asker.sendall(f"POST /hub/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
                      f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
        return asker

    def test_ends_when_its_asker_has_gone(self):
        askers = [self.leave({"purpose": "parking.plan", "sql": ENDLESS}) for _ in range(8)]  # more than there are threads
        time.sleep(1)
        for asker in askers:
            asker.close()
        begin = time.monotonic()
        status, answer = self.request({"purpose": "parking.plan", "sql": SIMPLE})
        self.assertEqual((status, answer["rows"]), (200, [[8]]))
        self.assertLess(time.monotonic() - begin, 8, "the queries ran on to their 10 s")

    def test_refusals(self):
        for body, status in [
                ({"purpose": "parking.plan"}, 400), ({"sql": SIMPLE}, 400), ({"purpose": "parking.plan", "sql": SIMPLE, "more": 1}, 400),
                ({"purpose": "parking.plan", "sql": SIMPLE, "parameters": [[1]]}, 400), ({"purpose": "parking.plan", "sql": "SELECT"}, 400),
                ({"purpose": "parking.plan", "sql": 'SELECT * FROM "hangzhou/police/nothing"'}, 404),
                ({"purpose": "parking.spy", "sql": SIMPLE}, 404), ({"purpose": "parking.plan", "sql": "SELECT " + "1," * 9000 + "1"}, 400),
                ({"purpose": "parking.plan", "sql": 'SELECT area || ? FROM "hangzhou/health/hospital" LIMIT 1', "parameters": [None]}, 200)]:
            self.assertEqual(self.request(body)[0], status, body)
        request = urllib.request.Request(f"http://127.0.0.1:{self.city.port}/hub/v1/query", b"{}", {"Content-Type": "application/json"})
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()


if __name__ == "__main__":
    unittest.main()
