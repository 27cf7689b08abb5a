#!/usr/bin/env python3
"""enumeration_*_auc: can a stranger tell by the time of a refusal whether something is there? Two classes of requests of the same length, one for what is there and another's, one for what is not there,
interleaved in a random order on one connection; the area under the curve of telling them apart by their time (0.5: by chance; above it is told as such). ENUMERATION=N: timings a class."""
import json
import os
import random
import socket
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
import hostile  # noqa: E402
from city import City  # noqa: E402

N = int(os.environ.get("ENUMERATION", "20000"))
CALLED = {"purpose": "parking.settle", "key": {"plate": "浙A12345"}, "fields": ["plate"]}
PAIRS = {  # what is there and another's; what is not there
    "resource": [(f"/hub/v1/call/hangzhou/police/{name}", CALLED) for name in ("passage", "nothing")],
    "party": [(f"/hub/v1/call/hangzhou/{name}/truth", CALLED) for name in ("world", "nowhe")],
    "contract": [("/hub/v1/call/hangzhou/police/vehicle", {**CALLED, "contract": name}) for name in ("hangzhou/c-10", "hangzhou/c-99")],
    "row": [("/hub/v1/call/hangzhou/police/vehicle", {**CALLED, "key": {"plate": name}}) for name in ("hidden", "absent")],
}


def auc(first, second):
    """That one of the second takes longer than one of the first; ties count half (Mann-Whitney)."""
    ranked, total, at = sorted([(value, 0) for value in first] + [(value, 1) for value in second]), 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        total += sum(kind for _, kind in ranked[at:end]) * (at + end + 1) / 2
        at = end
    n, m = len(first), len(second)
    return (total - m * (m + 1) / 2) / (n * m)


def ask(connection, raw):
    began = time.perf_counter_ns()
    connection.sendall(raw)
    answer = connection.recv(65536)
    took = time.perf_counter_ns() - began
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    while len(body) < length:
        body += connection.recv(65536)
    return took, int(head.split()[1]), length


def main():
    with City() as city:
        token = city.token("hangzhou/scene.parking")
        with sqlite3.connect(f"file:{city.data}/departments/police.sqlite?mode=ro", uri=True) as db:  # a row that the contract leaves out, and none
            plate = db.execute("SELECT plate FROM vehicle WHERE vehicle_type NOT IN ('K31', 'K32', 'K33')").fetchone()[0]
            absent = next(p for p in (plate[:-1] + letter for letter in "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") if not db.execute("SELECT 1 FROM vehicle WHERE plate = ?", (p,)).fetchone())
        for name, pair in PAIRS.items():
            requests = []
            for path, body in pair:
                text = json.dumps(body, ensure_ascii=False).replace("hidden", plate).replace("absent", absent).encode()
                requests.append(hostile.request("POST", path, token, text))
            assert len(requests[0]) == len(requests[1]), name
            order, took, seen = [0, 1] * (N if name != "row" else N // 10), ([], []), set()  # a permitted call waits for its leaf: it is slow
            random.Random(20261122).shuffle(order)
            connection = socket.create_connection(("127.0.0.1", city.port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at, which in enumerate(order):
                ns, status, length = ask(connection, requests[which])
                seen.add((status, length if name != "row" else 0))
                if at >= 200:
                    took[which].append(ns)
            connection.close()
            assert len(seen) == 1, seen
            value = auc(*took)
            print(f"enumeration_{name}_auc {max(value, 1 - value):.3f} auc", flush=True)


main()
