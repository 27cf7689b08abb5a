#!/usr/bin/env python3
"""conformance ROLE …: asks a running hub, log or witness what docs/conformance.md promises, and reports as a test does.

    python3 tools/conformance consumer --url URL --token-file FILE --resource R --purpose P --key NAME=VALUE --fields A,B [--ungranted R] [--quota C]
                                      [--query R --query-purpose P --query-field A] [--act R --act-purpose P --parameter NAME=VALUE]
                                      [--stream R --stream-purpose P --stream-fields A,B]
    python3 tools/conformance system   --url URL --token-file FILE --resource R --event JSON
    python3 tools/conformance log      --url URL/log/v1 --vkey FILE|TEXT [--keep FILE]
    python3 tools/conformance witness  --url URL --vkey FILE|TEXT --log-key FILE
    python3 tools/conformance log-key FILE        makes the key of the log that `witness` plays, and prints what the witness has to know

One line a check, then "N passed, N failed"; exit status 0 when none failed, 1 when some did, 2 when it could not be asked at all. --json gives one
object instead. Standard library only: nothing of the project's own code judges it.
"""
import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import consumer  # noqa: E402
import system  # noqa: E402
import tlog  # noqa: E402
import tlog_log  # noqa: E402
import witness  # noqa: E402
from report import Report, Unusable  # noqa: E402


def text_of(argument):
    """The argument's text, or that of the file that it names."""
    if os.path.exists(argument):
        with open(argument, encoding="utf-8") as file:
            argument = file.read()
    return argument.strip()


def arguments(words):
    parser = argparse.ArgumentParser(prog="conformance", description="asks a running hub, log or witness what docs/conformance.md promises")
    roles = parser.add_subparsers(dest="role", required=True)

    def role(name, help_text, *options):
        one = roles.add_parser(name, help=help_text)
        for option, more in options:
            one.add_argument(option, **more)
        if name != "log-key":
            one.add_argument("--url", required=True)
            one.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    needed, token = {"required": True}, ("--token-file", {"required": True, "help": "the program's token"})
    role("consumer", "calls, refusals, quotas, receipts proven offline", token, ("--resource", needed), ("--purpose", needed),
         ("--key", {"required": True, "action": "append", "metavar": "NAME=VALUE"}), ("--fields", {"required": True, "metavar": "A,B"}),
         ("--ungranted", {"help": "a resource that is there, and that this program has no contract for"}),
         ("--quota", {"help": "a contract of this program with a small quota, to be used up", "metavar": "CONTRACT"}),
         ("--query", {"help": "a table that this program may query, with its purpose and a field that has values", "metavar": "R"}), ("--query-purpose", {}), ("--query-field", {}),
         ("--act", {"help": "a command that this program may give: it is given twice", "metavar": "R"}), ("--act-purpose", {}),
         ("--parameter", {"action": "append", "metavar": "NAME=VALUE"}),
         ("--stream", {"help": "a stream that this program may hear, on which something is published", "metavar": "R"}), ("--stream-purpose", {}), ("--stream-fields", {"metavar": "A,B"}))
    role("system", "a stream pushed through the door", token, ("--resource", needed), ("--event", {"required": True, "help": "one event, as JSON"}))
    role("log", "checkpoint, tiles and proofs, as a stranger checks them", ("--vkey", needed),
         ("--keep", {"help": "the checkpoint of the last run stands here, and has to be a beginning of this one"}))
    role("witness", "a witness, driven by a log of our own", ("--vkey", needed), ("--log-key", needed))
    role("log-key", "makes the key of that log", ("file", {}))
    return parser.parse_args(words)


def main(words):
    options = arguments(words)
    if options.role == "log-key":
        print(tlog.make_log_key(options.file))
        return 0
    report = Report(options.role, options.url, options.json)
    try:
        if hasattr(options, "vkey"):
            options.vkey = text_of(options.vkey)
        {"consumer": consumer, "system": system, "log": tlog_log, "witness": witness}[options.role].run(report, options)
    except (Unusable, OSError, ValueError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2
    return report.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
