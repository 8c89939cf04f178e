"""The bug zoo itself: every mistake can be planted, and every one is noticed.

What changes a gradient must fail gradcheck, and be named (`python tests/tools/mutation.py` prints
it). What does not is held against a right answer from plain Python numbers.
"""

import math

import changes
import numpy as np
import pytest
from mutation import examine

from minirnn import batches, losses, optim, packing
from minirnn.gradcheck.zoo import LEVELS, MODULES, ZOO, mutant, source
from minirnn.parameters import Parameter

GRADIENT = [bug for bug in ZOO if bug.gradient]
OTHERS = {bug.name: bug for bug in ZOO if not bug.gradient}


def test_the_zoo_is_large_and_its_names_are_its_own():
    names = [bug.name for bug in ZOO]
    assert len(names) >= 40
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("bug", ZOO, ids=lambda bug: bug.name)
def test_a_bug_changes_its_target_once(bug):
    assert source(bug.target).count(bug.old) == 1
    assert bug.old != bug.new
    assert bug.target.split(".")[0] in MODULES and bug.level in LEVELS.values()
    assert bug.when and not bug.when.endswith(".")
    assert callable(mutant(bug))


def test_old_text_that_is_not_there_is_an_error():
    bug = type(ZOO[0])("none", "functions.d_tanh", "no such text", "", "nothing is changed")
    with pytest.raises(ValueError, match="the old text stands 0 times in functions.d_tanh"):
        mutant(bug)


@pytest.mark.parametrize("bug", GRADIENT, ids=lambda bug: bug.name)
def test_what_changes_a_gradient_is_killed_and_named(bug):
    killed, names = examine(bug)
    assert killed
    assert bug.name in names


# The others, against numbers worked out in plain Python. Each takes the right or a changed thing.


def _steps(make, gradients=(0.5, -2.0, 1.0), start=3.0):
    """A weight's way under these gradients."""
    w, way = Parameter(np.array([start])), []
    optimiser = make([w])
    for g in gradients:
        w.grad[...] = g
        optimiser.step()
        way.append(float(w.data[0]))
    return way


def sgd_with_momentum(kind):
    w, v, way = 3.0, 0.0, []
    for g in (0.5, -2.0, 1.0):
        v = 0.9 * v + g
        w -= 0.1 * v
        way.append(w)
    return _steps(lambda p: kind(p, 0.1, momentum=0.9)) == pytest.approx(way, rel=1e-12)


def sgd_with_decay(kind):
    w, way = 3.0, []
    for g in (0.5, -2.0, 1.0):
        w -= 0.1 * (g + 0.01 * w)
        way.append(w)
    return _steps(lambda p: kind(p, 0.1, weight_decay=0.01)) == pytest.approx(way, rel=1e-12)


def _adam(decay=0.0, eps=0.1):
    w, m, v, way = 3.0, 0.0, 0.0, []
    for t, g in enumerate((0.5, -2.0, 1.0), start=1):
        w -= 0.01 * decay * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= 0.01 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + eps)
        way.append(w)
    return way


def adam(kind):
    return _steps(lambda p: kind(p, 0.01, eps=0.1)) == pytest.approx(_adam(), rel=1e-12)


def adamw(kind):
    made = _steps(lambda p: kind(p, 0.01, eps=0.1, weight_decay=0.3))
    return made == pytest.approx(_adam(decay=0.3), rel=1e-12)


def _clipped(clip, gradients, max_norm):
    parameters = [Parameter(np.zeros(len(g))) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad[...] = g
    clip(parameters, max_norm)
    return [float(x) for p in parameters for x in p.grad]


def clip_keeps_the_direction(clip):
    # the norm of (3, 4) and (0, 12) together is 13; the cure is one factor for all
    made = _clipped(clip, [[3.0, 4.0], [0.0, 12.0]], 6.5)
    return made == pytest.approx([1.5, 2.0, 0.0, 6.0], rel=1e-5)


def clip_leaves_small_gradients(clip):
    return _clipped(clip, [[0.3, 0.4]], 5.0) == [0.3, 0.4]


def labels_follow_their_sequences(kind):
    """Three sequences with a label that is their first id: sorting must not part them."""
    data = kind([np.array([0]), np.array([1, 5, 5]), np.array([2, 5])], [0, 1, 2])
    batch = data.batch(np.array([0, 1, 2]))
    return (
        [int(k) for k in batch.labels] == [int(k) for k in batch.x[: batch.sizes[0]]] == [1, 2, 0]
    )


def reversed_within_their_length(reversal):
    """abc, de and f, packed as adf be c, read cba, ed and f."""
    packed = np.array(list("adfbec"))
    return "".join(packed[reversal([3, 2, 1])]) == "cefbda"


def ignored_labels_do_not_count(kind):
    """Two classes and no preference: every label that counts costs log 2, and so does the mean."""
    loss, _ = kind(ignore_index=1).forward(np.zeros((4, 2)), np.array([0, 1, 1, 0]))
    return float(loss) == pytest.approx(math.log(2), rel=1e-12)


CHECKS = {
    "sgd-rate-in-velocity": (sgd_with_momentum, optim.SGD),
    "sgd-decay-late": (sgd_with_decay, optim.SGD),
    "adam-no-correction": (adam, optim.Adam),
    "adam-eps-inside": (adam, optim.Adam),
    "adamw-decay-in-gradient": (adamw, optim.AdamW),
    "clip-per-tensor": (clip_keeps_the_direction, optim.clip_grad_norm),
    "clip-always": (clip_leaves_small_gradients, optim.clip_grad_norm),
    "labels-not-sorted": (labels_follow_their_sequences, batches.Sequences),
    "stack-reversed-over-padding": (reversed_within_their_length, packing.reversal),
    "loss-ignored-in-mean": (ignored_labels_do_not_count, losses.CrossEntropy),
}


def test_every_other_bug_has_its_check():
    assert set(CHECKS) == set(OTHERS)


@pytest.mark.parametrize("name", CHECKS)
def test_what_changes_no_gradient_is_killed(name):
    check, right = CHECKS[name]
    assert check(right)
    assert not check(mutant(OTHERS[name]))


# Changes to the rest of the library: `python tests/tools/changes.py`.


def test_planted_changes_fit():
    assert len(changes.CHANGES) >= 40
    for change in changes.CHANGES:
        name, old, new, tests = change
        assert changes.times(change) == 1, f"{old!r} does not stand once in {name}"
        assert old != new
        for test in tests.split():
            assert (changes.ROOT / "tests" / test.partition("::")[0]).is_file(), test


@pytest.mark.slow
def test_every_planted_change_is_noticed():
    assert changes.main([]) == 0
