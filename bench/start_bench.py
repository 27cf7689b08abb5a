#!/usr/bin/env python3
"""start_ms: from the start of the process to its first answer, the demo city with its data already made, without the world; the median of
five. rss_mb: resident memory (VmRSS) of that brain a second after its first answer."""
import os
import statistics
import sys
import time
import http.client

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from city import City  # noqa: E402

RUNS = 5


def first_answer(port):
    """Waits without a pause that would round the figure; each try costs the connection alone."""
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.001)
        finally:
            connection.close()


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return kb / 1024


def main():
    city = City()
    try:
        city.start()  # once, to make keys and tables
        city.stop()
        times = []
        for _ in range(RUNS):
            before = time.monotonic()
            city.spawn_brain()
            first_answer(city.port)
            times.append((time.monotonic() - before) * 1000)
            time.sleep(1)
            rss = rss_mb(city.brain.pid)
            city.stop()
        print(f"start_ms {statistics.median(times):.1f} ms")
        print(f"rss_mb {rss:.1f} MB")
    finally:
        city.close()


main()
