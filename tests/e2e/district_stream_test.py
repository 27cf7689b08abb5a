"""A stream of a district's, subscribed at the city's hub: over a cut link, and kills of either hub and of a NATS server, each event that was
accepted comes, in order and once; after a kill of the subscriber's own hub those of its last seconds may come again. Receipts in both ledgers.

Two hubs in network namespaces, as in district_test.py. Needs root. CITYBRAIN_CUTS: how often all of it happens (1).
"""
import http.client
import json
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import district_test  # noqa: E402
from city import wait_for  # noqa: E402
from district_test import CUTS, PORT, C_LIBRARY, Federated  # noqa: E402

STREAM = "hangzhou.xihu/parking/indicator"
BATCH = 3


class Source:
    """The department's own program: postings of BATCH numbered events, each sent under its name until it is accepted."""

    def __init__(self, hub):
        self.hub, self.accepted, self.unsure, self.stopping = hub, 0, set(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        first = 0
        while not self.stopping.is_set():
            now = int(time.time() * 1000)
            events = [{"name": "free_bays", "area": "hangzhou.xihu", "time": now, "period_ms": 1000, "value": 1.5, "n": first + at, "basis": ""}
                      for at in range(BATCH)]
            try:
                status, _ = self.hub.ask("POST", "/hub/v1/publish/" + STREAM, {"events": events, "posting": f"p-{first}"},
                                         self.hub.bearer("hangzhou.xihu/parking"))
            except OSError:
                status = 0
            if status == 200:
                first += BATCH
                self.accepted = first
            else:  # nobody knows: it is sent again, and a hub that was killed meanwhile takes it for a new one
                self.unsure.update(range(first, first + BATCH))
            time.sleep(0.03)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Subscriber:
    """A program at the city's hub: server-sent events, connected again whenever the connection ends."""

    def __init__(self, hub):
        self.hub, self.runs, self.receipts, self.stopping = hub, [], set(), threading.Event()
        self.newest = -1
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        descriptor = os.open(f"/run/netns/{self.hub.namespace}", os.O_RDONLY)
        assert C_LIBRARY.setns(descriptor, 0x40000000) == 0
        os.close(descriptor)
        while not self.stopping.is_set():
            try:
                self.read()
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)

    def read(self):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
        connection.request("GET", f"/hub/v1/subscribe/{STREAM}?purpose=parking.guide&fields=n,area", None, self.hub.bearer("hangzhou/scene.parking"))
        answer = connection.getresponse()
        if answer.status != 200:
            connection.close()
            time.sleep(0.2)
            return
        got, event = [], ""
        self.runs.append(got)
        connection.sock.settimeout(30)  # a ping comes each ten seconds
        while not self.stopping.is_set():
            line = answer.readline().decode()
            if not line:
                break
            if line.startswith("event: "):
                event = line[7:].strip()
            elif line.startswith("data: ") and event == "rows":
                got.extend(row["n"] for row in json.loads(line[6:]))
                self.newest = max(self.newest, got[-1])
            elif line.startswith("data: ") and event == "window":
                self.receipts.add(json.loads(line[6:])["receipt"])
        answer.close()
        connection.close()

    def stop(self):
        self.stopping.set()
        self.thread.join()


class DistrictStream(unittest.TestCase):
    def setUp(self):
        self.federated = Federated(("city", "xihu"))
        self.federated.__enter__()
        self.addCleanup(self.federated.close)
        self.city, self.xihu = self.federated.hubs["city"], self.federated.hubs["xihu"]

    def caught_up(self, what):
        accepted = self.source.accepted
        wait_for(lambda: self.subscriber.newest >= accepted - 1, 90, f"what was accepted until {what}")

    def more(self, n=10):
        accepted = self.source.accepted
        wait_for(lambda: self.source.accepted >= accepted + n * BATCH, 90, "more events accepted")

    def test_each_event_once(self):
        self.subscriber = Subscriber(self.city)
        self.addCleanup(self.subscriber.stop)
        wait_for(lambda: self.subscriber.runs, 60, "the subscription")
        self.source = Source(self.xihu)
        self.addCleanup(self.source.stop)
        wait_for(lambda: self.subscriber.newest >= 0, 60, "the first events")
        for _ in range(CUTS):
            self.more()
            self.caught_up("now")
            self.xihu.cut(True)
            self.more()  # the district goes on alone
            self.xihu.cut(False)
            self.caught_up("the link was whole again")
            self.xihu.end(signal.SIGKILL)
            self.xihu.start()
            self.more()
            self.caught_up("after a kill of the provider's hub")
            os.killpg(self.xihu.bus.pid, signal.SIGKILL)
            self.xihu.bus.wait()
            self.more()
            self.xihu.start_bus(self.city)
            self.caught_up("after a kill of a NATS server")
            self.more()
            self.city.end(signal.SIGKILL)
            self.more()
            self.city.start()
            self.caught_up("after a kill of the subscriber's hub")
        self.source.stop()
        self.caught_up("the end")
        self.subscriber.stop()
        self.check_events()
        self.check_receipts()

    def check_events(self):
        got = [n for run in self.subscriber.runs for n in run]
        first = got[0]
        lost = set(range(first, self.source.accepted)) - set(got)
        self.assertEqual(lost, set(), "accepted, and did not come")
        for run in self.subscriber.runs:
            certain = [n for n in run if n not in self.source.unsure]
            self.assertEqual(certain, sorted(set(certain)), "twice, or out of order, in one subscription")
        again = len(got) - len(set(got))
        print(f"{len(got)} events in {len(self.subscriber.runs)} connections and {len(self.subscriber.receipts)} windows, none lost, {again} again "
              f"({len(self.source.unsure)} were sent twice by their source)")

    def check_receipts(self):
        self.city.sign_in("mayor")
        self.xihu.sign_in("xihu")

        def settled():
            peers = [self.city.peer("hangzhou.xihu"), self.xihu.peer("hangzhou")]
            return all(peer["receipts"]["acknowledged"] == peer["receipts"]["ours"] and peer["receipts"]["complete"] == peer["receipts"]["served"]
                       for peer in peers) and peers[0]["receipts"]["ours"] == peers[1]["receipts"]["theirs"]

        def is_over():
            status, page = self.city.ask("GET", "/metrics", None, self.city.bearer("hangzhou/monitor"))
            return status == 200 and f'citybrain_hub_subscriptions{{resource="{STREAM}"}} 0' in page.decode()

        wait_for(is_over, 60, "the end of the subscription")
        wait_for(settled, 60, "all receipts on both sides")
        for hub in (self.xihu, self.city):
            self.assertEqual(hub.end(signal.SIGTERM), 0, hub.log("hub")[-2000:])
        n = district_test.District.check_both_ledgers(self, self.city, self.xihu, self.subscriber.receipts)
        self.assertGreaterEqual(n, len(self.subscriber.receipts))
        print(f"{n} windows in both ledgers")


if __name__ == "__main__":
    unittest.main()
