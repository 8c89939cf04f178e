"""All that only a real GPU can answer, in one run: is it right, and how fast?

python tests/tools/gpu.py --output DIR --minutes 8            on a machine with a GPU
python tests/tools/gpu.py --output DIR --only layers names    some parts of it
python tests/tools/gpu.py --output DIR --backend emulated     a dry run: CuPy on a pretended card
python tests/tools/gpu.py --output DIR --backend strict       a dry run without CuPy

The checkout is taken as it lies here; nothing is installed. Every part (`gpu_parts.py`) is a
process with a limit of its own, so one that fails or hangs does not end the others. Written as it
goes: DIR/gpu.log, all that the parts print; DIR/gpu.json, all numbers; DIR/gpu.md, the same as
tables. The exit code is 1 where a part failed, 2 where there is no GPU.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMITS = {  # seconds, at most; what is left of --minutes is a further limit
    "machine": 60, "tests": 150, "correct": 90, "calls": 60, "layers": 200, "names": 200,
    "crossover": 80, "sanitizer": 90,
}  # fmt: skip


def parse():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--output", type=Path, metavar="DIR", required=True)
    add("--minutes", type=float, default=8.0, help="of all parts together (default: 8)")
    add("--only", nargs="+", choices=LIMITS, default=list(LIMITS), metavar="PART",
        help=", ".join(LIMITS))  # fmt: skip
    add("--backend", choices=["cupy", "emulated", "strict"], default="cupy")
    args = parser.parse_args()
    if args.minutes <= 0:
        parser.error("--minutes must be above 0")
    return args


def reason_against(name):
    """Why this backend cannot be used here, as one line; None where it can."""
    sys.path[:0] = [str(ROOT), str(HERE.parent)]
    if name == "strict":
        return None
    if name == "emulated":
        from emulated_card import card

        return card.missing()
    from minirnn import backend
    from minirnn.errors import BackendError

    try:
        backend.use("cupy")
    except BackendError as error:
        return str(error)
    return None


def main():
    args = parse()
    if reason := reason_against(args.backend):
        other = "strict" if args.backend == "emulated" else "emulated (or --backend strict)"
        print(f"error: {reason}; a dry run: --backend {other}", file=sys.stderr)
        return 2
    args.output.mkdir(parents=True, exist_ok=True)
    results = {"date": date.today().isoformat(), "backend": args.backend, "parts": {}}
    end, failed = time.monotonic() + 60 * args.minutes, []
    with open(args.output / "gpu.log", "w", encoding="utf-8") as log, \
            tempfile.TemporaryDirectory() as scratch:  # fmt: skip
        for part in args.only:
            limit = min(LIMITS[part], end - time.monotonic())
            if limit < 5:
                outcome = "left out: no time is left"
            else:
                say(log, f"== {part}")
                outcome = run_part(part, args.backend, Path(scratch), limit, log, results)
            seconds = results["parts"].get(part, {}).get("seconds", 0)
            results["parts"].setdefault(part, {})["outcome"] = outcome
            say(log, f"-- {part}: {outcome}, {seconds:.0f} s")
            if outcome != "done":
                failed.append(part)
            write(args.output / "gpu.json", json.dumps(results, indent=1) + "\n")
            write(args.output / "gpu.md", tables(results))
        print(tables(results))
        say(log, f"failed or left out: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def say(log, text):
    print(text, flush=True)
    print(text, file=log, flush=True)


def write(path, text):
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)


def run_part(part, backend, scratch, limit, log, results):
    """Run a part in a process of its own; "done", or what went wrong, as words."""
    path = scratch / f"{part}.json"
    command = [sys.executable, str(HERE / "gpu_parts.py"), part, backend, str(path)]
    if backend == "emulated":
        command.insert(1, "-P")  # no folder of this script's before the package of the card
    more = os.pathsep.join(
        map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "helpers", ROOT / "examples", HERE))
    )
    environment = os.environ | {
        "PYTHONPATH": more, "PYTHONUNBUFFERED": "1", "MPLBACKEND": "Agg",
        "GPU_PARTS_FOLDER": str(scratch),
    }  # fmt: skip
    began = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, errors="replace", start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    ended = threading.Event()

    def end():
        ended.set()
        os.killpg(process.pid, signal.SIGKILL)

    clock = threading.Timer(limit, end)
    clock.start()
    for line in process.stdout:
        say(log, line.rstrip("\n"))
    code = process.wait()
    clock.cancel()
    found = json.loads(path.read_text()) if path.is_file() else {}
    results["parts"][part] = found | {"seconds": round(time.monotonic() - began, 1)}
    if ended.is_set():
        return "ended: its time was over"
    return "done" if code == 0 else f"failed with exit code {code}"


def tables(results):
    """All results as Markdown."""
    spec = importlib.util.spec_from_file_location("gpu_tables", HERE / "gpu_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.markdown(results)


if __name__ == "__main__":
    sys.exit(main())
