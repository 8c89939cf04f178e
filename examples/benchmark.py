"""How fast is a training step, beside PyTorch and beside the bare matrix products in it?

python examples/benchmark.py                              the whole grid, 1 thread and all
python examples/benchmark.py --quick                      a part of it, in two minutes
python examples/benchmark.py --only lstm dense            the cases with these words in their names
python examples/benchmark.py --json FILE --plot FILE.png  results to keep, and as a picture
python examples/benchmark.py --compare docs/results/cpu.json   has anything become slower?
python examples/benchmark.py --load FILE --markdown docs/performance.md   results into a page
python examples/benchmark.py --backend cupy               on a GPU, against cuDNN

Numbers are ratios of times, higher is better: of two things timed in turn, in one process. Torch
is not needed; what is not installed is left out. docs/performance.md says what is timed and how.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from importlib import metadata, util
from pathlib import Path

import benchmark_tables as tables
import numpy as np
from benchmark_cases import GATES, LEAST_SECONDS, Case, grid, peak_memory, time_case

from minirnn import backend, cli
from minirnn.data import read_text
from minirnn.errors import DataError, MinirnnError
from minirnn.storage.files import write_atomic, write_figure

PEERS = ["torch", "jax"]
MEMORY_CASES = [("names", None, 1024, 128), ("dense", 100, 64, 256)]


def parse():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--backend", choices=["numpy", "cupy"], default="numpy", help="(default: numpy)")
    add("--threads", type=cli.whole, nargs="+", help="(default: 1, and all there are)")
    add("--rounds", type=cli.whole, help="medians are over so many (default: 7, quick: 3)")
    add("--quick", action="store_true", help="fewer cases, 3 rounds")
    add("--only", nargs="+", default=[], metavar="WORD", help="lstm, dense, N=16, H=128 ...")
    add(
        "--no-torch",
        dest="peers",
        action="store_const",
        const=[],
        default=PEERS,
        help="as if neither PyTorch nor JAX were installed",
    )
    add("--peers", nargs="+", choices=PEERS, help=argparse.SUPPRESS)
    add("--json", type=Path, metavar="FILE", help="write all results")
    add("--plot", type=Path, metavar="FILE.png", help="draw the ratios, and the cost as it grows")
    add("--compare", type=Path, metavar="FILE", help="say which ratios fell by more than 15 %%")
    add("--load", type=Path, metavar="FILE", help="results that --json wrote: time nothing")
    add("--markdown", type=Path, metavar="FILE.md", help="put the tables between its marks")
    add("--worker", type=Path, help=argparse.SUPPRESS)  # what a process of its own does
    add("--memory", choices=["ours", "torch"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        timed = "backend", "threads", "rounds", "quick", "only", "peers"
        cli.refuse_idle(parser, args, timed, "with --load")
    cli.files_of_their_own(
        json=args.json, plot=args.plot, markdown=args.markdown, compare=args.compare
    )
    if args.plot and args.plot.suffix.lower() != ".png":
        parser.error(f"argument --plot: {str(args.plot)!r} must end in .png")
    for given in (args.compare, args.markdown):
        if given and not given.is_file():
            parser.error(f"there is no file {given}")  # said before anything is timed
    args.rounds = args.rounds or (3 if args.quick else 7)
    return args


def chosen(args):
    """The cases that the options ask for."""
    cases = [case for case in grid(args.quick) if set(args.only) <= set(case.name.split())]
    if args.backend == "cupy":  # one name at a time is no work for a GPU
        cases = [case for case in cases if case.group != "reports"]
    if not cases:
        raise DataError(f"no case has all of these in its name: {' '.join(args.only)}")
    return cases


def all_threads():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def measure(args):
    """All results as JSON holds them."""
    if args.backend == "cupy":
        backend.use("cupy")  # says at once what is wrong with it
    left_out = leave_out(args)
    chosen(args)  # to say at once that there is none
    everyone, cases, memory = all_threads(), [], []
    usual = [1, everyone] if args.backend == "numpy" else [everyone]
    for threads in sorted(set(args.threads or usual)):
        cases += in_own_process(args, threads, [])
    if args.backend == "cupy" or not Path("/proc/self/clear_refs").exists():
        left_out.append("memory, which is measured on the CPU and on Linux only")
    else:
        memory = measure_memory(args)
    return {
        "machine": machine(args) | {"threads": everyone},
        "backend": args.backend,
        "rounds": args.rounds,
        "seconds_of_a_loop": LEAST_SECONDS,
        "left_out": left_out,
        "cases": [with_ratios(case) for case in cases],
        "memory": memory,
    }


def leave_out(args):
    """Take from the peers what cannot take part, and say why, a line for each."""
    if not args.peers:
        return ["PyTorch and JAX, as --no-torch asks"]
    left_out = []
    for peer, name in (("torch", "PyTorch"), ("jax", "JAX")):
        reason = None
        if util.find_spec(peer) is None:
            reason = f"which is not installed (pip install {peer})"
        elif args.backend == "cupy" and peer == "jax":
            reason = "which is timed on the CPU only"
        elif args.backend == "cupy" and not has_gpu():
            reason = "which is installed without a GPU"
        if reason:
            args.peers = [other for other in args.peers if other != peer]
            left_out.append(f"{name}, {reason}")
    return left_out


def has_gpu():
    import torch

    return torch.cuda.is_available()


def in_own_process(args, threads, more):
    """The list that this script's worker writes, with so many threads in every library.

    The libraries read these variables only once, when they are imported.
    """
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    names += ("VECLIB_MAXIMUM_THREADS", "BLIS_NUM_THREADS")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [sys.executable, __file__, "--worker", path, "--threads", str(threads)]
        command += ["--backend", args.backend, "--rounds", str(args.rounds), *more]
        command += ["--quick"] * args.quick
        command += ["--peers", *args.peers] if args.peers else ["--no-torch"]
        if args.only:
            command += ["--only", *args.only]
        environment = os.environ | dict.fromkeys(names, str(threads))
        if threads == 1:  # JAX reads no variable with a number of threads
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        if subprocess.run(command, env=environment).returncode:
            raise MinirnnError("a process of the benchmark failed; its own message stands above")
        return json.loads(path.read_text())


def work(args):
    """Run what a process of its own does: time the cases, or train once and look at the memory."""
    (threads,) = args.threads
    if args.memory:
        (case,) = memory_cases(args)
        args.worker.write_text(json.dumps([peak_memory(case, args.memory)]))
        return
    from tqdm import tqdm

    if "torch" in args.peers:
        import torch

        torch.set_num_threads(threads)
    results = []
    for case in (bar := tqdm(chosen(args), unit="case", disable=None)):
        bar.set_description(f"{threads} thread{'s' * (threads > 1)}: {case.name}")
        times = time_case(case, args.backend, args.peers, args.rounds)
        results.append({"name": case.name, "threads": threads, **case._asdict(), "times": times})
    args.worker.write_text(json.dumps(results))


def memory_cases(args):
    cases = [Case(model, *shape) for model in GATES for shape in MEMORY_CASES]
    if args.quick:
        cases = [case for case in cases if case.model == "lstm" and case.group == "names"]
    return [case for case in cases if set(args.only) <= set(case.name.split())]


def measure_memory(args):
    """[{"name", "ours", "torch": MiB}]: each number is that of a fresh process."""
    rows = []
    for case in memory_cases(args):
        asked = argparse.Namespace(**vars(args) | {"only": case.name.split()})
        row = {"name": case.name}
        for who in ("ours", "torch") if "torch" in args.peers else ("ours",):
            (row[who],) = in_own_process(asked, 1, ["--memory", who])
        rows.append(row)
    return rows


def with_ratios(case):
    """The case with each time as (quartile, median, quartile), and with ratios of times.

    A ratio is that of the medians; its spread is that of the ratios within each round.
    """
    times, ratios = case["times"], {}
    for what, rounds in times.items():
        ours = np.array(rounds["ours"])
        ratios[what] = {}
        for name in rounds.keys() - {"ours"}:
            other = np.array(rounds[name])
            low, _, high = quartiles(other / ours)
            ratios[what][name] = [low, float(np.median(other) / np.median(ours)), high]
        times[what] = {name: quartiles(seconds) for name, seconds in rounds.items()}
    return case | {"ratios": ratios}


def quartiles(numbers):
    return np.percentile(numbers, (25, 50, 75)).tolist()


def machine(args):
    """Return the machine's facts, without which a number says nothing."""
    gpu = None
    if args.backend == "cupy":
        properties = backend.use("cupy").cuda.runtime.getDeviceProperties(0)
        gpu = properties["name"].decode()
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((x.split(": ")[1] for x in lines if x.startswith("model name")), processor)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "date": date.today().isoformat(),
        "processor": processor,
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": f"{np.__version__} ({blas['name']} {blas['version']})",
        **{peer: metadata.version(peer) if peer in args.peers else None for peer in PEERS},
        "gpu": gpu,
    }


def load(path):
    """The results that --json wrote. Raises `DataError` where a file holds anything else, which
    shows as soon as it is put to use."""
    text = read_text(path)
    try:
        results = json.loads(text)
        tables.table(results), tables.markdown(results), tables.compared(results, results)
        for case in results["cases"]:
            Case(**{name: case[name] for name in Case._fields})
    except Exception as error:  # JSON may hold anything
        raise DataError(
            f"{path} holds no results of this script ({type(error).__name__})"
        ) from None
    return results


def run():
    args = parse()
    if args.worker:
        return work(args)
    results = load(args.load) if args.load else measure(args)
    print(tables.table(results))
    if args.json:
        write_atomic(args.json, json.dumps(results, indent=1).encode() + b"\n")
    if args.plot:
        write_figure(args.plot, tables.plot(results))
    if args.markdown:
        write_atomic(args.markdown, tables.filled(read_text(args.markdown), results).encode())
    if args.compare:
        fallen, lines = tables.compared(results, load(args.compare))
        print("\n".join(lines))
        return 1 if fallen else 0
    return 0


if __name__ == "__main__":
    sys.exit(cli.main(run))
