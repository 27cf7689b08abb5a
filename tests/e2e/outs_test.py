#!/usr/bin/env python3
"""Tables that commands write: exit status 0 only when they are whole, and never over a file that is read, nor two into one."""
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from city import BUILD, ROOT  # noqa: E402

BRAIN = os.path.join(BUILD, "brain", "citybrain")
NETWORK = os.path.join(ROOT, "fuzz", "seeds", "network", "crossing.net.xml")
FILES = {
    "net.xml": None,  # a copy of NETWORK
    "cameras.csv": "camera,edge,pos_m,x,y\nA,AB,490,0,0\nC,BC,490,0,0\n",
    "passages.csv": "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n1000,1200,A,1,X1,99\n75000,75300,C,1,X1,99\n",
    "points.csv": "vehicle,time_ms,lon,lat\nt,0,120.12250,30.28170\nt,15000,120.12455,30.28160\n",
    "pairs.csv": "from,to\nAB,BC\nAB,BD\n",
    "weights.csv": "edge,seconds\nBC,70\n",
    "sightings.csv": "survey,x,y,class\n" + "".join(f"{survey},{tree % 6 * 10}.{survey},{tree // 6 * 10},t\n" for survey in (1, 2) for tree in range(30) if (tree + survey) % 5),
}
COUNT = ["count", "--network", "net.xml", "--cameras", "cameras.csv", "--passages", "passages.csv", "--until", "120"]
MATCH = ["match", "--network", "net.xml", "--points", "points.csv"]
ROUTE = ["route", "--network", "net.xml", "--from", "AB", "--to", "BC"]
BATCH = ["route", "--network", "net.xml", "--batch", "pairs.csv", "--weights", "weights.csv"]
CENSUS = ["census", "--sightings", "sightings.csv", "--draws", "20", "--replicates", "1"]
# Each command with what it writes, the first compulsory.
TABLES = [(COUNT, ["--out", "--roads", "--clones", "--health", "--indices", "--junctions", "--vehicles"]), (["count", "--passages", "passages.csv"], ["--convert"]),
          (MATCH, ["--out", "--edges"]), (ROUTE, ["--out", "--geojson"]), (BATCH, ["--out"]), (CENSUS, ["--out", "--objects"])]


class Outs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="citybrain-outs-")
        with open(NETWORK, encoding="utf-8") as network:
            self.files = dict(FILES, **{"net.xml": network.read()})
        for name, text in self.files.items():
            with open(os.path.join(self.folder.name, name), "w", encoding="utf-8") as out:
                out.write(text)

    def tearDown(self):
        self.folder.cleanup()

    def run_it(self, *words, **more):
        return subprocess.run([BRAIN, *words], cwd=self.folder.name, stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              **more)

    def text(self, name):
        with open(os.path.join(self.folder.name, name), encoding="utf-8") as file:
            return file.read()

    def each(self):
        """(command with all its other tables written, the option, which goes where the test says)"""
        for command, options in TABLES:
            for option in options:
                others = [word for other in options[:1] if other != option for word in (other, "other.out")]
                yield [*command, *others], option

    def test_all_is_well_without_a_mistake(self):
        for command, option in self.each():
            with self.subTest(command=command[0], option=option):
                done = self.run_it(*command, option, "this.out")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreater(os.path.getsize(os.path.join(self.folder.name, "this.out")), 0)

    def test_a_full_disk_is_never_exit_status_0(self):
        for command, option in self.each():
            with self.subTest(command=command[0], option=option):
                done = self.run_it(*command, option, "/dev/full")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, "/dev/full: cannot write it whole: (No space left on device|a write before the last one failed)")
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = self.run_it(*ROUTE, stdout=full)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("standard output: cannot write it whole", done.stderr)

    def test_what_is_read_is_left_as_it_is(self):
        for command, option in self.each():
            for name, text in self.files.items():
                if name in command:
                    with self.subTest(command=command[0], option=option, over=name):
                        done = self.run_it(*command, option, name)
                        self.assertEqual(done.returncode, 2, done.stderr)
                        self.assertIn(f"{name}: it is a file that is read; give another", done.stderr)
                        self.assertEqual(self.text(name), text)

    def test_two_tables_want_two_files(self):
        for command, options in TABLES:
            for option in options[1:]:
                with self.subTest(command=command[0], option=option):
                    done = self.run_it(*command, options[0], "one.out", option, "./one.out")
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assertIn("./one.out: two tables would go into it", done.stderr)

    def test_passages_come_from_a_pipe_and_packed_ones_are_told(self):
        self.assertEqual(self.run_it(*COUNT, "--out", "file.out").returncode, 0)
        words = [word if word != "passages.csv" else "-" for word in COUNT]
        done = self.run_it(*words, "--out", "pipe.out", input=FILES["passages.csv"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.text("pipe.out"), self.text("file.out"))
        subprocess.run(["gzip", "-k", "passages.csv"], cwd=self.folder.name, check=True)
        words[words.index("-")] = "passages.csv.gz"
        done = self.run_it(*words, "--out", "packed.out")
        self.assertEqual(done.returncode, 2)
        self.assertIn("passages.csv.gz:1: it is compressed; unpack it", done.stderr)
        done = self.run_it("count", "--passages", "-", "--convert", "piped.bin", input=FILES["passages.csv"])
        self.assertEqual(done.returncode, 2)
        self.assertIn("it is read twice", done.stderr)

    def test_mistakes_are_told_with_their_mend(self):
        def put(name, text):
            with open(os.path.join(self.folder.name, name), "w", encoding="utf-8") as out:
                out.write(text)
            return name

        passages = [*COUNT[:-3], put("other.csv", "time,plate\n1,P\n")]
        cameras = ["count", "--network", "net.xml", "--cameras", put("no-edge.csv", "camera,x,y\nA,0,0\n"), "--passages", "passages.csv"]
        for words, told in (([*passages, "--out", "o"], 'but "time,plate"; give it these columns, in this order'), ([*cameras, "--out", "o"], 'it has no column "edge"'),
                            (["route", "--network", "net.xml", "--from", "30.28170,120.12250", "--to", "BC"], "LAT,LON swapped it is not; give LON,LAT")):
            with self.subTest(told):
                done = self.run_it(*words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(told, done.stderr)
        self.assertIn('citybrain count: --every is "0"; give it a whole number from 1 to 86400', self.run_it(*COUNT, "--every", "0", "--out", "o").stderr)
        done = self.run_it(*COUNT, "--every", "120", "--out", "o")
        self.assertRegex(done.stderr, "2 lines, 0 of them not used, 1 row\n")

    def test_a_table_without_a_row_is_told(self):
        for options in (["--every", "3600"], ["--until", "59"]):
            done = self.run_it(*COUNT[:-2], "--out", "none.out", *options)
            self.assertEqual((done.returncode, self.text("none.out")), (0, "time_s,count,low,high\n"), done.stderr)
            self.assertIn("\nno row: no multiple of --every lies between", done.stderr)

    def test_who_is_interrupted_does_not_end_well(self):
        """In the midst, which a pipe that goes on makes sure of: the shell is told of the signal."""
        for words, out in ((["count", *COUNT[1:5], "--passages", "fifo", "--every", "1"], "--out"), (["match", "--network", "net.xml", "--points", "fifo"], "--out")):
            with self.subTest(words[0]):
                fifo = os.path.join(self.folder.name, "fifo")
                os.mkfifo(fifo)
                with subprocess.Popen([BRAIN, *words, out, "cut.out"], cwd=self.folder.name, stderr=subprocess.DEVNULL) as process:
                    with open(fifo, "w", encoding="utf-8") as writing:  # opens once it is read
                        writing.write(FILES["passages.csv" if words[0] == "count" else "points.csv"])
                        writing.flush()
                        process.send_signal(signal.SIGINT)
                        self.assertEqual(process.wait(60), -signal.SIGINT)
                os.unlink(fifo)


if __name__ == "__main__":
    unittest.main(verbosity=2)
