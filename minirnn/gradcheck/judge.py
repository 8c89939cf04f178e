"""Is a claimed gradient right? One problem, judged from the outside in: shapes before values."""

import warnings
from dataclasses import dataclass, field, is_dataclass
from typing import Any

import numpy as np

from .oracles import (
    STEP,
    central_difference,
    complex_step,
    relative_error,
    why_not_complex,
)
from .problems import Gates, Problem
from .shapes import told

EXACT, ROUGH = 1e-12, 1e-6  # the bounds against the complex step and against differences
LARGER = 128  # times, so that nothing is rounded otherwise
ROUNDING = 1e-15  # a saturated gate's derivative, y (1 - y) with y near 1, is rounded to this


@dataclass
class Finding:
    """One thing that is wrong."""

    kind: str  # missing, error, shape, dtype, value, linear, changed, alias, unsteady or twice
    where: str  # the name of the array that is concerned
    message: str
    claimed: np.ndarray | None = None
    expected: np.ndarray | None = None


@dataclass
class Verdict:
    """The verdict on one problem; true where nothing is wrong."""

    problem: Problem
    findings: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    oracle: str = "complex step"
    expected: dict = field(default_factory=dict)
    claimed: dict = field(default_factory=dict)
    upstream: dict = field(default_factory=dict)
    put_back: Any = None  # undoes what backward has written into arrays that are not its own

    def __bool__(self):
        return not self.findings


def judge(problem, rng):
    """Check everything about a problem's backward pass; stops where going on would mislead."""
    verdict = Verdict(problem)
    outputs, context = _forward(problem, verdict)
    if verdict.findings:
        return verdict
    upstream = {name: rng.standard_normal(np.shape(y)) for name, y in outputs.items()}
    verdict.upstream = upstream
    gradients = _backward(problem, verdict, upstream, context)
    if gradients is None:
        return verdict
    _shapes_and_types(problem, verdict, gradients)
    if any(finding.kind in ("shape", "dtype") for finding in verdict.findings):
        return verdict
    verdict.claimed = {name: np.array(_stacked(g)) for name, g in gradients.items()}
    if not any(finding.kind == "changed" for finding in verdict.findings):
        _second_time(problem, verdict, upstream, context, gradients)
    _values(problem, verdict, upstream, rng)
    if verdict:
        _linear(problem, verdict, upstream, context)
    return verdict


def _forward(problem, verdict):
    """Forward twice: it must run, give the same each time, and leave its inputs alone."""
    before = {name: a.copy() for name, a in problem.arrays.items()}
    try:
        outputs, context = problem.forward(problem.arrays)
        again, _ = problem.forward(problem.arrays)
    except Exception as error:
        verdict.findings.append(_crash("forward", error))
        return None, None
    for name, array in problem.arrays.items():
        if not np.array_equal(array, before[name], equal_nan=True):
            verdict.findings.append(
                Finding("changed", name, f"forward writes into {name}, which belongs to the caller")
            )
    for name, y in outputs.items():
        if np.asarray(y).dtype != np.float64:
            message = f"{name} is {np.asarray(y).dtype}, but the inputs are float64"
            verdict.findings.append(Finding("dtype", name, message))
        if not np.array_equal(y, again[name], equal_nan=True):
            message = f"forward gives another {name} on the same inputs the second time"
            verdict.findings.append(Finding("unsteady", name, message))
        elif not np.isfinite(y).all():
            verdict.findings.append(Finding("value", name, f"{name} holds NaN or infinity"))
    return outputs, context


def _backward(problem, verdict, upstream, context):
    """Backward once: it must run, and leave inputs, upstream gradients and the cache alone."""
    watched = {
        **{name: (a, "which belongs to the caller") for name, a in problem.arrays.items()},
        **{f"the gradient of {n}": (u, "which belongs to the caller") for n, u in upstream.items()},
    }
    for place, array in arrays_in(problem.kept(context)):
        watched[f"the cache{place}"] = (array, "and a second backward would go wrong")
    before = {name: array.copy() for name, (array, _) in watched.items()}
    verdict.put_back = lambda: [_write(a, before[name]) for name, (a, _) in watched.items()]
    try:
        gradients = problem.backward(upstream, context)
    except Exception as error:
        verdict.findings.append(_crash("backward", error))
        return None
    for name, (array, why) in watched.items():
        if not np.array_equal(array, before[name], equal_nan=True):
            message = f"backward writes into {name}, {why}"
            verdict.findings.append(Finding("changed", name, message))
    verdict.put_back()  # so that what follows is judged for itself
    for name, gradient in gradients.items():
        for other, (array, _) in watched.items():
            if other.startswith("the gradient of") or gradient is None:
                continue
            parts = gradient if isinstance(gradient, tuple) else (gradient,)
            if any(isinstance(p, np.ndarray) and np.shares_memory(p, array) for p in parts):
                message = (
                    f"the gradient of {name} shares memory with {other}: writing into one "
                    "would change the other; return a new array"
                )
                verdict.findings.append(Finding("alias", name, message))
                break
    return gradients


def _shapes_and_types(problem, verdict, gradients):
    for name, array in problem.arrays.items():
        gradient = gradients.get(name)
        if isinstance(gradient, Gates):
            gates = problem.axes.get(name, (None,))[0] or range(len(array))
            if len(gradient) != len(array):
                message = f"d{name} has {len(gradient)} parts, but there are {len(array)} gates"
                verdict.findings.append(Finding("shape", name, message))
                continue
            parts = {f"{name} of gate {g}": (d, array[k].shape)
                     for k, (g, d) in enumerate(zip(gates, gradient, strict=False))}  # fmt: skip
        else:
            parts = {name: (gradient, array.shape)}
        for part, (claimed, shape) in parts.items():
            if claimed is None or not hasattr(claimed, "shape"):
                message = f"the gradient of {part} is {type(claimed).__name__}, not an array"
                verdict.findings.append(Finding("shape", part, message))
            elif claimed.shape != shape:
                message = (
                    f"the gradient of {part} has shape {claimed.shape}, but {part} has {shape}"
                )
                verdict.findings.append(Finding("shape", part, message))
            elif claimed.dtype != np.float64:
                message = f"the gradient of {part} is {claimed.dtype}, but the inputs are float64"
                verdict.findings.append(Finding("dtype", part, message))


def _second_time(problem, verdict, upstream, context, gradients):
    """Backward again on the same cache must give the same."""
    first = verdict.claimed
    try:
        again = problem.backward(upstream, context)
    except Exception as error:
        message = f"backward fails when it is called a second time ({told(error)})"
        verdict.findings.append(Finding("twice", "backward", message))
        return
    for name in first:
        if not np.array_equal(first[name], np.array(_stacked(again[name])), equal_nan=True):
            message = f"backward gives another gradient of {name} when it is called a second time"
            verdict.findings.append(Finding("twice", name, message))
    if problem.accumulate and not verdict.findings:
        for name, gradient in problem.accumulate(upstream, context).items():
            if relative_error(gradient, 2 * first[name]) > EXACT:
                message = (
                    f"backward does not add to the gradient of {name}: "
                    "two calls must give twice what one gives"
                )
                verdict.findings.append(Finding("twice", name, message))


def _linear(problem, verdict, upstream, context):
    """A larger gradient from above must give gradients that are larger by the same factor."""
    larger = {name: LARGER * u for name, u in upstream.items()}
    for name, gradient in problem.backward(larger, context).items():
        if relative_error(np.array(_stacked(gradient)), LARGER * verdict.claimed[name]) > EXACT:
            message = (
                f"the gradient of {name} is not {LARGER} times as large where what comes from "
                "above is: is something clipped?"
            )
            verdict.findings.append(Finding("linear", name, message))


def _values(problem, verdict, upstream, rng):
    """Every gradient against the oracle."""
    reason = why_not_complex(problem, upstream, rng)
    if reason:
        verdict.oracle = "central differences"
        verdict.notes.append(f"{reason}: checked by central differences instead, to {ROUGH:g}")
    bound = ROUGH if reason else EXACT
    floor = ROUNDING * sum(np.abs(u).sum() for u in upstream.values())
    floor *= max(1.0, *(np.abs(a).max() for a in problem.arrays.values() if a.size))
    for name in problem.arrays:
        claimed = verdict.claimed[name]
        if not np.isfinite(claimed).all():
            message = f"the gradient of {name} holds NaN or infinity"
            verdict.findings.append(Finding("value", name, message))
            continue
        if reason:
            expected = central_difference(problem, upstream, name)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
                expected = complex_step(problem, upstream, name)
        error = relative_error(claimed, expected)
        if error > bound:
            if reason:
                expected = _without_kinks(problem, verdict, upstream, name, expected)
                error = relative_error(claimed, expected)
            allowed = _resolution(problem, upstream) if reason else floor
            if np.abs(claimed - expected).max() <= allowed:
                error = 0.0
            elif not reason and not expected.any():
                # exactly 0: an imaginary part dropped where all is too small to have been noticed?
                rough = central_difference(problem, upstream, name)
                if np.abs(claimed - rough).max() <= _resolution(problem, upstream):
                    error = 0.0
        verdict.expected[name] = expected
        if not error <= bound:
            message = f"the gradient of {name} is off by {error:.1e} (relative), allowed {bound:g}"
            verdict.findings.append(Finding("value", name, message, claimed, expected))


def _resolution(problem, upstream):
    """The smallest gradient that a central difference can show: the rounding of L / step."""
    return 1e-14 * sum(np.abs(u * y).sum() for u, y in _pairs(problem, upstream)) / STEP


def _without_kinks(problem, verdict, upstream, name, expected):
    """`expected`, with what is claimed wherever there is a kink, and so no derivative."""
    claimed = verdict.claimed[name]
    kinks = _kinks(problem, upstream, name, np.abs(claimed - expected))
    if kinks.any():
        verdict.notes.append(
            f"{int(kinks.sum())} entries of {name} sit on a kink (like relu at 0), where "
            "there is no derivative: left out"
        )
    return np.where(kinks, claimed, expected)


def _pairs(problem, upstream):
    outputs, _ = problem.forward(problem.arrays)
    return [(upstream[name], outputs[name]) for name in outputs]


def _kinks(problem, upstream, name, off):
    """Mark the worst entries whose two one-sided derivatives differ at every step size."""
    kinks = np.zeros(off.shape, bool)
    array = problem.arrays[name]
    base = sum((u * y).sum() for u, y in _pairs(problem, upstream))
    worst = np.argsort(off, axis=None)[::-1][:20]
    for entry in zip(*np.unravel_index(worst, off.shape), strict=True) if off.ndim else [()]:
        gaps = []
        for step in (STEP, STEP / 8):
            slopes = []
            for sign in (1, -1):
                moved = array.copy()
                moved[entry] += sign * step
                outputs, _ = problem.forward({**problem.arrays, name: moved})
                value = sum((upstream[n] * outputs[n]).sum() for n in outputs)
                slopes.append(sign * (value - base) / step)
            gaps.append(abs(slopes[0] - slopes[1]))
        # a smooth function's gap shrinks with the step; at a kink it stays
        kinks[entry] = gaps[1] > 0.5 * gaps[0] and gaps[1] > 1e-4 * max(1.0, abs(slopes[0]))
    return kinks


def arrays_in(thing, place=""):
    """(place, array) for every array inside tuples, lists, dictionaries and data classes."""
    if isinstance(thing, np.ndarray):
        yield place, thing
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        for name in thing._fields:
            yield from arrays_in(getattr(thing, name), f"{place}.{name}")
    elif isinstance(thing, (tuple, list)):
        for k, part in enumerate(thing):
            yield from arrays_in(part, f"{place}[{k}]")
    elif isinstance(thing, dict):
        for key, part in thing.items():
            yield from arrays_in(part, f"{place}[{key!r}]")
    elif is_dataclass(thing) or type(thing).__name__ == "SimpleNamespace":
        for name, part in vars(thing).items():
            yield from arrays_in(part, f"{place}.{name}")
    elif type(thing).__module__.startswith("minirnn.product"):
        yield from arrays_in(thing.inputs, f"{place}.inputs")


def _write(array, values):
    if array.flags.writeable:
        array[...] = values


def _stacked(gradient):
    return np.stack(gradient) if isinstance(gradient, tuple) else gradient


def _crash(where, error):
    if isinstance(error, NotImplementedError):
        return Finding("missing", where, f"{where} is not written yet: {error}".rstrip(": "))
    return Finding("error", where, f"{where} fails with {told(error)}")
