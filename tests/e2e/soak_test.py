#!/usr/bin/env python3
"""An open screen does not grow: cockpit/web/e2e/soak.mjs in a real browser, before the mock with a hundred seconds in one."""
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import ROOT, free_port, wait_for  # noqa: E402

WEB = os.path.join(ROOT, "cockpit", "web")
SECONDS = 24  # of the browser; forty minutes of a city


def is_listening(port):
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def main():
    if not os.path.exists(os.path.join(WEB, "dist", "index.html")):
        print("the screens are not built; mend: make test, or npm run build in cockpit/web")
        return 1
    port = free_port()
    mock = subprocess.Popen(["node", "mock/server.mjs", str(port)], cwd=WEB, env={**os.environ, "MOCK_TICK_MS": "10"}, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_listening(port), 30, "the mock")
        return subprocess.run(["node", "e2e/soak.mjs", f"http://127.0.0.1:{port}", str(SECONDS)], cwd=WEB).returncode
    finally:
        mock.terminate()
        mock.wait()


sys.exit(main())
