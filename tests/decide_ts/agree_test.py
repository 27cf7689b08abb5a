#!/usr/bin/env python3
"""The decision twice: the hub's C and the TypeScript written from docs/decide.md alone give the same answer to 1,000,000 generated questions.
CASES and SEED in the environment ask more, fewer, or the same again. The TypeScript is compiled by cockpit/web's."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BRAIN, ROOT  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TSC = os.path.join(ROOT, "cockpit", "web", "node_modules", "typescript", "bin", "tsc")


class Agree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="citybrain-decide-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        shutil.copy(os.path.join(HERE, "package.json"), cls.folder)
        result = subprocess.run(["node", TSC, "-p", HERE, "--outDir", cls.folder], capture_output=True, text=True)
        if result.returncode != 0:
            raise AssertionError(result.stdout + result.stderr)

    def test_every_answer_is_the_same(self):
        command = ["node", os.path.join(self.folder, "agree.js"), "--citybrain", BRAIN, "--count", os.environ.get("CASES", "1000000")]
        if "SEED" in os.environ:
            command += ["--seed", os.environ["SEED"]]
        result = subprocess.run(command, capture_output=True, text=True)
        print(result.stdout, flush=True)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-4000:])

    QUESTION = ('{"contract":{"state":"agreed","provider":"p","consumer":"c","resource":"r","uses":["call"],"fields":["a"],"purpose":"u",'
                '"from_ms":null,"until_ms":null,"fresh_until_ms":null,"per_second":1,"per_day":null,"per_month":null,"min_subjects":null},'
                '"request":{"party":"c","resource":"r","use":"call","fields":["a"],"purpose":"u","subjects":null},'
                '"now_ms":1,"counters":{"second":%d,"day":0,"month":0}}')

    def commands(self):
        return [BRAIN, "decide", "--stdio"], ["node", os.path.join(self.folder, "stdio.js")]

    def test_each_line_is_answered_before_the_next_comes(self):
        for command in self.commands():
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as side:
                for n, answer in ((0, '{"permit":true,"rule":0}\n'), (1, '{"permit":false,"rule":10}\n')):
                    side.stdin.write(self.QUESTION % n + "\n")
                    self.assertEqual(side.stdout.readline(), answer, command)

    def test_a_line_without_its_newline_is_answered(self):
        for command in self.commands():
            result = subprocess.run(command, input=(self.QUESTION % 0) + "\n" + (self.QUESTION % 1), capture_output=True, text=True)
            self.assertEqual(result.stdout, '{"permit":true,"rule":0}\n{"permit":false,"rule":10}\n', command)
            self.assertEqual(result.returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
