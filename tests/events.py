"""The cockpit's event stream for the tests, as a screen reads it. Standard library only."""
import json
import threading
import time


class Events:
    """Reads /cockpit/v1/live on a thread of its own; keeps (time, event, data)."""

    def __init__(self, city, area="hangzhou"):
        self.seen = []
        self.answer = city.opener.open(f"{city.url}/cockpit/v1/live?area={area}", timeout=60)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        event = None
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n").rstrip("\r")
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:"):
                    self.seen.append((time.monotonic(), event, json.loads(line[5:])))
        except (OSError, ValueError):
            pass

    def newest(self, event):
        return next((data for _, name, data in reversed(self.seen) if name == event), None)

    def indicator(self, name, area="hangzhou"):
        data = self.newest("indicators")
        return next((i for i in data["indicators"] if i["name"] == name and i["area"] == area), None) if data else None
