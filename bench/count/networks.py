"""Road networks to measure on.

Nanchang (2,067 junctions) is the one that figures are told for; its data and the converter are not part of the project: CITYBRAIN_NANCHANG
names a converted network (.net.xml), or a folder with roadnet.txt, flow1.txt and, beside it, ../../tools/nanchang_to_sumo.py; without it the folder
shared/data/nanchang beside the project is looked for. Where there is none, netgenerate (SUMO) makes a city of that size, and every
figure's name ends with _made.
"""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
N_JUNCTIONS = 2067
SEED = 20261122


def run(command, **more):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, SUMO_HOME="/usr/share/sumo"), **more)


def nanchang(folder):
    """The path of Nanchang's network, converted into `folder` if need be; None when its data are not here."""
    given = os.environ.get("CITYBRAIN_NANCHANG")
    if given and os.path.isfile(given):
        return given
    beside = [given] if given else [os.path.join(ROOT, *up, "shared", "data", "nanchang") for up in ([".."], ["..", ".."])]
    data = next((path for path in beside if os.path.exists(os.path.join(path, "roadnet.txt"))), None)
    if not data:
        return None
    converter = os.path.join(data, "..", "..", "tools", "nanchang_to_sumo.py")
    name = os.path.join(folder, "nanchang")
    flow = sorted(glob.glob(os.path.join(data, "flow1*")))[0]
    script = subprocess.run([sys.executable, converter, os.path.join(data, "roadnet.txt"), flow, name], check=True, stdout=subprocess.PIPE, text=True).stdout
    run(["bash", "-ec", "\n".join(line for line in script.splitlines() if not line.startswith("sumo "))], stderr=subprocess.DEVNULL)
    return name + ".net.xml"


def made(folder):
    """The path of a network of Nanchang's size, made in `folder`."""
    path = os.path.join(folder, "made.net.xml")
    run(["netgenerate", "-X", "never", "--rand", "--rand.iterations", str(N_JUNCTIONS), "--rand.grid", "true", "--seed", str(SEED), "--bidi-probability", "1",
         "--no-turnarounds.except-deadend", "true", "--no-warnings", "true", "-o", path], stderr=subprocess.DEVNULL)
    return path


def best(folder):
    """(path, what the figures' names end with)."""
    path = nanchang(folder)
    return (path, "") if path else (made(folder), "_made")


def short(folder):
    """45 by 45 junctions 40 m apart: where 300,000 vehicles pass 50,000 cameras a second, each drives one edge in six seconds."""
    path = os.path.join(folder, "short.net.xml")
    run(["netgenerate", "-X", "never", "--grid", "--grid.number", "45", "--grid.length", "40", "-L", "1", "--no-turnarounds.except-deadend", "true", "--no-warnings", "true",
         "-o", path], stderr=subprocess.DEVNULL)
    return path
