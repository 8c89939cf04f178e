"""The grid of cases that `benchmark.py` times, with minirnn and the bare products in each.

Every contestant has `train()`, forward, backward and an SGD step on each of a case's batches, and
`forward()`. The others are in `benchmark_torch.py` and `benchmark_jax.py`.
"""

import math
import time
from typing import Any, NamedTuple

import numpy as np

from minirnn import backend
from minirnn.backend import asarray, asnumpy
from minirnn.convert import gradients_to_pytorch, to_pytorch
from minirnn.data import Alphabet, load_names
from minirnn.errors import MinirnnError
from minirnn.functions import log_softmax
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier, cells
from minirnn.optim import SGD
from minirnn.packing import pack

LR = 1e-9  # so small that the weights stay what they are: every round times the same numbers
LEAST_SECONDS = 0.1  # of one timing loop
NAMES_BATCHES = {1: 32, 16: 8, 64: 4, 256: 2, 1024: 1}  # {batch size: batches}, for real lengths
LANGUAGES = 18
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class Case(NamedTuple):
    model: str  # rnn, lstm, gru
    group: str  # names, dense, unequal, reports
    T: int | None  # None: the lengths of real names; unequal: the greatest length
    N: int
    H: int

    @property
    def width(self):
        """Return the width of a step of input: letters, or features as many as hidden units."""
        return self.H if self.group in ("dense", "unequal") else len(Alphabet())

    @property
    def name(self):
        steps = "" if self.T is None else f"T={self.T} "
        return f"{self.model} {self.group} {steps}N={self.N} H={self.H}"


class Batch(NamedTuple):
    x: Any  # ids [S] or features [S, H], packed, or features [T, N, H]
    sizes: list | None  # None: dense
    dy: Any  # the gradient that comes from above: of the output, as random as the input
    labels: Any  # of a name's language, in the reports' protocol only; [N]


def grid(quick=False):
    """The fixed list of cases, or the part of it that is timed in two minutes."""
    shapes = [("names", None, N, 128) for N in ((1, 64) if quick else NAMES_BATCHES)]
    shapes += [("dense", 100, N, 128) for N in (16, 64)]
    if not quick:
        shapes += [("dense", 100, N, H) for H in (256, 512) for N in (16, 64)]
        shapes += [("dense", 200, 16, 128)]
    shapes += [("unequal", T, 64, 64) for T in ((50,) if quick else (10, 50, 200))]
    shapes += [("reports", None, 1, 128)]
    return [Case(model, *shape) for model in GATES for shape in shapes]


def batches_of(case, rng):
    """The batches of a case, on the host: real names drawn at random, or random numbers."""
    if case.group == "dense":
        x, dy = rng.standard_normal((2, case.T, case.N, case.H), dtype="float32")
        return [Batch(x, None, dy, None)]
    if case.group == "unequal":
        lengths = rng.integers(1, case.T, case.N, endpoint=True)
        words = [rng.standard_normal((n, case.H), dtype="float32") for n in lengths]
        x, sizes, _ = pack(words)
        return [Batch(x, sizes, rng.standard_normal(x.shape, dtype="float32"), None)]
    alphabet, names = Alphabet(), load_names()
    result = []
    for _ in range(NAMES_BATCHES[case.N]):
        drawn = rng.choice(len(names), case.N, replace=False)
        ids, sizes, order = pack([alphabet.encode(names.names[k]) for k in drawn])
        dy = rng.standard_normal((len(ids), case.H), dtype="float32")
        result.append(Batch(ids, sizes, dy, names.labels[drawn][order]))
    return result


class Ours:
    """minirnn on one backend, as a reader of its documentation would use it."""

    def __init__(self, case, batches, on="numpy"):
        backend.use(on)
        rng, letters = np.random.default_rng(0), len(Alphabet())
        if case.group == "reports":
            self.net = NameClassifier(
                letters, LANGUAGES, rng=rng, cell=case.model, hidden_size=case.H
            )
            self.layers, self.loss = self.net.recurrent, CrossEntropy()
        else:
            self.net = self.layers = cells[case.model](case.width, case.H, rng=rng)
            self.loss = None
        self.optimizer = SGD(self.net.parameters(), LR)
        self.batches = [
            Batch(asarray(x), sizes, asarray(dy), None if labels is None else asarray(labels))
            for x, sizes, dy, labels in batches
        ]

    def train(self):
        for batch in self.batches:
            self.optimizer.zero_grad()
            if self.loss is None:
                _, _, cache = self.net.forward(batch.x, batch.sizes)
                self.net.backward(batch.dy, cache)
            else:
                logits, cache = self.net.forward(batch, training=True)
                _, loss_cache = self.loss.forward(logits, batch.labels)
                self.net.backward(self.loss.backward(loss_cache), cache)
            self.optimizer.step()

    def forward(self):
        for batch in self.batches:
            self.output(batch)

    def output(self, batch):
        """All hidden states; in the reports' protocol the logits."""
        if self.loss is None:
            return self.net.forward(batch.x, batch.sizes)[0]
        return self.net.forward(batch)[0]

    def results(self):
        """(output of the first batch, {PyTorch's name: gradient after the last}), on the host."""
        self.train()
        output = self.output(self.batches[0])
        if self.loss is not None:
            output = log_softmax(output)
        return asnumpy(output), gradients_to_pytorch(self.layers)

    def weights(self):
        """({PyTorch's name: array} of the recurrent layer, W and b of the last layer or None)."""
        last = None
        if self.loss is not None:
            last = asnumpy(self.net.linear.W.data), asnumpy(self.net.linear.b.data)
        return to_pytorch(self.layers), last


class Floor:
    """The matrix products of a step of training and nothing else: no biases, gates, sums, updates.

    joint: the gates side by side, so that each product is one of two matrices; else the gates
    first, one product for each. Letters are picked from Wx, which is no product; that of the
    one-hot rows in the gradient of Wx is one.
    """

    def __init__(self, case, batches, joint, on="numpy"):
        xp, rng = backend.use(on), np.random.default_rng(0)
        G, H, D = GATES[case.model], case.H, case.width
        self.xp = xp

        def array(*shape):
            return xp.asarray(rng.standard_normal(shape, dtype="float32"))

        def gates(rows, columns):
            return array(rows, G * columns) if joint else array(G, rows, columns)

        self.Wh, self.one_hot = gates(H, H), case.group in ("names", "reports")
        self.Wh_T = array(G * H, H) if joint else array(G, H, H)
        self.Wx = None if self.one_hot else gates(H, H)
        self.Wx_T = None if self.one_hot else xp.asarray(asnumpy(self.Wx).swapaxes(-1, -2).copy())
        self.work = []
        for batch in batches:
            sizes = batch.sizes or [case.N] * case.T
            S = sum(sizes)
            x, h, a = array(S, D), array(S, H), gates(S, H)
            dh = array(case.N, H) if joint else array(G, case.N, H)
            ends = np.cumsum(sizes)
            steps = [slice(end - n, end) for n, end in zip(sizes, ends.tolist(), strict=True)]
            self.work.append((x, h, a, dh, steps))

    def forward(self):
        for x, h, a, _, steps in self.work:
            self._forward(x, h, a, steps)

    def train(self):
        for x, h, a, dh, steps in self.work:
            self._forward(x, h, a, steps)
            for rows in reversed(steps):
                n = rows.stop - rows.start
                self.xp.matmul(a[..., rows, :], self.Wh_T, out=dh[..., :n, :])
            _ = h.T @ a, x.T @ a
            if not self.one_hot:
                _ = a @ self.Wx_T

    def _forward(self, x, h, a, steps):
        if not self.one_hot:
            _ = x @ self.Wx
        for rows in steps:
            self.xp.matmul(h[rows], self.Wh, out=a[..., rows, :])


def floor(case, batches, on, sync):
    """The faster of the two arrangements on this machine."""
    both = [Floor(case, batches, joint, on) for joint in (True, False)]
    return min(both, key=lambda f: calibrated(f.train, sync)[1])


def check_same(ours, others, tolerance=1e-3):
    """Raise `MinirnnError` where another contestant's output or gradients are not ours."""
    output, gradients = ours
    for name, (other_output, other_gradients) in others.items():
        pairs = {"output": (output.reshape(other_output.shape), other_output)}
        pairs |= {f"d{key}": (gradients[key], g) for key, g in other_gradients.items()}
        for what, (a, b) in pairs.items():
            error = np.linalg.norm(a - b) / np.linalg.norm(b)
            if not error < tolerance:
                raise MinirnnError(f"ours and {name} do not compute the same: {what}, {error:.1e}")


def synchroniser(on):
    """A function that waits until the device has done all that it was asked for."""
    if on == "numpy":
        return lambda: None
    return backend.use(on).cuda.runtime.deviceSynchronize  # for all streams, PyTorch's too


def timed(function, repeats, sync):
    """Seconds of one call."""
    sync()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    sync()
    return (time.perf_counter() - start) / repeats


def calibrated(function, sync):
    """Warm up; (how many calls take `LEAST_SECONDS`, the seconds of one)."""
    function()
    repeats = 1
    while (seconds := timed(function, repeats, sync)) * repeats < LEAST_SECONDS:
        repeats = max(2 * repeats, math.ceil(1.1 * LEAST_SECONDS / seconds))
    return repeats, seconds


def interleaved(functions, rounds, sync):
    """{name: [seconds of a call in each round]}: each round times all of them, one after another.

    So a machine that slows down for a while slows all of them down.
    """
    repeats = {name: calibrated(function, sync)[0] for name, function in functions.items()}
    seconds = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            seconds[name].append(timed(function, repeats[name], sync))
    return seconds


def contestants(case, on, peers, sync):
    """{name: contestant} of a case, checked to compute the same."""
    batches = batches_of(case, np.random.default_rng(1))
    ours = Ours(case, batches, on)
    theirs, device, weights = {}, "cpu" if on == "numpy" else "cuda", ours.weights()
    if "torch" in peers:
        from benchmark_torch import Letters, Padded, TorchNN

        theirs["torch"] = TorchNN(case, batches, weights, device)
        if case.group == "unequal":
            theirs["padded"] = Padded(case, batches, weights, device)
        if case.group == "reports" or on == "cupy":
            theirs["loop"] = Letters(case, batches, weights, device)
    if "jax" in peers and on == "numpy":
        from benchmark_jax import Scan

        theirs["jax"] = Scan(case, batches, weights)
    if theirs:
        check_same(ours.results(), {name: other.results() for name, other in theirs.items()})
    on_host = {"numpy": Ours(case, batches)} if on == "cupy" else {}
    return {"ours": ours} | on_host | theirs | {"floor": floor(case, batches, on, sync)}


def time_case(case, on, peers, rounds):
    """{"train" and "forward": {contestant: [milliseconds a batch, in each round]}}.

    peers: which of "torch" and "jax" take part.
    """
    sync = synchroniser(on)
    everyone = contestants(case, on, peers, sync)
    count = NAMES_BATCHES[case.N] if case.T is None else 1
    result = {}
    for what, names in (("train", everyone), ("forward", everyone.keys() & {"ours", "torch"})):
        functions = {name: getattr(everyone[name], what) for name in everyone if name in names}
        seconds = interleaved(functions, rounds, sync)
        result[what] = {name: [1000 * s / count for s in all_] for name, all_ in seconds.items()}
    return result


def peak_memory(case, who, steps=20):
    """MiB by which a process that has only imported grows while it trains (on Linux)."""
    if who == "torch":
        from benchmark_torch import TorchNN
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak of importing
    before = _status("VmRSS")
    batches = batches_of(case, np.random.default_rng(1))
    net = Ours(case, batches) if who == "ours" else TorchNN(case, batches)
    net.batches = net.batches[:1]
    for _ in range(steps):
        net.train()
    return _status("VmHWM") - before


def _status(field):
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field + ":"))
    return int(line.split()[1]) / 1024
