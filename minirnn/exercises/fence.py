"""The fence round a hand-in that the operating system holds: which can be had here, best first."""

import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from .. import errors

PACKAGE = Path(__file__).resolve().parents[1]
PROGRAMS = "/usr/bin:/bin:/usr/local/bin"  # where bubblewrap may lie: never in the folder at hand
SHARED = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache")  # what Python loads
NAMES = {
    "bubblewrap": "bubblewrap", "user": "a user of its own", "landlock": "Landlock",
    "seccomp": "seccomp",
}  # fmt: skip
_chosen = []  # the way that worked first: no later hand-in gets a weaker one


@dataclass(frozen=True)
class Fence:
    """What holds a hand-in: parts of `NAMES`, as the process said before it read the hand-in."""

    parts: frozenset

    def __bool__(self):
        """Whether the operating system keeps files and other processes away from it."""
        return bool({"bubblewrap", "user"} & self.parts) or {"landlock", "seccomp"} <= self.parts

    @property
    def no_network(self):
        """Whether it keeps the network away."""
        return bool({"bubblewrap", "seccomp"} & self.parts)

    def __str__(self):
        """What `grade` says before it begins."""
        names = ", ".join(name for part, name in NAMES.items() if part in self.parts)
        if not self:
            return (f"none that the operating system holds ({names or 'limits'} alone): a hand-in "
                    "by somebody who means it may get out")  # fmt: skip
        return (f"{names}: no file but its own, no other process"
                + ", no network" * self.no_network)  # fmt: skip


def required(fence):
    """The fence, if it is a real one. Raises `GraderError` where it is not, or where Python takes
    modules from the folder at hand, which nobody has fenced in."""
    here = os.getcwd()
    if ("" in sys.path or here in sys.path) and Path(here) != PACKAGE.parent:
        raise errors.GraderError(
            f"Python would run modules that lie in {here}, so nothing is graded; begin the command "
            "with minirnn or python -P -m minirnn, not with python -m minirnn"
        )
    if not fence:
        raise errors.GraderError(
            "there is no fence here that the operating system holds, so nothing is graded; install "
            "bubblewrap (Linux), or grade as root in a container; without --require-fence Python's "
            "own fence is taken"
        )
    return fence


def ways():
    """How a hand-in's process may be started here, the best way first."""
    if _chosen:
        return list(_chosen)
    if not sys.platform.startswith("linux"):
        return ["python"]
    first = ["bubblewrap"] * bool(bubblewrap()) + ["user"] * (os.geteuid() == 0)
    return [*first, "kernel", "python"]


def choose(way):
    """Note that this way works: it is the only one from now on."""
    _chosen[:] = [way]


def bubblewrap():
    """The path of the program, or None."""
    return shutil.which("bwrap", path=PROGRAMS)


def bubble(folder, numpy, command):
    """The command that runs `command` in namespaces of its own: Python, NumPy and `folder` are all
    the files that there are, none can be written, and nothing outlives the grader."""
    python = os.path.realpath(sys.executable)
    library = {*map(sysconfig.get_path, ("stdlib", "platstdlib")), f"{sys.base_prefix}/lib",
               sysconfig.get_config_var("LIBDIR") or ""}  # fmt: skip
    roots = sorted({path for path in (*SHARED, *library) if os.path.exists(path)})
    installed = [str(p) for root in roots for p in _installed(Path(root))]
    if any(PACKAGE.is_relative_to(root) for root in roots):
        installed.append(str(PACKAGE))
    beside = [path for path in (numpy, f"{numpy}.libs") if os.path.exists(path)]
    words = "--unshare-all --die-with-parent --cap-drop ALL --dev-bind /dev/null /dev/null".split()
    for path in roots:
        words += ["--ro-bind", path, path]
    for path in installed:
        words += ["--tmpfs", path]
    for path in (python, *beside, folder):
        words += ["--ro-bind", path, path]
    for path in (*installed, "/"):
        words += ["--remount-ro", path]
    return [bubblewrap(), *words, "--chdir", f"{folder}/work", python, *command]


def _installed(root):
    """What is installed beside Python's library: NumPy's neighbours, and this package perhaps."""
    for pattern in ("*-packages", "python3*/*-packages"):
        yield from (path for path in root.glob(pattern) if path.is_dir())
