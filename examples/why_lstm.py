"""Why does an LSTM beat an RNN? The lab reports say: memory. Here it is measured.

python examples/why_lstm.py --quick     a first look
python examples/why_lstm.py             100,000 names, sequences of up to 200 steps
python examples/why_lstm.py --resume    go on after Ctrl-C, or worse
mpiexec -n 5 python examples/why_lstm.py   four nets at a time, on any machines

1  The RNN that stays at 60 % on names is taken apart: what if it had its tanh?
2  Where memory does matter: two numbers to remember over 20, 50, 100 and 200 steps.
3  The gradient on its way back through time, before and after training.
4  What the gates do while a name is read.

What is in the folder is never trained again: the same command goes on, and --resume sees to it
that there is something to go on with.
"""

# ruff: noqa: E402
import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: a rank of MPI has one core

import numpy as np

from minirnn import cells, cli, gradient_flow, plotting
from minirnn.batches import Sequences
from minirnn.data import load_names
from minirnn.losses import MeanSquaredError
from minirnn.mpi import pool
from minirnn.reports import adding, processes, runs
from minirnn.storage.checkpoints import load_net
from minirnn.storage.files import write_atomic, write_figure
from minirnn.storage.stored_runs import StoredRun

PLATEAU = ("A", "A+tanh", "A+new", "A+both")
CELLS = {"RNN": cells.RNNCell, "LSTM": cells.LSTMCell, "GRU": cells.GRUCell}
HIDDEN = 64  # of the nets that add
FLOW_T = 100  # steps of the sequences on which gradients are followed
SHOWN = (1e-12, 100)  # what is smaller than a millionth of a millionth is nothing


def parse():
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--iterations", type=cli.whole, help="names for parts 1 and 4 (100,000)")
    add("--adding-iterations", type=cli.whole, help="batches of 32 for part 2 (at most 3,000)")
    add("--lengths", type=length, nargs="+", metavar="T", help="of part 2 (20 50 100 200)")
    add("--quick", action="store_true", help="a fiftieth of the names, two lengths")
    add("--jobs", type=cli.whole, default=processes.cores(), help="processes (default: all cores)")
    add("--data", metavar="DIR", help="a folder of <Language>.txt (default: the embedded names)")
    add("--seed", type=cli.seed, default=0)
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", help="(default: runs/why-lstm, or -quick)")
    args = parser.parse_args()
    args.iterations = args.iterations or (2_000 if args.quick else 100_000)
    args.adding_iterations = args.adding_iterations or (400 if args.quick else 3_000)
    args.lengths = args.lengths or ([20, 50] if args.quick else [20, 50, 100, 200])
    args.output = args.output or Path("runs") / ("why-lstm-quick" if args.quick else "why-lstm")
    return args


def length(text):
    """An argparse type: a length at which there is room for two marks."""
    number = cli.whole(text)
    if not 2 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 2 to 1000")
    return number


@dataclass(frozen=True)
class Adding(StoredRun):
    """One net on the adding problem at one length."""

    cell: str
    T: int
    iterations: int
    seed: int
    folder: str

    @property
    def name(self):
        return f"adding-{self.cell}-{self.T}"


def adder(cell, rng):
    """The forget gate starts open, as Jozefowicz et al. 2015 recommend."""
    forget_bias = 1.0 if cell == "LSTM" else None
    return adding.Adder(CELLS[cell], HIDDEN, rng=rng, forget_bias=forget_bias)


def work(task, progress, stopped):
    """A task of either kind, in a process of its own."""
    if isinstance(task, runs.Run):
        return runs.train(task, progress, stopped)
    rng = np.random.default_rng(task.seed)
    trainer = adding.AddingTrainer(
        adder(task.cell, rng), task.T, rng, iterations=task.iterations
    )  # fmt: skip

    def finish():
        error = trainer.history[-1][1]
        return {"history": trainer.history, "error": error, "solved": error < adding.SOLVED}

    return task.train(trainer, finish, progress, stopped)


def plateau(results, output):
    """Part 1: A, with tanh, with the output from h_t, with both."""
    curves = {}
    for kind in PLATEAU:
        result = results[kind]
        rows = result["history"]
        title = runs.KINDS[kind].title
        curves[title] = [r["iteration"] for r in rows], [r["train"] for r in rows]
        reached = "infinite loss" if "diverged" in result else f"{result['train']:.3f}"
        print(f"  {title:34s} {reached}")
    figure = plotting.plot_curves(
        {"": curves}, "iteration", "accuracy on names trained on", ylim=(0, 1)
    )
    write_figure(output / "plateau.png", figure)
    return {kind: results[kind].get("train") for kind in PLATEAU}


def memory(results, lengths, output):
    """Part 2: errors on the adding problem, in a table and a figure."""
    print(f"  {'steps':8s}" + "".join(f"{cell:>20s}" for cell in CELLS))
    for T in lengths:
        row = [results[cell, T] for cell in CELLS]
        cells_ = [
            f"{r['error']:.3f} " + (f"at {r['history'][-1][0]:,}" if r["solved"] else "not solved")
            for r in row
        ]
        print(f"  {T:<8d}" + "".join(f"{text:>20s}" for text in cells_))
    panels = {
        f"T = {T}": {cell: tuple(zip(*results[cell, T]["history"], strict=True)) for cell in CELLS}
        for T in lengths
    }
    figure = plotting.plot_curves(
        panels, "batches of 32", "mean squared error", log=True,
        levels={"always answering 1": adding.CHANCE, "solved": adding.SOLVED},
    )  # fmt: skip
    write_figure(output / "adding.png", figure)
    return {f"{cell}, {T}": results[cell, T] for cell in CELLS for T in lengths}


def gradients(adds, lengths, seed, output):
    """Part 3: |dL/dh_t| against t, and the singular values of the steps, before and after."""
    trained_at = min(lengths, key=lambda T: (abs(T - FLOW_T), T))
    x, target = adding.draw(np.random.default_rng([seed, 1]), FLOW_T, 64)
    norms, reach, numbers = {}, {}, {}
    moments = {"before training": None, f"after training at T = {trained_at}": trained_at}
    for when, T in moments.items():
        norms[when], reach[when] = {}, {}
        for cell in CELLS:
            net = adder(cell, np.random.default_rng(seed))
            if T:
                net, _ = load_net(adds[cell, T].path("npz"), lambda settings, net=net: net)
            y, (_, linear_cache, *_) = net.forward(x)
            loss = MeanSquaredError("sum")
            dlast = net.linear.backward(loss.backward(loss.forward(y, target)[1]), linear_cache)
            dnorms = gradient_flow.gradient_norms(net.recurrent, x, dlast)
            steps = np.arange(1, FLOW_T + 1)
            for state, values in dnorms.items():
                label = cell if len(dnorms) == 1 else f"{cell}, {state}"
                norms[when][label] = steps, above_zero(values / dnorms["h"][-1])
            one, product = gradient_flow.singular_values(
                gradient_flow.step_jacobians(net.recurrent, x[:, 0])
            )
            reach[when][cell] = steps - 1, above_zero(product)
            numbers[f"{cell}, {when}"] = {
                "gradient_after_first_step": float(dnorms["h"][0] / dnorms["h"][-1]),
                "largest_singular_value_of_a_step": float(one.mean()),
                "largest_singular_value_of_all_steps": float(product[0]),
                "norms": {state: values.tolist() for state, values in dnorms.items()},
                "singular_values": one.tolist(),
            }
            print(f"  {cell:5s} {when:28s} |dL/dh_1| / |dL/dh_T| = "
                  f"{numbers[f'{cell}, {when}']['gradient_after_first_step']:.1e}, "
                  f"largest singular value of a step {one.mean():.2f}")  # fmt: skip
    figures = {
        "gradient-flow.png": (norms, "|dL/dh(t)| / |dL/dh(T)|"),
        "jacobians.png": (reach, "largest singular value of dh(T) / dh(t)"),
    }
    for name, (panels, label) in figures.items():
        figure = plotting.plot_curves(panels, "step t", label, log=True, ylim=SHOWN)
        write_figure(output / name, figure)
    return numbers


def above_zero(values):
    """The same for a logarithmic axis, which has no place for 0: c gets no gradient at T itself."""
    return np.where(values > 0, values, np.nan)


def gates(trained, names, output):
    """Part 4: the gates of the trained LSTM and GRU over real names."""
    shown = []
    for k, language in enumerate(("Russian", "Japanese")):
        known = names.languages.index(language) if language in names.languages else k
        theirs = [names.names[place] for place in np.flatnonzero(names.labels == known)]
        shown.append(next((name for name in theirs if len(name) >= 8), theirs[0]))
    means = {}
    for kind, title in {"B": "LSTM", "C": "GRU"}.items():
        net, _ = runs.trained_net(trained[kind])
        alphabet = runs.alphabet_of(kind)
        sequences = Sequences([alphabet.encode(n) for n in shown], np.zeros(len(shown), int))
        for k, name in enumerate(shown):
            gates = net.gates(sequences.batch(np.array([k])))
            figure = plotting.plot_gates(gates, name, f"{title} over the letters of {name}")
            write_figure(output / f"gates-{title}-{k + 1}.png", figure)
            means[f"{title}, {name}"] = {g: np.mean(a, axis=1).tolist() for g, a in gates.items()}
            text = ", ".join(f"{gate} {np.mean(a):.2f}" for gate, a in gates.items())
            print(f"  {title:5s}{name:16s} means: {text}")
    return means


def run():
    args = parse()
    if pool.serve():
        return
    names = load_names(args.data, runs.alphabet_of("A"))
    output = cli.output_folder(args.output)
    folder = str(cli.output_folder(output / "nets"))
    trained = {
        kind: runs.Run(kind, "reports", args.seed, args.iterations, names.digest(), args.data,
                           folder)
        for kind in (*PLATEAU, "B", "C")
    }  # fmt: skip
    longest_first = sorted(args.lengths, reverse=True)
    adds = {
        (cell, T): Adding(cell, T, args.adding_iterations, args.seed, folder)
        for T in longest_first
        for cell in CELLS
    }
    tasks = {**trained, **adds}
    settings = {
        "iterations": args.iterations, "adding_iterations": args.adding_iterations,
        "seed": args.seed, "names": names.digest(), "source": names.source,
    }  # fmt: skip
    with cli.remaining_runs(output, settings, list(tasks.values()), args.resume) as waiting:
        for task, result in processes.run(work, waiting, args.jobs):
            print(f"{task.name}: {'stopped' if result is None else 'done'}", flush=True)
        outcomes = {key: task.result() for key, task in tasks.items()}
        print("\n1 accuracy on names trained on, of the RNN taken apart")
        results = {"plateau": plateau(outcomes, output)}
        print("\n2 the adding problem: error, and after how many batches it was solved")
        results["adding"] = memory(outcomes, sorted(args.lengths), output)
        print("\n3 the gradient on its way back")
        results["gradients"] = gradients(adds, args.lengths, args.seed, output)
        print("\n4 the gates over names")
        results["gates"] = gates(trained, names, output)
        results["settings"] = settings
        write_atomic(output / "results.json", json.dumps(results, indent=1).encode() + b"\n")
        print(f"\nwritten: {output / 'results.json'} and the figures beside it")


if __name__ == "__main__":
    sys.exit(cli.main(run))
