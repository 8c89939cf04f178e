"""Hand-ins that try to get out, against one fence: `python tests/hand_ins/gauntlet.py WAY`.

WAY: bubblewrap, user (for root), kernel or python. Nobody reads the hand-ins of `fence_03.txt`
first, and no audit hook is put up: the operating system's fence is alone. Only for python, where
there is none, scan and hook are all there is; with WAY none, nothing holds them, which shows that
they mean it (in a container of your own!). What gets through is printed, one line each; the
exit code is 1 then. Run as root and as another user: each has other ways out.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import collection
import numpy as np

import minirnn
from minirnn.exercises import checking, fence
from minirnn.exercises.catalogue import BY_NUMBER
from minirnn.exercises.sandbox import HandIn

FILE = BY_NUMBER[3].file
SECONDS = 3  # so long may a hand-in run
LEFT = [Path(folder) / "minirnn-hostile" for folder in ("/tmp", "/dev/shm")]
LEFT += [Path(module.__file__).parent / "minirnn_hostile.py" for module in (os, json, np)]


def hand_ins():
    """{name: text} of those that try to get out, with names where the places will stand."""
    parts = collection.sections(Path(__file__).with_name("fence_03.txt"))
    return {name: text for _, name, _, _, text in parts}


class Scene:
    """A class with other hand-ins, marks and a result, a server, and what they were like."""

    def __init__(self, folder, names):
        self.folder, self.names = Path(folder), names
        self.folder.chmod(0o755)
        solution = collection.solution(3)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        places = {"SCENE": str(folder), "SOLUTION": str(self.folder / "solution.py"),
                  "PACKAGE": str(Path(minirnn.__file__).parent), "PORT": self.port}  # fmt: skip
        self.write("solution.py", f"# SECRET\n{solution}")
        self.write(f"class/ada/{FILE}", f"# SECRET\n{solution}")
        self.write(f"class/forger/{FILE}", "# mine")
        self.write("class/forger/forged.json", '{"score": 100}')
        self.write("marks.csv", "# SECRET\nhand-in,total\nada,10\n")
        self.write("results.json", '{"score": 0}')
        (self.folder / "tmp").mkdir()
        for k, name in enumerate(names):
            text = re.sub(r"\b(SCENE|SOLUTION|PACKAGE|PORT)\b",
                          lambda m: repr(places[m[0]]), hand_ins()[name])  # fmt: skip
            self.write(f"hand-ins/{k:03d}/{FILE}", text)
        self.write(f"hand-ins/{len(names):03d}/{FILE}", solution)
        self.before = self.state()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def state(self):
        """All that can be seen of each file and folder, but for the times of folders for files
        that are temporary."""
        seen = {}
        for path in [self.folder, *sorted(self.folder.rglob("*"))]:
            facts, name = path.lstat(), str(path.relative_to(self.folder))
            times = () if name in (".", "tmp") else (facts.st_mtime_ns, facts.st_ctime_ns)
            marks = os.listxattr(path) if hasattr(os, "listxattr") else ()
            seen[name] = (facts.st_mode, facts.st_uid, facts.st_size, *times, *marks)
        return seen

    def visits(self):
        """What has come in at the server."""
        for asked, take in ((self.server, "accept"), (self.datagrams, "recv")):
            asked.setblocking(False)
            try:
                yield getattr(asked, take)(*[10] * (take == "recv"))
            except BlockingIOError:
                continue
            finally:
                asked.close()


def left_processes(folder):
    """The command lines of processes that a hand-in of this scene has left."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        mine = str(folder).encode() in words and b"child.py" in words
        if mine or b"61.234" in words:
            yield words.replace(b"\0", b" ")[:60]


def graded_beside(way, folder, seconds):
    """(exit code, what it prints, what it complains of) of a grader in a session of its own."""
    with open(f"{folder}.out", "w+") as said, open(f"{folder}.err", "w+") as complaints:
        grader = subprocess.Popen(
            [sys.executable, __file__, way, "--grade", folder], stdout=said, stderr=complaints,
            env=os.environ | {"TMPDIR": f"{folder}/tmp"}, start_new_session=True,
        )  # fmt: skip
        try:
            code = grader.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(grader.pid, 9)
            code = f"nothing after {seconds} s, and then {grader.wait()}"
    texts = [Path(f"{folder}{end}").read_text("utf-8") for end in (".out", ".err")]
    for end in (".out", ".err"):
        Path(f"{folder}{end}").unlink()
    return code, *texts


def faults(way, names=None):
    """What gets through this fence: sentences. names: of some hand-ins only."""
    names = list(names or hand_ins())
    with tempfile.TemporaryDirectory(prefix="gauntlet-") as folder:
        scene = Scene(folder, names)
        code, said, errors = graded_beside(way, folder, 30 + (SECONDS + 3) * len(names))
        lines = [json.loads(line) for line in said.splitlines() if line[:1] == "{"]
        rest = [line for line in said.splitlines() if line[:1] != "{"]
        *results, graded, limits = lines if len(lines) == len(names) + 2 else [{}, {}]
        if not graded or code or rest:
            yield f"the grader ends with {code}: {errors[-2000:]} {rest}"
        for name, result in zip(names, results, strict=False):
            if result["mark"] == "right" or result["score"]:
                yield f"{name}: gets {result['mark']}, {result['score']}"
            if "SECRET" in result["printed"] or "ada" in result["printed"]:
                yield f"{name}: prints {result['printed'][:200]!r}"
            if result["seconds"] > SECONDS + 2:
                yield f"{name}: takes {result['seconds']:.1f} s"
        if graded and graded["mark"] != "right":
            yield f"a right one gets {graded['mark']}: {graded['text']}"
        if limits.get("before") != limits.get("after"):
            yield f"the grader's own limits: {limits}"
        time.sleep(0.1)
        yield from (f"a process is left: {words}" for words in left_processes(folder))
        after = scene.state()
        for name in sorted(scene.before.keys() | after.keys()):
            if scene.before.get(name) != after.get(name):
                yield f"{name} was {scene.before.get(name)}, is {after.get(name)}"
        yield from (f"the server was visited: {visit}" for visit in scene.visits())
        for path in LEFT:
            if path.exists():
                path.unlink()
                yield f"{path} was left"


def own_limits():
    import resource

    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    return [[resource.getrlimit(kind) for kind in kinds], os.getpriority(os.PRIO_PROCESS, 0),
            sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0)]  # fmt: skip


def grade(way, folder):
    """Check all hand-ins of a scene, two at a time; a line of JSON for each, and one at the end."""
    os.chdir(folder)
    fence.choose(way if way != "none" else "python")
    alone, before = way != "python", own_limits()

    class Timed(HandIn):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options | {"hook": not alone})

        def __exit__(self, *exception):
            super().__exit__(*exception)
            if self.deadline:
                took[self.path] = time.monotonic() - (self.deadline - self.seconds)

    took, checking.HandIn = {}, Timed

    def one(place):
        result = checking.check(BY_NUMBER[3], place, seconds=SECONDS, read=not alone)
        return {"mark": result.mark, "score": result.score, "printed": result.printed,
                "text": result.text, "seconds": took[place / FILE]}  # fmt: skip

    with ThreadPoolExecutor(2) as pool:
        for line in pool.map(one, sorted(Path(folder, "hand-ins").iterdir())):
            print(json.dumps(line), flush=True)
    print(json.dumps({"before": before, "after": own_limits()}), flush=True)


if __name__ == "__main__":
    if "--grade" in sys.argv:
        grade(sys.argv[1], sys.argv[3])
    else:
        through = 0
        for fault in faults(sys.argv[1], sys.argv[2:]):
            print(fault, flush=True)
            through += 1
        print(f"{len(sys.argv[2:] or hand_ins())} hand-ins, {through} got something through")
        sys.exit(bool(through))
