"""Simulated cities whose truth is known, for accuracy_bench.py: Nanchang's two flows, the same trips spread over a day's curve, a small town.

Nanchang's network and flows, and the tools that convert them and make passages of them, are not part of the project: networks.py says where
they are looked for. Each city is simulated once and kept in CITYBRAIN_BENCH_CACHE (~/.cache/citybrain-bench); the same commands
and seeds give the same files.
"""
import bisect
import os
import random
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import networks

VERSION = "1"  # of what is written here: another one is simulated anew
DAY_S, TOWN_S = 14400, 7200
# Quiet, peak, plateau, peak, quiet: (until this share of the time, trips relative to the mean).
DAY = [(.12, .35), (.32, 1.55), (.62, 1.0), (.82, 1.6), (1.0, .3)]
TOWN_TRIPS, TOWN_SEED = 5000, 20261122


def cache():
    folder = os.environ.get("CITYBRAIN_BENCH_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "citybrain-bench")
    os.makedirs(folder, exist_ok=True)
    return folder


def data_folder():
    """Nanchang's data, beside which the tools lie; None when they are not here."""
    given = os.environ.get("CITYBRAIN_NANCHANG")
    if given and os.path.isfile(given):
        given = os.path.dirname(given)
    for path in [given] if given else [os.path.join(networks.ROOT, *up, "shared", "data", "nanchang") for up in ([".."], ["..", ".."])]:
        if os.path.exists(os.path.join(path, "flow1.txt")) and os.path.exists(tool(path, "make_passages.py")):
            return path
    return None


def tool(data, name):
    return os.path.join(data, "..", "..", "tools", name)


class City:
    def __init__(self, folder, name, end_s):
        self.name, self.end_s = name, end_s
        self.prefix = os.path.join(folder, name)
        self.network, self.vehroutes = self.prefix + ".net.xml", self.prefix + ".vr.xml"
        self._trips = None

    def trips(self):
        """[(depart, arrival or None, [edges], [exit times])]"""
        if self._trips is None:
            self._trips = []
            for _, element in ET.iterparse(self.vehroutes):
                if element.tag == "vehicle":
                    route, arrival = element.findall(".//route")[-1], element.get("arrival")
                    self._trips.append((float(element.get("depart")), float(arrival) if arrival else None, route.get("edges").split(),
                                        [float(time) for time in route.get("exitTimes").split()]))
                    element.clear()
        return self._trips

    def running(self):
        """Vehicles departed and not yet arrived, each second."""
        departs = sorted(trip[0] for trip in self.trips())
        arrivals = sorted(trip[1] for trip in self.trips() if trip[1] is not None)
        return [bisect.bisect_right(departs, t) - bisect.bisect_right(arrivals, t) for t in range(self.end_s)]


def kept(name, end_s, make):
    """The city of this name; `make` writes it into a folder, which takes its place when it is whole."""
    folder = os.path.join(cache(), f"{name}-{VERSION}")
    if not os.path.isdir(folder):
        part = folder + ".part"
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part)
        print(f"   simulating {name}, once; kept in {folder}", file=sys.stderr, flush=True)
        make(City(part, name, end_s))
        os.rename(part, folder)
    return City(folder, name, end_s)


def simulate(city, seed, *more):
    networks.run(["sumo", "-X", "never", "-n", city.network, "-r", city.prefix + ".rou.xml", "--end", str(city.end_s), "--seed", str(seed), "--vehroute-output",
                  city.vehroutes, "--vehroute-output.exit-times", "--vehroute-output.last-route", "--vehroute-output.write-unfinished", "--no-warnings",
                  "--no-step-log", *more], stderr=subprocess.DEVNULL)


# ---- Nanchang ----

def flow(data, number):
    """The data as they are, converted and simulated as their own tool says."""
    def make(city):
        script = subprocess.run([sys.executable, tool(data, "nanchang_to_sumo.py"), os.path.join(data, "roadnet.txt"), os.path.join(data, f"flow{number}.txt"),
                                 city.prefix], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        networks.run(["bash", "-ec", script], stderr=subprocess.DEVNULL)
    return kept(f"nanchang-flow{number}", 5400, make)


def depart(share):
    """The time of the day's curve by which this share of the trips has begun, 0 to 1."""
    weights, before = [], 0.0
    for until, weight in DAY:
        weights.append((until - before) * weight)
        before = until
    at, began = share * sum(weights), 0.0
    for (until, weight), part in zip(DAY, weights):
        if at <= part:
            return began + at / weight
        at, began = at - part, until
    return 1.0


def day(data, number):
    """The trips of a flow, each once, in a drawn order over a curve of four hours that fills and empties twice."""
    def make(city):
        base = flow(data, number)
        os.link(base.network, city.network)
        with open(base.prefix + ".rou.xml", encoding="utf-8") as text:
            vehicles = re.findall(r'<vehicle id="([^"]+)"[^>]*><route edges="([^"]+)"/></vehicle>', text.read())
        draw = random.Random(f"day/{number}")
        draw.shuffle(vehicles)
        with open(city.prefix + ".rou.xml", "w", encoding="utf-8") as out:
            out.write('<routes>\n<vType id="c" length="5" maxSpeed="16.7"/>\n')
            for i, (name, edges) in enumerate(vehicles):
                time = depart((i + draw.random()) / len(vehicles)) * (city.end_s - 900)
                vehicles[i] = (min(time, city.end_s - 900), name, edges)
            for time, name, edges in sorted(vehicles):
                out.write(f'<vehicle id="{name}" type="c" depart="{time:.1f}" departLane="best"><route edges="{edges}"/></vehicle>\n')
            out.write("</routes>\n")
        simulate(city, 23423, "--mesosim", "--meso-junction-control")
    return kept(f"nanchang-day{number}", DAY_S, make)


# ---- a town of our own ----

def town():
    """63 junctions with signals, 160 m apart, one lane, driven by the microscopic model: short trips, where Nanchang's are long."""
    def make(city):
        networks.run(["netgenerate", "-X", "never", "--grid", "--grid.x-number", "9", "--grid.y-number", "7", "--grid.length", "160", "--grid.attach-length", "160",
                      "-L", "1", "-j", "traffic_light", "--no-turnarounds.except-deadend", "true", "--seed", str(TOWN_SEED), "--no-warnings", "true",
                      "-o", city.network], stderr=subprocess.DEVNULL)
        edges = sorted(element.get("id") for _, element in ET.iterparse(city.network) if element.tag == "edge" and element.get("function") is None)
        draw = random.Random(TOWN_SEED)
        with open(city.prefix + ".rou.xml", "w", encoding="utf-8") as out:
            out.write("<routes>\n")
            for i in range(TOWN_TRIPS):
                start, end = draw.sample(edges, 2)
                out.write(f'<trip id="{i}" depart="{depart((i + .5) / TOWN_TRIPS) * (city.end_s - 600):.1f}" from="{start}" to="{end}"/>\n')
            out.write("</routes>\n")
        simulate(city, TOWN_SEED, "--ignore-route-errors", "true")
    return kept("town", TOWN_S, make)
