"""A log of 70,000 leaves, written by our code, checked by golang.org/x/mod.   verify_test.py WRITE_LOG

Each checkpoint of it bears the cosignatures of five witnesses. The Go program is built against Debian's golang-golang-x-mod-dev, without a network. Each check is counted, and a log with a changed tile,
entry or checkpoint has to be refused.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LEAVES = 70000


def run(*command, **options):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **options)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def main():
    write_log = sys.argv[1]
    if not shutil.which("go"):
        sys.exit("verify_test: go is not installed; mend: tools/setup test")
    with tempfile.TemporaryDirectory(prefix="citybrain-verify-") as name:
        folder = pathlib.Path(name)
        env = dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOFLAGS="", GOCACHE=str(folder / "cache"))
        built = run("go", "build", "-o", folder / "verify", HERE / "main.go", env=env)
        if built.returncode:
            sys.exit("verify_test: the Go program does not build:\n" + built.stderr)
        written = run(write_log, folder / "log", LEAVES)
        if written.returncode:
            sys.exit("verify_test: " + written.stderr)
        checked = run(folder / "verify", folder / "log")
        print(checked.stdout, checked.stderr)
        wanted = f"{LEAVES} leaves, 1000 inclusions, 1000 tampered entries refused, 55 consistencies, 1000 tlog-proofs, 5060 cosignatures\n"
        if checked.returncode or checked.stdout != wanted:
            sys.exit(f"verify_test: not what was wanted: {wanted}")
        log = folder / "log/ledger/log"
        end = len((log / "checkpoint").read_bytes())
        for victim, at in ((log / "checkpoint", 15), (log / "checkpoint", end - 40), (log / "checkpoint", end - 200), (log / "tile/1/000", 40), (log / "tile/2/000.p/1", 3), (log / "tile/0/273.p/112", 9)):
            flip(victim, at)
            if run(folder / "verify", folder / "log").returncode == 0:
                sys.exit(f"verify_test: {victim.name} was changed, and nobody noticed")
            flip(victim, at)
        if run(folder / "verify", folder / "log").returncode:
            sys.exit("verify_test: the log is refused although every change was undone")


main()
