#!/usr/bin/env python3
"""Runs the commands of the documents against a running demo city, and compares what they print with what the document shows.

A fenced block whose language is sh must say what becomes of it:

    ```sh run              it is run; its exit code must be 0
    ```sh run exit=1       it is run; its exit code must be 1
    ```sh elsewhere=FILE   it is run by the test FILE (`make test` cannot run itself)

A block of the language `output` right after it (between them only prose) is what it must print. There `…` stands for anything within a
line, and a line of just `…` for any number of lines. The blocks of one document share one shell, from top to bottom, so a
variable set in one is there in the next. The shell's folder looks like the project's root with the programs on the PATH and its own
var/hangzhou; the port 8080 in the text becomes the port of the test's city. A document with `<!-- docs: world -->` also gets the
simulated world. A document without any sh block passes.
"""
import contextlib
import glob
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
import uuid

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BUILD, ROOT, City  # noqa: E402

BLOCK_TIMEOUT_S = 120
FENCE = re.compile(r"^(```+)([^\n]*)\n(.*?)^\1[ \t]*$", re.M | re.S)


def blocks(text):
    """[(line, info, content)] of the fenced blocks, in order."""
    return [(text.count("\n", 0, match.start()) + 1, match[2].strip(), match[3]) for match in FENCE.finditer(text)]


def commands(text):
    """[(line, attributes, script, expected output or None)]; raises ValueError for a sh block that does not say what becomes of it."""
    found = blocks(text)
    result = []
    for index, (line, info, content) in enumerate(found):
        words = info.split()
        if not words or words[0] != "sh":
            continue
        if "run" not in words and not any(word.startswith("elsewhere=") for word in words):
            raise ValueError(f"line {line}: a block of commands that nothing runs; mend: ```sh run, or ```sh elsewhere=FILE")
        after = found[index + 1] if index + 1 < len(found) else None
        expected = after[2] if after and after[1] == "output" else None
        result.append((line, words[1:], content, expected))
    return result


def matches(expected, got):
    """Whether the output is the expected one, with its `…`."""
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += "[^\n]*".join(re.escape(part.rstrip() if last else part) for part, last in last_marked(line.split("…"))) + r"[ \t]*\n"
    return re.fullmatch(pattern, got.rstrip("\n") + "\n") is not None


def last_marked(parts):
    return [(part, index == len(parts) - 1) for index, part in enumerate(parts)]


class Shell:
    """One bash for one document."""

    def __init__(self, folder, environment):
        self.process = subprocess.Popen(["bash", "--noprofile", "--norc"], cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)

    def run(self, script, may_fail=False):
        """(exit code, output). Unless it may fail, a block ends with its first failing command, and the shell with it; one that hangs, too."""
        mark = f"mark-{uuid.uuid4()}"
        timer = threading.Timer(BLOCK_TIMEOUT_S, self.kill)
        timer.start()
        try:
            strict = "+e" if may_fail else "-e"
            self.process.stdin.write(f"set {strict} -o pipefail; eval {shlex.quote(script)} </dev/null; printf '\\n%s %d\\n' {mark} $?\n")
            self.process.stdin.flush()
            output = ""
            for line in self.process.stdout:
                if line.startswith(mark):
                    return int(line.split()[1]), output.removesuffix("\n")
                output += line
        finally:
            timer.cancel()
        return self.process.wait(), output

    def kill(self):
        """With what it left in the background, which would hold its output open."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self):
        self.process.stdin.close()
        self.kill()
        self.process.wait()
        self.process.stdout.close()


def documents():
    """Every document of the project, by its path from the root."""
    found = []
    for pattern in ("*.md", "docs/**/*.md", "bench/*.md", "city/**/*.md", "system/**/*.md", "scene/**/*.md", "cockpit/*.md", "tests/**/*.md"):
        found += glob.glob(pattern, root_dir=ROOT, recursive=True)
    return sorted({path for path in found if "node_modules" not in path.split(os.sep)})  # others' documents are not ours to keep


class Documents(unittest.TestCase):
    """One test a document; made below."""

    maxDiff = None

    def run_document(self, path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as source:
            text = source.read()
        todo = []
        for line, words, script, expected in commands(text):
            if "run" in words:
                todo.append((line, words, script, expected))
        if todo:
            with City(world="<!-- docs: world -->" in text) as city, tempfile.TemporaryDirectory(prefix="citybrain-docs-") as folder:
                self.run_commands(path, todo, city, folder)

    def run_commands(self, path, todo, city, folder):
        for name in os.listdir(ROOT):
            if name not in ("var", "build") and not name.startswith("."):
                os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        os.symlink(BUILD, os.path.join(folder, "build"))
        os.mkdir(os.path.join(folder, "var"))
        os.symlink(city.data, os.path.join(folder, "var", "hangzhou"))
        environment = dict(os.environ, PATH=f"{BUILD}/brain:{BUILD}/world:{os.environ['PATH']}", LANG="C.UTF-8", no_proxy="*", NO_PROXY="*")
        shell = Shell(folder, environment)
        try:
            for line, words, script, expected in todo:
                wanted = next((int(word.removeprefix("exit=")) for word in words if word.startswith("exit=")), 0)
                code, output = shell.run(script.replace("8080", str(city.port)), may_fail=wanted != 0)
                output = output.replace(str(city.port), "8080")
                self.assertEqual(code, wanted, f"{path}:{line}: exit code {code}, not {wanted}:\n{script}\n{output}")
                if expected is not None and not matches(expected, output):
                    self.fail(f"{path}:{line}: prints\n{output}\nand the document shows\n{expected}")
        finally:
            shell.close()


class OfItself(unittest.TestCase):
    """The machinery notices what it is there for."""

    def test_output_with_ellipses(self):
        self.assertTrue(matches("a …\n…\nend\n", "a 1\nb\nc\nend\n"))
        self.assertTrue(matches("a …\n…\nend\n", "a 1\nend"))
        self.assertFalse(matches("a …\nend\n", "a 1\nb\nend\n"))
        self.assertFalse(matches("a.c\n", "abc\n"))
        self.assertTrue(matches("{…\"rows\":[…]}\n", "{\"x\":1,\"rows\":[2]}"))

    def test_unmarked_block_is_refused(self):
        with self.assertRaises(ValueError):
            commands("text\n\n```sh\nls\n```\n")
        self.assertEqual(commands("```sh run exit=2\nfalse\n```\nprints\n```output\nx\n```\n"), [(1, ["run", "exit=2"], "false\n", "x\n")])
        self.assertEqual(commands("```sh run\na\n```\n```json\n{}\n```\n"), [(1, ["run"], "a\n", None)])

    def test_every_block_of_commands_is_run_somewhere(self):
        for path in documents():
            with self.subTest(path), open(os.path.join(ROOT, path), encoding="utf-8") as source:
                for line, words, _, _ in commands(source.read()):
                    for word in words:
                        if word.startswith("elsewhere="):
                            self.assertTrue(os.path.exists(os.path.join(ROOT, word.removeprefix("elsewhere="))), f"{path}:{line}: {word}")

    def test_every_link_of_a_document_leads_to_a_file(self):
        for path in documents():
            with self.subTest(path), open(os.path.join(ROOT, path), encoding="utf-8") as source:
                text = FENCE.sub("", source.read())
            for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
                if not re.match(r"[a-z]+:", target):
                    with self.subTest(f"{path} → {target}"):
                        self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)))

    def test_every_whole_program_test_is_listed(self):
        with open(os.path.join(ROOT, "tests", "meson.build"), encoding="utf-8") as source:
            listed = set(re.findall(r"'(e2e/\w+_test\.py)'", source.read()))
        self.assertEqual(listed, {os.path.relpath(path, os.path.join(ROOT, "tests")) for path in glob.glob(os.path.join(ROOT, "tests/e2e/*_test.py"))})

    def test_shell_keeps_variables_and_tells_failures(self):
        shell = Shell("/", dict(os.environ))
        try:
            self.assertEqual(shell.run("x=7; echo one\n"), (0, "one\n"))
            self.assertEqual(shell.run("echo $x\n"), (0, "7\n"))
            self.assertEqual(shell.run("false | true\n", may_fail=True), (1, ""))
            self.assertEqual(shell.run("(exit 5)\n", may_fail=True), (5, ""))
            self.assertEqual(shell.run("echo a\nfalse\necho b\n"), (1, "a\n"))
        finally:
            shell.close()


def add_documents():
    for path in documents():
        def test(self, path=path):
            self.run_document(path)
        setattr(Documents, "test_" + re.sub(r"\W", "_", path), test)


add_documents()
if __name__ == "__main__":
    unittest.main(verbosity=2)
