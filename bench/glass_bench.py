#!/usr/bin/env python3
"""glass_p50_ms, glass_p99_ms: passage sent → figure on the event stream, the brain alone, without the world.

One camera sends one new vehicle at a moment of no particular phase, over GA/T 1400 with Digest; a viewer of the city's live stream waits
for the figure that rests on it (its `n` is one more). The time runs from before the request's first byte to the event's arrival, both in this process.
"""
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
from camera import Camera, devices, passages  # noqa: E402
from city import City, wait_for  # noqa: E402

SAMPLES = 120


class Viewer:
    def __init__(self, city):
        self.value, self.arrived, self.changed = None, 0.0, threading.Condition()
        self.answer = city.opener.open(f"{city.url}/cockpit/v1/live?area=hangzhou", timeout=60)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = None
        for raw in self.answer:
            now = time.monotonic()
            line = raw.decode()
            if line.startswith("event:"):
                event = line[6:].strip()
            elif line.startswith("data:") and event == "indicators":
                for one in json.loads(line[5:])["indicators"]:
                    if one["name"] == "vehicles_in_transit" and one["area"] == "hangzhou" and one["n"]:
                        with self.changed:
                            self.value, self.arrived = one["n"], now
                            self.changed.notify_all()

    def wait_above(self, value, within_s=10):
        with self.changed:
            if not self.changed.wait_for(lambda: self.value is not None and self.value > value, within_s):
                raise AssertionError("the figure did not come")
            return self.arrived


def glass(city):
    device = devices(city.city)[0]
    with open(os.path.join(city.data, "secrets", "camera"), encoding="ascii") as secret:
        camera = Camera(city.port, device, secret.read().split()[0])
    viewer, chance, took = Viewer(city), random.Random(1), []
    camera.send(passages(device, 1, 1))
    viewer.wait_above(0)
    for sample in range(SAMPLES):
        time.sleep(chance.uniform(0.05, 1.05))
        before = viewer.value
        one = passages(device, 1, 1000 + sample)
        began = time.monotonic()
        if not camera.send(one):
            raise AssertionError("the door refused a passage")
        took.append((viewer.wait_above(before) - began) * 1000)
    camera.close()
    took.sort()
    return took[len(took) // 2], took[int(len(took) * 0.99)]


def main():
    city = City()
    try:
        city.start()
        city.sign_in("mayor")
        wait_for(lambda: city.get("/cockpit/v1/roads"), 10, "the roads")
        p50, p99 = glass(city)
        print(f"glass_p50_ms {p50:.0f} ms")
        print(f"glass_p99_ms {p99:.0f} ms")
    finally:
        city.close()


if __name__ == "__main__":
    main()
