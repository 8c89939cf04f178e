"""A hand-in in a process of its own: started, asked, limited, and stopped.

The hand-in's file, and what it imports from beside it, is copied into a throw-away folder. Only the
copy is run, behind the best fence that the operating system has (`fence.py`). The process gets
inputs and returns arrays, as JSON with plain bytes in it, never as a pickle; what it says is
believed nowhere but compared with what this side computes.
"""

import contextlib
import errno
import json
import os
import queue
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from ..errors import GraderError
from . import fence
from .runner import tasks as protocol
from .runner.source_scan import WORDS

HERE = Path(__file__).resolve().parent
RUNNER = HERE / "runner"  # all that runs beside a hand-in
# of minirnn, as copies
SUPPORT = ("errors", "check", "cuda.faults", "backend", "parameters", "product", "packing")
PRINTED = 1_000_000  # characters that a hand-in may print
REPLIES = 20_000_000  # bytes of all answers together
SIZE = 300_000  # bytes of the largest file that is looked at
FILES = 100  # that a hand-in may import from beside it
START = 60  # seconds within which a process stands, before it has read anything of the hand-in

MARKS = {  # kind: what it means; each is a mark of its own, and none is a pass
    "syntax": "not Python",
    "missing": "no such file",
    "large": "too large",
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
    """A hand-in that is running. Use as a context manager; `ask` it for things.

    scan: look for what is forbidden in its text first; hook: put up the audit hook. Raises
    `GraderError` where the checker itself cannot go on.
    """

    def __init__(self, path, support=(), seconds=10, megabytes=2000, scan=True, hook=True):
        self.path, self.support = Path(path), (*SUPPORT, *support)
        self.seconds, self.megabytes, self.scan, self.hook = seconds, megabytes, scan, hook
        self.printed, self.characters, self.process, self.folder = "", 0, None, None
        self.classes, self.flooded, self.fence, self.threads = {}, False, None, []

    def __enter__(self):
        texts = files_of(self.path)
        try:
            try:
                self._prepare(texts)
                self._start()
            except (OSError, RuntimeError, MemoryError) as error:  # RuntimeError: no more threads
                raise self._no_start(error) from error
            first = self._reply()
            self._refuse(first)
            self.classes = first.get("classes", {})
            self._check(self._reply())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self._end()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, task, **given):
        """What the hand-in makes of a task of `child.py`. Raises `Stopped` or `Failed`."""
        line = json.dumps({"task": task, "given": protocol.encoded(given)}) + "\n"
        self.requests.put(line.encode())
        reply = self._reply()
        self._check(reply)
        try:
            return protocol.decoded(reply["result"])
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, MemoryError):
            raise Stopped("answer", "its answer is not one that the checker asked for") from None

    def _no_start(self, error):
        """The same error as the grader's own, in a sentence."""
        if isinstance(error, GraderError):
            return error
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        place = self.folder or tempfile.gettempdir()
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return GraderError(
                f"the checker has no room in {place} ({error.strerror}); make some, or set TMPDIR "
                "to a folder with room"
            )
        return GraderError(
            f"the checker cannot start a process for a hand-in ({reason}), which is not the "
            "hand-in's fault; free memory and processes, and try again"
        )

    def _prepare(self, texts):
        """A folder with copies of the hand-in and of what runs beside it."""
        self.folder = Path(tempfile.mkdtemp(prefix="minirnn-")).resolve()
        work, runner = self.folder / "work", self.folder / "runner"
        work.mkdir()
        (runner / "minirnn").mkdir(parents=True)
        for name, text in texts.items():
            (work / name).write_bytes(text)
        for file in RUNNER.glob("*.py"):
            shutil.copyfile(file, runner / file.name)
        shutil.copyfile(HERE.parent / "gradcheck" / "shapes.py", runner / "shapes.py")
        for name in self.support:
            place = Path("minirnn", *name.split("."))
            if (HERE.parents[1] / place).is_dir():
                unneeded = shutil.ignore_patterns("__pycache__")
                shutil.copytree(HERE.parents[1] / place, runner / place, ignore=unneeded)
                continue
            place = place.with_suffix(".py")
            (runner / place).parent.mkdir(exist_ok=True)
            shutil.copyfile(HERE.parents[1] / place, runner / place)
            # the real one of the package imports everything
            (runner / place).with_name("__init__.py").write_bytes(b"")

    def _start(self):
        """Start the process in the best fence that there is."""
        said = ""
        for way in fence.ways():
            self._launch(way)
            parts = self._parts()
            if parts is not None:
                fence.choose(way)
                self.fence = fence.Fence(frozenset({"bubblewrap"} & {way} | parts))
                self.deadline = time.monotonic() + self.seconds
                return
            self._end()
            said = self.printed.strip().rpartition("\n")[2] or said
            self.printed, self.characters = "", 0
        raise GraderError(
            "the checker's own process does not start, which is not the hand-in's fault "
            f"({said[:200] or 'it says nothing'}); is there memory for it?"
        )

    def _launch(self, way):
        work, runner = str(self.folder / "work"), str(self.folder / "runner")
        numpy = str(Path(np.__file__).resolve().parent)
        limits = {
            "file": os.path.join(work, self.path.name), "path": [runner, os.path.dirname(numpy)],
            "readable": [work, runner, numpy, f"{numpy}.libs"], "unreadable": [str(HERE.parent)],
            "support": list(self.support), "scan": self.scan, "hook": self.hook, "way": way,
            "seconds": self.seconds, "memory": self.megabytes * 1_000_000,
            "folder": str(self.folder),
        }  # fmt: skip
        passed = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG", "LD_LIBRARY_PATH")
        threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {k: os.environ[k] for k in passed if k in os.environ}
        command = [*"-I -S -B -u -W ignore".split(), os.path.join(runner, "child.py")]
        command.append(json.dumps(limits))
        command = (fence.bubble(str(self.folder), numpy, command) if way == "bubblewrap" else
                   [sys.executable, *command])  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=work,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=environment | dict.fromkeys(threads, "1"), start_new_session=os.name == "posix",
        )  # fmt: skip
        self.requests, self.replies = queue.SimpleQueue(), queue.SimpleQueue()
        self.deadline = time.monotonic() + START
        works = (self._write_requests, self._read_replies, self._read_printed)
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in self.threads:
            thread.start()

    def _parts(self):
        """The parts of the fence that the process has put up, or None if it says nothing."""
        try:
            return set(json.loads(self.replies.get(timeout=START) or b"")["fence"])
        except (queue.Empty, ValueError, KeyError, TypeError):
            return None

    # Each thread closes the stream that it alone uses: whoever holds the other end, even after the
    # hand-in has ended, keeps a thread waiting and nobody else.

    def _write_requests(self):
        stream, requests = self.process.stdin, self.requests
        with contextlib.suppress(OSError, ValueError), stream:
            while line := requests.get():
                stream.write(line)
                stream.flush()

    def _read_replies(self):
        length, stream, replies = 0, self.process.stdout, self.replies
        with contextlib.suppress(OSError, ValueError), stream:
            while line := stream.readline(REPLIES):
                length += len(line)
                self.flooded = length > REPLIES
                if self.flooded:
                    self._kill()
                    break
                replies.put(line)
        replies.put(None)

    def _read_printed(self):
        stream = self.process.stderr
        with contextlib.suppress(OSError, ValueError), stream:
            while block := stream.read1(65536):
                self.characters += len(block)
                if len(self.printed) < 2000:
                    self.printed += block.decode("utf-8", "replace")[:2000]
                if self.characters > PRINTED:
                    self._kill()
                    break

    def _reply(self):
        try:
            line = self.replies.get(timeout=max(0.0, self.deadline - time.monotonic()))
        except queue.Empty:
            raise Stopped("time", f"it has not come to an end after {self.seconds} s") from None
        if line is None:
            self.replies.put(None)  # whoever asks again hears the same
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
            code = self.process.wait(timeout=1)
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
        if error["text"].startswith("cannot import name"):  # of a module that may be imported
            error["text"] = re.sub(r" \([^()]*\)$", "", error["text"])  # without its place
        elif error["type"] in ("ModuleNotFoundError", "ImportError"):
            kind = "own" if "minirnn" in error["text"] else "import"
            raise Stopped(kind, error["text"], line)
        raise Failed(error)

    def _refuse(self, reply):
        """Raise the first thing that is forbidden in the text of the hand-in."""
        self._check(reply)
        problems = reply.get("scan") or []
        if problems:
            file, kind, line, text = problems[0]
            where = f"in {file}, " if file else ""
            advice = (
                f"The checker runs no file that {WORDS[kind]}. What only your own trials need may "
                'stand under if __name__ == "__main__":'
            )
            raise Stopped(kind, f"{where}line {line}: {text}", None if file else line, advice)

    def _end(self):
        """End the process, and wait shortly for what it has printed."""
        if self.process is None:
            return
        self._kill()
        self.requests.put(None)
        until = time.monotonic() + 0.5
        for thread in self.threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))

    def _kill(self):
        """End the process and whatever it has started."""
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)


def holding():
    """The fence that holds here, tried on an empty hand-in. Raises `GraderError`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.py"
        path.write_bytes(b"")
        with HandIn(path) as hand_in:
            return hand_in.fence


def files_of(path):
    """{name: text} of a hand-in's file and of the files beside it that it imports, or that those
    import. Links and pipes are not read. Raises `Stopped`."""
    texts, waiting = {}, [path.name]
    while waiting:
        name = waiting.pop()
        text = _read(path.with_name(name))
        if text is None or name in texts:
            continue
        if len(text) > SIZE:
            raise Stopped("large", f"{name} is larger than {SIZE:,} bytes")
        texts[name] = text
        if len(texts) > FILES or sum(map(len, texts.values())) > 10 * SIZE:
            raise Stopped("large", f"it imports more than {FILES} files from beside it, or more "
                          f"than {10 * SIZE:,} bytes; an exercise needs one or two")  # fmt: skip
        words = re.findall(r"\b(?:import|from)\b([^\n;#]*)", text.decode("utf-8", "replace"))
        waiting += {f"{word}.py" for line in words for word in re.findall(r"\w+", line)}
    if path.name not in texts:
        there = os.path.lexists(path)
        raise Stopped("missing", f"{path.name} is a link, or cannot be read" if there else
                      f"there is no file {path.name}")  # fmt: skip
    _decodable(path.name, texts[path.name])
    return texts


def _decodable(name, text):
    """Raise `Stopped` where a file is to be read as UTF-8 (PEP 263), but is none; whatever else
    keeps Python from reading it, the child says."""
    named = re.search(rb"^[ \t\f]*#.*?coding[:=]", b"\n".join(text.split(b"\n", 2)[:2]), re.M)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        if named:
            return
        line = text.count(b"\n", 0, error.start) + 1
        what = f"line {line} of {name} is not UTF-8 (byte {text[error.start]:#04x})"
        advice = "Save the file as UTF-8, as an editor's Save As offers."
        raise Stopped("syntax", what, line, advice) from None


def _read(path):
    """The bytes of a file, one more than `SIZE` at most; None for what is no file of its own."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        number = os.open(path, flags)
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        stack.callback(os.close, number)
        if stat.S_ISREG(os.fstat(number).st_mode) and not path.is_symlink():
            with open(number, "rb", closefd=False) as file:
                return file.read(SIZE + 1)
    return None


def _texts(table):
    """Rows of short texts, whatever came in."""
    rows = table[:8] if isinstance(table, list) else []
    return [[str(part)[:60] for part in row[:4]] for row in rows if isinstance(row, list)]
