"""Plant every mistake of the bug zoo in the library and see what notices.

    $ python tests/tools/mutation.py

The table's columns: the mistake, what killed it, and what gradcheck takes it for.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from minirnn import cells, functions  # noqa: E402
from minirnn.gradcheck.diagnosis import explanations  # noqa: E402
from minirnn.gradcheck.judge import judge  # noqa: E402
from minirnn.gradcheck.ladder import randomised  # noqa: E402
from minirnn.gradcheck.problems import (  # noqa: E402
    cell_problem,
    function_problem,
    layer_problem,
    loss_problem,
    recurrent_problem,
)
from minirnn.gradcheck.zoo import ZOO, mutant, rebuilt  # noqa: E402


def problems(bug, rng):
    """The problems on which a bug that changes a gradient must be noticed."""
    changed = mutant(bug)
    name = bug.target.partition(".")[2]
    if bug.level == "function":
        f = getattr(functions, name.removeprefix("d_"))
        return [function_problem(f, changed, rng.standard_normal((3, 4)))]
    if bug.level == "cell":
        return [cell_problem(changed(), rng)]
    if bug.level == "time":
        kind = changed if name == "Recurrent" else rebuilt("recurrent.Recurrent", bug)
        found = []
        for cell in (cells.LSTMCell, cells.GRUCell):
            net = randomised(kind(cell, 4, 5, rng=rng, dtype="float64"), rng)
            truncate = {"truncate": 2} if "truncate" in bug.old else {}
            found += [
                recurrent_problem(net, rng, [3] * 4, dense=True),
                recurrent_problem(net, rng, [3, 3, 2, 1], **truncate),
            ]
        return found
    if bug.level == "stack":
        net = changed(
            cells.GRUCell, 4, 5, rng=rng, num_layers=2, bidirectional=True, dtype="float64"
        )
        return [recurrent_problem(randomised(net, rng), rng, [3, 3, 2, 1])]
    if bug.level == "loss":
        labels = np.array([2, 0, 3, 1])
        if name == "MeanSquaredError":
            y, target = rng.standard_normal((2, 3, 4))
            return [loss_problem(changed(), y, target)]
        logits = rng.standard_normal((4, 5))
        return [loss_problem(changed(), logits, labels),
                loss_problem(changed(ignore_index=3), logits, labels)]  # fmt: skip
    if bug.level == "layer":
        if name == "Embedding":
            net = changed(6, 3, rng=rng, dtype="float64")
            return [layer_problem(net, np.array([1, 4, 1, 0, 1]))]
        if name == "Dropout":
            return [layer_problem(changed(0.4, rng=rng), rng.standard_normal((4, 5)))]
        net = randomised(changed(4, 3, rng=rng, dtype="float64"), rng)
        return [layer_problem(net, rng.standard_normal((5, 4)))]
    raise LookupError(f"{bug.name} is of level {bug.level}")


def examine(bug, seed=0):
    """(killed by, diagnosed as) of one bug that changes a gradient."""
    rng = np.random.default_rng(seed)
    for problem in problems(bug, rng):
        verdict = judge(problem, rng)
        if not verdict:
            finding = verdict.findings[0]
            return f"{finding.kind} of {finding.where}", [b.name for b in explanations(verdict)]
    return None, []


def main():
    missed = []
    for bug in ZOO:
        if not bug.gradient:
            print(f"{bug.name:28s} changes no gradient: see tests/test_zoo.py")
            continue
        killed, names = examine(bug)
        if killed is None or bug.name not in names:
            missed.append(bug.name)
        print(f"{bug.name:28s} {killed or 'SURVIVED':28s} {', '.join(names) or 'not known'}")
    print(f"{len(missed)} survived or were taken for another: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
