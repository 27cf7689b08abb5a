"""Cameras and their faults over a simulated city: cameras.csv and passages.csv, for cities of our own.

Nanchang's passages are made by the tool that lies beside its data; this model has the same faults and words, so that the town needs no data from elsewhere.
A drawn junction with a signal has a camera at the stop line of every approach. Each fault has a stream of chances of its own: switching one on
changes nothing else.
"""
import random
import xml.etree.ElementTree as ET

LOOPS = (.3, .1)  # share of the edges with a camera that have a loop, and of the others
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
FAULTS = {"duplicates": .02, "late_bursts": 1, "late_burst_s": 60, "dead_cameras": .05, "dead_s": 600, "cloned": .001, "skew_ms": 500}


def approaches(network):
    """{edge: (junction at its end, lanes, length, x, y)} and the junctions with a signal."""
    edges, signals = {}, []
    for _, element in ET.iterparse(network):
        if element.tag == "edge" and element.get("function") is None:
            lanes = element.findall("lane")
            x, y = lanes[0].get("shape").split()[-1].split(",")[:2]
            edges[element.get("id")] = (element.get("to"), len(lanes), float(lanes[0].get("length")), x, y)
        elif element.tag == "junction" and element.get("type", "").startswith("traffic_light"):
            signals.append(element.get("id"))
    return edges, sorted(signals)


def spans(draw, rate_per_hour, length_s, end_s):
    found, time = [], 0.0
    while rate_per_hour > 0:
        time += draw.expovariate(rate_per_hour / 3600)
        if time >= end_s:
            break
        found.append((time, time + length_s))
        time += length_s
    return found


def held_until(found, time):
    return next((end for begin, end in found if begin <= time < end), None)


def plates_of(n, cloned, draw, prefixes=None):
    """`prefixes`: what each plate begins with; 浙A unless given."""
    plates = set()
    while len(plates) < n:
        plates.add("浙A" + "".join(draw("plate").choice(LETTERS) for _ in range(5)))
    plates = sorted(plates)
    draw("plate").shuffle(plates)
    plates = [begin + plate[2:] for begin, plate in zip(prefixes, plates)] if prefixes else plates
    known = set(plates)
    picked = draw("clone").sample(range(n), min(2 * int(cloned * n), n))
    for original, clone in zip(picked[0::2], picked[1::2]):
        plates[clone] = plates[original]
    return plates, known


def misread(plate, known, draw):
    while True:
        at = draw.randrange(2, len(plate))
        wrong = plate[:at] + draw.choice(LETTERS) + plate[at + 1:]
        if wrong not in known:
            return wrong


def write(city, folder, seed, coverage, recall, misreads, prefixes=None, **faults):
    """Writes cameras.csv and passages.csv into `folder`."""
    streams = {}

    def draw(name):
        return streams.setdefault(name, random.Random(f"{seed}/{name}"))

    edges, signals = approaches(city.network)
    drawn = {junction for junction in signals if draw("cameras").random() < coverage}
    cameras = {edge: f"C{i:05d}" for i, edge in enumerate(sorted(edge for edge in edges if edges[edge][0] in drawn), 1)}
    names = sorted(cameras.values())
    skew = {name: draw("skew").gauss(0, faults.get("skew_ms", 0)) for name in names}
    bursts = {name: spans(draw("burst"), faults.get("late_bursts", 0), faults.get("late_burst_s", 60), city.end_s) for name in names}
    dead = {}
    for name in draw("dead").sample(names, round(faults.get("dead_cameras", 0) * len(names))):
        begin = draw("dead").uniform(0, city.end_s - faults["dead_s"])
        dead[name] = [(begin, begin + faults["dead_s"])]
    plates, known = plates_of(len(city.trips()), faults.get("cloned", 0), draw, prefixes)
    rows = []
    for plate, (_, _, route, exits) in zip(plates, city.trips()):
        for edge, time in zip(route, exits):
            if edge not in cameras or not 0 <= time < city.end_s or draw("recall").random() >= recall:
                continue
            name, is_wrong = cameras[edge], draw("misread").random() < misreads
            confidence = int(draw("confidence").triangular(*((40, 100, 75) if is_wrong else (70, 100, 97))))
            arrival, again = time + draw("latency").expovariate(1 / .3), draw("duplicate").uniform(.1, 5)
            is_twice = draw("duplicate").random() < faults.get("duplicates", 0)
            if held_until(dead.get(name, ()), time) is not None:
                continue
            arrival = held_until(bursts[name], arrival) or arrival
            rest = (max(0, round(time * 1000 + skew[name])), name, draw("lane").randint(1, edges[edge][1]), misread(plate, known, draw("misread")) if is_wrong else plate, confidence)
            rows += [(round(when * 1000), *rest) for when in ([arrival, arrival + again] if is_twice else [arrival])]
    with open(f"{folder}/cameras.csv", "w", encoding="utf-8") as out:
        out.write("camera,edge,pos_m,x,y\n")
        out.writelines(f"{name},{edge},{edges[edge][2]:.2f},{edges[edge][3]},{edges[edge][4]}\n" for edge, name in cameras.items())
    with open(f"{folder}/passages.csv", "w", encoding="utf-8") as out:
        out.write("pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n")
        out.writelines(f"{passed},{arrived},{name},{lane},{plate},{confidence}\n" for arrived, passed, name, lane, plate, confidence in sorted(rows))


def write_loops(city, folder, seed, right=.97):
    """Writes loops.csv beside cameras.csv: each minute what loops on some of the edges counted, a vehicle in `1 - right` missed."""
    draw = random.Random(f"{seed}/loops")
    with open(f"{folder}/cameras.csv", encoding="utf-8") as table:
        next(table)
        watched = {text.split(",")[1] for text in table}
    edges = [edge for edge in sorted(approaches(city.network)[0]) if draw.random() < LOOPS[edge not in watched]]
    passed = {edge: [0] * (city.end_s // 60) for edge in edges}
    for _, _, route, exits in city.trips():
        for edge, time in zip(route, exits):
            if edge in passed and 0 <= time < city.end_s // 60 * 60:
                passed[edge][int(time) // 60] += draw.random() < right
    rows = sorted((round(60000 * (minute + 1) + draw.uniform(1000, 5000)), minute, edge, n) for edge in edges for minute, n in enumerate(passed[edge]))
    with open(f"{folder}/loops.csv", "w", encoding="utf-8") as out:
        out.write("from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles\n")
        out.writelines(f"{60000 * minute},{60000 * (minute + 1)},{arrived},{edge},,{n}\n" for arrived, minute, edge, n in rows)
