"""Mistakes of the bug zoo in the worked example, and in training.

python docs/lesson/bugs.py    train every wrong cell again, and write docs/results/lesson.json
"""

import functools
import json
import sys
from pathlib import Path

import numpy as np

from minirnn.cells import LSTMCell
from minirnn.gradcheck import zoo
from minirnn.layers import Linear
from minirnn.losses import CrossEntropy
from minirnn.optim import Adam
from minirnn.recurrent import Recurrent

RESULTS = Path(__file__).resolve().parent.parent / "results" / "lesson.json"
TITLES = {  # {name in the zoo: (what was done, why it does what is seen), as HTML}
    "lstm-future-dc-lost": (
        "dc from the future is dropped",
        "Step 3 has no future and stays right. Before it, the gradient comes back through h "
        "alone, and the one path without a weight in it is cut. The net still has a forget gate, "
        "but nobody who could teach it.",
    ),
    "time-future-lost": (
        "= instead of += where the loss joins",
        "The gradient of this step's own loss overwrites what came back through h from the next "
        "step. The path along c is still open, so the net learns a part. In 1997 this was no "
        "mistake but the method: see the history below.",
    ),
    "time-h-for-h-prev": (
        "h of this step instead of the one before",
        "Every da is right, and the picture of gates and steps is clean: only the product for "
        "W<sub>h</sub> is wrong. A check that looks at the states alone does not see it.",
    ),
    "lstm-tanh-of-tanh-c": (
        "tanh of tanh",
        "The slope is taken at the wrong place. Where c is small, it is hardly off, and the net "
        "learns all the same, only later. This is the kind that nobody notices without a check.",
    ),
    "lstm-no-sigmoid-f": (
        "the forget gate's slope is left out",
        "f (1 − f) is at most a quarter, so the forget gate's gradient is at least four times too "
        "large. It then goes on through W<sub>h</sub> to every step before.",
    ),
    "lstm-gates-repacked": (
        "the gates g and o are exchanged",
        "In step 3 all numbers are right, but two of them stand in each other's place: the weights "
        "of g are moved as those of o should be. Each goes back through the other's matrix, too, "
        "so the steps before get a wrong dh. All shapes fit, and nothing crashes.",
    ),
    "time-last-step-weights": (
        "= instead of += for the weights",
        "Each step overwrites the share of the step that was undone before it, so step 1 alone "
        "is left. There h<sub>0</sub> is zero, and so W<sub>h</sub> has no gradient at all.",
    ),
    "time-wh-not-transposed": (
        "the weights are not transposed on the way back",
        "W<sub>h</sub> is square, so the shapes fit without it. The last step is still right; "
        "each step before it gets a wrong dh.",
    ),
}
NAMES = list(TITLES)
LETTERS, BACK, STEPS, BATCH, HIDDEN = 4, 5, 20, 16, 16
ITERATIONS, EVERY, SEEDS = 600, 20, (0, 1, 2)


@functools.cache
def bug(name):
    return next(one for one in zoo.ZOO if one.name == name)


def parts(name):
    """Return (cell, recurrent) with the mistake of this name; the right ones for None."""
    if name is None:
        return LSTMCell, Recurrent
    one = bug(name)
    if one.level == "cell":
        return zoo.mutant(one), Recurrent
    if one.target == "recurrent.Recurrent":
        return LSTMCell, zoo.mutant(one)
    return LSTMCell, zoo.rebuilt("recurrent.Recurrent", one)


def losses(name, seed, iterations=ITERATIONS):
    """Train on a task that needs memory; return the mean loss of each `EVERY` iterations.

    The net reads random letters, and at each step has to name the one that it read `BACK` steps
    before; the loss is its cross-entropy, and that of guessing is log(4) = 1.39.
    """
    rng = np.random.default_rng(seed)
    cell, recurrent = parts(name)
    net = recurrent(cell, LETTERS, HIDDEN, rng=rng, forget_bias=1)
    linear = Linear(HIDDEN, LETTERS, rng=rng)
    optimizer, criterion = Adam([*net.parameters(), *linear.parameters()], 0.01), CrossEntropy()
    history = []
    for _ in range(iterations):
        x = rng.integers(LETTERS, size=(STEPS, BATCH))
        optimizer.zero_grad()
        output, _, cache = net.forward(x)
        logits, linear_cache = linear.forward(output[BACK:].reshape(-1, HIDDEN))
        loss, loss_cache = criterion.forward(logits, x[:-BACK].ravel())
        doutput = np.zeros_like(output)
        doutput[BACK:] = linear.backward(criterion.backward(loss_cache), linear_cache).reshape(
            -1, BATCH, HIDDEN
        )
        net.backward(doutput, cache)
        optimizer.step()
        history.append(float(loss))
    return np.mean(np.reshape(history, (-1, EVERY)), axis=1).round(4).tolist()


def main():
    curves = {name or "right": [losses(name, s) for s in SEEDS] for name in (None, *NAMES)}
    rows = (f' "{name}": [\n  ' + ",\n  ".join(map(json.dumps, runs)) + "\n ]"
            for name, runs in curves.items())  # fmt: skip
    RESULTS.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
    for name, runs in curves.items():
        print(f"{name:25}", *(f"{run[-1]:.3f}" for run in runs))


if __name__ == "__main__":
    sys.exit(main())
