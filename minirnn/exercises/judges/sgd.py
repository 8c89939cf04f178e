"""Exercise 8: SGD with momentum, and clipping."""

from functools import partial

import numpy as np

from .parts import known
from .result import Wrong, array, compare, described, equal

MANY = "with four parameters, two of one shape"  # unusual cases
MANY_SHAPES = ((2, 3), (4,), (2, 3), (1, 2))
RATES_CHANGE = "where lr is another at every step"
SMALL = "where every gradient is small, or zero"


def _path(data, gradients, rule):
    """[the parameters after each step], where rule(w, v, g) gives the next w and v."""
    w, v, path = list(data), [np.zeros_like(d) for d in data], []
    for step in gradients:
        for k, g in enumerate(step):
            w[k], v[k] = rule(w[k], v[k], g)
        path.append(list(w))
    return path


def _rules(lr, m):
    def rule(velocity, move):
        def step(w, v, g):
            v = velocity(v, g)
            return move(w, v, g), v

        return step

    right = rule(lambda v, g: m * v + g, lambda w, v, g: w - lr * v)
    return right, {
        "the step goes uphill: + for -": rule(lambda v, g: m * v + g, lambda w, v, g: w + lr * v),
        "momentum is not used, or the new velocity not kept: v = ... leaves self.v as it is, "
        "v += ... writes into it": rule(lambda v, g: g, lambda w, v, g: w - lr * v),
        "the learning rate is missing": rule(lambda v, g: m * v + g, lambda w, v, g: w - v),
        "the learning rate is applied twice, in the velocity and in the step":
            rule(lambda v, g: m * v + lr * g, lambda w, v, g: w - lr * v),
        "the new gradient is scaled by 1 - momentum":
            rule(lambda v, g: m * v + (1 - m) * g, lambda w, v, g: w - lr * v),
        "the velocity keeps all of the old one, without momentum":
            rule(lambda v, g: v + g, lambda w, v, g: w - lr * v),
        "momentum scales the gradient instead of the velocity":
            rule(lambda v, g: v + m * g, lambda w, v, g: w - lr * v),
        "the velocity is renewed after the step instead of before it":
            lambda w, v, g: (w - lr * v, m * v + g),
        "Nesterov's step is taken": rule(lambda v, g: m * v + g,
                                         lambda w, v, g: w - lr * (g + m * v)),
        "momentum scales the gradient as well":
            rule(lambda v, g: m * (v + g), lambda w, v, g: w - lr * v),
        "the step is taken with the gradient, and the velocity is not used":
            rule(lambda v, g: m * v + g, lambda w, v, g: w - lr * g),
        "the velocity is subtracted from the gradient":
            rule(lambda v, g: g - m * v, lambda w, v, g: w - lr * v),
    }  # fmt: skip


def judge_sgd(hand_in, momentum, rng, shapes=((3, 4), (5,), (2,))):
    """Three steps of v = momentum v + g, w = w - lr v. Raises `Wrong` with the first thing
    wrong."""
    data = [rng.standard_normal(shape) for shape in shapes]
    gradients = [[rng.standard_normal(d.shape) for d in data] for _ in range(3)]
    lr = 0.3
    reply = hand_in.ask("sgd", data=data, gradients=gradients, rates=[lr] * 3, momentum=momentum)
    right, rules = _rules(lr, momentum)
    expected = _path(data, gradients, right)
    for t, (mine, theirs) in enumerate(zip(reply["path"], expected, strict=True)):
        for k, (yours, w) in enumerate(zip(mine, theirs, strict=True)):
            name = f"parameter {k} after step {t + 1}"
            yours = array(name, yours, w.shape)
            compare(name, yours, w, lambda: _rule(reply["path"], data, gradients, rules))
    for mine, given in zip(reply["grads"], gradients, strict=True):
        for yours, g in zip(mine, given, strict=True):
            if not equal(yours, g):
                raise Wrong(
                    "wrong value",
                    "step changes p.grad",
                    "backward adds to p.grad, zero_grad clears it, and step reads it: the velocity "
                    "is an array of its own.",
                )
    written_into("data", reply["same"], "p.data -= ..., or p.data[...] = ...")


def judge_rates(hand_in, rng):
    """Steps with a learning rate that changes, as a schedule does it: `self.lr` at each step."""
    data, rates, momentum = [rng.standard_normal((2, 3))], [0.3, 0.1, 0.2], 0.8
    gradients = [[rng.standard_normal((2, 3))] for _ in rates]
    reply = hand_in.ask("sgd", data=data, gradients=gradients, rates=rates, momentum=momentum)
    if not reply["has lr"]:  # under another name it cannot be changed
        return
    w = within = first = data[0]
    v = inside = 0.0
    for t, (lr, (g,), (yours,)) in enumerate(zip(rates, gradients, reply["path"], strict=True)):
        v, inside = momentum * v + g, momentum * inside + lr * g
        w, within, first = w - lr * v, within - inside, first - rates[0] * v
        mistakes = {
            "the learning rate stands inside the velocity, where a later one comes too late":
                partial(np.asarray, within),
            "the learning rate of the first step is kept": partial(np.asarray, first),
        }  # fmt: skip
        name = f"parameter 0 after step {t + 1}"
        compare(name, array(name, yours, w.shape), w, partial(known, mistakes, yours))


def judge_small(hand_in):
    """Gradients that are small, or zero, stay as they are when they are clipped."""
    for size in (1e-5, 0.0):
        gradients = [np.full((2, 3), size), np.full(4, -size)]
        reply = hand_in.ask("clip", gradients=gradients, max_norm=1.0)
        for k, (yours, g) in enumerate(zip(reply["grads"], gradients, strict=True)):
            compare(f"gradient {k}", array(f"gradient {k}", yours, g.shape), g)


def written_into(name, same, cure):
    """Raise `Wrong` unless each p.data or p.grad is the same array as before."""
    if not all(same):
        raise Wrong(
            "wrong value",
            f"the numbers are right, but p.{name} is a new array: the old one must be written into",
            f"Write {cure}: whoever else holds the array sees nothing of a new one.",
        )


def _rule(path, data, gradients, rules):
    if all(equal(y, d) for y, d in zip(path[0], data, strict=True)):
        return (
            "The parameters do not move: p.data is not written into, as in p.data -= ..., or what "
            "is subtracted is zero."
        )
    for when, rule in rules.items():
        theirs = _path(data, gradients, rule)
        if all(
            equal(y, w, 1e-9)
            for mine, their in zip(path, theirs, strict=True)
            for y, w in zip(mine, their, strict=True)
        ):
            return f"This is what you get when {when}."
    return ""


def judge_clip(hand_in, rng):
    """g min(1, max_norm / norm), above and below the limit, and the norm that is returned.

    Raises `Wrong` with the first thing that is wrong.
    """
    for share, words in ((0.3, "above"), (None, "above"), (3.0, "below")):
        gradients = [0.2 * rng.standard_normal((3, 4)), 0.2 * rng.standard_normal(5)]
        norm = np.sqrt(sum((g * g).sum() for g in gradients))
        limit = (share or 0) * norm
        if share is None:  # no array alone is above it, all together are
            limit = (max(np.linalg.norm(g) for g in gradients) + norm) / 2
            words += " the limit, and each array's own below"
        else:
            words += " the limit"
        reply = hand_in.ask("clip", gradients=gradients, max_norm=limit)
        scale = min(1.0, limit / (norm + 1e-6))
        mistakes = _clipped(gradients, limit, norm)
        norms = _norms(gradients, norm, scale)
        for k, (yours, g) in enumerate(zip(reply["grads"], gradients, strict=True)):
            yours = array(f"gradient {k}", yours, g.shape)
            compare(
                f"gradient {k} (with a norm {words})",
                yours,
                scale * g,
                partial(
                    _clip_rule,
                    reply["grads"],
                    mistakes,
                    _of_norm(reply["norm"], norm, norms),
                    share is None,
                ),  # fmt: skip
            )
        written_into("grad", reply["same"], "p.grad *= ..., or p.grad[...] = ...")
        if reply["norm"] is None or isinstance(reply["norm"], (tuple, list, dict)):
            raise Wrong(
                "wrong shape",
                f"clip_grad_norm returns {described(reply['norm'])}, but "
                "must return the norm before clipping",
            )
        mine = array("the norm that is returned", reply["norm"], ())
        compare("the norm that is returned", mine, norm, partial(known, norms, mine))


UNCHANGED = "The gradients stay as they are: p.grad is not written into, or the factor is 1."


def _norms(gradients, norm, scale):
    single = [np.linalg.norm(g) for g in gradients]
    return {
        "the squared norm is returned: the root is missing": lambda: norm**2,
        "the norm after clipping is returned": lambda: scale * norm,
        "the sum of the single norms is returned": lambda: sum(single),
        "the norm of the last array alone is returned": lambda: single[-1],
        "the norm of the first array alone is returned": lambda: single[0],
        "the largest entry is taken for the norm": lambda: max(abs(g).max() for g in gradients),
        "a mean stands where the squares are added": lambda: (
            norm / np.sqrt(sum(g.size for g in gradients))
        ),
        "1e-6 is added to the norm that is returned": lambda: norm + 1e-6,
        "the factor is returned": lambda: scale,
        "the norm is 0, which is that of p.data here": lambda: 0.0,
    }


def _clipped(gradients, limit, norm):
    single = [np.linalg.norm(g) for g in gradients]
    small = [min(1.0, limit / (s + 1e-6)) for s in single]
    squares, total = norm**2, sum(single)
    scale, again = min(1.0, limit / (norm + 1e-6)), [g.copy() for g in gradients]
    for g in again:
        g *= min(1.0, limit / (np.sqrt(sum((h * h).sum() for h in again)) + 1e-6))
    return {
        "every array is clipped to the norm alone, which changes the direction":
            [s * g for s, g in zip(small, gradients, strict=True)],
        "small gradients are scaled up to the limit: min(1, ...) is missing":
            [limit / (norm + 1e-6) * g for g in gradients],
        UNCHANGED: list(gradients),
        "the entries are clipped one by one instead of the norm":
            [np.clip(g, -limit, limit) for g in gradients],
        "the root of the squared norm is missing":
            [min(1.0, limit / (squares + 1e-6)) * g for g in gradients],
        "the norms of the arrays are added, not their squares":
            [min(1.0, limit / (total + 1e-6)) * g for g in gradients],
        "the limit is not divided by the norm": [min(1.0, limit) * g for g in gradients],
        "the gradients are divided by the norm, without the limit":
            [g / (norm + 1e-6) for g in gradients],
        "max stands for min": [max(1.0, limit / (norm + 1e-6)) * g for g in gradients],
        "the norm is taken again for each array, after those before it are scaled": again,
        "only an array whose own norm is above the limit is scaled":
            [scale * g if s > limit else g for s, g in zip(single, gradients, strict=True)],
        "the norm and the limit have changed places": [min(1.0, norm / limit) * g
                                                       for g in gradients],
        "the 1e-6 in the denominator is missing": [min(1.0, limit / norm) * g for g in gradients],
        "the 1e-6 is added to the factor instead of the norm: norm + 1e-6 needs brackets":
            [min(1.0, limit / norm + 1e-6) * g for g in gradients],
        "another small number stands in the denominator than 1e-6":
            [min(1.0, limit / (norm + 1e-8)) * g for g in gradients],
        "the gradients are divided by the factor instead of multiplied":
            [g / scale for g in gradients],
        "the factor is applied twice": [scale * scale * g for g in gradients],
        "only the first array is scaled, as with a return inside the loop":
            [scale * g if k == 0 else g for k, g in enumerate(gradients)],
    }  # fmt: skip


def _of_norm(returned, norm, norms):
    """The sentence on the norm that is returned, where it is a wrong number."""
    returned = np.asarray(returned)
    if returned.shape or returned.dtype != float or equal(returned, norm):
        return ""
    close = abs(returned - norm) < 1e-4
    digits = 10 if close else 4
    where = " Does the 1e-6 stand inside the root, or in what is returned?" if close else ""
    return known(norms, returned) or (
        f"The norm is {returned:.{digits}g}, but must be {norm:.{digits}g}.{where}"
    )


def _clip_rule(yours, mistakes, of_norm, alone):
    """The sentence on clipped gradients; of_norm: that on the norm, if it is wrong, which goes
    before the many ways to a factor of 1. alone: whether no array alone is above the limit."""

    def alike(theirs):
        return all(equal(y, t, 1e-12) for y, t in zip(yours, theirs, strict=True))

    if alike(mistakes[UNCHANGED]):
        own = "The gradients stay as they are: is each array compared with the limit by itself?"
        return of_norm or (own if alone else UNCHANGED)
    for when, theirs in mistakes.items():
        if alike(theirs):
            return f"This is what you get when {when}."
    return of_norm
