"""Exercise 10: a cell that nobody knows, against the complex step of its own forward pass."""

import numpy as np

from ...gradcheck.diagnosis import diagnose
from ...gradcheck.judge import judge
from ...gradcheck.problems import Gates, Problem
from ..sandbox import Failed, Stopped
from .cells import KEPT, ON_SELF, asked_once, by_gate
from .clues import equal, factors, in_others_place, related
from .library_cell import library_cell
from .result import Wrong, array, lasting, parts, unchanged, worst

UNITS = 3


class OwnJudge:
    """The contract first, then whether everything given matters, then the gradients.

    Each raises `Wrong` with the first thing that is wrong.
    """

    def __init__(self, hand_in, rng, rows=2, units=UNITS):
        self.hand_in, self.rng, self.shape = hand_in, rng, (rows, units)
        self.gates, self.states, self.arrays = None, None, None
        self.kept = ()  # what forward writes on self
        self.held, self.fields = [], {}  # the arrays in the cache; those of them with a name
        self.asked = self.undone = ""  # the gates of product, and of product.backward
        self.stopped = None  # what ended the process while the library's judge was asking

    def contract(self):
        """The first look asks with one gate and state; the cell says what it really has."""
        reply = self._first_look()
        gates, states = reply["gates"], reply["states"]
        if not isinstance(gates, str) or not gates or len(set(gates)) != len(gates):
            raise Wrong(
                "wrong shape",
                f"OwnCell.gates is {gates!r}, but must name each gate by one letter, like 'rzn'",
            )
        if not isinstance(states, tuple) or not states:
            raise Wrong(
                "wrong shape",
                f"OwnCell.states is {states!r}, but must be a tuple of names, like ('h', 'c')",
            )
        if len(gates) > 8 or len(states) > 4:
            raise Wrong("wrong shape", "at most 8 gates and 4 states, please")
        self.gates, self.states = gates, states
        draw, own = self.rng.standard_normal, reply["own"]
        H = UNITS if own else self.shape[1]  # parameters of its own are made for one size
        self.shape = self.shape[0], H
        self.arrays = {"gx": draw((len(gates), *self.shape))}
        self.arrays |= {f"{s}_prev": draw(self.shape) for s in states}
        self.arrays |= {"Wh": draw((len(gates), H, H)), "bh": draw((len(gates), H))}
        self.arrays |= {name: draw(np.shape(a)) for name, a in own.items()}
        self.outputs(self.arrays)

    def _first_look(self):
        try:
            return self.hand_in.ask("describe", name="OwnCell")
        except Failed as failed:
            if failed.text.endswith("has no attribute 'OwnCell'"):
                raise Wrong("error", "there is no OwnCell in the file") from None
            advice = ""
            if failed.type == "TypeError" and "missing" in failed.text:
                advice = "A cell must be made without arguments."
            elif failed.text.endswith(("attribute 'gates'", "attribute 'states'")):
                advice = "Every cell has gates and states, as in the starter."
            text = f"OwnCell() fails with {failed.type}: {failed.text}"
            raise Wrong("error", text, advice) from None

    def outputs(self, arrays, upstream=None):
        """({state: array [N, H]} after one step, the whole reply), on these arrays.

        upstream: a gradient [N, H] for each state; backward runs too if it is given.
        """
        reply = self.hand_in.ask("cell", name="OwnCell", **arrays, upstream=upstream)
        if reply["forward"] is None:
            raise Wrong(
                "wrong shape",
                f"OwnCell.forward returns {reply['returned']}, but must return (state, cache)",
            )
        new = parts("the state that OwnCell.forward returns", reply["forward"], self.states)
        if any(np.iscomplexobj(a) for a in arrays.values()):
            return {s: np.asarray(a, complex) for s, a in new.items()}, reply
        unchanged(arrays, reply["after"], "forward")
        asked_once(reply["v"], self.shape)
        if upstream is None:
            lasting(reply, "OwnCell.forward")
            if reply["written"]:
                raise Wrong(
                    "wrong value",
                    "what OwnCell.forward has put into the cache changes when it is called again",
                    KEPT,
                )
        return {s: array(s, a, self.shape) for s, a in new.items()}, reply

    def matters(self):
        """Every gate and every state must matter, and the cell must be a new one."""
        (base, _), (again, _) = self.outputs(self.arrays), self.outputs(self.arrays)
        if not all(equal(again[s], base[s]) for s in base):
            raise Wrong(
                "wrong value",
                "OwnCell.forward gives another state on the same numbers the second time",
                "A step must follow from what it is given alone: no random numbers, and nothing "
                "that is kept from an earlier call.",
            )
        for k, gate in enumerate(self.gates):
            moved = self.arrays["gx"].copy()
            moved[k] += self.rng.uniform(0.3, 0.6, moved[k].shape)
            new, _ = self.outputs(self.arrays | {"gx": moved})
            if all(equal(new[s], base[s]) for s in base):
                raise Wrong(
                    "wrong value",
                    f"nothing that OwnCell.forward returns depends on gx of gate {gate}",
                    "Every gate that is named must be used.",
                )
        own = set(self.arrays) - {"gx", "bh"}
        for name in ("Wh", *sorted(own - {"Wh"})):
            moved = {name: self.arrays[name] + self.rng.uniform(0.3, 0.6, self.arrays[name].shape)}
            new, _ = self.outputs(self.arrays | moved)
            if all(equal(new[s], base[s]) for s in base):
                raise Wrong(
                    "wrong value",
                    f"nothing that OwnCell.forward returns depends on {name}",
                    "This exercise asks for a cell that uses product at least once."
                    if name == "Wh"
                    else "Without the state before, a cell is not recurrent."
                    if name.endswith("_prev")
                    else "Every parameter of its own must be used.",
                )
        self._rows_apart(base)
        self._is_new(base)

    def _rows_apart(self, base):
        """What one sequence of the batch says must not depend on another."""
        if self.shape[0] < 2:
            return
        for row in range(self.shape[0]):
            moved = dict(self.arrays)
            for name in ("gx", *(f"{s}_prev" for s in self.states)):
                by = self.rng.uniform(0.3, 0.6, self.arrays[name].shape)
                by[..., row, :] = 0
                moved[name] = self.arrays[name] + by
            new, _ = self.outputs(moved)
            if not all(equal(new[s][row], base[s][row]) for s in base):
                raise Wrong(
                    "wrong value",
                    f"row {row} of what OwnCell.forward returns depends on other rows",
                    "The rows are different sequences of a batch: nothing may go from one to "
                    "another, such as a sum or a mean over axis 0.",
                )

    def _is_new(self, base):
        if name := library_cell(self.gates, self.states, self.arrays, base):
            raise Wrong(
                "wrong value",
                f"this is the {name} that the library has already",
                "Change something: couple two gates, leave one out.",
            )

    def gradients(self):
        """All gradients, by the library's own judge; the cell runs in the other process."""
        verdict = judge(self.problem(), np.random.default_rng(int(self.rng.integers(2**32))))
        if self.stopped:
            raise self.stopped
        if verdict:
            return
        finding = verdict.findings[0]
        mark = {"missing": "not written", "shape": "wrong shape", "error": "error"}
        pair = ()
        if finding.claimed is not None:
            pair = self._pair(finding.where, finding.claimed, finding.expected)
        mistake = ""
        if finding.kind == "value":
            mistake = self._unmatched() or self._where(verdict) or diagnose(verdict, [])
        text = finding.message
        if self.kept:
            names = ", ".join(f"self.{name}" for name in self.kept[:4])
            text = f"backward gets {names} of another step: forward keeps it on self"
            raise Wrong("wrong value", text, ON_SELF)
        off = [f.where for f in verdict.findings if f.kind == "value"]
        if len(off) > 1:
            text += f"; wrong as well: {', '.join('d' + n for n in off[1:])}"
        raise Wrong(mark.get(finding.kind, "wrong value"), text, mistake, pair)

    def _pair(self, name, claimed, expected):
        """(which entry, its value, what it should be) of the worst entry of a gradient."""
        entry, label = worst(claimed, expected), f"d{name}"
        if name == "gx":
            label = f"dgx of gate {self.gates[entry[0]]}[row {entry[1]}, unit {entry[2]}]"
        elif name.endswith("_prev"):
            label += f"[row {entry[0]}, unit {entry[1]}]"
        return label, float(claimed[entry]), float(expected[entry])

    def _where(self, verdict):
        """Where to look, by what is right and what is wrong."""
        wrong = [f for f in verdict.findings if f.kind == "value"]
        if [f.where for f in wrong] in [[f"{s}_prev"] for s in self.states]:
            name = wrong[0].where
            return (
                f"Every other gradient is right, so a share of d{name} is missing, wrong or too "
                f"much: it is the sum of one share for each place in which forward uses {name}."
            )
        if wrong[0].where != "gx":
            return ""
        if not np.any(wrong[0].claimed):
            return ""
        parts_of = list(zip(self.gates, wrong[0].claimed, wrong[0].expected, strict=True))
        off = [gate for gate, mine, right in parts_of if not equal(mine, right)]
        known = [self._factor(f"dgx of gate {gate}", mine, right)
                 for gate, mine, right in parts_of if gate in off]  # fmt: skip
        if any(known):
            return " ".join(filter(None, known))
        if len(off) < len(self.gates):
            are = "are wrong: look at the lines that make them" if len(off) > 1 else (
                "is wrong: look at the line that makes it")  # fmt: skip
            return f"Of dgx only gate{'s' * (len(off) > 1)} {' and '.join(off)} {are}."
        claimed = {gate: mine for gate, mine, _ in parts_of}
        others = in_others_place(claimed, {gate: right for gate, _, right in parts_of})
        if others:
            swaps = [f"in the place of {mine} stands that of {other}" + _times(ratio)
                     for mine, (other, ratio) in others.items()]  # fmt: skip
            return f"The gradients are packed in another order: {', '.join(swaps)}."
        return (
            "All gates of dgx are wrong. So begin with what they share: the gradient that the last "
            "line of forward gives; then check the gates one by one."
        )

    def _factor(self, name, mine, right):
        """The factor that a gradient lacks, or has too much: something made of the cache."""
        names = list(self.fields) or [f"part {k} of the cache" for k in range(len(self.held))]
        if len(names) != len(self.held):
            return ""
        known = {n: a for n, a in zip(names, self.held, strict=True) if a.shape == self.shape}
        bracketed = {(n if self.fields else f"({n})"): a for n, a in known.items()}
        return related(name, mine, right, factors(bracketed))

    def _unmatched(self):
        """A gate that only one of product and product.backward has been asked for."""
        for gate in self.gates:
            if gate in self.undone and gate not in self.asked:
                return (
                    f"backward asks product.backward for gate {gate}, for which forward has not "
                    "asked product."
                )
            if gate in self.asked and gate not in self.undone:
                return (
                    f"forward asks product for gate {gate}, but backward never asks "
                    "product.backward for it."
                )
        return ""

    def problem(self):
        """The cell as a `Problem` whose arrays are computed in the hand-in's process.

        Its backward raises `TypeError` where the hand-in's does not return a pair.
        """

        def forward(arrays):
            try:
                new, _ = self.outputs(arrays)
            except Stopped as stopped:
                self.stopped = stopped
                raise
            return new, arrays

        def backward(doutputs, arrays):
            upstream = tuple(doutputs[s] for s in self.states)
            _, reply = self.outputs(arrays, upstream)
            returned = reply["first"]
            if not isinstance(returned, tuple) or len(returned) != 2:
                raise TypeError("backward must return (dgx, dstate_prev)")
            dgx = parts("dgx", by_gate(returned[0]), self.gates, "gradient")
            dstate = parts("dstate_prev", returned[1], self.states, "gradient")
            names = [f"d{s}" for s in self.states]
            unchanged(dict(zip(names, upstream, strict=True)),
                      dict(zip(names, reply["first given"], strict=True)), "backward")  # fmt: skip
            self.kept, self.asked, self.undone = reply["kept"], reply["asked"], reply["undone"]
            self.held, self.fields = reply["held"], reply["fields"]
            again = reply["second"]
            for mine, other in zip(
                [*returned[0], *returned[1]], [*again[0], *again[1]], strict=True
            ):
                if not np.array_equal(mine, other):
                    raise Wrong(
                        "wrong value",
                        "backward gives something else when it is called a second time",
                        "It writes into the cache or into what it was given, or keeps something "
                        "on self.",
                    )
            lasting(reply, "OwnCell.backward")
            claimed = {"gx": Gates(dgx[g] for g in self.gates)}
            claimed |= {f"{s}_prev": dstate[s] for s in self.states}
            return claimed | reply["first weights"] | reply["first own"]

        axes = {"gx": (self.gates, ("gate", "row", "unit"))}
        return Problem(
            "OwnCell", self.arrays, forward, self._noting(backward), axes, kept=lambda c: ()
        )

    def _noting(self, backward):
        """Failures of the hand-in go past the library's judge, which would put them otherwise."""

        def run(doutputs, arrays):
            try:
                return backward(doutputs, arrays)
            except (Failed, Stopped, Wrong) as stopped:
                self.stopped = stopped
                raise

        return run


def _times(ratio):
    return "" if abs(ratio - 1) < 1e-9 else f", {ratio:.3g} times"
