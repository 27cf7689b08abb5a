#!/usr/bin/env python3
"""The cockpit in a real browser, before a living city: cockpit/web/e2e/cockpit.mjs says what it looks at, and counts."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, City, wait_for  # noqa: E402

WEB = os.path.join(ROOT, "cockpit", "web")


def main():
    if not os.path.exists(os.path.join(WEB, "dist", "index.html")):
        print("the screens are not built; mend: make test, or npm run build in cockpit/web")
        return 1
    with City(world=True) as city:
        city.sign_in("mayor")

        def counts():
            indicators = city.get("/cockpit/v1/indicators?area=hangzhou")["indicators"]
            return any(i["name"] == "vehicles_in_transit" and i["value"] for i in indicators)

        wait_for(counts, 90, "the first count")
        result = subprocess.run(["node", "e2e/cockpit.mjs", city.url, *sys.argv[1:]], cwd=WEB)
        if result.returncode != 0:
            print(city.log("brain")[-3000:], file=sys.stderr)
        return result.returncode


sys.exit(main())
