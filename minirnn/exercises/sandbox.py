"""A hand-in in a process of its own: started, asked, limited, and stopped.

The hand-in's Python files are copied into a throw-away folder, and only the copy is run. The
process gets inputs and returns arrays, as JSON with plain bytes in it, never as a pickle; what it
says is believed nowhere but compared with what this side computes.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from .runner import tasks as protocol
from .runner.source_scan import WORDS

HERE = Path(__file__).resolve().parent
RUNNER = HERE / "runner"  # all that runs beside a hand-in
# of minirnn, as copies
SUPPORT = ("errors", "cuda.faults", "backend", "parameters", "product", "packing")
PRINTED = 1_000_000  # characters that a hand-in may print
REPLIES = 20_000_000  # bytes of all answers together
SIZE = 300_000  # bytes of the largest file that is looked at

MARKS = {  # kind: what it means; each is a mark of its own, and none is a pass
    "syntax": "not Python",
    "missing": "no such file",
    "large": "the file is too large",
    "time": "no end in sight",
    "memory": "too much memory",
    "ended": "the process ended",
    "printed": "prints too much",
    "files": "files or the system",
    "path": "sys or sys.path",
    "patched": "another module changed",
    "own": "the package's own code",
    "loads": "other code looked into",
    "pickle": "pickle",
    "process": "another process or the network",
    "complex": "complex numbers",
    "import": "an import that no exercise needs",
    "answer": "a broken answer",
}


ADVICE = {"time": "Does a loop in this line, or around it, ever come to an end?"}


class Stopped(Exception):
    """The hand-in cannot be judged: one of `MARKS`, a sentence, and what to do about it."""

    def __init__(self, kind, text, line=None, advice=""):
        super().__init__(text)
        self.kind, self.text, self.line, self.advice = kind, text, line, advice


class Failed(Exception):
    """The hand-in raised an exception: where, which, and what it says."""

    def __init__(self, error):
        super().__init__(error["text"])
        self.type, self.text, self.stage = error["type"], error["text"], error["stage"]
        self.line, self.code = error["line"], error["code"]
        self.deeper = error["deeper"]  # the function of another file in which it comes up
        self.shapes, self.products = error["shapes"], error["products"]


class HandIn:
    """A hand-in that is running. Use as a context manager; `ask` it for things."""

    def __init__(self, path, support=(), seconds=10, megabytes=2000, scan=True):
        self.path, self.support = Path(path), (*SUPPORT, *support)
        self.seconds, self.megabytes, self.scan = seconds, megabytes, scan
        self.printed, self.characters, self.process, self.folder = "", 0, None, None
        self.classes, self.flooded = {}, False

    def __enter__(self):
        if not self.path.is_file():
            raise Stopped("missing", f"there is no file {self.path.name}")
        if self.path.stat().st_size > SIZE:
            raise Stopped("large", f"{self.path.name} is larger than {SIZE:,} bytes")
        self.folder = Path(tempfile.mkdtemp(prefix="minirnn-"))
        try:
            self._start()
            first = self._reply()
            self._refuse(first)
            self.classes = first.get("classes", {})
            self._check(self._reply())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        if self.process is not None:
            self._kill()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
                stream.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, task, **given):
        """What the hand-in makes of a task of `child.py`. Raises `Stopped` or `Failed`."""
        line = json.dumps({"task": task, "given": protocol.encoded(given)}) + "\n"
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except OSError:
            pass  # it has gone; the reply will say how
        reply = self._reply()
        self._check(reply)
        try:
            return protocol.decoded(reply["result"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, MemoryError):
            raise Stopped("answer", "its answer is not one that the checker asked for") from None

    def _start(self):
        work, runner = self.folder / "work", self.folder / "runner"
        work.mkdir()
        (runner / "minirnn").mkdir(parents=True)
        for file in self.path.parent.glob("*.py"):
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= SIZE:
                with contextlib.suppress(OSError):  # one that may not be read is not there
                    shutil.copyfile(file, work / file.name)
        for file in RUNNER.glob("*.py"):
            shutil.copyfile(file, runner / file.name)
        for name in self.support:
            place = Path("minirnn", *name.split(".")).with_suffix(".py")
            (runner / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(HERE.parents[1] / place, runner / place)
            # the real one of the package imports everything
            (runner / place).with_name("__init__.py").write_bytes(b"")
        numpy = str(Path(np.__file__).resolve().parent)
        if self.path.name not in os.listdir(work):
            raise Stopped("missing", f"{self.path.name} is a link, or cannot be read")
        limits = {
            "file": str(work / self.path.name), "path": [str(runner), os.path.dirname(numpy)],
            "readable": [str(work), str(runner), numpy], "unreadable": [str(HERE.parent)],
            "support": list(self.support), "scan": self.scan, "seconds": self.seconds,
            "memory": self.megabytes * 1_000_000,
        }  # fmt: skip
        kept = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LD_LIBRARY_PATH")
        threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {k: os.environ[k] for k in kept if k in os.environ}
        command = [sys.executable, "-I", "-S", "-B", "-u", "-W", "ignore"]
        self.process = subprocess.Popen(
            [*command, str(runner / "child.py"), json.dumps(limits)], cwd=work,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment | dict.fromkeys(threads, "1"), start_new_session=os.name == "posix",
        )  # fmt: skip
        self.deadline = time.monotonic() + self.seconds
        self.replies = queue.Queue()
        for work in (self._read_replies, self._read_printed):
            threading.Thread(target=work, daemon=True).start()

    def _read_replies(self):
        length = 0
        try:
            while line := self.process.stdout.readline(REPLIES):
                length += len(line)
                self.flooded = length > REPLIES
                if self.flooded:
                    self._kill()
                    break
                self.replies.put(line)
        except (OSError, ValueError):
            pass
        self.replies.put(None)

    def _read_printed(self):
        try:
            while block := self.process.stderr.read1(65536):
                self.characters += len(block)
                if len(self.printed) < 2000:
                    self.printed += block.decode("utf-8", "replace")[:2000]
                if self.characters > PRINTED:
                    self._kill()
                    break
        except (OSError, ValueError):
            pass

    def _reply(self):
        try:
            line = self.replies.get(timeout=max(0.0, self.deadline - time.monotonic()))
        except queue.Empty:
            raise Stopped("time", f"it has not come to an end after {self.seconds} s") from None
        if line is None:
            raise self._why_it_ended()
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            raise Stopped("answer", "its answer is not one that the checker asked for")
        return reply

    def _why_it_ended(self):
        try:
            code = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            code = None
        if self.characters > PRINTED:
            return Stopped("printed", f"it prints more than {PRINTED:,} characters")
        if self.flooded:
            return Stopped("answer", "it answers far more than was asked")
        if code is not None and code == -getattr(signal, "SIGXCPU", 0):
            return Stopped("time", f"it has not come to an end after {self.seconds} s")
        return Stopped("ended", f"it ended the process itself or crashed (exit code {code})")

    def _check(self, reply):
        """Raise what a reply says has gone wrong."""
        if "mark" in reply:
            kind = reply["mark"] if reply["mark"] in MARKS else "answer"
            line = reply.get("line") if isinstance(reply.get("line"), int) else None
            raise Stopped(kind, str(reply.get("text", ""))[:300], line, ADVICE.get(kind, ""))
        if reply.get("changed"):
            raise Stopped("patched", f"it changes {str(reply['changed'])[:100]}")
        if reply.get("path"):
            raise Stopped("path", "it changes sys.path")
        if "error" in reply:
            self._raise(reply["error"])

    def _raise(self, error):
        fields = ("type", "text", "stage", "line", "code", "deeper")
        tables = ("shapes", "products")
        if not isinstance(error, dict) or set(error) != {*fields, *tables}:
            raise Stopped("answer", "its answer is not one that the checker asked for")
        line = error["line"] if isinstance(error["line"], int) else None
        told = {name: _texts(error[name]) for name in tables}
        error = {name: str(error[name])[:600] for name in fields} | {"line": line} | told
        if error["type"] == "SyntaxError":
            raise Stopped("syntax", f"Python cannot read it: {error['text']}", line)
        if error["type"] == "MemoryError":
            raise Stopped("memory", "it asks for more memory than it may have", line)
        if error["type"] == "SystemExit":
            raise Stopped("ended", "it calls sys.exit, or exit", line)
        if error["type"] in ("ModuleNotFoundError", "ImportError"):
            kind = "own" if "minirnn" in error["text"] else "import"
            raise Stopped(kind, error["text"], line)
        raise Failed(error)

    def _refuse(self, reply):
        """Raise the first thing that is forbidden in the text of the hand-in."""
        self._check(reply)
        found = reply.get("scan") or []
        if found:
            file, kind, line, text = found[0]
            where = f"in {file}, " if file else ""
            advice = (
                f"The checker runs no file that {WORDS[kind]}. What only your own trials need may "
                'stand under if __name__ == "__main__":'
            )
            raise Stopped(kind, f"{where}line {line}: {text}", None if file else line, advice)

    def _kill(self):
        """End the process and whatever it has started."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)


def _texts(table):
    """Rows of short texts, whatever came in."""
    rows = table[:8] if isinstance(table, list) else []
    return [[str(part)[:60] for part in row[:4]] for row in rows if isinstance(row, list)]
