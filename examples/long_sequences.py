"""Where memory matters: two numbers to add, three symbols to copy, over 20 to 1,000 steps.

python examples/long_sequences.py --quick              does it run? two lengths, few batches
python examples/long_sequences.py --seeds 0 1 2 3 4    everything, in some hours
python examples/long_sequences.py --only adding --lengths 20 50
python examples/long_sequences.py --resume             go on after Ctrl-C, or worse
mpiexec -n 5 python examples/long_sequences.py         four nets at a time, on any machines

1  After how many batches do an RNN, an LSTM and a GRU solve it, at every length? Each as it
   comes, and with first values that are said to help it remember: seven nets (NETS). Where no
   seed solves it, longer sequences are not tried.
2  The gradient on its way back in the nets that add, first seed, at the length nearest to 100,
   before and after training.

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

from minirnn import cli, gradient_flow, plotting
from minirnn.cells import GRUCell, LSTMCell, RNNCell
from minirnn.errors import NumberError
from minirnn.losses import MeanSquaredError
from minirnn.mpi import pool
from minirnn.recurrent import Recurrent
from minirnn.reports import adding, copying, processes, seeds
from minirnn.reports.drawn import LastState
from minirnn.storage.checkpoints import load_net
from minirnn.storage.files import write_atomic, write_figure
from minirnn.storage.stored_runs import StoredRun

HIDDEN = 64
FLOW_T = 100  # steps of the sequences on which gradients are followed
SHOWN = (1e-12, 100)  # what is smaller than a millionth of a millionth is nothing
PROBLEMS = {"adding": adding, "copying": copying}
LENGTHS = (20, 50, 100, 200, 500, 1000)
BATCHES = 3_000  # of 32 sequences, at most


def rnn(input_size, rng):
    """tanh; all weights uniform within 1 / sqrt(H), as PyTorch's."""
    return Recurrent(RNNCell("tanh"), input_size, HIDDEN, rng=rng)


def orthogonal_rnn(input_size, rng):
    """tanh; Wh orthogonal, Wx Glorot-uniform, biases 0, as Keras'."""
    return Recurrent(RNNCell("tanh"), input_size, HIDDEN, rng=rng, init="keras")


def identity_rnn(input_size, rng):
    """relu; Wh the identity, Wx normal (.001), one bias, 0: Le, Jaitly and Hinton 2015."""
    net = Recurrent(RNNCell("relu"), input_size, HIDDEN, rng=rng, biases=1)
    net.Wh.data[...] = np.eye(HIDDEN)
    net.Wx.data[...] = rng.normal(scale=0.001, size=net.Wx.shape)
    net.bx.data[...] = 0
    return net


def lstm(input_size, rng):
    """All weights and biases uniform within 1 / sqrt(H), as PyTorch's."""
    return Recurrent(LSTMCell, input_size, HIDDEN, rng=rng)


def open_lstm(input_size, rng):
    """The same, but the bias of the forget gate is 1: Gers et al. 2000, Jozefowicz et al. 2015."""
    return Recurrent(LSTMCell, input_size, HIDDEN, rng=rng, forget_bias=1.0)


def gru(input_size, rng):
    """All weights and biases uniform within 1 / sqrt(H), as PyTorch's."""
    return Recurrent(GRUCell, input_size, HIDDEN, rng=rng)


def open_gru(input_size, rng):
    """The same, but the bias of z, which keeps the old state, is 1."""
    net = gru(input_size, rng)
    z = GRUCell.gates.index("z")
    net.bx.data[z], net.bh.data[z] = 1, 0
    return net


NETS = {
    "RNN": rnn, "RNN orthogonal": orthogonal_rnn, "RNN identity": identity_rnn,
    "LSTM": lstm, "LSTM f open": open_lstm, "GRU": gru, "GRU z open": open_gru,
}  # fmt: skip


def parse():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add(
        "--only",
        choices=PROBLEMS,
        nargs="+",
        default=list(PROBLEMS),
        metavar="PROBLEM",
        help=f"of {', '.join(PROBLEMS)} (default: both)",
    )
    add(
        "--nets",
        choices=NETS,
        nargs="+",
        default=list(NETS),
        metavar="NET",
        help=f"of {', '.join(NETS)} (default: all)",
    )
    add(
        "--lengths",
        type=length,
        nargs="+",
        metavar="T",
        help=f"steps, 2 to 1000 (default: {' '.join(map(str, LENGTHS))})",
    )
    add("--batches", type=cli.whole, help="at most, of 32 sequences (default: 3,000)")
    add("--seeds", type=cli.seed, nargs="+", default=[0], metavar="SEED", help="(default: 0)")
    add("--quick", action="store_true", help="two lengths and 120 batches")
    add("--jobs", type=cli.whole, default=processes.cores(), help="processes (default: all cores)")
    add("--resume", action="store_true", help=cli.RESUME)
    add("--output", type=Path, metavar="DIR", help="(default: runs/long-sequences, or -quick)")
    args = parser.parse_args()
    if args.lengths and args.batches and args.output:
        cli.refuse_idle(parser, args, ["quick"], "where all that it changes is given")
    for name in ("seeds", "only", "nets"):  # each once
        setattr(args, name, list(dict.fromkeys(getattr(args, name))))
    args.lengths = sorted(set(args.lengths or (LENGTHS[:2] if args.quick else LENGTHS)))
    args.batches = args.batches or (120 if args.quick else BATCHES)
    name = f"long-sequences{'-quick' if args.quick else ''}"
    args.output = args.output or Path("runs") / name
    return args


def length(text):
    """An argparse type: a length at which there is room for two marks."""
    number = cli.whole(text)
    if not 2 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 2 to 1000")
    return number


@dataclass(frozen=True)
class Run(StoredRun):
    """One net on one problem at one length."""

    problem: str
    net: str
    T: int
    seed: int
    iterations: int
    folder: str

    @property
    def name(self):
        """The name of its files, without the ending."""
        return f"{self.problem}-{self.net}-{self.T}-{self.seed}".replace(" ", "-")

    def trainer(self):
        """Its net and the problem, with the first values of its seed."""
        rng = np.random.default_rng(self.seed)
        if self.problem == "adding":
            net = LastState(NETS[self.net](2, rng), 1, rng=rng)
            return adding.AddingTrainer(net, self.T, rng, iterations=self.iterations)
        net = copying.Copier(NETS[self.net](copying.SYMBOLS + 2, rng), rng=rng)
        return copying.CopyingTrainer(net, self.T, rng, iterations=self.iterations)


def work(task, progress, stopped):
    """Train one of the nets, in a process of its own; a loss that becomes infinite is a result."""
    trainer = task.trainer()

    def finish():
        solved = bool(trainer.history) and trainer.history[-1][1] < PROBLEMS[task.problem].SOLVED
        measured = {"error": trainer.history[-1][1]} if trainer.history else {}
        reached = {"needed": trainer.iteration} if solved else {}
        return {"history": trainer.history, "solved": solved, **measured, **reached}

    try:
        return task.train(trainer, finish, progress, stopped)
    except NumberError:
        return task.store({**finish(), "solved": False, "diverged": trainer.iteration})


def runs_so_far(args, folder):
    """For every problem and net the runs at the lengths up to the first that no seed solves; where
    some are not done, longer ones are not yet known."""
    runs = []
    for problem in args.only:
        for net in args.nets:
            for T in args.lengths:
                those = [Run(problem, net, T, seed, args.batches, folder) for seed in args.seeds]
                runs += those
                results = [one.result() for one in those]
                if None in results or not any(result["solved"] for result in results):
                    break
    return sorted(runs, key=lambda one: (one.T, one.seed))


def told(by_seed, *key):
    """How many seeds solved it, and after how many batches: their median; "-" if not tried."""
    if key not in by_seed.runs:
        return "-"
    batches = by_seed.values("needed", *key)
    there = batches[np.isfinite(batches)]
    after = f" in {np.median(there):,.0f}" if len(there) else ""
    return f"{len(there)} of {len(batches)}{after}"


def solving(by_seed, nets, lengths, problem, output):
    """Part 1: a table and a figure of the batches that each net needed, over T."""
    print(f"\n1 {problem}: seeds that solved it, and the median of the batches that they needed")
    print(f"  {'':16s}" + "".join(f"{f'T = {T:,}':>17s}" for T in lengths))
    curves = {}
    for net in nets:
        print(f"  {net:16s}" + "".join(f"{told(by_seed, problem, net, T):>17s}" for T in lengths))
        tried = [T for T in lengths if (problem, net, T) in by_seed.runs]
        needed = [by_seed.values("needed", problem, net, T) for T in tried]
        curves[net] = tried, [np.nan_to_num(batches, nan=np.inf) for batches in needed]
    figure = plotting.plot_medians(curves, "T", "batches to solve it: each seed, and the median")
    write_figure(output / f"{problem}.png", figure)


def gradients(trained, output):
    """Part 2: |dL/dh_t| against t, and the singular values of the steps, before and after."""
    x, target = adding.draw(np.random.default_rng([0, 1]), FLOW_T, 64)
    norms, reach, numbers = {}, {}, []
    for when in ("before training", f"after training at T = {next(iter(trained.values())).T}"):
        norms[when], reach[when] = {}, {}
        for name, one in trained.items():
            net = one.trainer().net
            if when.startswith("after"):
                if not one.path("npz").is_file():  # its loss became infinite
                    continue
                net, _ = load_net(one.path("npz"), lambda settings, net=net: net)
            y, (_, linear_cache, *_) = net.forward(x)
            loss = MeanSquaredError("sum")
            dlast = net.linear.backward(loss.backward(loss.forward(y, target)[1]), linear_cache)
            dnorms = gradient_flow.gradient_norms(net.recurrent, x, dlast)
            steps = np.arange(1, FLOW_T + 1)
            for state, values in dnorms.items():
                label = name if len(dnorms) == 1 else f"{name}, {state}"
                norms[when][label] = steps, above_zero(values / dnorms["h"][-1])
            each, product = gradient_flow.singular_values(
                gradient_flow.step_jacobians(net.recurrent, x[:, 0])
            )
            reach[when][name] = steps - 1, above_zero(product)
            left = float(dnorms["h"][0] / dnorms["h"][-1])
            numbers.append({"net": name, "when": when.split()[0], "left": left,
                            "step": float(each.mean()), "steps": float(product[0])})  # fmt: skip
            print(f"  {name:16s}{when:28s}|dL/dh_1| / |dL/dh_T| = {left:.1e}, "
                  f"largest singular value of a step {each.mean():.2f}")  # fmt: skip
    figures = {
        "gradient-flow.png": (norms, "|dL/dh(t)| / |dL/dh(T)|"),
        "jacobians.png": (reach, "largest singular value of d state(T) / d state(t)"),
    }
    for name, (panels, label) in figures.items():
        figure = plotting.plot_curves(panels, "step t", label, log=True, ylim=SHOWN)
        write_figure(output / name, figure)
    return numbers


def above_zero(values):
    """The same for a logarithmic axis, which has no place for 0: c gets no gradient at T itself."""
    return np.where(values > 0, values, np.nan)


def run():
    args = parse()
    if pool.serve():
        return
    output = cli.output_folder(args.output)
    folder = str(cli.output_folder(output / "nets"))
    near = min(args.lengths, key=lambda T: (abs(T - FLOW_T), T))
    followed = {
        net: Run("adding", net, near, args.seeds[0], args.batches, folder)
        for net in (args.nets if "adding" in args.only else [])
    }
    shortest = [
        Run(problem, net, args.lengths[0], seed, args.batches, folder)
        for seed in args.seeds for problem in args.only for net in args.nets
    ]  # fmt: skip
    settings = {"batches": args.batches}

    def still_to_do():
        return [one for one in runs_so_far(args, folder) if one.result() is None]

    first = list({one.name: one for one in (*shortest, *followed.values())}.values())
    with cli.remaining_runs(output, settings, first, args.resume) as waiting:
        for one, result in processes.run(work, waiting, args.jobs, still_to_do):
            print(f"{one.name}: {'stopped' if result is None else 'done'}", flush=True)
        document = {
            "settings": {**settings, "seeds": args.seeds},
            "runs": [one.result() for one in runs_so_far(args, folder)],
        }  # fmt: skip
        by_seed = seeds.Results(document, ("problem", "net", "T"), "this run")
        for problem in args.only:
            solving(by_seed, args.nets, args.lengths, problem, output)
        if followed:
            print("\n2 the gradient on its way back, over the numbers to add")
            document["gradients"] = gradients(followed, output)
        write_atomic(output / "results.json", json.dumps(document, indent=1).encode() + b"\n")
        print(f"\nwritten: {output / 'results.json'} and the figures beside it")


if __name__ == "__main__":
    sys.exit(cli.main(run))
