"""Layers without time: Linear, Embedding, Dropout.

Every layer keeps the same contract. `forward(x)` returns the output and a cache;
`backward(dy, cache)` returns dx and *adds* to `Parameter.grad`. A layer remembers nothing between
the two, so forward may be called many times before backward, and nobody's arrays are written into.
Write into none between the two yourself, x or a weight: the gradient would be wrong without a word.
"""

from typing import Any

import numpy as np

from . import check
from .backend import Array, Dtype, Rng, get_array_module, taken
from .parameters import Module, Parameter, uniform


class Linear(Module):
    """y = x W + b, with x [..., D], W [D, K], b [K].

    First values are PyTorch's: uniform within 1 / sqrt(D).

    in_features: D. out_features: K. bias: False leaves b out. rng: the NumPy generator that draws
    the first values; left out, a fresh one. dtype: the type of W and b. `ArgumentError` for sizes
    below 1.

        >>> linear = Linear(3, 2, rng=np.random.default_rng(0))
        >>> y, cache = linear.forward(np.ones((5, 3), "float32"))
        >>> dx = linear.backward(np.ones_like(y), cache)
        >>> y.shape, dx.shape, linear.b.grad
        ((5, 2), (5, 3), array([5., 5.], dtype=float32))
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rng: Rng = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        in_features, dtype = check.whole("in_features", in_features), check.floating("dtype", dtype)
        out_features, bound = check.whole("out_features", out_features), in_features**-0.5
        self.W = Parameter(uniform(rng, (in_features, out_features), bound, dtype))
        bias = check.switch("bias", bias)
        self.b = Parameter(uniform(rng, (out_features,), bound, dtype)) if bias else None

    def forward(self, x: Array) -> tuple[Array, Any]:
        """Return y [..., K] and a cache; `ShapeError` where x is not [..., D]."""
        x = taken(self.W.data, whole=False, x=x)
        check.multiplied(x, self.W)
        y = x @ self.W.data
        if self.b is not None:
            y = y + self.b.data
        return y, x

    def backward(self, dy: Array, cache: Any) -> Array:
        """dx = dy W^T [..., D]; adds x^T dy to dW and the sum of dy to db.

        Raises `ShapeError` where dy has not the shape of y.
        """
        x, dy = check.cached(cache, self.W), taken(self.W.data, whole=False, dy=dy)
        check.of_shape("dy", dy, (*x.shape[:-1], self.W.shape[1]), "y had")
        rows_x, rows_dy = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        # y = x W + b
        if self.b is not None:
            self.b.grad += rows_dy.sum(axis=0)
        self.W.grad += rows_x.T.dot(rows_dy)  # for one row, NumPy's @ would do without BLAS
        return dy @ self.W.data.T

    def extra_repr(self):
        D, K = self.W.shape
        return f"in_features={D}, out_features={K}, bias={self.b is not None}"


class Embedding(Module):
    """y = W[ids]: row `id` of W [V, D] for every id; the product of a one-hot row with W.

    First values are normal with variance 1, as PyTorch's. Raises `ArgumentError` for sizes below 1.

    num_embeddings: V, how many ids there are. embedding_dim: E, how many numbers stand for one.
    rng: the NumPy generator that draws the first values; left out, a fresh one. dtype: of W.

        >>> embedding = Embedding(26, 4, rng=np.random.default_rng(0))
        >>> y, cache = embedding.forward(np.array([7, 8, 7]))
        >>> y.shape, bool((y[0] == y[2]).all())
        ((3, 4), True)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, *, rng: Rng = None,
                 dtype: Dtype = "float32") -> None:  # fmt: skip
        V, dtype = check.whole("num_embeddings", num_embeddings), check.floating("dtype", dtype)
        E = check.whole("embedding_dim", embedding_dim)
        self.W = Parameter(check.generator(rng).standard_normal((V, E)).astype(dtype))

    def forward(self, ids: Array) -> tuple[Array, Any]:
        """Return y [..., E] of ids [...], and a cache; `ShapeError` for an id without a row."""
        ids = taken(self.W.data, ids=ids)
        check.in_range("id", ids, self.W.shape[0])
        return self.W.data[ids], ids

    def backward(self, dy: Array, cache: Any) -> None:
        """Add to dW; ids have no gradient, so None comes back. `ShapeError` for another dy."""
        ids = check.cached_ids(cache, self.W).reshape(-1)
        dy = taken(self.W.data, whole=False, dy=dy)
        check.of_shape("dy", dy, (*cache.shape, self.W.shape[1]), "y had")
        self.W.grad += one_hot(ids, self.W.shape[0], dy.dtype).T @ dy.reshape(len(ids), -1)
        return None

    def extra_repr(self):
        return ", ".join(map(str, self.W.shape))


class Dropout(Module):
    """While training, y = x * m / (1 - p), where each entry of m is 0 with probability p, else 1.

    x is of any shape, and y has the same. Dividing by 1 - p keeps the mean of y at x, so that
    nothing is scaled when not training (Srivastava et al. 2014, in the form that every library uses
    now). Raises `ArgumentError` where p is not at least 0 and below 1, or rng is no Generator.

    p: the probability. rng: the NumPy generator that draws the masks; left out, a fresh one.

        >>> dropout = Dropout(0.5, rng=np.random.default_rng(0))
        >>> y, cache = dropout.forward(np.ones(8), training=True)
        >>> print(y, dropout.backward(np.ones(8), cache))
        [2. 2. 2. 0. 0. 0. 0. 0.] [2. 2. 2. 0. 0. 0. 0. 0.]
    """

    def __init__(self, p: float, *, rng: Rng = None) -> None:
        self.p, self.rng = check.real("dropout", p, check.SHARE), check.generator(rng)

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Any]:
        """Return x with a new mask, or x itself when not training, and a cache."""
        x, training = taken(None, whole=False, x=x), check.switch("training", training)
        if not training or self.p == 0:
            return x, None
        mask = self.rng.random(x.shape, dtype=np.float32) >= self.p
        mask = get_array_module(x).asarray(mask).astype(x.dtype)  # a byte an entry goes to a GPU
        mask *= 1 / (1 - self.p)
        return x * mask, mask

    def backward(self, dy: Array, cache: Any) -> Array:
        """dx = dy m / (1 - p), with the mask of forward."""
        mask = check.mask_of(cache, dy)
        return dy if mask is None else dy * mask

    def extra_repr(self):
        return f"p={self.p}"


def one_hot(ids, size, dtype):
    """Rows of zeros with a 1 in column `id`: [len(ids), size], where ids is an array."""
    xp = get_array_module(ids)
    if xp is not np:  # fewer orders for a GPU; NumPy is five times as fast the other way
        return (ids[:, None] == xp.arange(size)).astype(dtype)
    rows = xp.zeros((len(ids), size), dtype)
    rows[xp.arange(len(ids)), ids] = 1
    return rows
