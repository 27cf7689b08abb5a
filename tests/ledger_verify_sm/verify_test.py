"""The parallel log in SM3 and SM2, written by our code over OpenSSL, checked by npm's sm-crypto.   verify_test.py WRITE_LOG

Its modules are installed by tools/setup test (package-lock.json); there is no network here.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LEAVES = 2000


def run(*command):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True)


def main():
    if not shutil.which("node") or not (HERE / "node_modules/sm-crypto").is_dir():
        sys.exit("verify_test: node or sm-crypto is not installed; mend: tools/setup test")
    with tempfile.TemporaryDirectory(prefix="citybrain-verify-") as name:
        folder = pathlib.Path(name) / "log"
        written = run(sys.argv[1], folder, LEAVES, "sm")
        if written.returncode:
            sys.exit("verify_test: " + written.stderr)
        checked = run("node", HERE / "verify.mjs", folder)
        print(checked.stdout, checked.stderr)
        wanted = "200 inclusions, 200 tampered leaves refused, anchors in both logs\n"
        if checked.returncode or checked.stdout != wanted:
            sys.exit(f"verify_test: not what was wanted: {wanted}")
        log = folder / "ledger/log-sm3"
        for victim, at in ((log / "checkpoint", 20), (log / "checkpoint", -20), (log / "tile/0/000", 40), (log / "tile/entries/003", 50), (folder / "vkey-sm", -20)):
            kept = victim.read_bytes()
            data = bytearray(kept)
            data[at] = ord("A") if data[at] != ord("A") else ord("B")
            victim.write_bytes(data)
            if run("node", HERE / "verify.mjs", folder).returncode == 0:
                sys.exit(f"verify_test: {victim.name} was changed, and nobody noticed")
            victim.write_bytes(kept)


main()
