"""Parameters, the modules that hold them, and their first values."""

import copy
from itertools import accumulate

import numpy as np

from . import check
from .backend import asarray, asnumpy, get_array_module


class Parameter:
    """An array and the gradient of the loss with respect to it.

    Both arrays are written into, never replaced, so that an optimiser, a layer and a checkpoint
    all mean the same memory. Only `join` moves them, once, when an optimiser is made.
    """

    def __init__(self, data):
        self.data = asarray(check.numbers_in("data", data))
        check.floating("the type of a parameter", self.data.dtype)
        self.grad = get_array_module(self.data).zeros_like(self.data)
        self.frozen = False  # whether it stays as it is

    @property
    def shape(self):
        """The shape of the array, and of its gradient."""
        return self.data.shape

    def __repr__(self):
        return f"Parameter{self.shape}"


def join(parameters):
    """One `Parameter`, flat, that holds all of these, in this order; they become views of it.

    What is done to every parameter is then one call instead of one for each. All must be of one
    type, else `ArgumentError`.
    """
    check.of_one_type(parameters)
    whole, xp = copy.copy(parameters[0]), get_array_module(parameters[0].data)
    whole.data = xp.concatenate([p.data.reshape(-1) for p in parameters])
    whole.grad = xp.concatenate([p.grad.reshape(-1) for p in parameters])
    views = zip(split(whole.data, parameters), split(whole.grad, parameters), strict=True)
    for p, (data, grad) in zip(parameters, views, strict=True):
        p.data, p.grad = data, grad
    return whole


def split(flat, parameters):
    """Views of a flat array, one in the shape of each parameter."""
    ends = list(accumulate(p.data.size for p in parameters))
    return [
        flat[end - p.data.size : end].reshape(p.shape)
        for end, p in zip(ends, parameters, strict=True)
    ]


class Module:
    """Something with parameters, its own or those of the modules inside it.

    Whatever is set as an attribute counts, in the order in which it was set: a `Parameter`, a
    `Module`, or lists and dicts of them. There is no other bookkeeping.
    """

    def __setattr__(self, name, value):
        check.stays_parameter(vars(self).get(name), name, value)
        super().__setattr__(name, value)

    def children(self):
        """{name: module} of the modules directly inside."""
        return _held(vars(self), Module)

    def named_parameters(self):
        """{dotted name: Parameter}, this module's own first."""
        named = _held(vars(self), Parameter)
        for child_name, child in self.children().items():
            named |= {f"{child_name}.{name}": p for name, p in child.named_parameters().items()}
        return named

    def parameters(self):
        """The list of all parameters that are learned, each once: none that is frozen."""
        named = self.named_parameters().values()
        return list({id(p): p for p in named if not p.frozen}.values())

    def freeze(self):
        """Leave its parameters as they are: none of them is among `parameters()` any more.

        Before the optimiser is made, which holds on to what it was given. Returns the module.
        """
        for parameter in self.named_parameters().values():
            parameter.frozen = True
        return self

    def number_of_parameters(self):
        """Return how many numbers are learned."""
        return sum(int(np.prod(p.shape)) for p in self.parameters())

    def zero_grad(self):
        """Set every gradient to zero; `backward` only ever adds."""
        for parameter in self.named_parameters().values():
            parameter.grad[...] = 0

    def state_dict(self):
        """{name: NumPy copy of the parameter}."""
        return {name: asnumpy(p.data).copy() for name, p in self.named_parameters().items()}

    def load_state_dict(self, state):
        """Copy arrays into the parameters, all of them or, where something does not fit, none.

        Raises `CheckpointError` that names the first parameter that is missing, unknown, of
        another shape, not of a floating type, or not finite.
        """
        named = self.named_parameters()
        saved = check.of_parameters(check.host_arrays("the saved state", state, asnumpy), named)
        for name, parameter in named.items():
            data = parameter.data
            data[...] = get_array_module(data).asarray(saved[name], dtype=data.dtype)

    def extra_repr(self):
        """Return what stands between the brackets when the module is printed."""
        return ""

    def __repr__(self):
        head = f"{type(self).__name__}({self.extra_repr()}"
        lines = [f"({name}): {child!r}" for name, child in self.children().items()]
        if not lines:
            return head + ")"
        return "\n  ".join([head, *"\n".join(lines).split("\n")]) + "\n)"


def _held(values, kind, within=()):
    """{dotted name: what is of this kind} among {name: value}, in lists and dicts too."""
    found = {}
    for name, value in values.items():
        if isinstance(value, kind):
            found[name] = value
        elif isinstance(value, (list, tuple, dict)) and id(value) not in within:
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            parts = {k: v for k, v in parts if isinstance(v, (kind, list, tuple, dict))}
            inside = _held(parts, kind, (*within, id(value)))
            found |= {f"{name}.{part}": p for part, p in inside.items()}
    return found


# First values. Each takes the shape [..., fan_in, fan_out] of weights that are used as x @ W.


def uniform(rng, shape, bound, dtype="float32"):
    """Numbers drawn evenly between -bound and bound; without an rng, with a fresh one.

    PyTorch draws every weight and bias of a recurrent layer so, with bound = 1 / sqrt(hidden size).
    """
    return check.generator(rng).uniform(-bound, bound, shape).astype(dtype)


def glorot_uniform(rng, shape, dtype="float32"):
    """uniform with bound = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    return uniform(rng, shape, (6 / (shape[-2] + shape[-1])) ** 0.5, dtype)


def orthogonal(rng, shape, dtype="float32"):
    """A random matrix with W^T W = 1 (or W W^T = 1), one for each leading index.

    The Q of the QR decomposition of a normal matrix, with the signs of R's diagonal taken out so
    that every orthogonal matrix is equally likely (Saxe, McClelland and Ganguli 2014; the signs
    after Mezzadri 2007, section 5).
    """
    rows, columns = shape[-2:]
    tall = (*shape[:-2], max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(check.generator(rng).standard_normal(tall))
    q = q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :]
    return (q if rows >= columns else q.swapaxes(-1, -2)).astype(dtype)
