"""Run the tests on the oldest supported and the newest Python and NumPy.

python tests/tools/versions.py                  every Python from 3.11 on that is found: this,
                                                those on PATH, those that pyenv has installed
python tests/tools/versions.py --python PATH ...      these interpreters
python tests/tools/versions.py --quick tests/test_resume.py    these tests only

The oldest Python gets the oldest NumPy (2.0), the newest the newest; each in a virtual environment
of its own, in a temporary folder. Exit code 1 where a test fails, 2 where there is no Python.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST, OLDEST_NUMPY = (3, 11), "numpy==2.0.*"


def main():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--python", nargs="+", metavar="PATH", help="interpreters to use")
    parser.add_argument("--quick", nargs="+", metavar="TEST", default=[], help="only these tests")
    args = parser.parse_args()
    pythons = found(args.python or [sys.executable, *on_path(), *of_pyenv()])
    if not pythons:
        print(f"no Python from {'.'.join(map(str, OLDEST))} on was found; name some with --python")
        return 2
    if min(pythons)[0][:2] == max(pythons)[0][:2]:
        print("only one Python was found: it is tried with the oldest and the newest NumPy")
    pairs = [(min(pythons)[1], OLDEST_NUMPY), (max(pythons)[1], "numpy")]
    results = [tests(python, numpy, args.quick) for python, numpy in pairs]
    print("\n".join(results))
    return int(any("FAILED" in result for result in results))


def on_path():
    """Every python3.N on PATH."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep) if folder]
    named = [p for f in folders if f.is_dir() for p in f.iterdir()]
    return [str(p) for p in named if re.fullmatch(r"python3\.\d+(\.exe)?", p.name)]


def of_pyenv():
    """Every python3.N that pyenv has installed: its shims on PATH need not run."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    named = [p for p in root.glob("versions/*/bin/python3.*")]
    return [str(p) for p in named if re.fullmatch(r"python3\.\d+", p.name)]


def found(paths):
    """{(version, path)} of those that run, are new enough and can make an environment."""
    versions = set()
    for path in paths:
        code = "import sys, venv, ensurepip; print(*sys.version_info[:3])"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True)
        version = tuple(map(int, done.stdout.split()))
        if done.returncode == 0 and version >= OLDEST:
            versions.add((version, path))
    return versions


def tests(python, numpy, quick):
    """Run them in a new environment; one line on how it went."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        own = shutil.which("python", path=str(Path(folder) / scripts))
        install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, numpy, "matplotlib", "tqdm", "pytest", "hypothesis"], check=True)
        what = "import sys, numpy; print(sys.version.split()[0], 'with NumPy', numpy.__version__)"
        name = subprocess.run([own, "-c", what], capture_output=True, text=True).stdout.strip()
        print(f"\nPython {name}", flush=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [own, "-m", "pytest", "-q", "-p", "no:cacheprovider", *quick]
        done = subprocess.run(command, cwd=ROOT, env=environment)
    return f"Python {name}: {'passed' if done.returncode == 0 else 'FAILED'}"


if __name__ == "__main__":
    sys.exit(main())
