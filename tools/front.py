"""What the tools behind the Makefile share: saying what they do, the build folders, starting Meson and Ninja.

Python 3.11's standard library only. Nothing here decides what is built or tested: see tools/test, tools/run.
"""
import hashlib
import os
import re
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, ".cache")
WEB = "cockpit/web"
CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

# With a sanitizer: little optimised and with lines alone, which compiles in half the time; two warnings that see ghosts then are the plain build's.
SANITIZED = ["-Db_lundef=false", "-Doptimization=1", "-Dc_args=['-g1','-Wno-format-truncation','-Wno-restrict']"]
# One build folder a way of building; each is kept and reused. The clang ones need clang's C++ as well (simdjson).
BUILDS = {
    "build": {"options": []},
    "build-asan": {"options": ["-Db_sanitize=address,undefined", *SANITIZED]},
    "build-tsan": {"options": ["-Db_sanitize=thread", *SANITIZED]},
    "build-fuzz": {"options": ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzzing=true"], "compiler": ("clang", "clang++")},
    "build-coverage": {"options": ["-Db_coverage=true", "-Dbuildtype=debug"]},
    "build-lint": {"options": [], "compiler": ("clang", "clang++")},
}

_started = time.monotonic()


class Failed(Exception):
    """A tool cannot go on; the text is one line with the mend."""


def elapsed():
    seconds = int(time.monotonic() - _started)
    return f"{seconds // 60:2d}:{seconds % 60:02d}"


def say(text):
    print(f"[{elapsed()}] {text}", flush=True)


def run_tool(main):
    """Runs a tool's main(); a Failed becomes one line, Ctrl-C a quiet exit."""
    os.chdir(ROOT)
    os.makedirs(CACHE, exist_ok=True)
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"{os.path.basename(sys.argv[0])}: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _modified(path):
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def configure(folder):
    """Makes the build folder, or configures it again after packages were installed or Meson itself was changed."""
    build = BUILDS[folder]
    options = list(build["options"]) + [f"-Dwerror={'true' if CI else 'false'}"]
    environment = dict(os.environ)
    if "compiler" in build:
        environment["CC"], environment["CXX"] = build["compiler"]
    else:
        environment.pop("CC", None)
        environment.pop("CXX", None)
    configured = _modified(os.path.join(folder, "meson-private", "coredata.dat"))
    if configured and configured >= _modified(os.path.join(CACHE, "packages")):
        return
    again = ["--reconfigure"] if configured else []
    result = subprocess.run(["meson", "setup", *again, folder, *options], env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        lines = [line for line in (result.stdout + result.stderr).splitlines() if "ERROR" in line]
        raise Failed(f"meson setup {folder}: {lines[0] if lines else result.stderr.strip()}; see {folder}/meson-logs/meson-log.txt")


def run_logged(command, log, **more):
    """Runs a command with its words in a log file, and says every 10 seconds how far it is (the last n/m in the log). Its exit code."""
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, **more)
        while True:
            try:
                return process.wait(10)
            except subprocess.TimeoutExpired:
                with open(log, "rb") as text:
                    text.seek(0, os.SEEK_END)
                    text.seek(max(0, text.tell() - 4000))
                    steps = re.findall(rb"^\[? *(\d+)/(\d+)\b", text.read(), re.M)
                say(f"  … {steps[-1][0].decode()} of {steps[-1][1].decode()}" if steps else "  …")
            except BaseException:
                process.terminate()
                process.wait()
                raise


def read_log(log):
    with open(log, encoding="utf-8", errors="replace") as text:
        return text.read()


def compile_in(folder, targets=()):
    """Configures and builds; on an error shows the compiler's words. Gives back how long it took in seconds."""
    configure(folder)
    before = time.monotonic()
    log = os.path.join(CACHE, folder + ".log")
    if run_logged(["ninja", "-C", folder, *targets], log) != 0:
        lines = read_log(log).splitlines()
        first = next((i for i, line in enumerate(lines) if line.startswith(("FAILED", "ninja: error"))), 0)
        print("\n".join(lines[first:first + 60]), flush=True)
        raise Failed(f"the build in {folder} failed; see above")
    return time.monotonic() - before


def build_web():
    """Builds the screens when a source of theirs has changed since the last time; says so."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(WEB):
        folders[:] = sorted(f for f in folders if f not in ("node_modules", "dist", "e2e", "mock"))
        for name in sorted(files):
            path = os.path.join(folder, name)
            digest.update(path.encode() + b"\0")
            with open(path, "rb") as source:
                digest.update(hashlib.sha256(source.read()).digest())
    stamp = os.path.join(CACHE, "web")
    if os.path.exists(f"{WEB}/dist/index.html") and os.path.exists(stamp) and read_log(stamp) == digest.hexdigest():
        return
    say("building the screens")
    log = os.path.join(CACHE, "web-build.log")
    if run_logged(["npm", "--silent", "run", "build"], log, cwd=WEB) != 0:
        print(read_log(log)[-4000:], flush=True)
        raise Failed(f"the screens do not build; see above (cd {WEB} && npm run build)")
    with open(stamp, "w", encoding="ascii") as text:
        text.write(digest.hexdigest())
