"""A log of 70,000 leaves, written by our code, checked by npm's @sigstore/verify.   verify_test.py WRITE_LOG

Its modules are installed by tools/setup test (package-lock.json); there is no network here.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LEAVES = 70000


def run(*command):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True)


def main():
    if not shutil.which("node") or not (HERE / "node_modules/@sigstore/verify").is_dir():
        sys.exit("verify_test: node or @sigstore/verify is not installed; mend: tools/setup test")
    with tempfile.TemporaryDirectory(prefix="citybrain-verify-") as name:
        folder = pathlib.Path(name)
        written = run(sys.argv[1], folder / "log", LEAVES)
        if written.returncode:
            sys.exit("verify_test: " + written.stderr)
        checked = run("node", HERE / "verify.mjs", folder / "log")
        print(checked.stdout, checked.stderr)
        wanted = f"{LEAVES} leaves, 1000 inclusions, 1000 tampered leaves refused\n"
        if checked.returncode or checked.stdout != wanted:
            sys.exit(f"verify_test: not what was wanted: {wanted}")
        for victim, at in ((folder / "log/vkey", -10), (folder / "log/proofs/0", 60), (folder / "log/ledger/log/tile/entries/000", 40)):
            data = bytearray(victim.read_bytes())
            data[at] = ord("A") if data[at] != ord("A") else ord("B")
            kept, _ = victim.read_bytes(), victim.write_bytes(data)
            if run("node", HERE / "verify.mjs", folder / "log").returncode == 0:
                sys.exit(f"verify_test: {victim.name} was changed, and nobody noticed")
            victim.write_bytes(kept)


main()
