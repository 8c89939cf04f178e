"""The ladder: from one step of a cell to a loss over sequences, stopping at the first broken rung.

A mistake is named where it is simplest to see: what one step gets wrong is not looked for in
time, and what is right at equal lengths is not blamed for being wrong at different ones.
"""

import contextlib
import copy

import numpy as np

from ..batches import Batch
from ..check import made
from ..check.contract import check_cell
from ..layers import Linear
from ..losses import CrossEntropy
from ..packing import sizes_of
from ..parameters import Module
from ..product import Product
from ..recurrent import Recurrent
from .diagnosis import diagnose, explanations
from .judge import Finding, Verdict, judge
from .oracles import central_difference, complex_step, why_not_complex
from .problems import cell_problem, model_problem, own_parameters, recurrent_problem
from .result import CheckResult, Rung, draw_picture

STEPS, UNITS = 4, 5


def check_ladder(cell, recurrent=Recurrent, seed=0, title=None, scale=1.0):
    """Climb the ladder with a cell (a class or an instance) and a class that carries it in time.

    Returns a `CheckResult`.
    """
    cell = made(cell)
    report = CheckResult(title or type(cell).__name__)
    try:
        check_cell(cell)
    except TypeError as error:
        broken = Verdict(None, [Finding("error", "contract", str(error))])
        report.rungs.append(Rung("contract: gates, states, forward, backward", [broken]))
        return report
    for name, problems in rungs(cell, recurrent, seed, scale):
        verdicts = []
        for problem in problems():
            verdicts.append(judge(problem, np.random.default_rng(seed + 1)))
            if not verdicts[-1]:
                break
        report.rungs.append(Rung(name, verdicts))
        if not report:
            explain(report, cell, recurrent, verdicts[-1], seed, scale)
            break
    return report


def sizes(cell):
    """(N, D, H) for a cell: pairwise different, so that no transposed axis can pass. H is what its
    own parameters, if it has some, are made for."""
    own = {p.shape[-1] for p in own_parameters(cell).values() if p.shape} - {1}
    H = own.pop() if len(own) == 1 else UNITS
    return 2 if H == 3 else 3, 6 if H == 4 else 4, H


def rungs(cell, recurrent, seed, scale=1.0):
    """(name, function that gives the problems) of every rung, from the bottom."""
    T, (N, D, H) = STEPS, sizes(cell)
    rng = np.random.default_rng(seed)

    def net(**options):
        return randomised(
            recurrent(copy.deepcopy(cell), D, H, rng=rng, dtype="float64", **options), rng
        )

    def over_time(sizes, dense=False, title=None):
        return lambda: [recurrent_problem(net(), rng, sizes, dense, scale, title)]

    return [
        ("one step: forward, then backward", lambda: [cell_problem(cell, rng, N, H, scale)]),
        ("T = 1: one step through time", over_time([N], dense=True, title="T = 1")),
        (f"T = {T}: backpropagation through time", over_time([N] * T, True, f"T = {T}")),
        ("variable lengths", over_time([N, N, N - 1, 1], title="variable lengths")),
        ("a loss on top", lambda: [classifier_problem(net(), rng)]),
    ]


def randomised(net, rng):
    """Every parameter drawn again, biases too: zeros hide mistakes."""
    for parameter in net.named_parameters().values():  # of frozen ones too
        scale = parameter.shape[-1] ** -0.5 if len(parameter.shape) > 1 else 1.0
        parameter.data = parameter.data.astype("float64")
        parameter.data[...] = scale * rng.standard_normal(parameter.shape)
    return net


class LastStateClassifier(Module):
    """The simplest net with a loss: the last output of every sequence, classified."""

    def __init__(self, recurrent, num_classes, rng):
        self.recurrent = recurrent
        self.linear = Linear(recurrent.hidden_size, num_classes, rng=rng, dtype="float64")

    def forward(self, batch):
        _, state, cache = self.recurrent.forward(batch.x, batch.sizes)
        logits, linear_cache = self.linear.forward(state[0])
        return logits, (cache, linear_cache, len(state))

    def backward(self, dlogits, cache):
        cache, linear_cache, states = cache
        dstate = (self.linear.backward(dlogits, linear_cache), *[None] * (states - 1))
        dx, _ = self.recurrent.backward(None, cache, dstate)
        return dx


def classifier_problem(net, rng):
    """Sequences of different lengths, a cross-entropy at their ends."""
    sizes = sizes_of(np.array([4, 2, 3]))
    x = rng.standard_normal((sum(sizes), net.input_size))
    batch = Batch(x, sizes, np.array([1, 0, 2]), np.arange(3))
    model = LastStateClassifier(net, 3, rng)
    return model_problem(model, batch, CrossEntropy(), "cross-entropy of the last outputs")


def explain(report, cell, recurrent, verdict, seed, scale=1.0):
    """Add the picture of gates and steps, the likely mistake, and where to read."""
    report.section = chapter(cell, report.rungs[-1].name)
    if any(f.kind in ("value", "twice", "changed", "alias") for f in verdict.findings):
        if any(f.claimed is not None for f in verdict.findings):
            report.picture = picture(cell, recurrent, seed)
        report.bugs = narrowed(explanations(verdict), report, cell, recurrent, seed, scale)
        report.diagnosis = diagnose(verdict, report.bugs)


def narrowed(bugs, report, cell, recurrent, seed, scale):
    """Of several mistakes that do the same on a low rung, those that still do on higher ones."""
    for _, problems in list(rungs(cell, recurrent, seed, scale))[len(report.rungs) : 4]:
        if len(bugs) < 2:
            break
        for problem in problems():
            again = explanations(judge(problem, np.random.default_rng(seed + 1)))
            bugs = [bug for bug in bugs if bug in again] or bugs
    return bugs


def picture(cell, recurrent, seed):
    """The picture of dgx over gates and steps, from a net whose input *is* its pre-activation.

    With Wx the identity, one block for each gate, the gradient of x is that of gx.
    """
    T, (N, _, H), gates = STEPS, sizes(cell), cell.gates
    rng = np.random.default_rng(seed)
    try:
        net = recurrent(copy.deepcopy(cell), len(gates) * H, H, rng=rng, dtype="float64")
        randomised(net, rng)
        net.Wx.data[...] = np.eye(len(gates) * H).reshape(len(gates), H, -1).swapaxes(1, 2)
        problem = recurrent_problem(net, rng, [N] * T, dense=True)
        outputs, context = problem.forward(problem.arrays)
        upstream = {name: rng.standard_normal(y.shape) for name, y in outputs.items()}
        oracle = central_difference if why_not_complex(problem, upstream, rng) else complex_step
        expected = oracle(problem, upstream, "x")
        claimed = problem.backward(upstream, context)["x"]
    except Exception:  # a net so broken that there is nothing to draw
        return ""
    by_gate = [np.moveaxis(d.reshape(T, N, len(gates), H), 2, 0) for d in (claimed, expected)]
    return draw_picture(gates, *by_gate)


def chapter(cell, rung):
    """The chapter that explains a rung, for a cell of this kind."""
    if rung.startswith(("T = 4", "variable")):
        part = "variable-lengths" if rung.startswith("variable") else "backward-through-time"
        return f"docs/05-through-time.md#{part}"
    if rung.startswith("a loss"):
        return "docs/03-softmax-and-loss.md#backward"
    if set(getattr(cell, "gates", "")) >= set("ifo"):
        return "docs/06-lstm.md#backward"
    if set(getattr(cell, "gates", "")) >= set("rz"):
        return f"docs/07-gru.md#backward{'-reset-before' * resets_before(cell)}"
    return "docs/04-one-step.md#backward"


def resets_before(cell):
    """Whether a cell multiplies something else than its own h with the weights of n."""
    product, h = Product(cell.gates, np.ones((len(cell.gates), 1, 1)), None), np.full((1, 1), 0.5)
    with contextlib.suppress(Exception):  # what is wrong with it is told elsewhere
        state = (h, *[h] * (len(cell.states) - 1))
        cell.forward(np.zeros((len(cell.gates), 1, 1)), state, product)
    return any(v is not h for v in product.inputs.get("n", []))
