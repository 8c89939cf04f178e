"""Exercises 1 and 2: functions, and a linear layer with its loss."""

from functools import partial

import numpy as np

from .result import (
    Wrong,
    added,
    after_use,
    array,
    compare,
    equal,
    lasting,
    unchanged,
    with_another,
)

ANY_SHAPE = "with an array of another shape"  # an unusual case


def known(table, yours, *arguments):
    """The sentence of the first mistake in the table whose result equals yours."""
    with np.errstate(all="ignore"):
        for when, f in table.items():
            try:
                if equal(yours, f(*arguments), 1e-9):
                    return f"This is what you get when {when}."
            except (ValueError, IndexError):  # shapes that this mistake does not fit
                continue
    return ""


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


FUNCTIONS = {
    "sigmoid": (lambda a: 0.5 * np.tanh(0.5 * a) + 0.5, {
        "the sign of a is missing: exp(a) instead of exp(-a)": lambda a: 1 / (1 + np.exp(a)),
        "the brackets are missing: 1 / 1 + exp(-a)": lambda a: 1 + np.exp(-a),
        "1 / (1 - exp(-a)) has a minus for a plus": lambda a: 1 / (1 - np.exp(-a)),
        "tanh is taken for sigmoid": np.tanh,
        "a is not halved inside tanh": lambda a: 0.5 * np.tanh(a) + 0.5,
        "the shift by a half is missing": lambda a: 0.5 * np.tanh(0.5 * a),
        "tanh(a / 2) is not scaled and shifted": lambda a: np.tanh(0.5 * a),
        "tanh(a / 2) is shifted but not scaled": lambda a: np.tanh(0.5 * a) + 0.5,
        "a itself is returned": lambda a: a,
        "the derivative is returned instead of the function":
            lambda a: _sigmoid(a) * (1 - _sigmoid(a)),
        "exp(a) is divided by the sum over the array: that is softmax":
            lambda a: np.exp(a) / np.exp(a).sum(),
    }),
    "d_sigmoid": (lambda y: y * (1 - y), {
        "sigmoid is applied to y once more: y is its output already":
            lambda y: _sigmoid(y) * (1 - _sigmoid(y)),
        "the tanh's derivative is taken for the sigmoid's": lambda y: 1 - y * y,
        "the sign is wrong": lambda y: y * (y - 1),
        "y alone is returned": lambda y: y,
        "1 - y alone is returned": lambda y: 1 - y,
        "there is a plus for the minus": lambda y: y * (1 + y),
        "y and 1 - y are added instead of multiplied": lambda y: np.ones_like(y),
        "one square is too much": lambda y: y * (1 - y * y),
        "the brackets are missing: y * 1 - y": lambda y: y * 1 - y,
        "the derivative stands upside down: 1 / (y (1 - y))": lambda y: 1 / (y * (1 - y)),
    }),
    "tanh": (np.tanh, {
        "sigmoid is taken for tanh": _sigmoid,
        "sinh is taken for tanh": np.sinh,
        "the tangent, tan, is taken for tanh": np.tan,
        "numerator and denominator have changed places": lambda a: 1 / np.tanh(a),
        "the sigmoid is stretched but not shifted": lambda a: 2 * _sigmoid(2 * a),
        "a is not doubled inside the sigmoid": lambda a: 2 * _sigmoid(a) - 1,
        "the sign of a is wrong": lambda a: -np.tanh(a),
        "a itself is returned": lambda a: a,
        "arctan is taken for tanh": np.arctan,
    }),
    "d_tanh": (lambda y: 1 - y * y, {
        "tanh is applied to y once more: y is its output already": lambda y: 1 - np.tanh(y) ** 2,
        "the sigmoid's derivative is taken for the tanh's": lambda y: y * (1 - y),
        "the square is missing": lambda y: 1 - y,
        "there is a plus for the minus": lambda y: 1 + y * y,
        "the sign is wrong": lambda y: y * y - 1,
        "the derivative of the square, 2 y, is taken": lambda y: 2 * y,
        "y^2 alone is returned": lambda y: y * y,
        "everything is squared instead of y alone": lambda y: (1 - y) ** 2,
        "1 - 2 y is returned: the square is read as a factor of 2": lambda y: 1 - 2 * y,
        "the derivative stands upside down: 1 / (1 - y^2)": lambda y: 1 / (1 - y * y),
    }),
}  # fmt: skip


def judge_function(hand_in, name, rng):
    """One of the four functions of exercise 1: usual numbers, then large ones.

    Raises `Wrong` with the first thing that is wrong.
    """
    right, mistakes = FUNCTIONS[name]
    a = 2 * rng.standard_normal((3, 4))
    given = a if not name.startswith("d_") else FUNCTIONS[name[2:]][0](a)
    yours = _called(hand_in, name, given)
    compare(
        f"{name}",
        yours,
        right(given),
        lambda: known(mistakes, yours, given),
        ("row", "column"),
        (("y" if name.startswith("d_") else "a"), given),
    )
    if not name.startswith("d_"):
        large = np.array([-1000.0, -50.0, 0.0, 50.0, 1000.0])
        yours = _called(hand_in, name, large, " of large numbers")
        if not equal(yours, right(large), 1e-9):
            overflows = (
                "exp of a large number is infinite, and infinity / infinity or infinity - infinity "
                "is NaN."
            )
            whole = "The array holds whole numbers: does it take its type from the first entry?"
            raise Wrong(
                "wrong value",
                f"{name} is right for small a, but not for a = -1000 or 1000",
                overflows if np.isnan(yours).any() else whole * bool((yours % 1 == 0).all()),
                (f"{name}({large[(k := _worst(yours, right(large)))]:g})",
                 float(yours[k]), float(right(large)[k])),
            )  # fmt: skip
        _not_cut_off(name, yours)


def _not_cut_off(name, yours):
    """Raise `Wrong` where a of -1000 has been cut off: to a sigmoid that is small, but not 0."""
    if name == "sigmoid" and yours[0] > 1e-16:
        raise Wrong(
            "wrong value",
            "sigmoid(-1000) is not 0",
            "Is a cut off at some number, as np.clip does? It then stands for all smaller ones.",
            ("sigmoid(-1000)", float(yours[0]), 0.0),
        )


def judge_any_shape(hand_in, name, rng):
    """One of the four functions, on arrays of three axes and of one."""
    right, mistakes = FUNCTIONS[name]
    for shape in ((1, 4, 1), (2, 4, 3), (5,)):
        given = rng.uniform(0.1, 0.9, shape)
        yours = _called(hand_in, name, given)
        compare(name, yours, right(given), partial(known, mistakes, yours, given))


def _called(hand_in, name, given, what=""):
    """The function's value, an array of the shape of what is given, which must stay as it is."""
    reply = hand_in.ask("function", name=name, arguments=(given,))
    unchanged({"its argument": given}, {"its argument": reply["after"][0]}, name)
    value = array(name, reply["value"], given.shape, what)
    lasting(reply, name)
    if not what and np.isfinite(value).all():  # else there is other to be said
        others = array(name, reply["others"], given.shape)
        after_use(lambda: compare(name, others, np.flip(value)), name)
    return value


def _worst(yours, right):
    return int(np.argmax(np.where(np.isfinite(yours), np.abs(yours - right), np.inf)))


def _log_softmax(a):
    a = a - a.max(axis=-1, keepdims=True)
    return a - np.log(np.exp(a).sum(axis=-1, keepdims=True))


def _rows_less_1(p, hot):
    less = p.copy()
    less[hot.argmax(axis=1)] -= 1
    return less


def _one_hot(labels, K):
    return (labels[:, None] == np.arange(K)).astype(float)


LINEAR = {
    "y": {
        "b is left out": lambda x, W, b, dy: x @ W,
        "b is added twice": lambda x, W, b, dy: x @ W + 2 * b,
        "b is subtracted": lambda x, W, b, dy: x @ W - b,
    },
    "x": {
        "dx is taken with x W instead of dy": lambda x, W, b, dy: x @ W @ W.T,
        "dx is taken with y instead of dy": lambda x, W, b, dy: (x @ W + b) @ W.T,
        "dx is divided by the batch size": lambda x, W, b, dy: dy @ W.T / len(x),
        "dx holds x itself": lambda x, W, b, dy: x,
    },
    "W": {
        "dW is divided by the batch size: a mean instead of a sum":
            lambda x, W, b, dy: x.T @ dy / len(x),
        "W itself is added to its gradient": lambda x, W, b, dy: x.T @ dy + W,
        "only the first row of the batch counts in dW": lambda x, W, b, dy: np.outer(x[0], dy[0]),
        "only the last row of the batch counts in dW": lambda x, W, b, dy: np.outer(x[-1], dy[-1]),
        "dW is taken with y instead of dy": lambda x, W, b, dy: x.T @ (x @ W + b),
        "the sign of dW is wrong": lambda x, W, b, dy: -(x.T @ dy),
    },
    "b": {
        "db is a mean over the batch instead of a sum": lambda x, W, b, dy: dy.mean(axis=0),
        "db is the first row of dy instead of the sum over the rows": lambda x, W, b, dy: dy[0],
        "db is the last row of dy instead of the sum over the rows": lambda x, W, b, dy: dy[-1],
        "db is the sum of all of dy in every place": lambda x, W, b, dy: np.full(3, dy.sum()),
        "b itself is added to its gradient": lambda x, W, b, dy: dy.sum(axis=0) + b,
        "db is all ones": lambda x, W, b, dy: np.ones(dy.shape[1]),
        "db counts the rows, without dy": lambda x, W, b, dy: np.full(dy.shape[1], float(len(dy))),
    },
}  # fmt: skip


def judge_linear(hand_in, backward, rng, rows=5, sizes=(4, 3)):
    """Exercise 2's Linear: y = x W + b, or its three gradients, and whether they are added up.

    Raises `Wrong` with the first thing that is wrong.
    """
    N, (D, K) = rows, sizes
    x, W, b, dy = (rng.standard_normal(s) for s in ((N, D), (D, K), (K,), (N, K)))
    given = dict(x=x, W=W, b=b, dy=dy if backward else None)
    reply, who = hand_in.ask("linear", **given), f"Linear.{'backward' if backward else 'forward'}"
    before = {"x": x, "self.W.data": W, "self.b.data": b} | ({"dy": dy} if backward else {})
    unchanged(before, reply["after"], who)
    _linear_values(reply, backward, (x, W, b, dy))
    again = hand_in.ask("linear", **given, another=np.flip(x))
    lasting(again, "Linear.forward")
    with_another(again, who, lambda again: _linear_values(again, backward, (x, W, b, dy)))
    used = hand_in.ask("linear", **given, used=True)
    after_use(lambda: _linear_values(used, backward, (x, W, b, dy)), who)


def _linear_values(reply, backward, arguments):
    x, W, b, dy = arguments
    expected = {"y": x @ W + b, "x": dy @ W.T, "W": x.T @ dy, "b": dy.sum(axis=0)}
    for name in ("y",) if not backward else ("x", "W", "b"):
        label = "y" if name == "y" else f"d{name}"
        yours = array(label, reply[name], expected[name].shape)
        compare(
            label,
            yours,
            expected[name],
            lambda: known(LINEAR[name], yours, *arguments),  # noqa: B023  called at once
            ("row", "column") if yours.ndim == 2 else ("column",),
        )
    if backward:
        for name in ("W", "b"):
            twice = array(f"d{name}", reply[f"{name} twice"], expected[name].shape)
            added(f"d{name}", twice, expected[name])


LOG_SOFTMAX = {
    "the softmax is returned without the logarithm": lambda a: np.exp(_log_softmax(a)),
    "the sum runs over the whole array instead of each row":
        lambda a: a - np.log(np.exp(a).sum()),
    "the sum runs over the rows (axis 0) instead of the classes": lambda a: _log_softmax(a.T).T,
    "the sum runs over the rows (axis 0), as Python's own sum does, instead of the classes":
        lambda a: a - a.max(axis=-1, keepdims=True)
        - np.log(np.exp(a - a.max(axis=-1, keepdims=True)).sum(axis=0)),
    "the largest a is subtracted, and nothing else": lambda a: a - a.max(axis=-1, keepdims=True),
    "the logarithm is missing on the sum":
        lambda a: a - a.max(axis=-1, keepdims=True)
        - np.exp(a - a.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True),
    "exp is missing inside the sum": lambda a: a - np.log(a.sum(axis=-1, keepdims=True)),
    "the largest a is subtracted once, in one place only":
        lambda a: a - np.log(np.exp(a - a.max(axis=-1, keepdims=True)).sum(-1, keepdims=True)),
    "the sign is wrong": lambda a: -_log_softmax(a),
    "the logarithm has base 2 instead of e":
        lambda a: a - a.max(-1, keepdims=True)
        - np.log2(np.exp(a - a.max(-1, keepdims=True)).sum(-1, keepdims=True)),
    "the logarithm has base 10 instead of e":
        lambda a: a - a.max(-1, keepdims=True)
        - np.log10(np.exp(a - a.max(-1, keepdims=True)).sum(-1, keepdims=True)),
    "the largest a of each class over the batch (axis 0) is subtracted":
        lambda a: a - a.max(axis=0)
        - np.log(np.exp(a - a.max(axis=0)).sum(axis=-1, keepdims=True)),
    "the sum is added instead of subtracted":
        lambda a: a + np.log(np.exp(a).sum(axis=-1, keepdims=True)),
}  # fmt: skip
LOSS = {
    "the loss is a sum over the rows instead of a mean":
        lambda a, q: -_log_softmax(a)[np.arange(len(q)), q].sum(),
    "the sign of the loss is wrong": lambda a, q: _log_softmax(a)[np.arange(len(q)), q].mean(),
    "the mean runs over all classes, not over the true ones": lambda a, q: -_log_softmax(a).mean(),
    "all columns of the labels are taken for each row: log_p[:, labels]":
        lambda a, q: -_log_softmax(a)[:, q].mean(),
    "the logits are taken instead of their log-softmax":
        lambda a, q: -a[np.arange(len(q)), q].mean(),
    "the probability is taken without its logarithm":
        lambda a, q: -np.exp(_log_softmax(a))[np.arange(len(q)), q].mean(),
    "the sum is divided by the number of classes instead of rows":
        lambda a, q: -_log_softmax(a)[np.arange(len(q)), q].sum() / a.shape[1],
    "the sum is divided by all entries instead of the rows":
        lambda a, q: -_log_softmax(a)[np.arange(len(q)), q].sum() / a.size,
    "the labels pick whole rows: log_p[labels]": lambda a, q: -_log_softmax(a)[q].mean(),
}  # fmt: skip
DLOGITS = {
    "the division by the number of rows is missing":
        lambda p, o, s: (p - o) * s,
    "the 1 of the true class is not subtracted": lambda p, o, s: p * s / len(p),
    "the sign is wrong": lambda p, o, s: (o - p) * s / len(p),
    "dloss, the gradient of the loss, is not used": lambda p, o, s: (p - o) / len(p),
    "neither dloss nor the number of rows is used": lambda p, o, s: p - o,
    "log p is taken for p": lambda p, o, s: (np.log(p) - o) * s / len(p),
    "it is divided by all entries instead of the rows": lambda p, o, s: (p - o) * s / p.size,
    "it is divided by the number of classes": lambda p, o, s: (p - o) * s / p.shape[1],
    "the softmax's own derivative is multiplied in": lambda p, o, s: (p - o) * p * (1 - p) * s
        / len(p),
    "1 is subtracted from every class; np.arange(N) and labels pick one of each row":
        lambda p, o, s: (p - 1) * s / len(p),
    "the labels pick whole rows: [labels]": lambda p, o, s: _rows_less_1(p, o) * s / len(p),
    "1 is added at the true class": lambda p, o, s: (p + o) * s / len(p),
    "only the one-hot label is left, without the softmax": lambda p, o, s: -o * s / len(p),
    "dloss is divided by instead of multiplied": lambda p, o, s: (p - o) / s / len(p),
}  # fmt: skip


def _rounded(f):
    def quiet(a):
        with np.errstate(all="ignore"):
            return f(a)

    return quiet


EXP = "exp of a large number is infinite: subtract the largest a of each row."
LOG = (
    "Beside a = 1000 the softmax of 0 is rounded to 0, and log(0) is minus infinity: take no "
    "logarithm of a softmax; subtract the log of the sum instead of dividing by the sum."
)
NEITHER = (
    "No exp may be taken of a number above 0, and no log of what may be rounded to 0; the formula "
    "a - log(sum of exp(a)), with the largest a of each row subtracted first, does neither."
)
LARGE = [  # (what is computed, why it fails for large numbers)
    (_rounded(lambda a: a - np.log(np.exp(a).sum(axis=-1, keepdims=True))), EXP),
    (_rounded(lambda a: np.log(np.exp(a) / np.exp(a).sum(axis=-1, keepdims=True))), EXP),
    (_rounded(lambda a: np.log(np.exp(_log_softmax(a)))), LOG),
    (_rounded(lambda a: a - a.max() - np.log(np.exp(a - a.max()).sum(axis=-1, keepdims=True))),
     "The largest a of the whole batch is subtracted; in the other rows every exp is rounded to 0, "
     "and log(0) is minus infinity: take the largest of each row."),
]  # fmt: skip


def judge_log_softmax(hand_in, rng, rows=5, sizes=(4, 3)):
    """log_softmax of usual numbers, then of large ones. Raises `Wrong` with the first thing
    wrong."""
    a = 2 * rng.standard_normal((rows, sizes[0]))
    yours = _called(hand_in, "log_softmax", a)
    compare(
        "log_softmax",
        yours,
        _log_softmax(a),
        lambda: known(LOG_SOFTMAX, yours, a),
        ("row", "class"),
    )
    large = np.array([[1000.0, 0.0, -1000.0], [1e4, 1e4, 1e4]])
    yours = _called(hand_in, "log_softmax", large, " of large numbers")
    if not equal(yours, _log_softmax(large), 1e-9):
        raise Wrong(
            "wrong value",
            "log_softmax is right for small a, but not for a = 1000",
            next((why for f, why in LARGE if _alike(yours, f(large))), NEITHER),
        )


def _alike(yours, theirs):
    """Whether two arrays agree, infinity and NaN too."""
    return np.allclose(yours, theirs, equal_nan=True)


def judge_loss(hand_in, backward, rng, rows=5, sizes=(4, 3)):
    """The mean cross-entropy, and (p - one_hot(labels)) / N if `backward`.

    Raises `Wrong` with the first thing that is wrong.
    """
    N, K = rows, sizes[0]
    a, labels = 2 * rng.standard_normal((N, K)), rng.permutation(N) % K
    dloss = 1.7 if N > 1 else -0.6
    given = dict(logits=a, labels=labels.astype(float), dloss=dloss if backward else None)
    reply = hand_in.ask("loss", **given)
    right = -_log_softmax(a)[np.arange(N), labels].mean()
    yours = array("the loss", reply["loss"], ())
    where = f"CrossEntropy.{'backward' if backward else 'forward'}"
    unchanged({"logits": a, "labels": labels}, reply["after"], where)
    compare("the loss", yours, right, lambda: known(LOSS, yours, a, labels))
    if backward:
        p, hot = np.exp(_log_softmax(a)), _one_hot(labels, K)
        mine = array("dlogits", reply["logits"], (N, K))
        compare(
            "dlogits",
            mine,
            (p - hot) * dloss / N,
            lambda: known(DLOGITS, mine, p, hot, dloss) or _cached(reply["cache"], a, p),
            ("row", "class"),
        )
        if not equal(array("dlogits", reply["again"], (N, K)), mine):
            raise Wrong(
                "wrong value",
                "CrossEntropy.backward gives another dlogits when it is called a second time",
                "It writes into the cache, or keeps something on self: both must stay as they are.",
            )
        with_another(
            hand_in.ask("loss", **given, another=np.flip(a)), where,
            lambda reply: compare("dlogits", array("dlogits", reply["logits"], (N, K)), mine),
        )  # fmt: skip

    def the_same():
        used = hand_in.ask("loss", **given, used=True)
        compare("the loss", array("the loss", used["loss"], ()), right)
        if backward:
            compare("dlogits", array("dlogits", used["logits"], (N, K)), mine)

    after_use(the_same, where)


def _cached(cache, a, p):
    """What the first part of the loss's cache holds, where it is not log_p."""
    first = cache[0] if isinstance(cache, (tuple, list)) and cache else None
    held = {"the softmax p itself": p, "the logits": a}
    for what, array_ in held.items():
        if isinstance(first, np.ndarray) and equal(first, array_, 1e-9):
            return (
                f"Your forward puts {what} into the cache, where the starter has log_p: does "
                "backward still take it for log_p?"
            )
    return ""
