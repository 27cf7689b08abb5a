"""GPS points with a known truth: a small city made by SUMO's netgenerate, driven by SUMO, seen through a noisy receiver.

Used by tests/e2e/match_test.py and bench/count/match_bench.py. Needs only Debian's sumo.
"""
import math
import os
import random
import subprocess
import xml.etree.ElementTree as ET

ENVIRONMENT = dict(os.environ, SUMO_HOME="/usr/share/sumo")


def run(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)


def make_city(folder, seed, n_junctions=250):
    """The path of a network: streets of 80 to 300 m grown by chance, crossings of all shapes, some signals."""
    path = os.path.join(folder, "city.net.xml")
    run(["netgenerate", "-X", "never", "--rand", "--rand.iterations", str(n_junctions), "--rand.min-distance", "80", "--rand.max-distance", "300", "--seed", str(seed),
         "--bidi-probability", "0.9", "--no-turnarounds.except-deadend", "true", "--tls.guess", "true", "--junctions.corner-detail", "0", "-o", path])
    return path


def write_trips(path, network, seed, n_vehicles, until_s):
    """Trips between edges drawn by chance; SUMO routes them at departure and drops those that have no way."""
    edges = [edge.get("id") for edge in ET.parse(network).getroot().iter("edge") if not edge.get("function")]
    chance = random.Random(seed)
    with open(path, "w", encoding="utf-8") as out:
        print("<routes>", file=out)
        for number in range(n_vehicles):
            print(f'<trip id="v{number}" depart="{number * until_s / n_vehicles:.1f}" from="{chance.choice(edges)}" to="{chance.choice(edges)}" '
                  f'departSpeed="max"/>', file=out)
        print("</routes>", file=out)


def drive(folder, network, seed, n_vehicles=150, until_s=600):
    """The path of what SUMO's vehicles did, a line each second and vehicle (--fcd-output)."""
    trips, path = os.path.join(folder, "city.rou.xml"), os.path.join(folder, "city.fcd.xml")
    write_trips(trips, network, seed, n_vehicles, until_s / 2)
    run(["sumo", "-X", "never", "-n", network, "-r", trips, "--end", str(until_s), "--seed", str(seed), "--fcd-output", path, "--ignore-route-errors", "--no-step-log",
         "--no-warnings", "--device.fcd.period", "1"])
    return path


def truth(path):
    """{vehicle: [(second, x, y, heading, speed, edge or None inside a junction)]}."""
    found = {}
    for _, step in ET.iterparse(path):
        if step.tag != "timestep":
            continue
        second = float(step.get("time"))
        for seen in step:
            lane = seen.get("lane")
            edge = None if lane.startswith(":") else lane.rpartition("_")[0]
            found.setdefault(seen.get("id"), []).append((second, float(seen.get("x")), float(seen.get("y")), float(seen.get("angle")), float(seen.get("speed")), edge))
        step.clear()
    return found


def receive(trips, seed, sigma_m, every_s, heading=True, drift_s=0):
    """Rows of points.csv as text, in order of time, and {(vehicle, time_ms): edge}. `every_s` is (from, to). Errors are normal, independent from
    point to point; with `drift_s` they fade into others over that time, as between houses."""
    chance = random.Random(seed)
    points, edges = [], {}
    for vehicle, seen in trips.items():
        due, error, last = seen[0][0] + chance.uniform(0, every_s[1]), (chance.gauss(0, sigma_m), chance.gauss(0, sigma_m)), 0
        for second, x, y, angle, speed, edge in seen:
            if second < due:
                continue
            due = second + chance.uniform(*every_s)
            kept = math.exp((last - second) / drift_s) if drift_s else 0
            error = tuple(kept * off + math.sqrt(1 - kept * kept) * chance.gauss(0, sigma_m) for off in error)
            last, time_ms = second, int(second * 1000)
            edges[vehicle, time_ms] = edge
            told = f"{max(speed + chance.gauss(0, 0.5), 0):.1f},{(angle + chance.gauss(0, 10)) % 360:.0f}" if heading else ","
            points.append((time_ms, f"{vehicle},{time_ms},{x + error[0]:.2f},{y + error[1]:.2f},{told}"))
    points.sort(key=lambda point: point[0])
    return [row for _, row in points], edges


def score(matched_path, edges):
    """(share of points on the right edge, of those that were on one; points that were scored). Not matched is wrong."""
    right = scored = 0
    with open(matched_path, encoding="utf-8") as rows:
        header = next(rows).rstrip("\n").split(",")
        vehicle, time_ms, edge = header.index("vehicle"), header.index("time_ms"), header.index("edge")
        for row in rows:
            fields = row.rstrip("\n").split(",")
            expected = edges[fields[vehicle], int(fields[time_ms])]
            if expected is not None:
                scored += 1
                right += fields[edge] == expected
    return right / scored, scored


