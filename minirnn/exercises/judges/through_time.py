"""Exercise 4: a `Recurrent` with a cell that the checker brings, against the library's own."""

import warnings

import numpy as np

from ...gradcheck import zoo
from ...recurrent import Recurrent
from ..runner.probe_cell import LeanCell, PracticeCell
from ..student_mistakes import STUDENTS
from .cells import of_forward
from .result import (
    Wrong,
    added,
    after_use,
    array,
    compare,
    equal,
    lasting,
    parts,
    unchanged,
    with_another,
)

T, N, D, H = 4, 3, 4, 5
SIZES = [N, N, N - 1, 1]
ONE_STEP = "with one step of one sequence, and no states given"  # unusual cases
AT_ONCE = "where several sequences end at once"
LEAN = "with other sizes, and a cell of one gate and one state"
PARAMETERS = ("Wx", "Wh", "bx", "bh")
UNSHAPED = {
    "output": "The output of a step is the first part of its state alone, one row a sequence.",
    "final": "It holds every sequence once: which rows are set aside when they end, and which go "
    "on?",
    "dx": "It is a sum over the gates: the axis of the gates goes away.",
}


class TimeJudge:
    """Equal or different lengths, forward or backward.

    `forward` and `backward` raise `Wrong` with the first thing that is wrong.
    """

    def __init__(self, hand_in, rng, sizes=None, steps=T, sequences=N, states=True,
                 cell=PracticeCell, widths=(D, H)):  # fmt: skip
        self.hand_in, self.rng, self.sizes, self.cell = hand_in, rng, sizes, cell
        self.widths = D, H = widths
        self.alive = sizes or [sequences] * steps
        S, G, N = sum(self.alive), len(cell.gates), self.alive[0]
        shape = (steps, N) if sizes is None else (S,)
        draw = rng.standard_normal
        self.weights = {
            "Wx": draw((G, D, H)),
            "Wh": 0.7 * draw((G, H, H)),
            "bx": draw((G, H)),
            "bh": draw((G, H)),
        }
        self.x, self.doutput = draw((*shape, D)), draw((*shape, H))
        self.state = tuple(draw((N, H)) for _ in self.cell.states) if states else None
        self.dfinal = tuple(draw((N, H)) for _ in self.cell.states) if states else None
        self.expected = self.run(Recurrent)

    def unusual(self, judge):
        """[(case in words, the judge of this name in that case)], drawn again."""
        lean = TimeJudge(self.hand_in, self.rng, self.sizes, cell=LeanCell, widths=(2, 6))
        if self.sizes is None:
            case, other = ONE_STEP, dict(steps=1, sequences=1, states=False)
        else:
            case, other = AT_ONCE, dict(sizes=[5, 5, 3, 2])
        other = TimeJudge(self.hand_in, self.rng, **other)
        return [(case, getattr(other, judge)), (LEAN, getattr(lean, judge))]

    def run(self, kind, doutput=None):
        """{name: array} of what a `Recurrent` gives, forward and backward."""
        net = kind(self.cell, *self.widths, rng=np.random.default_rng(0), dtype="float64")
        for name, data in self.weights.items():
            getattr(net, name).data[...] = data
        output, final, cache = net.forward(self.x, self.sizes, self.state)
        arrays = {"output": output}
        arrays |= {f"final {s}": f for s, f in zip(self.cell.states, final, strict=True)}
        dx, dstate = net.backward(self.doutput, cache, self.dfinal)
        arrays |= {"dx": dx} | {f"d{s}0": d for s, d in zip(self.cell.states, dstate, strict=True)}
        return arrays | {f"d{name}": getattr(net, name).grad for name in PARAMETERS}

    def ask(self, backward, **more):
        """What the hand-in's `Recurrent` gives on these weights, inputs and states."""
        sizes = None if self.sizes is None else np.array(self.sizes, float)
        return self.hand_in.ask(
            "recurrent", x=self.x, sizes=sizes, state=self.state, **self.weights, **more,
            cell=self.cell.__name__,
            doutput=self.doutput if backward else None,
            dfinal=self.dfinal if backward else None,
        )  # fmt: skip

    def forward(self):
        reply = self.ask(backward=False)
        self.outputs(reply)
        lasting(self.ask(backward=False, another=np.flip(self.x)), "forward")
        after_use(lambda: self.outputs(self.ask(backward=False, used=True)), "forward")

    def outputs(self, reply):
        """Raise `Wrong` for the first of the outputs and final states that is wrong."""
        mine = {"output": reply["output"]}
        final = parts("the final state", reply["final"], self.cell.states)
        mine |= {f"final {s}": final[s] for s in self.cell.states}
        unchanged(self.given(), reply["after"], "forward")
        mine = {n: self.shaped(f"the {n}", n, a) for n, a in mine.items()}
        self.values(mine, list(mine), "the ")

    def backward(self):
        reply = self.ask(backward=True)
        once = reply["after once"]
        unchanged({"doutput": self.doutput}, once, "backward")
        names = [f"dfinal of {s}" for s in self.cell.states]
        unchanged(dict(zip(names, self.dfinal or (), strict=False)),
                  dict(zip(names, once["dfinal"] or (), strict=False)), "backward")  # fmt: skip
        unchanged(self.given(), reply["after"], "backward")
        self.gradients(reply)
        for name in PARAMETERS:
            twice = array(f"d{name}", reply[f"{name} twice"], self.weights[name].shape)
            added(f"d{name}", twice, self.expected[f"d{name}"])
        with_another(self.ask(True, another=np.flip(self.x)), "backward", self.gradients)
        after_use(lambda: self.gradients(self.ask(True, used=True)), "backward")

    def gradients(self, reply):
        """Raise `Wrong` for the first gradient that is wrong."""
        mine = {"dx": reply["x"]}
        dstate = parts("the gradient of the initial state", reply["dstate"], self.cell.states)
        mine |= {f"d{s}0": dstate[s] for s in self.cell.states}
        mine |= {f"d{name}": reply[name] for name in PARAMETERS}
        mine = {n: self.shaped(n, n, a) for n, a in mine.items()}
        initial = [f"d{s}0" for s in self.cell.states]
        self.values(mine, ["dx", *initial, "dWh", "dbh", "dWx", "dbx"], "")

    def shaped(self, label, name, thing):
        """`thing` as an array of the shape of `name`, or `Wrong` with what makes such a shape."""
        try:
            return array(label, thing, self.expected[name].shape)
        except Wrong as wrong:
            if name == "dx" and np.shape(thing)[-1:] == (self.widths[1],):
                wrong.mistake = (
                    "Its last axis is as long as a state: has it gone through Wh instead of Wx?"
                )
            wrong.mistake = wrong.mistake or UNSHAPED.get(name.partition(" ")[0], "")
            raise

    def given(self):
        """{name: array} of what the hand-in was given for forward, as it must stay."""
        states = zip([f"{s}0" for s in self.cell.states], self.state or (), strict=False)
        arrays = {"x": self.x} | dict(states)
        return arrays | {f"self.{name}.data": a for name, a in self.weights.items()}

    def values(self, mine, order, article):
        """Raise `Wrong` for the first of the arrays named in `order` that is wrong, with the
        others."""
        wrong = [name for name in order if not equal(mine[name], self.expected[name])]
        if not wrong:
            return
        first, axes = wrong[0], ()
        if mine[first].ndim == 3 and first in ("output", "dx"):
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
                mine[first],
                self.expected[first],
                lambda: self.mistake(mine, wrong),
                axes,
            )
        except Wrong as error:
            right = [name for name in order if name not in wrong]
            if len(wrong) > 1:
                error.text += f"; so {'are' if len(wrong) > 2 else 'is'} {', '.join(wrong[1:])}"
            if right:
                error.text += f"; right: {', '.join(right)}"
            over_time = "output" if "output" in mine else "dx"
            if over_time in wrong:
                self.name_steps(error, over_time, mine[over_time])
            raise

    def name_steps(self, error, name, mine):
        """Say which steps of an array over time are wrong, and which is the first on the way."""
        ends, T = np.cumsum(self.alive)[:-1], len(self.alive)
        rows = [np.split(a.reshape(-1, a.shape[-1]), ends) for a in (mine, self.expected[name])]
        off = [not equal(y, e, 1e-9) for y, e in zip(*rows, strict=True)]
        signs = " ".join(".#"[wrong] for wrong in off)
        error.picture = f"{name}: steps {' '.join(map(str, range(T)))}   {signs}"
        first = off.index(True) if name == "output" else T - 1 - off[::-1].index(True)
        way = "" if name == "output" else f" (the way back begins at step {T - 1})"
        error.text += f"; the first wrong step is {first}{way}"

    def mistake(self, mine, wrong):
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
                if "output" not in mine and not equal(theirs["output"], self.expected["output"]):
                    continue
                if any(np.shape(theirs[n]) != np.shape(mine[n]) for n in mine):
                    continue
                alike = [n for n in mine if equal(mine[n], theirs[n], 1e-9)]
                if len(alike) == len(mine):
                    when = of_forward(bug) if "output" in mine else bug.when
                    return f"This is what you get when {when}."
                off = [n for n in mine if not equal(theirs[n], self.expected[n], 1e-9)]
                here = wrong[0] in off and set(off) <= set(wrong)  # what is right stays right
                if not likely and wrong[0] in alike and here:
                    rest = ", ".join(n for n in wrong if n not in alike)
                    likely = f"Your {wrong[0]} is what you get when {bug.when}." + (
                        f" It does not explain {rest}." if rest else ""
                    )
        return likely


def _changed(bug):
    if bug.target == "recurrent.Recurrent":
        return zoo.mutant(bug)
    return zoo.rebuilt("recurrent.Recurrent", bug)
