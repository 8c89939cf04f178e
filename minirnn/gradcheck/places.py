"""The place of a mistake without a name: the gates that are off, and what they share.

What the arrays that are wrong share, and those that are right do not, is where to look first. The
sentences are true of the numbers; the place that they point to is the first to look at, no proof.
"""

import numpy as np

OFF = 1e-9  # of the largest entry: a gate is off from here on


def wrong_values(verdict):
    """{array: Finding} of the gradients that are off, in the order in which one causes another."""
    findings = {f.where: f for f in verdict.findings if f.kind == "value" and f.claimed is not None}
    causes = {"cell": ("gx", "Wh", "bh"), "time": ("x",), "stack": ("x",)}
    first = [n for n in causes.get(verdict.problem.level, ()) if n in findings]
    return {n: findings[n] for n in dict.fromkeys([*first, *findings])}


def where_wrong(verdict):
    """A sentence on where to look, or "" where the numbers do not say."""
    wrong = wrong_values(verdict)
    about = {"cell": _in_a_step, "time": _over_time}.get(verdict.problem.level)
    return about(verdict, wrong) if about and wrong else ""


def which_of_two(verdict):
    """The sentence on dgx and what goes to product.backward, where not both of them are off."""
    wrong = wrong_values(verdict)
    both = "gx" in wrong and ("Wh" in wrong or "bh" in wrong)
    return "" if verdict.problem.level != "cell" or both else where_wrong(verdict)


def gates_off(verdict, finding):
    """The gates that are off in an array whose first axis is theirs; None for other arrays."""
    gates, names = verdict.problem.axes.get(finding.where, (None, None))
    if not names or names[0] != "gate":
        return None
    off = np.abs(finding.claimed - finding.expected)
    size = np.abs(finding.expected).max()
    return [g for k, g in enumerate(gates) if off[k].max() > OFF * size]


def _in_a_step(verdict, wrong):
    handed = [n for n in ("Wh", "bh") if n in wrong]
    if "gx" in wrong:
        if not handed:
            return (
                "What you hand to product.backward is right, but what you return as dgx is not"
                f"{_only(verdict, wrong['gx'])}."
            )
        return _of_gates(verdict, wrong, gates_off(verdict, wrong["gx"]))
    if handed:
        return (
            "What you return as dgx is right, but what you hand to product.backward is not"
            f"{_only(verdict, wrong[handed[-1]])}: {_listed([f'd{n}' for n in handed])} "
            f"{_is(handed)} made of it."
        )
    own = [n for n in wrong if not n.endswith("_prev")]
    if own:
        return f"Look at the lines that add to the gradient of {_listed(own)}."
    return (
        f"Look at the lines that make {_listed([f'd{n}' for n in wrong])}: dgx, and what you hand "
        "to product.backward, are right."
    )


def _of_gates(verdict, wrong, off):
    """dgx is off: of which gates, and whether one line above theirs would explain it."""
    problem = verdict.problem
    gates, states = problem.subject.gates, problem.subject.states
    right = [g for g in gates if g not in off]
    if len(gates) == 1:
        return f"Look at the lines from d{states[0]} to dgx."
    if not right:
        return (
            f"All gates are off: look first at d{states[0]}, where all of them begin, and then at "
            "the lines of each."
        )
    if len(off) > 1:
        for state in states[1:]:
            through, straight = _acting(problem, state)
            if through == off:
                others = [f"d{n}" for n in straight if n in wrong]
                are = f"{_listed([*off, *others])} are off, {_listed(right)} {_is(right)} right"
                if len(others) == len(straight):
                    return (
                        f"{are}: what those that are off share is d{state}; look at the line that "
                        f"makes d{state}."
                    )
                kept = _listed([f"d{n}" for n in straight if n not in wrong])
                return (
                    f"{are}, and so is {kept}: look at d{state} as the lines of "
                    f"{_listed(off)} use it, and at their slopes."
                )
    few = f"gate {off[0]}" if len(off) == 1 else f"gates {_listed(off)}"
    return f"Look at {few}: the rest of dgx is right."


def _acting(problem, state):
    """Return what acts on this state a step later: (gates, previous states; not the product)."""
    arrays = {**problem.arrays, "Wh": np.zeros(problem.arrays["Wh"].shape)}
    before = problem.forward(arrays)[0][state]

    def acts(name, entry):
        moved = arrays[name].copy()
        moved[entry] += 0.1
        return not np.array_equal(problem.forward({**arrays, name: moved})[0][state], before)

    gates = [g for k, g in enumerate(problem.subject.gates) if acts("gx", k)]
    return gates, [f"{s}_prev" for s in problem.subject.states if acts(f"{s}_prev", ...)]


def _over_time(verdict, wrong):
    names = [f"d{n}" for n in wrong]
    if "x" not in wrong:
        sums = [f"d{n}" for n in wrong if n in ("Wx", "Wh", "bx", "bh")]
        if sums == names:
            return f"dx is right at every step: look at the lines that add up {_listed(sums)}."
        if not sums:
            return f"Look at what is returned as {_listed(names)}: all else is right."
        return ""
    if list(wrong) == ["x"]:
        return "Look at the lines that make dx: all other gradients are right."
    claimed, expected = wrong["x"].claimed, wrong["x"].expected
    if claimed.ndim < 3 or len(claimed) < 2:
        return ""
    off = np.abs(claimed - expected).max(axis=(1, 2)) > OFF * np.abs(expected).max()
    last = len(off) - 1
    if off[last] or not off[last - 1]:
        return ""
    return (
        f"dx of step {last} is right and that of step {last - 1}, which is undone after it, is "
        "not: look at what goes from one to the other."
    )


def _only(verdict, finding):
    """ ", for gate n" where only some gates are off."""
    off, gates = gates_off(verdict, finding), verdict.problem.subject.gates
    if not off or len(off) == len(gates):
        return ""
    return f", for gate{'s' if len(off) > 1 else ''} {_listed(off)}"


def _listed(names):
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _is(names):
    return "is" if len(names) == 1 else "are"
