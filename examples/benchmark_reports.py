"""How fast are the lab reports' nets beside the same nets in PyTorch? One name at a time.

python examples/benchmark_reports.py                     needs PyTorch (any CPU build)
python examples/benchmark_reports.py --only B,D --names 500
python examples/benchmark_reports.py --train 300000 --only A     how far PyTorch's nets get

Each net is written in PyTorch as the tutorials write it: one-hot letters, a loop over the
letters, the parameters moved one by one. Both sides run on one thread, take the same names in
the same order, and take turns; a round is a number of training steps, and what is compared is
the median over the rounds. --train instead trains PyTorch's nets alone, by the reports' protocol
and with PyTorch's own first values, and says how many of the names trained on they get right.
"""

import argparse
import os
import statistics
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from tqdm import tqdm

from minirnn import cli
from minirnn.data import load_names
from minirnn.errors import MinirnnError
from minirnn.evaluation import Evaluation
from minirnn.losses import CrossEntropy
from minirnn.reports import nets, runs
from minirnn.reports.online import OnlineTrainer

try:
    import torch
    from torch import nn
except ImportError:
    torch, nn = None, argparse.Namespace(Module=object)

H, LR = 128, 0.005


class TorchRNN(nn.Module):
    """Net A."""

    def __init__(self, D, K):
        super().__init__()
        self.i2h, self.i2o = nn.Linear(D + H, H), nn.Linear(D + H, K)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, x):
        h = torch.zeros(1, H)
        for letter in x:
            both = torch.cat((letter, h), 1)
            h = self.i2h(both)
            output = self.softmax(self.i2o(both))
        return output


class TorchLSTM(nn.Module):
    """Net B; with classify_gate net E, whose mistake it makes too."""

    def __init__(self, D, K, classify_gate=False):
        super().__init__()
        for name in "fioc":
            setattr(self, f"i2{name}", nn.Linear(D + H, H))
        self.out, self.softmax = nn.Linear(H, K), nn.LogSoftmax(dim=1)
        self.classify_gate = classify_gate

    def forward(self, x):
        h, c = torch.zeros(1, H), torch.zeros(1, H)
        for letter in x:
            both = torch.cat((letter, h), 1)
            f, i = torch.sigmoid(self.i2f(both)), torch.sigmoid(self.i2i(both))
            o, g = torch.sigmoid(self.i2o(both)), torch.tanh(self.i2c(both))
            c = f * c + i * g
            h = o * torch.tanh(c)
        return self.softmax(self.out(o if self.classify_gate else h))


class TorchGRU(nn.Module):
    """Net C."""

    def __init__(self, D, K):
        super().__init__()
        for name in "zrn":
            setattr(self, f"i2{name}", nn.Linear(D + H, H))
        self.out, self.softmax = nn.Linear(H, K), nn.LogSoftmax(dim=1)

    def forward(self, x):
        h = torch.zeros(1, H)
        for letter in x:
            both = torch.cat((letter, h), 1)
            z, r = torch.sigmoid(self.i2z(both)), torch.sigmoid(self.i2r(both))
            n = torch.tanh(self.i2n(torch.cat((letter, r * h), 1)))
            h = (1 - z) * n + z * h
        return self.softmax(self.out(h))


class TorchBuiltin(nn.Module):
    """Net D."""

    def __init__(self, D, K):
        super().__init__()
        self.lstm, self.linear = nn.LSTM(D, H), nn.Linear(H, K)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.softmax(self.linear(output[-1]))


class TorchGenerator(nn.Module):
    """Net F: one row of output for each letter."""

    def __init__(self, V, K):
        super().__init__()
        self.i2h, self.i2o = nn.Linear(K + V + H, H), nn.Linear(K + V + H, V)
        self.o2o, self.dropout = nn.Linear(H + V, V), nn.Dropout(0.1)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, x):
        h, outputs = torch.zeros(1, H), []
        for row in x:  # category and letter side by side
            both = torch.cat((row, h), 1)
            h, o = self.i2h(both), self.i2o(both)
            o = self.o2o(torch.cat((h, o), 1))
            outputs.append(self.softmax(self.dropout(o)))
        return torch.cat(outputs)


def torch_net(kind, num_symbols, num_classes):
    makers = {"A": TorchRNN, "B": TorchLSTM, "C": TorchGRU, "D": TorchBuiltin, "F": TorchGenerator}
    if kind == "E":
        return TorchLSTM(num_symbols, num_classes, classify_gate=True)
    return makers[kind](num_symbols, num_classes)


def torch_state(kind, net):
    """The weights of one of our nets under the names of its twin in PyTorch."""

    def joined(recurrent, gate):  # nn.Linear on letter and state side by side
        k = recurrent.cell.gates.index(gate)
        W = np.concatenate([recurrent.Wx.data[k], recurrent.Wh.data[k]])
        return W.T, recurrent.bx.data[k]

    if kind == "D":
        return {name: torch.from_numpy(a) for name, a in net.to_pytorch().items()}
    if kind in "AF":
        layers = {"i2h": joined(net.i2h, "h"), "i2o": (net.i2o.W.data.T, net.i2o.b.data)}
        if kind == "F":
            layers["o2o"] = net.o2o.W.data.T, net.o2o.b.data
    else:
        gates = net.gate_names if kind != "E" else nets.ReportLSTM.gate_names
        layers = {name: joined(net.recurrent, gate) for name, gate in gates.items()}
        layers["out"] = net.out.W.data.T, net.out.b.data
    return {
        f"{name}.{part}": torch.from_numpy(np.ascontiguousarray(array))
        for name, arrays in layers.items()
        for part, array in zip(("weight", "bias"), arrays, strict=True)
    }


def torch_input(kind, batch, width):
    """One-hot rows [T, 1, width] of a batch of one, new for each name as in the tutorials."""
    x = torch.zeros(len(batch.x), 1, width)
    for t, ids in enumerate(batch.x):
        x[t, 0, ids] = 1
    return x


def torch_step(kind, net, batch, width, lr=LR):
    """One training step as the tutorials write it; the loss."""
    net.zero_grad()
    output = net(torch_input(kind, batch, width))
    loss = nn.functional.nll_loss(
        output, torch.from_numpy(batch.labels), reduction="sum" if kind == "F" else "mean"
    )
    loss.backward()
    for p in net.parameters():
        p.data.add_(p.grad.data, alpha=-lr)
    return loss.item()


def torch_accuracy(kind, iterations, seed, data):
    """Class-balanced accuracy of PyTorch's net on the names that it was trained on."""
    run = runs.Run(kind, "reports", seed, iterations, "", data, "")
    names, parts = runs.load(run)
    K, width, rng = len(names.languages), len(nets.LETTERS), np.random.default_rng(seed)
    ours = runs.build(kind, K, rng)
    trainer, _ = runs.guessing_trainer(run, ours, names, parts, rng)  # its batches and draws
    torch.manual_seed(seed)
    net = torch_net(kind, width, K)
    places = tqdm(trainer.draw(iterations), desc=f"{kind}, seed {seed}", disable=None, leave=False)
    for place in places:
        torch_step(kind, net, trainer.batches[place], width, runs.KINDS[kind].lr)
    with torch.no_grad():
        guesses = [int(net(torch_input(kind, b, width)).argmax()) for b in trainer.batches]
    return Evaluation.of(names.labels, np.array(guesses), K).balanced_accuracy


def compare(kind, names, count, rounds):
    """([seconds a step of ours, one for each round], [of PyTorch's])."""
    rng, K = np.random.default_rng(0), len(names.languages)
    net, alphabet = runs.build(kind, K, rng), runs.alphabet_of(kind)
    batches = []
    for k in rng.integers(len(names), size=count):
        ids, label = alphabet.encode(names.names[k]), names.labels[k]
        batches.append(
            runs.generator_batch(label, ids, K, len(alphabet)) if kind == "F"
            else runs.Sequences([ids], [label], K, len(alphabet)).batch(np.array([0]))
        )  # fmt: skip
    loss = CrossEntropy("sum" if kind == "F" else "mean")
    ours = OnlineTrainer(net, loss, batches, [np.arange(count)], rng=rng, lr=LR, iterations=1)
    width = K + len(alphabet) + 1 if kind == "F" else len(alphabet)
    theirs = torch_net(kind, len(alphabet) + (kind == "F"), K)
    theirs.load_state_dict(torch_state(kind, net))
    times = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        for batch in batches:
            ours.step(batch)
        between = time.perf_counter()
        for batch in batches:
            torch_step(kind, theirs, batch, width)
        times[0].append((between - started) / count)
        times[1].append((time.perf_counter() - between) / count)
    return times


def run():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="A,B,C,D,E,F", metavar="A,B",
                        help="which nets (default: A to F)")  # fmt: skip
    parser.add_argument("--names", type=cli.whole, default=300, help="steps of a round (300)")
    parser.add_argument("--rounds", type=cli.whole, default=9, help="how many (9)")
    folder = "a folder of <Language>.txt (default: the embedded names)"
    parser.add_argument("--data", metavar="DIR", help=folder)
    parser.add_argument("--train", type=cli.whole, metavar="N", help="names; nets A to E")
    parser.add_argument("--seed", type=cli.seed, default=0, help="for --train (0)")
    args = parser.parse_args()
    idle = (["names", "rounds"], "with --train") if args.train else (["seed"], "without --train")
    cli.refuse_idle(parser, args, *idle)
    kinds = args.only.upper().split(",")
    if not set(kinds) <= set("ABCDEF"):
        raise MinirnnError(f"--only is {args.only!r}, but must be some of A to F, with commas")
    if torch is None:
        raise MinirnnError("this comparison needs PyTorch: pip install torch")
    torch.set_num_threads(1)
    if args.train:
        for kind in kinds:
            if kind != "F":  # which writes names and guesses none
                accuracy = torch_accuracy(kind, args.train, args.seed, args.data)
                print(f"{kind} in PyTorch, seed {args.seed}: {accuracy:.3f} on names trained on")
        return
    names = load_names(args.data, runs.alphabet_of("A"))
    print(f"ms a step, one name, one thread: median (lowest to highest) of {args.rounds} rounds")
    print(f"{'net':38s}{'minirnn':>24s}{'PyTorch ' + torch.__version__:>24s}{'times':>8s}")
    for kind in kinds:
        times = compare(kind, names, args.names, args.rounds)
        texts = [f"{1e3 * statistics.median(t):.3f} ({1e3 * min(t):.3f} to {1e3 * max(t):.3f})"
                 for t in times]  # fmt: skip
        ratio = statistics.median(theirs / ours for ours, theirs in zip(*times, strict=True))
        title = f"{kind} {runs.KINDS[kind].title}"
        print(f"{title:38s}{texts[0]:>24s}{texts[1]:>24s}{ratio:8.1f}", flush=True)


if __name__ == "__main__":
    sys.exit(cli.main(run))
