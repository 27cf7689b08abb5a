#!/usr/bin/env python3
"""How well vehicles in a drawn zone are counted: the cores of scene/count and scene/zone on simulated cities with imperfect
cameras, against the simulator's own truth.

    zone_mape_now_*, zone_mape_today_*    vehicles in the zone, and different ones in it since the run's beginning: each 60 s from 600 s on, by rows as
                                          accuracy_bench.py's (full, half, quarter: Nanchang; town: our own at half coverage), zones and classes' sum
    zone_bias_now_*, zone_bias_today_*    beside each: told over true, all moments together
    zone_interval_now_*_pct, …            how often the 90 % interval holds the truth; zone_interval_pct: all together
    zone_mape_now_class, …_today_class    of each class of plates (local, of the province, of other provinces), all rows together

True is: a vehicle is in the zone while it drives on an edge whose middle lies in the polygon. Two zones a city, small and large, rectangles around the
middle of the network whose border lies 15 m inside of roads (docs/zone.md). Six of ten plates are local, two of the province, two of other provinces.
Choices were made on Nanchang's flow 1; the figures are of flow 2 and the town.

COUNT_SEEDS ("1" unless said), COUNT_ONLY, COUNT_JOBS: as in accuracy_bench.py.
"""
import concurrent.futures
import itertools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cameras  # noqa: E402
import cities  # noqa: E402

ROWS = {"full": (1, .95, .02), "half": (.5, .9, .02), "quarter": (.25, .85, .05), "town": (.5, .9, .02)}
ZONES = {"small": (.4, .6), "large": (.3, .7)}  # between these shares of all the roads' points, in each direction
INSIDE_M, START_S, STEP_S, FLOOR = 15, 600, 60, .05
PREFIXES = {"local": ["浙A"], "province": ["浙B", "浙C", "浙D", "浙F"], "other": ["沪A", "苏E", "皖B", "京N"]}
SHARES = {"local": 6, "province": 2, "other": 2}
DEGREE_M = 111195.0  # of latitude, as scene/zone/zones.c has it
LOAD = os.path.join(os.environ["CITYBRAIN_BUILD"], "bench", "zone_load")


def seeds():
    first, _, last = os.environ.get("COUNT_SEEDS", "1").partition("-")
    return range(int(first), int(last or first) + 1)


def place(point):
    """Metres of the network as longitude and latitude somewhere near Hangzhou."""
    return 120 + point[0] / (DEGREE_M * math.cos(math.radians(30))), 30 + point[1] / DEGREE_M


def shapes(network):
    """{edge: points of its first lane}"""
    found = {}
    for _, element in ET.iterparse(network):
        if element.tag == "edge":
            if element.get("function") is None:
                found[element.get("id")] = [tuple(float(part) for part in point.split(",")[:2]) for point in element.find("lane").get("shape").split()]
            element.clear()
    return found


def middle(points):
    lengths = [math.dist(a, b) for a, b in zip(points, points[1:])]
    left = sum(lengths) / 2
    for (a, b), length in zip(zip(points, points[1:]), lengths):
        if left <= length:
            share = left / max(length, 1e-9)
            return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
        left -= length
    return points[-1]


def rectangles(shape):
    """{zone: ((x, y) of one corner, of the other)}"""
    across, along = (sorted(point[axis] for points in shape.values() for point in points) for axis in (0, 1))
    return {name: tuple((across[int(len(across) * share)] + inwards, along[int(len(along) * share)] + inwards) for share, inwards in ((low, INSIDE_M), (high, -INSIDE_M)))
            for name, (low, high) in ZONES.items()}


def true_zone(city, within, classes):
    """Of one zone: {class: (vehicles in it each second, when each that was in it came first)}"""
    changes, first = {name: [0] * (city.end_s + 2) for name in SHARES}, {name: [] for name in SHARES}
    for (depart, _, route, exits), name in zip(city.trips(), classes):
        entered, seen = depart, None
        for edge, left in zip(route, exits):
            end = min(left if left >= 0 else city.end_s, city.end_s)
            if edge in within and entered < city.end_s:
                seen = entered if seen is None else seen
                changes[name][math.ceil(entered)] += 1
                changes[name][math.ceil(end)] -= 1
            if left < 0:
                break
            entered = left
        if seen is not None:
            first[name].append(seen)
    return {name: (list(itertools.accumulate(changes[name])), sorted(first[name])) for name in SHARES}


def told(folder, city):
    """{(time, zone, class): ((now, low, high), (today, low, high))}"""
    out = subprocess.run([LOAD, city.network, f"{folder}/outlines.geojson", f"{folder}/zones.txt", f"{folder}/places.csv", f"{folder}/passages.csv", str(STEP_S), str(city.end_s - 1)], check=True, capture_output=True,
                         text=True).stdout
    rows = (line.split(",") for line in out.split("\n")[1:] if line)
    return {(int(time), zone, name): (tuple(map(float, figures[:3])), tuple(map(float, figures[3:]))) for time, zone, name, *figures in rows}


def write_places(folder, shape, zones):
    """Cameras and polygons as the scene meets them: by longitude, latitude and heading."""
    with open(f"{folder}/cameras.csv", encoding="utf-8") as table, open(f"{folder}/places.csv", "w", encoding="ascii") as out:
        next(table)
        for line in table:
            name, edge, _, x, y = line.rstrip("\n").split(",")
            (ax, ay), (bx, by) = shape[edge][-2:]
            lon, lat = place((float(x), float(y)))
            out.write(f"{name},{edge},{lon:.7f},{lat:.7f},{math.degrees(math.atan2(bx - ax, by - ay)) % 360:.1f}\n")
    with open(f"{folder}/outlines.geojson", "w", encoding="ascii") as out:
        json.dump({"type": "FeatureCollection", "features": [
            {"type": "Feature", "properties": {"zone": name}, "geometry": {"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]}}
            for name, ((west, south), (east, north)) in zones.items()]}, out)
    with open(f"{folder}/zones.txt", "w", encoding="ascii") as out:
        for name, ((west, south), (east, north)) in zones.items():
            corners = (place(corner) for corner in ((west, south), (east, south), (east, north), (west, north)))
            out.write(" ".join([name, *(f"{lon:.7f},{lat:.7f}" for lon, lat in corners)]) + "\n")


def run(city, row, seed):
    """[(what, is a class, (told, low, high), true, peak)]"""
    draw, found = random.Random(f"{seed}/class"), []
    classes = draw.choices(list(SHARES), SHARES.values(), k=len(city.trips()))
    with tempfile.TemporaryDirectory(dir=os.environ["CITYBRAIN_DATA"]) as folder:
        cameras.write(city, folder, seed, *ROWS[row], prefixes=[draw.choice(PREFIXES[name]) for name in classes])
        shape = shapes(city.network)
        zones = rectangles(shape)
        write_places(folder, shape, zones)
        figures = told(folder, city)
    for zone, ((west, south), (east, north)) in zones.items():
        within = {edge for edge, points in shape.items() if west <= middle(points)[0] <= east and south <= middle(points)[1] <= north}
        true = true_zone(city, within, classes)
        peak = max(sum(true[name][0][t] for name in SHARES) for t in range(START_S, city.end_s, STEP_S))
        for t in range(START_S, city.end_s, STEP_S):
            of_classes = [(figures[t, zone, name], (true[name][0][t], sum(came <= t for came in true[name][1]))) for name in SHARES]
            for which, what in enumerate(("now", "today")):
                pairs = [(tell[which], is_so[which]) for tell, is_so in of_classes]
                found.append((what, False, figures[t, zone, "all"][which], sum(is_so for _, is_so in pairs), peak))
                found += [(what, True, tell, is_so, peak * SHARES[name] / 10) for name, (tell, is_so) in zip(SHARES, pairs)]
    print(f"   {city.name} {row} seed {seed}: " + ", ".join(f"{what} {mape(found, what, False):.1f} %" for what in ("now", "today")), file=sys.stderr, flush=True)
    return found


def mape(found, what, is_class):
    return 100 * statistics.fmean(abs(tell - true) / true for of, is_of, (tell, _, _), true, peak in found if (of, is_of) == (what, is_class) and true >= max(1, FLOOR * peak))


def bias(found, what):
    pairs = [(tell, true) for of, is_class, (tell, _, _), true, _ in found if of == what and not is_class]
    return 100 * (sum(tell for tell, _ in pairs) / sum(true for _, true in pairs) - 1)


def held(found, what):
    """How often an interval holds the truth, of all that have one; those of classes too."""
    return 100 * statistics.fmean(low <= true <= high for of, _, (_, low, high), true, _ in found if of == what and not math.isnan(low))


def line(name, value, unit="%", digits=1):
    print(f"{name} {value:.{digits}f} {unit}", flush=True)


def main():
    data, only = cities.data_folder(), os.environ.get("COUNT_ONLY")
    rows = [row for row in ROWS if (not only or row in only.split(",")) and (data or row == "town")]
    runs, results = [(cities.town() if row == "town" else cities.flow(data, 2), row, seed) for row in rows for seed in seeds()], {}
    with concurrent.futures.ProcessPoolExecutor(int(os.environ.get("COUNT_JOBS", os.cpu_count()))) as pool:
        for (_, row, _), found in zip(runs, pool.map(run, *zip(*runs))):
            results.setdefault(row, []).extend(found)
    for row, found in results.items():
        for what in ("now", "today"):
            line(f"zone_mape_{what}_{row}", mape(found, what, False))
            line(f"zone_bias_{what}_{row}", bias(found, what))
            line(f"zone_interval_{what}_{row}_pct", held(found, what))
    together = [one for found in results.values() for one in found]
    for what in ("now", "today"):
        line(f"zone_mape_{what}", mape(together, what, False))
        line(f"zone_mape_{what}_class", mape(together, what, True))
    line("zone_interval_pct", statistics.fmean(held(together, what) for what in ("now", "today")))


if __name__ == "__main__":
    main()
