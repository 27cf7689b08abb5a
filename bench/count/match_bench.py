#!/usr/bin/env python3
"""GPS points matched on Nanchang: match_load's lines (bench/match_load.c says what each is), CPU of one thread."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import networks  # noqa: E402


def main():
    path, ending = networks.best(os.environ["CITYBRAIN_DATA"])
    told = subprocess.run([os.path.join(os.environ["CITYBRAIN_BUILD"], "bench", "match_load"), path], check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in told.splitlines():
        name, value, unit = line.split()
        print(f"{name}{ending} {value} {unit}")


main()
