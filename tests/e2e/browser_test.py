#!/usr/bin/env python3
"""The screens in a real browser, before a living city: cockpit/web/e2e/cockpit.mjs and pages.mjs say what they look at, and count."""
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
        browsers = [subprocess.Popen(["node", script, city.url, *sys.argv[1:]], cwd=WEB) for script in ("e2e/cockpit.mjs", "e2e/pages.mjs")]
        codes = [browser.wait() for browser in browsers]
        if any(codes):
            print(city.log("brain")[-3000:], file=sys.stderr)
        return max(codes)


sys.exit(main())
