"""Three ways to a gradient that share nothing with a hand-written backward pass.

All of them differentiate L = sum over outputs of (upstream * output), a single number, with
respect to arrays of a `Problem`.
"""

import warnings

import numpy as np

STEP = 1e-6  # of central differences: the bottom of the V that `step_sizes` draws
COMPLEX_STEP = 1e-30


def scalar(outputs, upstream):
    """L = sum over the outputs of sum(upstream * output)."""
    return sum((upstream[name] * outputs[name]).sum() for name in outputs)


def central_difference(problem, upstream, name, step=STEP, dtype="float64"):
    """da ~ (L(a + step) - L(a - step)) / (2 step), entry by entry: an error of step^2."""
    arrays = {n: a.astype(dtype) for n, a in problem.arrays.items()}
    upstream = {n: u.astype(dtype) for n, u in upstream.items()}
    array = arrays[name]
    gradient = np.zeros(array.shape)
    for entry in np.ndindex(array.shape):
        ends = []
        for sign in (1, -1):
            moved = array.copy()
            moved[entry] += sign * step
            outputs, _ = problem.forward({**arrays, name: moved})
            ends.append(float(scalar(outputs, upstream)))
        gradient[entry] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def directional_difference(problem, upstream, direction, step=STEP):
    """The derivative of L along `direction`, {name: array}, by one central difference."""
    ends = []
    for sign in (1, -1):
        arrays = {n: a + sign * step * direction[n] for n, a in problem.arrays.items()}
        ends.append(scalar(problem.forward(arrays)[0], upstream))
    return (ends[0] - ends[1]) / (2 * step)


def complex_step(problem, upstream, name, step=COMPLEX_STEP):
    """da = Im L(a + i step) / step, entry by entry: no subtraction, so no rounding error.

    Squire and Trapp 1998. Right where L is analytic; abs and norms are not.
    """
    array = problem.arrays[name]
    gradient = np.zeros(array.shape)
    others = {n: a.astype("complex128") for n, a in problem.arrays.items()}
    for entry in np.ndindex(array.shape):
        moved = array.astype("complex128")
        moved[entry] += 1j * step
        outputs, _ = problem.forward({**others, name: moved})
        gradient[entry] = scalar(outputs, upstream).imag / step
    return gradient


def directional_complex_step(problem, upstream, direction, step=COMPLEX_STEP):
    """The derivative of L along `direction` by one complex step."""
    arrays = {n: a + 1j * step * direction[n] for n, a in problem.arrays.items()}
    return scalar(problem.forward(arrays)[0], upstream).imag / step


def why_not_complex(problem, upstream, rng):
    """Why the complex step cannot be trusted on this problem's forward pass, or None if it can.

    Code may fail on complex numbers (`math.exp`), drop the imaginary part (a real buffer), or
    not be analytic (`abs`): the last two show as a derivative that differs from differences.
    Only forward is asked, so a wrong backward cannot hide behind this.
    """
    direction = {n: rng.standard_normal(a.shape) for n, a in problem.arrays.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            exact = directional_complex_step(problem, upstream, direction)
    except Exception as error:  # whatever a user's code may do with a complex number
        return f"forward does not run on complex numbers ({type(error).__name__}: {error})"
    for name in direction:  # array by array, so that a small wrong part cannot hide
        alone = {n: d if n == name else np.zeros(d.shape) for n, d in direction.items()}
        exact = directional_complex_step(problem, upstream, alone)
        rough = directional_difference(problem, upstream, alone)
        half = directional_difference(problem, upstream, alone, STEP * 4)
        allowed = 1e-6 * max(abs(exact), abs(rough), 1.0) + 10 * abs(rough - half)
        if not abs(exact - rough) <= allowed:
            return "forward loses or bends the imaginary part (a real buffer, or abs)"
    return None


def step_sizes(problem, upstream, name, gradient, steps, dtype="float64"):
    """The relative error of central differences at each step size, computed in `dtype`.

    A V: the error falls with the step as truncation does, h^2, until rounding, 1 / h, takes over.
    """
    return [
        relative_error(central_difference(problem, upstream, name, step, dtype), gradient)
        for step in steps
    ]


def relative_error(a, b):
    """|a - b| / max(|a|, |b|) in the 2-norm, of one shape; 0 where both are zero."""
    a, b = np.asarray(a), np.asarray(b)
    largest = max(np.linalg.norm(a), np.linalg.norm(b))
    return 0.0 if largest == 0 else float(np.linalg.norm(a - b) / largest)  # NaN stays NaN
