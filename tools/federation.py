"""What the demo federation (city/hangzhou-district) needs beside its files: small departments' databases and folders, and a NATS server a hub.

Shared by tools/run_district and tests/e2e/district_test.py. Python 3.11's standard library only.
"""
import os
import random
import re
import sqlite3

CITY = "city/hangzhou-district"
HUBS = ("city", "xihu", "gongshu", "gudang")  # folders; parents before their children
PARENTS = {"city": None, "xihu": "city", "gongshu": "city", "gudang": "xihu"}
AREAS = {"city": "hangzhou", "xihu": "hangzhou.xihu", "gongshu": "hangzhou.gongshu", "gudang": "hangzhou.xihu.gudang"}
LOTS = {"xihu": ("听雨", "枕流", "观澜", "望山", "栖霞", "碧波"), "gongshu": ("归舟", "运河", "半山", "照水")}
PLATES = 2000
# Where commands from other hubs arrive: the department keeps each one's key.
INBOX = ("CREATE TABLE {table} (number INTEGER PRIMARY KEY, act_key TEXT NOT NULL UNIQUE, asked_by TEXT NOT NULL, asked_at INTEGER NOT NULL,"
         " receipt TEXT NOT NULL, {columns}, state TEXT NOT NULL DEFAULT 'received')")


def _table(path, schema, insert, rows):
    """Makes a department's database once; after that it is the department's."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        return
    with sqlite3.connect(path + ".new") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(schema)
        if insert:
            db.executemany(insert, rows)
    db.close()
    os.rename(path + ".new", path)


def _drawing(path, title, n):
    """A plan of `n` numbered places as SVG, made once."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        return
    places = "".join(f'<g transform="translate({number % 20 * 30} {40 + number // 20 * 60})"><rect width="26" height="50" fill="none" stroke="#345"/>'
                     f'<text x="3" y="30" font-size="10">{number + 1}</text></g>\n' for number in range(n))
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="{60 * (n // 20 + 2)}"><text x="4" y="24">{title}</text>\n{places}</svg>\n')
    os.rename(path + ".new", path)


def make_data(hub, data):
    """A hub's departments, from a fixed seed; and the folder in which the hubs put their public keys."""
    draw = random.Random(330100)
    folder = os.path.join(data, "departments")
    os.makedirs(os.path.join(os.path.dirname(os.path.abspath(data)), "keys"), exist_ok=True)
    if hub == "city":
        _table(os.path.join(folder, "police.sqlite"), "CREATE TABLE vehicle (plate TEXT PRIMARY KEY, plate_class TEXT, status TEXT)",
               "INSERT INTO vehicle VALUES (?, ?, ?)",
               [(f"浙A{number:05d}", draw.choice(("02", "52")), draw.choice("AAAAAAG")) for number in range(1, PLATES + 1)])
        _table(os.path.join(folder, "police_inbox.sqlite"), INBOX.format(table="dispatch", columns="place TEXT, reason TEXT"), None, ())
        for event, title in ((1, "湖滨灯会"), (2, "运河龙舟")):
            _drawing(os.path.join(folder, "closures", f"{event}.svg"), title + "封道示意图(虚构)", 60)
    elif hub == "gudang":
        _table(os.path.join(folder, "toilet.sqlite"), "CREATE TABLE stall (toilet TEXT PRIMARY KEY, name TEXT, men_free INTEGER, women_free INTEGER)",
               "INSERT INTO stall VALUES (?, ?, ?, ?)", [(f"gd-{number}", f"古荡 {number} 号公厕", 4, 5) for number in range(1, 6)])
    else:
        _table(os.path.join(folder, "parking.sqlite"),
               "CREATE TABLE lot (lot TEXT PRIMARY KEY, name TEXT, street TEXT, bays INTEGER, free INTEGER)", "INSERT INTO lot VALUES (?, ?, ?, ?, ?)",
               [(f"{hub[:2]}-{number}", name + "停车场", AREAS[hub], 40 * number, 10 * number) for number, name in enumerate(LOTS[hub], 1)])
        _table(os.path.join(folder, "parking_inbox.sqlite"), INBOX.format(table="guide", columns="lot TEXT, message TEXT"), None, ())
        if hub == "xihu":
            for number, name in enumerate(LOTS[hub], 1):
                _drawing(os.path.join(folder, "plans", f"{hub[:2]}-{number}.svg"), name + "停车场平面图(虚构)", 40 * number)


def change_data(hub, data, draw):
    """What happens in a second: cars come and go. Gives back the sum that the hub's cockpit shows; None: it shows none."""
    if hub == "city":
        return None
    file, table, columns = ("toilet", "stall", ("men_free", "women_free")) if hub == "gudang" else ("parking", "lot", ("free",))
    top = {"men_free": "4", "women_free": "5", "free": "bays"}
    with sqlite3.connect(os.path.join(data, "departments", file + ".sqlite"), timeout=5) as db:
        for column in columns:
            db.execute(f"UPDATE {table} SET {column} = max(0, min({top[column]}, {column} + (abs(random()) % 5) - 2))")
        total = db.execute(f"SELECT sum({' + '.join(columns)}) FROM {table}").fetchone()[0]
    db.close()
    return total


def nats_configuration(hub, address, port, leaf_port, parent):
    """nats-server's file: clients at `port`, the servers of the hubs below at `leaf_port`, and `parent` ("ADDRESS:PORT"; None: none)
    above. A dead neighbour is noticed in seconds."""
    remote = f'  remotes: [{{url: "nats-leaf://{parent}"}}]\n  reconnect: 1\n' if parent else ""
    return (f'server_name: "{AREAS[hub]}"\nhost: "{address}"\nport: {port}\nping_interval: "1s"\nping_max: 2\nwrite_deadline: "2s"\n'
            f'leafnodes {{\n  host: "{address}"\n  port: {leaf_port}\n{remote}}}\n')


def bus_port(folder):
    """The port of the hub's own NATS server, as its city.yaml has it."""
    with open(os.path.join(folder, "city.yaml"), encoding="utf-8") as text:
        return int(re.search(r"url: \"?nats://[^:]+:(\d+)", text.read())[1])
