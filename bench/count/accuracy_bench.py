#!/usr/bin/env python3
"""How well vehicles are counted: `citybrain count` on simulated cities with imperfect cameras, against the simulator's own truth.

    count_mape_full, _half, _quarter    Nanchang's two flows, by coverage, recall and misreads (ROWS); each 60 s from 300 s on
    count_mape_*_faults                 the same cameras over a day's curve of demand, with every fault switched on
    count_mape_town                     a small town of our own at half coverage; count_mape_town_faults
    count_wape_*, count_bias_*          beside each; count_mape_*_spread: largest less smallest of its runs
    count_interval_pct, _width_pct      how often the 90 % interval holds the truth, all runs together, and its width; only where there is one
    count_mape_road                     mean speed of roads between cameras with at least 5 passages in the period, against all that drove there; Nanchang,
                                        all rows without faults together; count_mape_road_full, _half, _quarter, _town, and count_mape_road_ends:
                                        of these the roads with a camera at both ends, where nothing has to be shared out
    count_mape_half_loops               the row `half` once more, with induction loops on some of the roads (cameras.LOOPS), 97 % right, a row a minute; and of it
    count_recall_loops_off, _gaps_off   recall of the cameras: mean of |told - true|, of those with a loop and of those that other cameras told of, and
    count_recall_loops_known, _gaps_known   the share of these cameras of which it is known at the end
    count_mape_flow_loops, _links       flow over five minutes of edges with 30 vehicles and more: those with a loop, those of cameras and of ways between
    count_mape_vehicle_km_*             vehicle-kilometres an hour of the whole city against those of the last five minutes, from 600 s on; without faults, and with loops
    count_on_road_wape_*, _interval_*   vehicles in transit on each edge: WAPE of those told 20 or more, and how often their 90 % intervals hold the truth, of all told

A road is a directed edge of the network that lies between two cameras, alone or with others; the period 300 s. Told is what the table of roads says at its
end, from vehicles (`n`, at least 5) that passed it within the window; true is metres over seconds, of all vehicles that left it in the period: the wait at
its end and the junction before it are in it, as they are in what is told.

Nothing is fitted to any of these here. COUNT_SEEDS: seeds of the cameras, "1-5" unless said; "1" is quick. COUNT_ONLY: names of rows, separated by commas.
COUNT_JOBS: runs side by side (the machine's cores); no figure here depends on the clock.
"""
import concurrent.futures
import math
import os
import statistics
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cameras  # noqa: E402
import cities  # noqa: E402

ROWS = {"full": (1, .95, .02), "half": (.5, .9, .02), "quarter": (.25, .85, .05)}
START_S, STEP_S, FLOOR = 300, 60, .05  # the share of the peak below which a moment has no share in MAPE
ROAD_S, ROAD_LEAST = 300, 5
MANY = 20  # vehicles on one edge, from which on chance is not most of the error
BRAIN = os.path.join(os.environ["CITYBRAIN_BUILD"], "brain", "citybrain")


def seeds():
    first, _, last = os.environ.get("COUNT_SEEDS", "1-5").partition("-")
    return range(int(first), int(last or first) + 1)


def line(name, value, unit, digits=2):
    print(f"{name} {value:.{digits}f} {unit}", flush=True)


# ---- one run ----

def make_passages(city, folder, row, seed, with_faults):
    """cameras.csv and passages.csv: Nanchang's by the tool beside its data, our own city's by our own."""
    coverage, recall, misread = ROWS[row]
    faults = cameras.FAULTS if with_faults else {}
    data = cities.data_folder()
    if city.name == "town":
        cameras.write(city, folder, seed, coverage, recall, misread, **faults)
        return
    options = [word for name, value in faults.items() for word in ("--" + name.replace("_", "-"), str(value))]
    subprocess.run([sys.executable, cities.tool(data, "make_passages.py"), "--net", city.network, "--vehroutes", city.vehroutes, "--out", folder, "--end", str(city.end_s),
                    "--seed", str(seed), "--coverage", str(coverage), "--recall", str(recall), "--misread", str(misread), *options],
                   check=True, stdout=subprocess.DEVNULL)


def read_counts(path):
    with open(path, encoding="ascii") as table:
        next(table)
        return {int(row[0]): tuple(map(float, row[1:])) for row in (text.split(",") for text in table)}


def score(truth, counts):
    """Of one run: error shares, sums, and what the intervals held. A moment without a row counts as 0."""
    moments = range(START_S, len(truth), STEP_S)
    least = max(1, FLOOR * max(truth))
    told = [(truth[t], *counts.get(t, (0.0, 0.0, 0.0))) for t in moments]
    return {"mape": 100 * statistics.fmean(abs(count - true) / true for true, count, _, _ in told if true >= least),
            "off": sum(abs(count - true) for true, count, _, _ in told),
            "counted": sum(count for _, count, _, _ in told), "true": sum(true for true, _, _, _ in told),
            "held": sum(low <= true <= high for true, _, low, high in told), "moments": len(told),
            "width": 100 * statistics.fmean((high - low) / true for true, _, low, high in told if true >= least),
            "has_interval": any(high > low for _, _, low, high in told)}


def metres(network):
    """({edge: (metres, junction it begins at, junction it ends at)}, {(from, to): metres of the junction between})"""
    edges, inner, crossings = {}, {}, {}
    for _, element in ET.iterparse(network):
        if element.tag == "edge":
            if element.get("function") is None:
                edges[element.get("id")] = (float(element.find("lane").get("length")), element.get("from"), element.get("to"))
            for lane in element.findall("lane"):
                inner[lane.get("id")] = float(lane.get("length"))
            element.clear()
        elif element.tag == "connection" and element.get("from") in edges:
            turn = (element.get("from"), element.get("to"))
            crossings[turn] = min(crossings.get(turn, 1e9), inner.get(element.get("via"), 0.0))
    return edges, crossings


def true_roads(city, edges, crossings):
    """{(edge, end of the period): [vehicles that left it, their seconds, their metres]}"""
    roads = {}
    for depart, _, route, exits in city.trips():
        entered, before = depart, None
        for edge, left in zip(route, exits):
            if left < 0:
                break
            of_road = roads.setdefault((edge, (int(left) // ROAD_S + 1) * ROAD_S), [0, 0.0, 0.0])
            of_road[0] += 1
            of_road[1] += left - entered
            of_road[2] += edges[edge][0] + crossings.get((before, edge), 0.0)
            entered, before = left, edge
    return roads


def road_errors(city, folder):
    """[(|told - true| / true, has the road a camera at both ends)] of each road and period that both know enough of."""
    edges, crossings = metres(city.network)
    roads, errors = true_roads(city, edges, crossings), []
    with open(f"{folder}/cameras.csv", encoding="utf-8") as table:
        next(table)
        watched = {text.split(",")[1] for text in table}
    junctions = {edges[edge][2] for edge in watched}
    with open(f"{folder}/roads.csv", encoding="utf-8") as table:
        next(table)
        for text in table:
            time, edge, n, speed, _ = text.rstrip("\n").split(",")
            true_n, true_s, true_m = roads.get((edge, int(time)), (0, 0, 0))
            if int(time) % ROAD_S == 0 and int(n) >= ROAD_LEAST and true_n >= ROAD_LEAST and true_s > 0:
                errors.append((abs(float(speed) * true_s / true_m - 1), edge in watched and edges[edge][1] in junctions))
    return errors


def on_edges(city, path):
    """Vehicles on each edge each ROAD_S from 600 s on: [off, true, those on edges told more than MANY: off, true, intervals, of these right]."""
    true, told = {}, {}
    for depart, _, route, exits in city.trips():
        entered = depart
        for edge, left in zip(route, exits):
            for moment in range(math.ceil(entered / ROAD_S) * ROAD_S, math.ceil(left if left >= 0 else city.end_s), ROAD_S):
                true[moment, edge] = true.get((moment, edge), 0) + 1
            if left < 0:
                break
            entered = left
    with open(path, encoding="utf-8") as table:
        next(table)
        for text in table:
            time, edge, *figures = text.rstrip("\n").split(",")
            if int(time) % ROAD_S == 0 and int(time) >= 600:
                told[int(time), edge] = [float(figure) for figure in figures]
    moments, sums = {time for time, _ in told}, [0] * 6
    for key in {key for key in true if key[0] in moments} | set(told):
        value, low, high = told.get(key, (0, 0, 0))
        off, is_many = abs(value - true.get(key, 0)), value >= MANY
        for i, one in enumerate((off, true.get(key, 0), is_many * off, is_many * true.get(key, 0), key in told, key in told and low <= true.get(key, 0) <= high)):
            sums[i] += one
    return sums


def recall_errors(folder, row):
    """{has the camera a loop: [|told - true|, None where it is not known]}; misread plates are missed ones."""
    _, recall, misread = ROWS[row]
    with open(f"{folder}/loops.csv", encoding="utf-8") as table:
        looped = {text.split(",")[3] for text in table}
    with open(f"{folder}/cameras.csv", encoding="utf-8") as table:
        edges = dict(text.split(",")[:2] for text in table)
    errors = {True: [], False: []}
    with open(f"{folder}/health.csv", encoding="utf-8") as table:
        next(table)
        for text in table:
            camera, _, _, told, *_ = text.split(",")
            errors[edges[camera] in looped].append(abs(float(told) - recall * (1 - misread)) if told else None)
    return errors


def flow_errors(city, folder):
    """{source: [|told - true| / true of edges and periods with MANY vehicles and more]}"""
    true, errors = {}, {"loop": [], "camera": []}
    for _, _, route, exits in city.trips():
        for edge, left in zip(route, exits):
            key = (edge, (int(left) // ROAD_S + 1) * ROAD_S)
            true[key] = true.get(key, 0) + 1
    with open(f"{folder}/flows.csv", encoding="utf-8") as table:
        next(table)
        for text in table:
            time, edge, vph, source = text.rstrip("\n").split(",")
            vehicles = true.get((edge, int(time)), 0)
            if int(time) % ROAD_S == 0 and int(time) >= 600 and vehicles >= 30:
                errors[source].append(abs(float(vph) * ROAD_S / 3600 / vehicles - 1))
    return errors


def vehicle_km_error(city, folder):
    edges, true, errors = {edge: metres for edge, (metres, *_) in metres(city.network)[0].items()}, {}, []
    for _, _, route, exits in city.trips():
        for edge, left in zip(route, exits):
            true[int(left) // STEP_S] = true.get(int(left) // STEP_S, 0) + edges[edge] / 1000
    with open(f"{folder}/indices.csv", encoding="utf-8") as table:
        next(table)
        for text in table:
            time, area, _, _, _, told, _ = text.split(",")
            if int(time) >= 600 and not area and told:
                driven = sum(true.get(int(time) // STEP_S - i, 0) for i in range(1, ROAD_S // STEP_S + 1)) * 3600 / ROAD_S
                errors += [abs(float(told) / driven - 1)] if driven > 0 else []
    return 100 * statistics.fmean(errors)


def run(city, row, seed, with_faults, with_loops=False):
    with tempfile.TemporaryDirectory(dir=os.environ["CITYBRAIN_DATA"]) as folder:
        make_passages(city, folder, row, seed, with_faults)
        if with_loops:
            cameras.write_loops(city, folder, seed)
        roads = ["--roads", f"{folder}/roads.csv", "--vehicles", f"{folder}/vehicles.csv"] if not with_faults and not with_loops else []
        if with_loops:
            roads = ["--loops", f"{folder}/loops.csv", "--flows", f"{folder}/flows.csv", "--health", f"{folder}/health.csv"]
        if not with_faults:
            roads += ["--indices", f"{folder}/indices.csv"]
        done = subprocess.run([BRAIN, "count", "--network", city.network, "--cameras", f"{folder}/cameras.csv", "--passages", f"{folder}/passages.csv", "--every", str(STEP_S),
                               "--until", str(city.end_s - 1), "--out", f"{folder}/counts.csv", *roads], stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"citybrain count: {done.stderr[-600:]}")
        result = score(city.running(), read_counts(f"{folder}/counts.csv"))
        has_roads = roads and not with_loops
        result["road"] = road_errors(city, folder) if has_roads else []
        result["on_edges"] = on_edges(city, f"{folder}/vehicles.csv") if has_roads else None
        result["vehicle_km"] = vehicle_km_error(city, folder) if not with_faults else None
        result["recall"] = recall_errors(folder, row) if with_loops else None
        result["flow"] = flow_errors(city, folder) if with_loops else None
    print(f"   {city.name} {row} seed {seed}{' with faults' if with_faults else ''}: MAPE {result['mape']:.2f} %, bias {100 * (result['counted'] / result['true'] - 1):+.2f} %, "
          f"interval {100 * result['held'] / result['moments']:.1f} %", file=sys.stderr, flush=True)
    return result


# ---- all of them ----

def wanted(name):
    only = os.environ.get("COUNT_ONLY")
    return not only or name in only.split(",")


def plan():
    """[(name of the figure, city, row, seed, with faults)]"""
    data, runs = cities.data_folder(), []
    if data is None:
        print("   Nanchang's data are not here (CITYBRAIN_NANCHANG): only the town is measured", file=sys.stderr, flush=True)
    for row in ROWS if data else ():
        for number in (1, 2):
            if wanted(row):
                runs += [(row, cities.flow(data, number), row, seed, False) for seed in seeds()]
            if wanted(row + "_faults"):
                runs += [(row + "_faults", cities.day(data, number), row, seed, True) for seed in seeds()]
    if data and wanted("half_loops"):
        runs += [("half_loops", cities.flow(data, number), "half", seed, False, True) for number in (1, 2) for seed in seeds()]
    for name, with_faults in (("town", False), ("town_faults", True)):
        if wanted(name):
            runs += [(name, cities.town(), "half", seed, with_faults) for seed in seeds()]
    return runs


def tell(name, results):
    line(f"count_mape_{name}", statistics.fmean(result["mape"] for result in results), "%")
    line(f"count_mape_{name}_spread", max(result["mape"] for result in results) - min(result["mape"] for result in results), "%")
    line(f"count_wape_{name}", 100 * sum(result["off"] for result in results) / sum(result["true"] for result in results), "%")
    if results[0]["vehicle_km"] is not None:
        line(f"count_mape_vehicle_km_{name}", statistics.fmean(result["vehicle_km"] for result in results), "%")
    line(f"count_bias_{name}", 100 * (sum(result["counted"] for result in results) / sum(result["true"] for result in results) - 1), "%")


def tell_roads(results):
    """`results` by name; what a row tells of roads, and Nanchang's rows together."""
    together = []
    for name, of_name in results.items():
        errors = [error for result in of_name for error in result["road"]]
        if errors:
            line(f"count_mape_road_{name}", 100 * statistics.fmean(share for share, _ in errors), "%")
        together += errors if name != "town" else []
    if together:
        line("count_mape_road", 100 * statistics.fmean(share for share, _ in together), "%")
        line("count_mape_road_ends", 100 * statistics.fmean(share for share, has_both in together if has_both), "%")


def tell_loops(results):
    for name, has_loop in (("loops", True), ("gaps", False)):
        errors = [error for result in results for error in result["recall"][has_loop]]
        known = [error for error in errors if error is not None]
        if known:
            line(f"count_recall_{name}_off", statistics.fmean(known), "share", 3)
            line(f"count_recall_{name}_known", 100 * len(known) / len(errors), "%")
    for name, source in (("loops", "loop"), ("links", "camera")):
        errors = [error for result in results for error in result["flow"][source]]
        if errors:
            line(f"count_mape_flow_{name}", 100 * statistics.fmean(errors), "%")


def main():
    runs, results = plan(), {}
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("COUNT_JOBS", os.cpu_count()))) as pool:
        for (name, *_), result in zip(runs, pool.map(lambda one: run(*one[1:]), runs)):
            results.setdefault(name, []).append(result)
    for name, of_name in results.items():
        tell(name, of_name)
    every = [result for of_name in results.values() for result in of_name]
    if all(result["has_interval"] for result in every):
        line("count_interval_pct", 100 * sum(result["held"] for result in every) / sum(result["moments"] for result in every), "%")
        line("count_interval_width_pct", statistics.fmean(result["width"] for result in every), "%")
    else:
        print("   there is no interval yet: count_interval_pct is not told", file=sys.stderr, flush=True)
    tell_loops(results.get("half_loops", []))
    for name, of_name in results.items():
        sums = [sum(of_one) for of_one in zip(*(result["on_edges"] for result in of_name if result["on_edges"]))]
        if sums and sums[3]:
            line(f"count_on_road_wape_{name}", 100 * sums[2] / sums[3], "%")
        if sums and sums[4]:
            line(f"count_on_road_interval_{name}", 100 * sums[5] / sums[4], "%")
    tell_roads(results)


main()
