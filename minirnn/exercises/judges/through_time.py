"""Exercise 4: a `Recurrent` with a cell that the checker brings, against the library's own."""

import warnings

import numpy as np

from ...gradcheck import zoo
from ...recurrent import Recurrent
from ..runner.probe_cell import PracticeCell
from ..student_mistakes import STUDENTS
from .result import Wrong, array, compare, equal, general, parts

T, N, D, H = 4, 3, 4, 5
SIZES = [N, N, N - 1, 1]
PARAMETERS = ("Wx", "Wh", "bx", "bh")
STATES = PracticeCell.states


class TimeJudge:
    """Equal or different lengths, forward or backward.

    `forward` and `backward` raise `Wrong` with the first thing that is wrong.
    """

    def __init__(self, hand_in, lengths, rng):
        self.hand_in, self.sizes = hand_in, None if lengths == "equal" else SIZES
        S, G = sum(self.sizes or [N] * T), len(PracticeCell.gates)
        shape = (T, N) if self.sizes is None else (S,)
        draw = rng.standard_normal
        self.weights = {
            "Wx": draw((G, D, H)),
            "Wh": 0.7 * draw((G, H, H)),
            "bx": draw((G, H)),
            "bh": draw((G, H)),
        }
        self.x, self.doutput = draw((*shape, D)), draw((*shape, H))
        self.state = tuple(draw((N, H)) for _ in STATES)
        self.dfinal = tuple(draw((N, H)) for _ in STATES)
        self.expected = self.run(Recurrent)

    def run(self, kind, doutput=None):
        """{name: array} of what a `Recurrent` gives, forward and backward."""
        net = kind(PracticeCell, D, H, rng=np.random.default_rng(0), dtype="float64")
        for name, data in self.weights.items():
            getattr(net, name).data[...] = data
        output, final, cache = net.forward(self.x, self.sizes, self.state)
        found = {"output": output}
        found |= {f"final {s}": f for s, f in zip(STATES, final, strict=True)}
        dx, dstate = net.backward(self.doutput, cache, self.dfinal)
        found |= {"dx": dx} | {f"d{s}0": d for s, d in zip(STATES, dstate, strict=True)}
        return found | {f"d{name}": getattr(net, name).grad for name in PARAMETERS}

    def ask(self, backward):
        """What the hand-in's `Recurrent` gives on these weights, inputs and states."""
        sizes = None if self.sizes is None else np.array(self.sizes, float)
        given = {f"{s}0": a for s, a in zip(STATES, self.state, strict=True)}
        return self.hand_in.ask(
            "recurrent", x=self.x, sizes=sizes, **given, **self.weights,
            doutput=self.doutput if backward else None,
            dfinal=self.dfinal if backward else None,
        )  # fmt: skip

    def forward(self):
        reply = self.ask(backward=False)
        found = {"output": reply["output"]}
        final = parts("the final state", reply["final"], STATES)
        found |= {f"final {s}": final[s] for s in STATES}
        found = {n: array(f"the {n}", a, self.expected[n].shape) for n, a in found.items()}
        self.values(found, list(found), "the ")

    def backward(self):
        reply = self.ask(backward=True)
        found = {"dx": reply["x"]}
        dstate = parts("the gradient of the initial state", reply["dstate"], STATES)
        found |= {f"d{s}0": dstate[s] for s in STATES}
        found |= {f"d{name}": reply[name] for name in PARAMETERS}
        found = {n: array(n, a, self.expected[n].shape) for n, a in found.items()}
        self.values(found, ["dWh", "dbh", "dh0", "dc0", "dbx", "dWx", "dx"], "")
        for name in PARAMETERS:
            if not equal(
                array(f"d{name}", reply[f"{name} twice"], self.weights[name].shape),
                2 * self.expected[f"d{name}"],
            ):
                raise Wrong(
                    "wrong value",
                    f"backward called twice does not give twice d{name}",
                    "The gradient is overwritten instead of added to: +=, not =.",
                )

    def values(self, found, order, article):
        """Raise `Wrong` for the first of the arrays named in `order` that is wrong, with the
        others."""
        wrong = [name for name in order if not equal(found[name], self.expected[name])]
        if not wrong:
            return
        first, axes = wrong[0], ()
        if found[first].ndim == 3 and first in ("output", "dx"):
            axes = ("step", "sequence", "unit")
        elif first[1:] in PARAMETERS:
            axes = ("gate", "from", "to") if first[1] == "W" else ("gate", "unit")
        elif first in ("output", "dx"):
            axes = ("row", "unit")
        else:
            axes = ("sequence", "unit")
        try:
            compare(
                f"{article}{first}",
                found[first],
                self.expected[first],
                lambda: self.mistake(found, wrong),
                axes,
            )
        except Wrong as error:
            right = [name for name in order if name not in wrong]
            if len(wrong) > 1:
                error.text += f"; so {'are' if len(wrong) > 2 else 'is'} {', '.join(wrong[1:])}"
            if right:
                error.text += f"; right: {', '.join(right)}"
            error.text += self.steps(first, found)
            raise

    def steps(self, name, found):
        """At which steps an array over time is wrong."""
        if found[name].ndim != 3 or name not in ("output", "dx"):
            return ""
        off = [t for t in range(T) if not equal(found[name][t], self.expected[name][t], 1e-9)]
        return f" (at step{'s' if len(off) > 1 else ''} {', '.join(map(str, off))})"

    def mistake(self, found, wrong):
        """The bug that gives exactly this, or at least the first wrong array as it is."""
        likely = ""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            for bug in [*STUDENTS, *zoo.ZOO]:
                if bug.target != "recurrent.Recurrent" and bug.level != "time":
                    continue
                try:
                    theirs = self.run(_changed(bug))
                except Exception:  # a mutant need not run everywhere
                    continue
                if "output" not in found and not equal(theirs["output"], self.expected["output"]):
                    continue
                if any(np.shape(theirs[n]) != np.shape(found[n]) for n in found):
                    continue
                alike = [n for n in found if equal(found[n], theirs[n], 1e-9)]
                if len(alike) == len(found):
                    return f"This is what you get when {bug.when}."
                here = not equal(theirs[wrong[0]], self.expected[wrong[0]], 1e-9)
                if not likely and wrong[0] in alike and here:
                    likely = (
                        f"Your {wrong[0]} is what you get when {bug.when}. Another mistake "
                        "seems to be there as well."
                    )
        return likely or general(wrong[0], found[wrong[0]], self.expected[wrong[0]])


def _changed(bug):
    if bug.target == "recurrent.Recurrent":
        return zoo.mutant(bug)
    return zoo.rebuilt("recurrent.Recurrent", bug)
