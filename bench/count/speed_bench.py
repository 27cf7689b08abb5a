#!/usr/bin/env python3
"""How fast vehicles are counted, one thread, beside what people would use instead, all on one file in one run.

    count_csv_per_s, count_bin_per_s    passages a second of CPU: `citybrain count --every 1` with 16 areas, from text and from the binary form; each row, reading
                                        the network and all else is in it
    count_floor_per_s                   a plain hash map in C behind the same reader: plates seen within 600 s, by area, every second
    count_postgres_per_s, count_redis_per_s, count_duckdb_per_s   the same by these, each second before the next (peers.py); their rows are compared
    count_peer_ratio                    count_csv_per_s over the fastest of these
    count_postgres_whole_per_s, count_duckdb_whole_per_s, count_whole_ratio   the same from the whole file at once, which no live count can be
    count_live_p99_ms                   passage in → count out, 50,000 a second as they come, 300,000 vehicles; the core alone (count_load.c)
    count_live_snapshot_p99_ms          the same ten seconds with one snapshot in their middle, six times as often as in a city; ..._most_ms: the passage
                                        that waited longest, ..._stop_ms: how long the count stands still for it
    count_memory_mb                     3,000,000 plates known, 300,000 of them on the road; the whole process
    count_memory_snapshot_mb            the same while they are written into a snapshot

COUNT_PASSAGES: of the file, 2,000,000 unless said. COUNT_PEERS: names separated by commas; all unless said. The file is made by count_load on Nanchang's network, or on
a made one of its size (names then end with _made).
"""
import os
import resource
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import networks  # noqa: E402
import peers  # noqa: E402

BUILD = os.environ["CITYBRAIN_BUILD"]
BRAIN, LOAD = os.path.join(BUILD, "brain", "citybrain"), os.path.join(BUILD, "bench", "count_load")
ending = ""


def line(name, value, unit, digits=0):
    print(f"{name}{ending} {value:.{digits}f} {unit}", flush=True)


def told(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def cpu_of(*command):
    """CPU seconds of a program that must end well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: {done.stderr[-600:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def count(network, folder, name, n):
    cpu = cpu_of(BRAIN, "count", "--network", network, "--cameras", f"{folder}/cameras.csv", "--passages", f"{folder}/passages.{name}", "--every", "1",
                 "--out", f"{folder}/counts-{name}.csv", "--areas", f"{folder}/areas.geojson", "--areas-out", f"{folder}/areas-{name}.csv")
    line(f"count_{name}_per_s", n / cpu, "passages/s")
    return n / cpu


def main():
    global ending
    folder, n = os.environ["CITYBRAIN_DATA"], int(os.environ.get("COUNT_PASSAGES", 2000000))
    os.chmod(folder, 0o755)
    network, ending = networks.best(folder)
    told(LOAD, "write", network, folder, str(n))
    ours = count(network, folder, "csv", n)
    cpu_of(BRAIN, "count", "--passages", f"{folder}/passages.csv", "--convert", f"{folder}/passages.bin")
    count(network, folder, "bin", n)
    with open(f"{folder}/counts-csv.csv", "rb") as one, open(f"{folder}/counts-bin.csv", "rb") as other:
        if one.read() != other.read():
            raise AssertionError("text and binary form give other counts")
    line("count_floor_per_s", float(told(LOAD, "floor", folder, str(peers.TIMEOUT_S)).split()[1]), "passages/s")
    work, live, whole = peers.Work(folder), {}, {}
    wanted = os.environ.get("COUNT_PEERS", "postgres,redis,duckdb").split(",")
    if "postgres" in wanted:
        live["postgres"], whole["postgres"] = peers.postgres(work)
    if "redis" in wanted:
        live["redis"] = peers.redis(work)
    if "duckdb" in wanted and peers.duckdb_here():
        live["duckdb"], whole["duckdb"] = peers.duckdb(work)
    for name, per_s in live.items():
        line(f"count_{name}_per_s", per_s, "passages/s")
    for name, per_s in whole.items():
        line(f"count_{name}_whole_per_s", per_s, "passages/s")
    if live:
        line("count_peer_ratio", ours / max(live.values()), "times", 2)
    if whole:
        line("count_whole_ratio", ours / max(whole.values()), "times", 2)
    short = networks.short(folder)
    for mode, *where in (("live", short), ("live", short, folder), ("memory", network, folder)):
        for text in told(LOAD, mode, *where).splitlines():
            name, value, unit = text.split()
            print(f"{name}{ending if mode == 'memory' else ''} {value} {unit}", flush=True)


main()
