"""Gradescope: the file of results of one hand-in, and the package that grades there."""

import contextlib
import io
import json
import shlex
import zipfile
from pathlib import Path

from ...data import printable
from ...errors import DataError, GraderError, MinirnnError
from ...storage.files import write_atomic
from ..handouts import solutions_folder, starters_folder
from ..output import describe, summary
from .table import writable

PACKAGE = Path(__file__).resolve().parents[2]
SETUP = """\
#!/usr/bin/env bash
# Runs once, as root, when Gradescope builds the image: a Python of 3.11 or newer, NumPy, and
# bubblewrap, which fences hand-ins in where the container lets it.
set -e
export DEBIAN_FRONTEND=noninteractive
new_enough() { python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'; }
apt-get update -q || echo "no package lists: going on with what is there"
apt-get install -y -q python3 python3-venv || true
apt-get install -y -q bubblewrap || echo "no bubblewrap: a user of its own fences hand-ins in"
python=python3
if ! new_enough; then
    apt-get install -y -q software-properties-common
    add-apt-repository -y ppa:deadsnakes/ppa
    apt-get update -q
    apt-get install -y -q python3.12 python3.12-venv
    python=python3.12
fi
"$python" -m venv /opt/minirnn
/opt/minirnn/bin/python -m pip install -q "numpy>=2"
chmod -R go= /autograder/source  # the answers are in it
"""
RUN = """\
#!/usr/bin/env bash
# Runs for each hand-in, as root; hand-ins run as another user, to whom these folders are closed.
results=/autograder/results/results.json
mkdir -p /autograder/results
chmod 700 /autograder/source /autograder/results /autograder/submission
cd /
PYTHONPATH=/autograder/source/package /opt/minirnn/bin/python -P -m minirnn exercises ADDED grade \\
    /autograder/submission --json "$results" --require-fence OPTIONS
if [ ! -s "$results" ]; then
    echo '{"score": 0, "output": "The autograder failed, not your work: tell your lecturer."}' \\
        > "$results"
fi
"""


def results(graded, seconds):
    """The dictionary of Gradescope's results.json, one test an exercise."""
    tests = [
        {
            "name": f"Exercise {r.number}: {r.title}",
            "number": str(r.number),
            "score": graded.score(r),
            "max_score": graded.points[r.number],
            "status": "passed" if r else "failed",
            "output": describe(r),
            "output_format": "text",
            "visibility": "visible",
        }
        for r in graded.results
    ]
    said = [printable(graded.remark, 300), summary(graded.results), f"seed {graded.seed}"]
    return {
        "score": graded.total,
        "execution_time": round(seconds),
        "output": "\n".join(filter(None, said)),
        "visibility": "visible",
        "tests": tests,
    }


def write_results(path, graded, seconds):
    """Write one hand-in's results.json."""
    _write(path, results(graded, seconds))


def write_failure(path, error, seconds):
    """Write a results.json that says why nothing was graded: a hand-in that cannot be read, or
    trouble of the grader's own."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        text = "it was stopped"
    if isinstance(error, GraderError) or not isinstance(error, MinirnnError):
        text = f"The autograder failed, not your work: tell your lecturer. ({text})"
    said = {"score": 0, "execution_time": round(seconds), "output": printable(text, 1000)}
    with contextlib.suppress(MinirnnError, OSError):  # then there is no place for it
        _write(path, said | {"visibility": "visible", "tests": []})


def _write(path, said):
    write_atomic(path, (json.dumps(said, indent=2) + "\n").encode())


def package(path, options, added=None, conventions=None):
    """Write the zip file that Gradescope takes as an autograder, with this minirnn in it.

    options: those of `grade`. added: a file of exercises of one's own, with its starters beside
    it. Raises `DataError` where the file is there already or cannot be written.
    """
    if path.suffix.lower() != ".zip":
        raise DataError(f"{path} must end in .zip, which is what Gradescope takes")
    if path.exists():
        raise DataError(f"{path} is there already; remove it, or give another name")
    writable(path, "FILE.zip")
    words = list(options)
    files = {f"package/minirnn/{name}": data for name, data in _sources()}
    before = ""
    if conventions is not None:
        files["conventions.json"] = conventions.read_bytes()
        words += ["--conventions", "/autograder/source/conventions.json"]
    if added is not None:
        own = added.parent
        for file in sorted([*own.glob("*.py"), *own.glob("solutions/*.py")]):
            files[f"own/{file.relative_to(own).as_posix()}"] = file.read_bytes()
        before = f"--exercises {shlex.quote(f'/autograder/source/own/{added.name}')}"
    run = RUN.replace("OPTIONS", shlex.join(words)).replace("ADDED ", before and f"{before} ")
    files |= {"setup.sh": SETUP.encode(), "run_autograder": run.encode()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o644) << 16
            archive.writestr(entry, content)
    write_atomic(path, data.getvalue())


def _sources():
    """(name, bytes) of the package's own Python files, of the starters and of the solutions."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE)
        if not {"starters", "solutions"} & set(place.parts):
            yield place.as_posix(), file.read_bytes()
    for name, folder in (("starters", starters_folder()), ("solutions", solutions_folder())):
        for file in sorted(folder.glob("ex*.py")):
            yield f"exercises/{name}/{file.name}", file.read_bytes()
