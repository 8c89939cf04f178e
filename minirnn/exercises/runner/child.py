"""The process in which a hand-in runs: it computes what it is asked for, and knows no answers.

    python -I -S -B child.py LIMITS        LIMITS: a JSON object, see `sandbox.py`

One line of JSON comes in on standard input for each thing to compute, one goes out. Nothing of
minirnn can be imported here but copies of a few modules that no exercise asks for. Before anything
of the hand-in is read, the process gives up its rights (`kernel.py`), where the kernel knows such a
thing. The audit hook that is put up after that gives good words to whoever tries to write a file,
to read a foreign one or to start something; where the kernel holds no fence, it is all there is.
"""

import codecs
import contextlib
import importlib
import importlib.util
import json
import os
import re
import sys
import threading
import time
import tokenize  # noqa: F401  what linecache loads late
import traceback

sys.path[:] = json.loads(sys.argv[1])["path"] + sys.path  # before NumPy is looked for

import kernel  # noqa: E402  from here on: the copies beside this file
import numpy as np  # noqa: E402
import numpy.linalg  # noqa: E402, F401  what NumPy loads late comes before the fence
import numpy.random  # noqa: E402, F401
import shapes  # noqa: E402
import source_scan  # noqa: E402
import tasks  # noqa: E402

PARTS_OF_NUMPY = ("fft", "polynomial", "ma", "matlib", "rec", "char", "strings", "typing")
sys.path.remove(json.loads(sys.argv[1])["path"][-1])  # NumPy is here; its neighbours stay away


def answer(request, hand_in):
    """What the hand-in makes of one request, or how it failed."""
    stage = ["loading"]
    try:
        result = tasks.TASKS[request["task"]](hand_in, tasks.decoded(request["given"]), stage)
        return {"result": tasks.encoded(result)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt too: all are the hand-in's
        return failure(error, stage[0], hand_in)


def failure(error, stage, hand_in):
    lines = [(f.filename, f.lineno, f.line) for f in traceback.extract_tb(error.__traceback__)]
    own = [(number, line) for file, number, line in lines if str(file) == str(hand_in.path)]
    number, line = own[-1] if own else (getattr(error, "lineno", None), "")
    error_type = next(
        (n for n, k in [("NotImplementedError", NotImplementedError), ("MemoryError", MemoryError),
                        ("SystemExit", SystemExit), ("SyntaxError", SyntaxError)]
         if isinstance(error, k)), type(error).__name__)  # fmt: skip
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    told, unfit = arrays_there(error, hand_in) if own else ([], [])
    return {"error": {"type": error_type, "text": str(text)[:500], "stage": stage, "line": number,
                      "code": (line or "")[:120], "deeper": deeper(error, hand_in),
                      "shapes": told, "products": unfit}}  # fmt: skip


def deeper(error, hand_in):
    """The function of somebody else in which an error comes up that the hand-in calls, or ""."""
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    if not any(code.co_filename == str(hand_in.path) for code in frames):
        return ""
    last = frames[-1]
    return "" if last.co_filename == str(hand_in.path) else last.co_name


def arrays_there(error, hand_in):
    """The arrays in the line of the hand-in that failed, and the `@` in it that do not fit."""
    try:
        frames = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__)
                  if frame.f_code.co_filename == str(hand_in.path)]  # fmt: skip
        where = (*frames[-1], hand_in.source)
        return shapes.shapes(*where), shapes.products(*where)
    except Exception:  # the message does without them
        return [], []


class HandIn:
    """The file, and its module once it is loaded."""

    def __init__(self, path):
        self.path, self.module, self.source = path, None, b""

    def load(self):
        sys.path.insert(0, os.path.dirname(self.path))
        spec = importlib.util.spec_from_file_location("hand_in", self.path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["hand_in"] = module
        spec.loader.exec_module(module)
        self.module = module


def give_up_rights(limits):
    """Put up the parts of the fence that the kernel holds; their names."""
    way, parts = limits["way"], []
    if way == "python":
        return parts
    library = os.path.dirname(os.__file__)
    own = [entry.path for entry in os.scandir(library) if not entry.name.endswith("-packages")]
    if way == "user":
        kernel.another_user(limits["folder"])
        parts.append("user")
    if kernel.landlock([*limits["readable"], *own, "/dev/null"], names_only=[library]):
        parts.append("landlock")
    with contextlib.suppress(OSError):  # of systems that only resemble Linux
        kernel.no_capabilities()
        kernel.die_with_parent()
    if kernel.seccomp():
        parts.append("seccomp")
    return parts


def limit(limits):
    """Memory, processor time, no file longer than nothing, no further process, where the platform
    knows such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, value in (
        ("RLIMIT_AS", limits["memory"]), ("RLIMIT_CPU", limits["seconds"] + 1), ("RLIMIT_CORE", 0),
        ("RLIMIT_FSIZE", 0), ("RLIMIT_NPROC", 0),
    ):  # fmt: skip
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (ValueError, OSError, AttributeError):
            continue


def watch_for_attempts(limits, say):
    """Put up the audit hook. Reading is allowed in the copy, in NumPy, and in Python's own
    library, but not in what is installed beside them. Nothing is read through an open folder, to
    which paths can be relative unseen."""
    roots = [os.path.realpath(p) for p in limits["readable"]]
    forbidden = [os.path.realpath(p) for p in limits["unreadable"]]
    library = [os.path.realpath(p) for p in sys.path if p not in limits["path"]]
    installed = ("site-packages", "dist-packages")
    doors = ("_posixsubprocess", "_winapi", "_ctypes", "ctypes", "mmap", "multiprocessing",
             "_multiprocessing", "_testcapi", "_xxsubinterpreters", "_interpreters")  # fmt: skip
    starts = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
              "os.startfile", "os.kill", "socket.", "ctypes.", "signal.", "_winapi.Create",
              "resource.", "winreg.", "pty.", "_thread.start")  # fmt: skip
    changes = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate", "os.link",
               "os.symlink", "os.chmod", "os.chown", "os.utime", "os.setxattr", "os.removexattr",
               "os.chdir", "os.chroot", "os.chflags", "os.lockf", "shutil.", "tempfile.",
               "os.putenv", "os.unsetenv")  # fmt: skip
    looks = ("gc.get_", "sys.settrace", "sys.setprofile")
    realpath, under, fsdecode, leave = os.path.realpath, os.path.commonpath, os.fsdecode, os._exit
    folder = os.path.isdir

    def inside(path, folders):
        for folder in folders:
            try:
                if under([path, folder]) == folder:
                    return True
            except ValueError:  # on another drive
                continue
        return False

    def stop(kind, text):
        say({"mark": kind, "text": text[:300], "line": line_of(sys._getframe(), limits["file"])})
        leave(66)

    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            if isinstance(path, int) or path is None:
                return
            place = realpath(fsdecode(path))
            writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
                stop("files", f"it writes the file {fsdecode(path)}")
            if inside(place, forbidden):
                stop("own", "it reads the package's own code")
            known = inside(place, roots) or place in (os.devnull, "/dev/urandom")
            own = inside(place, library) and not any(p in place.split(os.sep) for p in installed)
            if not known and not own or folder(place):
                stop("files", f"it reads a file outside its folder: {fsdecode(path)}")
        elif event in ("os.listdir", "os.scandir", "os.walk", "glob.glob"):
            place = realpath(fsdecode(arguments[0] or "."))
            if not inside(place, roots) and not inside(place, library):
                stop("files", f"it lists the folder {place}")
        elif event.startswith(changes):
            stop("files", f"it changes files ({event})")
        elif event.startswith(starts):
            stop("process", f"it starts or reaches out to something ({event})")
        elif event == "import" and arguments[0] in doors:
            stop("process", f"it imports {arguments[0]}")
        elif event.startswith(looks):
            stop("loads", f"it looks into the running checker ({event})")
        elif event == "pickle.find_class":
            stop("pickle", "it unpickles something")

    sys.addaudithook(hook)


def line_of(frame, file):
    """The line of the hand-in at which a stack of frames stands, or None."""
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    return frame and frame.f_lineno


def watch_the_clock(limits, say):
    """Say at which line a hand-in stands when its time is nearly over, and end the process."""
    main, seconds, leave = threading.get_ident(), limits["seconds"], os._exit

    def look():
        time.sleep(max(0.9 * seconds - 0.3, 0.5 * seconds))
        frame = sys._current_frames().get(main)
        line = line_of(frame, limits["file"])
        say({"mark": "time", "text": f"it has not come to an end after {seconds} s", "line": line})
        leave(66)

    threading.Thread(target=look, daemon=True).start()


def loaded_late(texts):
    """Load what these files, {name: text}, will ask for, while it can still be read: modules, the
    parts of NumPy that come when they are first named, the encodings of the texts."""
    text = b"\n".join(texts.values())
    words = set(re.findall(rb"\w+", text))
    star = b"testing" in words or re.search(rb"from\s+numpy\s+import\s+\(?\s*\*", text)
    for name in ("testing", *np.__all__) if star else PARTS_OF_NUMPY:
        if star or name.encode() in words:
            getattr(np, name, None)
    for name in sorted(source_scan.HARMLESS):
        if name.encode() in words and f"{name}.py" not in texts:
            importlib.import_module(name)
    for name in re.findall(rb"coding[:=][ \t]*([-\w.]+)", text):
        with contextlib.suppress(LookupError, ValueError):
            codecs.lookup(name.decode())


def snapshot():
    """Everything that the modules at hand offer, to see whether the hand-in changed it."""
    watched = [np, np.linalg, np.random, json, tasks, sys.modules["builtins"]]
    watched += [m for name, m in sorted(sys.modules.items()) if name.startswith("minirnn")]
    watched.append(sys.modules["__main__"])
    watched += tasks.KINDS
    return [(m, {k: id(v) for k, v in vars(m).items()}) for m in watched]


def changed(before):
    for module, names in before:
        for name, value in names.items():
            if id(vars(module).get(name)) != value and not name.startswith("__warningreg"):
                return f"{module.__name__}.{name}"
    return ""


def main():
    limits = json.loads(sys.argv[1])
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")  # what the hand-in prints goes elsewhere
    os.dup2(2, 1)
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["hand_in"]

    def say(reply):
        private.write(json.dumps(reply) + "\n")
        private.flush()

    hand_in = HandIn(limits["file"])
    for name in limits["support"]:  # now, so that a change to one of them is seen
        importlib.import_module(f"minirnn.{name}")
    folder, file = os.path.split(limits["file"])
    texts = {name: read(os.path.join(folder, name)) for name in os.listdir(folder)}
    loaded_late(texts)
    source = hand_in.source = texts.pop(file)
    say({"fence": give_up_rights(limits)})
    watch_the_clock(limits, say)
    limit(limits)
    try:
        problems = find_problems(limits, source, texts) if limits["scan"] else []
        say({"scan": problems, "classes": source_scan.classes(source)})
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        say(failure(SyntaxError(str(error)) if not isinstance(error, SyntaxError) else error,
                    "reading", hand_in))  # fmt: skip
        os._exit(0)
    before, path = snapshot(), list(sys.path)
    if limits["hook"]:
        watch_for_attempts(limits, say)
    try:
        hand_in.load()
    except BaseException as error:
        say(failure(error, "loading", hand_in))
        os._exit(0)
    path.insert(0, os.path.dirname(limits["file"]))
    say({"ready": True, "path": sys.path != path, "changed": changed(before)})
    for line in requests:
        reply = answer(json.loads(line), hand_in)
        sys.stdout.flush()
        reply["changed"] = changed(before)
        say(reply)
    os._exit(0)


def find_problems(limits, source, texts):
    """What is forbidden in the hand-in, and in the files beside it (`texts`) that it imports, or
    that those import. What is loaded already, `random` say, is not loaded from there."""
    siblings = {name.removesuffix(".py") for name in texts} - set(sys.modules)
    problems, waiting, seen = [], [("", source)], set()
    while waiting:
        file, text = waiting.pop(0)
        forbidden, imports = source_scan.scan(text, siblings, limits["support"])
        problems += [[file, *problem] for problem in forbidden]
        for name in sorted(imports & siblings - seen):
            seen.add(name)
            waiting.append((f"{name}.py", texts[f"{name}.py"]))
    return problems[:20]


def read(path):
    with open(path, "rb") as file:
        return file.read()


if __name__ == "__main__":
    main()
