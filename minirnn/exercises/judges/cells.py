"""Exercises 3, 5, 6, 7 and 9: one step of a cell, against the library's own."""

import itertools
import re
from dataclasses import replace

import numpy as np

from ...gradcheck import zoo
from .. import reference_cells
from ..conventions import GRUS, KEEPS, turned
from ..sandbox import Failed, Stopped
from .clues import equal, factors, general, related
from .result import (
    ONE_ROW,
    OTHER_SIZES,
    Wrong,
    after_use,
    array,
    compare,
    described,
    lasting,
    parts,
    unchanged,
)

ROWS, UNITS = 3, 5
UNUSUAL = {
    ONE_ROW: {"rows": 1},
    OTHER_SIZES: {"rows": 6, "units": 4},
    "with larger states and gradients": {"scale": 4},
}  # case: how it is drawn
CACHED = "Put into the cache what backward takes out of it, or let it compute with what is there."
KEPT = (
    "It is an array that is kept, and written into at the next call: make a new one in each call."
)
ON_SELF = (
    "Return what backward needs as the cache: one cell is used for many steps, and self keeps "
    "only what the last of them wrote."
)

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
CHAPTERS = {"cells.LSTMCell": "docs/06-lstm.md", "cells.GRUCell": "docs/07-gru.md"}
H_TO_O, C_TO_GATES = "from-h-to-o-and-c", "from-c-to-the-gates-and-the-previous-c"
READ = {  # the subsection on a line of forward, and (in backward, by its comment) on undoing it
    "cells.LSTMCell": {
        "gate": "gates", "c": "cell-state", "h": "hidden-state",
        "h = o tanh(c)": H_TO_O,
        "c = f c_prev + i g": C_TO_GATES,
        "i, f, o = sigmoid(ai)": "from-the-gates-to-the-pre-activations",
        "ai, af, ag, ao = gx": "to-the-previous-hidden-state",
        "dgx o": H_TO_O, "dc_prev": C_TO_GATES, "dgx f": C_TO_GATES, "dgx i": C_TO_GATES,
        "dgx g": C_TO_GATES, "dh_prev": "to-the-previous-hidden-state",
    },
    "cells.GRUCell": {
        "h = (1 - z) n": "from-h-to-z-n-and-the-previous-h",
        "n = tanh(gx_n": "through-the-candidate",
        "r, z = sigmoid(gx_r": "through-the-gates",
        "product_r, product_z": "to-the-previous-hidden-state",
        "dgx z": "from-h-to-z-n-and-the-previous-h", "dgx n": "from-h-to-z-n-and-the-previous-h",
        "dgx r": "through-the-candidate", "dh_prev": "to-the-previous-hidden-state",
    },
}  # fmt: skip
SLOPES = "from-the-gates-to-the-pre-activations"
RETURNED = {  # the subsection where what is returned in a wrong form was made
    "cells.LSTMCell": dict.fromkeys(["dgx o", "dgx f", "dgx i", "dgx g"], SLOPES)
    | {"dc_prev": C_TO_GATES, "dh_prev": "to-the-previous-hidden-state"},
    "cells.GRUCell": {
        "dgx z": "through-the-gates",
        "dgx r": "through-the-gates",
        "dgx n": "through-the-candidate",
    },
}
FIELDS = {"cells.LSTMCell": "ifgo", "cells.GRUCell": "rzn", "cells.RNNCell": ""}


class CellJudge:
    """Judges the cell `name` of a hand-in as `target` should be under the conventions.

    `forward`, `backward` and `both` raise `Wrong` with the first thing that is wrong.
    """

    def __init__(self, hand_in, name, target, conventions, rng, rows=ROWS, units=UNITS,
                 scale=1):  # fmt: skip
        self.hand_in, self.name, self.target, self.rng = hand_in, name, target, rng
        self.shape = N, H = rows, units
        self.ending = None  # what backward has ended with, where it is not right
        self.bug = None  # the known mistake that the hand-in seems to have
        self.conventions = conventions
        self.cell = reference_cells.reference(target, conventions)
        G, states = len(self.cell.gates), self.cell.states
        self.given = {"gx": rng.standard_normal((G, N, H))}
        self.given |= {f"{s}_prev": scale * rng.standard_normal((N, H)) for s in states}
        self.given |= {
            "Wh": 0.7 * rng.standard_normal((G, H, H)),
            "bh": rng.standard_normal((G, H)),
        }
        self.upstream = tuple(scale * rng.standard_normal((N, H)) for _ in states)
        self.expected = reference_cells.step(self.cell, self.given, self.upstream)
        self.names = [name for name, _ in UNDOES[target]]

    def unusual(self, judge):
        """[(case in words, the judge of this name in that case)], drawn again."""
        if isinstance(self.ending, Stopped):  # nobody is left to be asked
            return []
        made = [self.hand_in, self.name, self.target, self.conventions, self.rng]
        return [(case, getattr(CellJudge(*made, **how), judge)) for case, how in UNUSUAL.items()]

    def ask(self, backward):
        """What the hand-in's cell makes of one step, of three rows and five units."""
        upstream = self.upstream if backward else None
        return self.hand_in.ask("cell", name=self.name, **self.given, upstream=upstream)

    def forward(self):
        """The forward pass: contract, shapes, values."""
        reply = self.ask(backward=False)
        self._contract(reply)
        states = self.cell.states
        where = f"{self.name}.forward"
        unchanged(self.given, reply["after"], "forward")
        if reply["forward"] is None:
            raise Wrong(
                "wrong shape",
                f"{where} returns {reply['returned']}, but must return (state, cache)",
                "Return a pair: the new state, which is itself a tuple, and the cache.",
            )
        new = parts(f"the state that {where} returns", reply["forward"], states)
        new = {s: array(s, new[s], self.shape) for s in states}
        if not all(equal(new[s], self.expected[s]) for s in states):
            self._forward_wrong(new, reply)
        asked_once(reply["v"], self.shape)
        lasting(reply, where)
        if reply["class"]:
            raise Wrong(
                "wrong value",
                f"the cache that {where} returns is the class {reply['class']} itself",
                f"Make one of it, with what backward needs: {reply['class']}(...).",
            )
        if reply["written"]:
            raise Wrong(
                "wrong value",
                f"what {where} has put into the cache ({', '.join(reply['written'][:4])}) changes "
                "when it is called again",
                KEPT,
            )
        used = self.hand_in.ask("cell", name=self.name, **self.given, upstream=None, used=True)
        again = parts(f"the state that {where} returns", used["forward"], states)
        after_use(lambda: [compare(s, array(s, again[s], self.shape), new[s]) for s in new], where)

    def forward_and_cache(self):
        """Forward, with a cache in which every name holds what it says."""
        self.forward()
        wrong = self._misnamed(self.ask(backward=False))
        if wrong:
            raise Wrong("wrong value", *wrong)

    def forward_before_backward(self):
        """Forward; and its cache, where it is to blame for what `the_rest` would say."""
        self.forward()
        try:
            self.backward()
        except (Wrong, Failed, Stopped) as stopped:
            self.ending = stopped
            if isinstance(stopped, Failed):
                self.forward_and_cache()
            if isinstance(stopped, Wrong) and stopped.place == "the cache":
                raise

    def the_rest(self):
        """Backward, after `forward_before_backward`."""
        if self.ending is not None:
            raise self.ending

    def _misnamed(self, reply):
        """(what is wrong, the advice) of the first field of the cache that holds something else
        than its name says, or nothing."""
        right = self._to_keep()
        for name in right:
            mine = reply["fields"].get(name)
            if name not in reply["fields"] or equal(mine, right[name]):
                continue
            what = self._named_array(mine) or "another array"
            text = f"the cache's field {name} holds {what}"
            advice = f"Its arguments are, in this order: {', '.join(right)}."
            if what in self.cell.states and name in self.cell.gates:
                advice += f" Or is {what} made in the array of {name}? {what} = {name} is no copy."
            if name in self.given:
                advice += f" Or was {name} given a new value on the way?"
            return text, advice
        return ()

    def _lacking(self, reply):
        """What the cache without names holds, and what it lacks, where a known mistake says that
        backward needs it; or nothing."""
        if self.bug is None or "Cache(" not in self.bug.old:
            return ""
        right, parts = self._to_keep(), reply["held"]
        lacks = [n for n, a in right.items() if not any(equal(part, a) for part in parts)]
        others = [name for part in parts if (name := self._named_array(part)) not in ("", *right)]
        return f"the cache holds {others[0]}, but not {lacks[0]}" if lacks and others else ""

    def _to_keep(self):
        """{name: array} of what the starter's cache holds."""
        return reference_cells.forward(self.cell, self.given)[1]

    def _named_array(self, mine):
        """The name of an array of this step, or ""."""
        known = self._to_keep() | {n: a for n, a in self.given.items() if n.endswith("_prev")}
        known |= {s: self.expected[s] for s in self.cell.states}
        a = self.given["gx"] + self.given["h_prev"] @ self.given["Wh"] + self.given["bh"][:, None]
        known |= {f"a{g}" if len(a) > 1 else "a": a[k] for k, g in enumerate(self.cell.gates)}
        return next((name for name, array in known.items() if equal(mine, array, 1e-9)), "")

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

    def _forward_wrong(self, new, reply):
        """Name the first thing that is wrong: a gate, if the cache shows it, then c, then h."""
        _, fields = reference_cells.forward(self.cell, self.given)
        first, yours = None, {}
        for gate in FIELDS.get(self.target, ""):
            mine = reply["fields"].get(gate)
            if isinstance(mine, np.ndarray) and mine.shape == self.shape and mine.dtype == float:
                yours[gate] = mine
                if first is None and not equal(mine, fields[gate]):
                    first = (f"gate {gate}", mine, fields[gate])
        order = [s for s in ("c", "h") if s in new]
        states = [(s, new[s], self.expected[s]) for s in order]
        wrong = [triple for triple in states if not equal(*triple[1:])]
        name, mine, right = first or wrong[0]
        sentence = self._of_gates(new, yours) if first else ""
        sentence = (
            sentence
            or self._forward_mistake(new, yours)
            or related(name, mine, right, self._known())
        )
        try:
            compare(name, mine, right, lambda: sentence, ("row", "unit"))
        except Wrong as error:
            self._section(error, name)
            raise

    def _of_gates(self, new, fields):
        """What makes gates that are wrong themselves: another order, or one of another's."""
        for gate, mine in fields.items():
            for state, array_ in new.items():
                if equal(mine, array_, 1e-9):
                    return (
                        f"In the cache {gate} holds {state}: does it stand in its place, or is "
                        f"there {state} = {gate}, which is no copy?"
                    )
        return self._other_conventions(new) or self._gate_alone(fields)

    def _forward_mistake(self, new, fields):
        """The mistake in forward that gives exactly these states; or the gates in another order."""
        hits = []
        for bug, theirs in reference_cells.spoiled(
            self.target, self.conventions, self.given, self.upstream
        ):
            alike = [s for s in new if equal(new[s], theirs[s], 1e-9)]
            if len(alike) == len(new) and not _same(theirs, self.expected, new):
                return self._sentence("h" if len(new) == 1 else "state", bug)
            off = [s for s in alike if not equal(theirs[s], self.expected[s], 1e-9)]
            hits += [(bug, s) for s in off]
        other = self._other_conventions(new)
        if other:
            return other
        if hits:
            return self._sentence(hits[0][1], hits[0][0])
        return "" if not fields else self._gate_alone(fields)

    def _other_conventions(self, new):
        gates, ours = self.cell.gates, self.conventions.z_keeps
        senses = ("old", "new") if self.target in GRUS else (ours,)
        for z, order in itertools.product(senses, itertools.permutations(gates)):
            conventions = replace(self.conventions, z_keeps=z)
            other = reference_cells.reference(self.target, conventions, gates="".join(order))
            outputs, _ = reference_cells.forward(other, self.given)
            if all(equal(new[s], outputs[s], 1e-9) for s in new):
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
                for other, letter in enumerate(self.cell.gates):
                    mixed = self.given["gx"][k] + a[other] - self.given["gx"][other]
                    if other != k and equal(mine, f(mixed), 1e-9):
                        return f"In your gate {gate} stands the product of gate {letter}."
        return ""

    def backward(self):
        """The backward pass: shapes, then values in the order in which lines are undone."""
        try:
            reply = self.ask(backward=True)
        except Failed as failed:
            if failed.stage == "weights" or (not failed.line and "input array" in failed.text):
                raise Wrong(
                    "error",
                    "backward runs, but what it has given product.backward makes no gradient of Wh",
                    "For each gate that forward has asked product for, product.backward must be "
                    "given one [n, H] array, once.",
                ) from None
            raise
        names = [f"d{s}" for s in self.cell.states]
        unchanged(dict(zip(names, self.upstream, strict=True)),
                  dict(zip(names, reply["first given"], strict=True)), "backward")  # fmt: skip
        claimed = self._claimed(reply["first"])
        try:
            self._values(claimed, reply)
        except Wrong as wrong:
            self._other_cause(wrong, reply)
            raise
        self._behaviour(reply)

    def _other_cause(self, wrong, reply):
        """Change what is said where the cache is to blame for the wrong gradients."""
        if reply["kept"]:
            names = ", ".join(f"self.{name}" for name in reply["kept"][:4])
            wrong.text = f"backward gets {names} of another step: forward keeps it on self"
            wrong.mistake = ON_SELF
            wrong.pair = ()
        elif misnamed := self._misnamed(reply):
            wrong.place = "the cache"
            wrong.text, wrong.mistake = f"{misnamed[0]}; so {wrong.text}", misnamed[1]
        elif lacking := self._lacking(reply):
            wrong.place, wrong.text = "the cache", f"{lacking}; so {wrong.text}"
            wrong.mistake = CACHED

    def _claimed(self, returned):
        where, gates = f"{self.name}.backward", self.cell.gates
        if not isinstance(returned, (tuple, list)) or len(returned) != 2:
            raise Wrong(
                "wrong shape",
                f"{where} returns {described(returned)}, but must return (dgx, dstate_prev)",
                "Is the `return` missing, or one of its two parts?",
            )
        dgx, dstate = returned
        dgx = parts("dgx", by_gate(dgx), gates, "gradient")
        dstate = parts("dstate_prev", dstate, self.cell.states, "gradient")
        return {f"dgx {g}": array(f"dgx of gate {g}", dgx[g], self.shape) for g in gates} | {
            f"d{s}_prev": array(f"d{s}_prev", dstate[s], self.shape) for s in self.cell.states
        }

    def _values(self, claimed, reply):
        wrong = [n for n in self.names if not equal(claimed[n], self.expected[n])]
        weights = reply["first weights"]
        extra = {"dWh": weights["Wh"], "dbh": weights["bh"]}
        if not wrong:
            if not reply["undone"]:
                raise Wrong(
                    "wrong value",
                    "dh_prev is right, but product.backward is never called",
                    "It gives dh_prev, and notes down what the gradient of Wh is made of.",
                )
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
        except Wrong as error:
            right = [n for n in self.names if n not in wrong]
            error.text += f" (to {step})"
            if len(wrong) > 1:
                error.text += f"; so {'are' if len(wrong) > 2 else 'is'} {', '.join(wrong[1:])}"
            if right:
                error.text += f"; right: {', '.join(right)}"
            if not error.mistake:
                error.mistake = self._where(first, wrong)
            share_of_c = first == "dc_prev" and {"dgx f", "dgx i", "dgx g"} <= set(wrong)
            self._section(error, "dgx o" if share_of_c else first)
            raise

    def _explain(self, claimed, wrong):
        """The mistakes that give these gradients: one that explains all of them, else the one
        that explains the first wrong one, and as many more as there are."""
        # what product was given is looked at only where everything that is returned is right
        names = self.names if wrong[0] in self.names else ["dWh", "dbh"]
        if "dh_prev" not in wrong and equal(claimed[wrong[0]], self.expected["dh_prev"]):
            return f"Your {wrong[0]} is dh_prev, what product.backward gives, not what it takes."
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
                return self._sentence(wrong[0], bug)
            own = [n for n in alike if n != "dh_prev"]
            spared = set(changed) - set(wrong) - {"dh_prev"}  # right, though the mistake spoils it
            if wrong[0] in own and len(own) > score and not spared:
                best, score = bug, len(own)
        order = self._repacked(claimed) or self._exchanged(claimed)
        if order:
            return order
        if best:
            return self._sentence(wrong[0], best) + self._unexplained(claimed, wrong, best)
        return self._pieces(claimed, wrong)

    def _unexplained(self, claimed, wrong, bug):
        """Which of the wrong arrays a mistake does not explain; dh_prev comes after all others."""
        theirs = reference_cells.step(
            reference_cells.reference(self.target, self.conventions, bug),
            self.given,
            self.upstream,
        )
        rest = [n for n in wrong if n != "dh_prev" and not equal(claimed[n], theirs[n], 1e-9)]
        return f" It does not explain {', '.join(rest)}." if rest else ""

    def _exchanged(self, claimed):
        """The two fields of the cache that backward takes for each other, if it does."""
        for one, other in itertools.combinations(self._to_keep(), 2):
            cell = reference_cells.Exchanged(self.cell, one, other)
            theirs = reference_cells.step(cell, self.given, self.upstream)
            if _same(theirs, claimed, self.names):
                return (
                    f"Your backward takes {one} of the cache for {other}, and {other} for {one}: "
                    "are they taken out in the order in which forward has put them in?"
                )
        return ""

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
        pair = claimed[wrong[0]], self.expected[wrong[0]]
        known = factors(self._known()) | self._known(self.upstream)
        return related(wrong[0], *pair, known) or general(wrong[0], *pair, ("row", "unit"))

    def _known(self, upstream=()):
        """{name: array [n, H]} of what is there in a step: states, gates, what comes from above."""
        known = self._to_keep() | {s: self.expected[s] for s in self.cell.states}
        known |= {f"{s}_prev": self.given[f"{s}_prev"] for s in self.cell.states}
        above = zip(self.cell.states, upstream, strict=False)
        return known | {f"d{state}": array for state, array in above}

    def _sentence(self, name, bug):
        self.bug = bug
        if name in ("state", "h", "c"):
            return f"This is what you get when {of_forward(bug)}."
        return f"Your {name} is what you get when {bug.when}."

    def _section(self, error, name):
        """Send the reader to the subsection on the line that is wrong, where there is one."""
        table = READ.get(self.target, {})
        anchor = table.get("gate" if name.startswith("gate") else name)
        source = zoo.source(self.target)
        source = turned(source) if self.conventions.turned(self.target) else source
        if self.bug is not None and self.bug.old in source:
            before, old, _ = source.partition(self.bug.old)
            undone = re.findall(r"^ +# (.*)", before + old, re.M)
            known = [table[line] for line in table if undone and " = " in line
                     and undone[-1].startswith(line)]  # fmt: skip
            if (before + old).rpartition("\n")[2].lstrip().startswith("return"):
                known = [at for n, at in RETURNED.get(self.target, {}).items() if n == name]
            anchor = known[0] if known else anchor
        if anchor:
            error.section = f"{CHAPTERS[self.target]}#{anchor}"

    def _where(self, first, wrong):
        if len(wrong) == 1 and first.startswith("dgx"):
            return f"The mistake is confined to gate {first[4:]}: look at its line."
        return ""

    def _behaviour(self, reply):
        """Calling backward must change nothing, and give the same again."""
        first, second = self._claimed(reply["first"]), self._claimed(reply["second"])
        for name in first:
            if not equal(first[name], second[name]) and reply["written"]:
                raise Wrong(
                    "wrong value",
                    f"backward writes into {', '.join(reply['written'][:4])} of the cache",
                    "What is in the cache must stay: no +=, -=, *= or out= on it. Make a new array "
                    "instead, as in x = x + y.",
                )
            if not equal(first[name], second[name]):
                raise Wrong(
                    "wrong value",
                    f"backward gives another {name} when it is called a second time",
                    "It writes into the cache, or keeps something on self: both must stay as they "
                    "are.",
                )
        lasting(reply, f"{self.name}.backward")


def by_gate(dgx):
    """A tuple of [n, H], where the gradients of the gates have come as one array [G, n, H]."""
    return tuple(dgx) if isinstance(dgx, np.ndarray) and dgx.ndim == 3 else dgx


def asked_once(inputs, shape):
    """Raise `Wrong` unless forward has asked `product` once, for one array of this shape.

    inputs: {gates, or all: [what it was given, call by call]}.
    """
    for gates, calls in inputs.items():
        for v in calls:
            if not isinstance(v, np.ndarray) or v.shape != shape:
                raise Wrong(
                    "wrong shape",
                    f"product is given {described(v)}, but takes one array of shape {shape}",
                    "It is product(h_prev): the state is a tuple, h_prev the array in it.",
                )
        if len(calls) > 1:
            which = "" if gates == "all" else f" for {gates}"
            raise Wrong(
                "wrong value",
                f"forward asks for the product{which} {len(calls)} times, but must once",
                "Keep what it gives in a variable: with each call it notes down what it was given, "
                "for the gradient of Wh.",
            )


def _same(theirs, expected, names):
    return all(equal(theirs[n], expected[n], 1e-9) for n in names)


def _rest_right(claimed, expected, names, changed):
    return all(equal(claimed[n], expected[n], 1e-9) for n in names if n not in changed)


def of_forward(bug):
    """Return when a mistake of forward is made; what the library's backward does is left out."""
    return bug.when.partition(", while backward")[0]


def _same_as(v):
    return v


def _pair(mine, right):
    if np.shape(mine) != np.shape(right):
        return ()
    k = int(np.abs(mine - right).argmax())
    return float(np.ravel(mine)[k]), float(np.ravel(right)[k])
