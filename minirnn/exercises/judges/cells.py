"""Exercises 3, 5, 6, 7 and 9: one step of a cell, against the library's own."""

import itertools
from dataclasses import replace

import numpy as np

from .. import reference_cells
from ..conventions import GRUS, KEEPS
from ..sandbox import Failed
from .result import Wrong, array, compare, described, equal, general, parts

N, H = 3, 5

UNDOES = {  # what undoing which line of forward gives, in the order of backward
    "cells.RNNCell": [
        ("dgx h", "undo h = tanh(a)"),
        ("dh_prev", "undo a = gx + product(h_prev)"),
    ],
    "cells.LSTMCell": [
        ("dgx o", "undo h = o tanh(c), then o = sigmoid(ao)"),
        ("dc_prev", "undo h = o tanh(c), which gives dc its second share, then c = f c_prev + i g"),
        ("dgx f", "undo c = f c_prev + i g, then f = sigmoid(af)"),
        ("dgx i", "undo c = f c_prev + i g, then i = sigmoid(ai)"),
        ("dgx g", "undo c = f c_prev + i g, then g = tanh(ag)"),
        ("dh_prev", "undo a = gx + product(h_prev)"),
    ],
    "cells.GRUCell": [
        ("dgx z", "undo the last line of forward, h, then z = sigmoid(az)"),
        ("dgx n", "undo the last line of forward, h, then the candidate's tanh"),
        ("dgx r", "undo the candidate, then r = sigmoid(ar)"),
        ("dh_prev", "undo the products; h_prev was used in several places"),
    ],
}
UNDOES["cells.GRUBeforeCell"] = UNDOES["cells.GRUCell"]
FIELDS = {"cells.LSTMCell": "ifgo", "cells.GRUCell": "rzn", "cells.RNNCell": ""}


class CellJudge:
    """Judges the cell `name` of a hand-in as `target` should be under the conventions.

    `forward`, `backward` and `both` raise `Wrong` with the first thing that is wrong.
    """

    def __init__(self, hand_in, name, target, conventions, rng):
        self.hand_in, self.name, self.target = hand_in, name, target
        self.conventions = conventions
        self.cell = reference_cells.reference(target, conventions)
        G, states = len(self.cell.gates), self.cell.states
        self.given = {"gx": rng.standard_normal((G, N, H))}
        self.given |= {f"{s}_prev": rng.standard_normal((N, H)) for s in states}
        self.given |= {
            "Wh": 0.7 * rng.standard_normal((G, H, H)),
            "bh": rng.standard_normal((G, H)),
        }
        self.upstream = tuple(rng.standard_normal((N, H)) for _ in states)
        self.expected = reference_cells.step(self.cell, self.given, self.upstream)
        self.names = [name for name, _ in UNDOES[target]]

    def ask(self, backward):
        """What the hand-in's cell makes of one step of N = 3 rows and H = 5 units."""
        upstream = self.upstream if backward else None
        return self.hand_in.ask("cell", name=self.name, **self.given, upstream=upstream)

    def forward(self):
        """The forward pass: contract, shapes, values."""
        reply = self.ask(backward=False)
        self._contract(reply)
        states = self.cell.states
        where = f"{self.name}.forward"
        if reply["forward"] is None:
            raise Wrong(
                "wrong shape",
                f"{where} returns {reply['returned']}, but must return (state, cache)",
                "Is the `return` missing, or one of its two parts?",
            )
        found = parts(f"the state that {where} returns", reply["forward"], states)
        found = {s: array(s, found[s], (N, H)) for s in states}
        if all(equal(found[s], self.expected[s]) for s in states):
            self._unchanged(reply)
            return
        self._forward_wrong(found, reply)

    def both(self):
        """Forward, then backward."""
        self.forward()
        self.backward()

    def _contract(self, reply):
        for attribute in ("gates", "states"):
            yours, right = reply[attribute], getattr(self.cell, attribute)
            if yours != right:
                reordered = isinstance(yours, str) and sorted(yours) == sorted(right)
                raise Wrong(
                    "wrong shape",
                    f"{self.name}.{attribute} is {yours!r}, but must be {right!r}",
                    "These are the gates in the order of other conventions. Keep to those of the "
                    "file that was handed out." if reordered
                    else "The contract at the top of the class was changed.",
                )  # fmt: skip

    def _unchanged(self, reply):
        for name, after in reply["after"].items():
            if not np.array_equal(after, self.given[name]):
                raise Wrong(
                    "wrong value",
                    f"forward writes into {name}, which belongs to the caller",
                    "Write x = x + y instead of x += y.",
                )

    def _forward_wrong(self, found, reply):
        """Name the first thing that is wrong: a gate, if the cache shows it, then c, then h."""
        _, fields = reference_cells.forward(self.cell, self.given)
        first, yours = None, {}
        for gate in FIELDS.get(self.target, ""):
            mine = reply["fields"].get(gate)
            if isinstance(mine, np.ndarray) and mine.shape == (N, H) and mine.dtype == float:
                yours[gate] = mine
                if first is None and not equal(mine, fields[gate]):
                    first = (f"gate {gate}", mine, fields[gate])
        order = [s for s in ("c", "h") if s in found]
        states = [(s, found[s], self.expected[s]) for s in order]
        wrong = [triple for triple in states if not equal(*triple[1:])]
        sentence = self._forward_mistake(found, yours)
        name, mine, right = first or wrong[0]
        compare(name, mine, right, lambda: sentence, ("row", "unit"))

    def _forward_mistake(self, found, fields):
        """The mistake in forward that gives exactly these states; or the gates in another order."""
        hits = []
        for bug, theirs in reference_cells.spoiled(
            self.target, self.conventions, self.given, self.upstream
        ):
            alike = [s for s in found if equal(found[s], theirs[s], 1e-9)]
            if len(alike) == len(found) and not _same(theirs, self.expected, found):
                return _sentence("h" if len(found) == 1 else "state", bug)
            off = [s for s in alike if not equal(theirs[s], self.expected[s], 1e-9)]
            hits += [(bug, s) for s in off]
        other = self._other_conventions(found)
        if other:
            return other
        if hits:
            return _sentence(hits[0][1], hits[0][0])
        return "" if not fields else self._gate_alone(fields)

    def _other_conventions(self, found):
        gates, ours = self.cell.gates, self.conventions.z_keeps
        senses = ("old", "new") if self.target in GRUS else (ours,)
        for z, order in itertools.product(senses, itertools.permutations(gates)):
            conventions = replace(self.conventions, z_keeps=z)
            other = reference_cells.reference(self.target, conventions, gates="".join(order))
            outputs, _ = reference_cells.forward(other, self.given)
            if all(equal(found[s], outputs[s], 1e-9) for s in found):
                return " ".join([
                    f"Your gates are taken in the order {', '.join(order)}; "
                    f"here it is {', '.join(gates)}." * ("".join(order) != gates),
                    f"In yours z near 1 {KEEPS[z]}; here it {KEEPS[ours]}." * (z != ours),
                ]).strip()  # fmt: skip
        return ""

    def _gate_alone(self, fields):
        """Which function and which pre-activation a gate seems to be made of."""
        a = self.given["gx"] + self.given["h_prev"] @ self.given["Wh"] + self.given["bh"][:, None]
        functions = {
            "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
            "tanh": np.tanh,
            "": _same_as,
        }
        for gate, mine in fields.items():
            k = self.cell.gates.index(gate)
            right = "tanh" if gate in "gn" else "sigmoid"
            for other, letter in enumerate(self.cell.gates):
                for name, f in functions.items():
                    if (other, name) != (k, right) and equal(mine, f(a[other]), 1e-9):
                        made = f"{name} of the" if name else "just the"
                        return f"Your gate {gate} is {made} pre-activation of {letter}."
            for f in functions.values():
                if equal(mine, f(self.given["gx"][k]), 1e-9):
                    return f"In your gate {gate} the product with h_prev is left out."
        return ""

    def backward(self):
        """The backward pass: shapes, then values in the order in which lines are undone."""
        try:
            reply = self.ask(backward=True)
        except Failed as failed:
            if failed.stage == "weights":
                raise Wrong(
                    "error",
                    "backward runs, but no gradient of Wh can be made: " + failed.text,
                    "product.backward must be called once, with one [n, H] array for each gate.",
                ) from None
            raise
        claimed = self._claimed(reply["first"])
        self._values(claimed, reply)
        self._behaviour(reply)

    def _claimed(self, returned):
        where, gates = f"{self.name}.backward", self.cell.gates
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise Wrong(
                "wrong shape",
                f"{where} returns {described(returned)}, but must return (dgx, dstate_prev)",
                "Is the `return` missing, or one of its two parts?",
            )
        dgx, dstate = returned
        if isinstance(dgx, np.ndarray) and dgx.ndim == 3 and len(dgx) == len(gates):
            dgx = tuple(dgx)
        found = parts("dgx", dgx, gates, "gradient")
        claimed = {f"dgx {g}": array(f"dgx of gate {g}", found[g], (N, H)) for g in gates}
        found = parts("dstate_prev", dstate, self.cell.states, "gradient")
        return claimed | {
            f"d{s}_prev": array(f"d{s}_prev", found[s], (N, H)) for s in self.cell.states
        }

    def _values(self, claimed, reply):
        wrong = [n for n in self.names if not equal(claimed[n], self.expected[n])]
        weights = reply["first weights"]
        extra = {"dWh": weights["Wh"], "dbh": weights["bh"]}
        if not wrong:
            for name, mine in extra.items():
                if not equal(mine, self.expected[name]):
                    raise Wrong(
                        "wrong value", f"{name}, made of what product and product.backward were "
                        "given, is wrong", self._explain(claimed | extra, [name])
                        or "The returned gradients are right, but the product was given others.",
                        (name, *_pair(mine, self.expected[name])),
                    )  # fmt: skip
            return
        first = wrong[0]
        label = f"dgx of gate {first[4:]}" if first.startswith("dgx") else first
        step = dict(UNDOES[self.target])[first]
        try:
            compare(
                label,
                claimed[first],
                self.expected[first],
                lambda: self._explain(claimed | extra, wrong),
                ("row", "unit"),
            )
        except Wrong as found:
            right = [n for n in self.names if n not in wrong]
            found.text += f" (to {step})"
            if len(wrong) > 1:
                found.text += f"; so {'are' if len(wrong) > 2 else 'is'} {', '.join(wrong[1:])}"
            if right:
                found.text += f"; right: {', '.join(right)}"
            if not found.mistake:
                found.mistake = self._where(first, wrong)
            raise

    def _explain(self, claimed, wrong):
        """The mistakes that give these gradients: one that explains all of them, else the one
        that explains the first wrong one, and as many more as there are."""
        # what product was given is looked at only where everything that is returned is right
        names = self.names if wrong[0] in self.names else ["dWh", "dbh"]
        best, score = None, 0
        for bug, theirs in reference_cells.spoiled(
            self.target, self.conventions, self.given, self.upstream
        ):
            if not _same(theirs, self.expected, self.cell.states):
                continue  # a mistake in forward, and forward is right
            changed = [n for n in names if not equal(theirs[n], self.expected[n], 1e-9)]
            alike = [n for n in changed if equal(claimed[n], theirs[n], 1e-9)]
            if (
                changed
                and len(alike) == len(changed)
                and _rest_right(claimed, self.expected, names, changed)
            ):
                return _sentence(wrong[0], bug)
            own = [n for n in alike if n != "dh_prev"]
            if wrong[0] in own and len(own) > score:
                best, score = bug, len(own)
        order = self._repacked(claimed)
        if order:
            return order
        if best:
            rest = "" if score == len(wrong) else " Another mistake seems to be there as well."
            return _sentence(wrong[0], best) + rest
        return self._pieces(claimed, wrong)

    def _repacked(self, claimed):
        gates = self.cell.gates
        if len(gates) < 2:
            return ""
        for order in itertools.permutations(gates):
            if "".join(order) != gates and all(
                equal(claimed[f"dgx {g}"], self.expected[f"dgx {o}"], 1e-9)
                for g, o in zip(gates, order, strict=True)
            ):
                return (
                    f"Your gradients are packed in another order than {', '.join(gates)}: in the "
                    + ", in the ".join(
                        f"place of {g} stands that of {o}"
                        for g, o in zip(gates, order, strict=True) if g != o
                    ) + "."
                )  # fmt: skip
        return ""

    def _pieces(self, claimed, wrong):
        """Sentences on dh_prev alone, or on the first wrong array by its numbers."""
        gates = self.cell.gates
        da = np.stack([claimed[f"dgx {g}"] for g in gates])
        Wh, mine = self.given["Wh"], claimed["dh_prev"]
        if wrong[0] == "dh_prev":
            for k, g in enumerate(gates):
                if equal(mine, da[k] @ Wh[k].T, 1e-9) and len(gates) > 1:
                    return f"Only gate {g} sends its gradient to the previous state."
            if equal(mine, (da @ Wh).sum(axis=0), 1e-9):
                return "On the way back the weights are not transposed: use product.backward."
        return general(wrong[0], claimed[wrong[0]], self.expected[wrong[0]])

    def _where(self, first, wrong):
        if len(wrong) == 1 and first.startswith("dgx"):
            return f"The mistake is confined to gate {first[4:]}: look at its line."
        return ""

    def _behaviour(self, reply):
        """Calling backward must change nothing, and give the same again."""
        names = [f"d{s}" for s in self.cell.states]
        for name, before, after in zip(names, self.upstream, reply["first given"], strict=True):
            if not np.array_equal(before, after):
                raise Wrong(
                    "wrong value",
                    f"backward writes into {name}, which belongs to the caller",
                    f"Write {name} = {name} + ... instead of {name} += ...",
                )
        first, second = self._claimed(reply["first"]), self._claimed(reply["second"])
        for name in first:
            if not equal(first[name], second[name]):
                raise Wrong(
                    "wrong value",
                    f"backward gives another {name} when it is called a second time",
                    "It writes into the cache, which it must leave as it is.",
                )


def _sentence(name, bug):
    head = "This is" if name in ("state", "h", "c") else f"Your {name} is"
    return f"{head} what you get when {bug.when}."


def _same(theirs, expected, names):
    return all(equal(theirs[n], expected[n], 1e-9) for n in names)


def _rest_right(claimed, expected, names, changed):
    return all(equal(claimed[n], expected[n], 1e-9) for n in names if n not in changed)


def _same_as(v):
    return v


def _pair(mine, right):
    if np.shape(mine) != np.shape(right):
        return ()
    k = int(np.abs(mine - right).argmax())
    return float(np.ravel(mine)[k]), float(np.ravel(right)[k])
