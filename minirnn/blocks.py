"""Matrix products in the pieces for which BLAS is fastest.

OpenBLAS, which NumPy comes with, has routines for small matrices (up to a million multiplications)
that read them where they lie; for larger ones it copies both into an order of its own first. On one
thread a large product in small pieces takes 0.6 to 0.95 of its time. With more threads OpenBLAS
shares out large products and never small ones. That pays for the largest only: in the others, the
threads spend what they gain on waiting for each other (`docs/performance.md`).
"""

import math
import os

import numpy as np

from .pool import empty, matmul

SMALL = 10**6  # multiplications: OpenBLAS's own limit
COLUMNS, ROWS = 128, 32  # of a piece of the result
LEAST_ROWS = 64  # summed up at once in a piece: fewer are not worth the addition
FEW = 16  # rows: for so few, pieces are faster than two threads at any size
THREADS_PAY, THREADS_PAY_IN_SUMS = 2, 8  # times SMALL, in a product and in a sum of them (measured)

_threads = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
ONE_THREAD = _threads == "1" or _cores == 1  # as far as OpenBLAS can be known from outside


def in_pieces(multiplications, threads_pay):
    """Whether pieces are faster than BLAS left to itself, with all the threads that it has."""
    return multiplications > SMALL and (ONE_THREAD or multiplications <= threads_pay * SMALL)


class Blocks:
    """A matrix for each gate, W [G, D, K], cut up in place for products v W.

    At most `COLUMNS` columns are taken at once, and `most` rows of v, a multiple of four: the
    routines compute four at once.
    """

    def __init__(self, W):
        G, D, K = W.shape
        columns = K if K % COLUMNS else COLUMNS
        self.W, self.columns, self.most = W, columns, SMALL // max(D * columns, 1) // 4 * 4
        # [G, K / columns, D, columns]
        self.parts = W.reshape(G, D, K // columns, columns).swapaxes(1, 2)

    def product(self, v):
        """v W [G, n, K], for v [n, D] or [G, n, D]."""
        (G, D, K), n = self.W.shape, v.shape[-2]
        if self.most < 8 or not in_pieces(n * D * K, math.inf if n <= FEW else THREADS_PAY):
            return matmul(v, self.W) if n > FEW else v @ self.W  # the pool has no small arrays
        pieces = -(-n // self.most)
        rows = min(-(-n // (4 * pieces)) * 4, n)
        full = n - n % rows
        result = empty((G, n, K), np.result_type(v, self.W))
        self._multiply(v[..., :full, :], result[:, :full], rows)
        if full < n:
            self._multiply(v[..., full:, :], result[:, full:], n - full)
        return result

    def _multiply(self, v, out, rows):
        """Write v W into `out` [G, n, K], where n is a multiple of `rows`."""
        shape = (*v.shape[:-2], -1, 1, rows, v.shape[-1])
        out = out.reshape(len(out), -1, rows, out.shape[-1] // self.columns, self.columns)
        np.matmul(v.reshape(shape), self.parts[:, None], out=out.swapaxes(2, 3))


def times(W, n):
    """The function v -> v W, for one matrix W [D, K] and v of at most n rows."""
    if n * W.size <= SMALL:
        return lambda v: v.dot(W)
    blocks, fits = Blocks(W[None]), SMALL // W.size
    return lambda v: v.dot(W) if len(v) <= fits else blocks.product(v)[0]


def sum_of_products(v, da, out):
    """v^T da [G, D, K] of v [S, D] and da [G, S, K], a sum over S rows, written into `out`."""
    (S, D), (G, _, K) = v.shape, da.shape
    rows, columns = D if D % ROWS else ROWS, K if K % COLUMNS else COLUMNS
    most = SMALL // max(rows * columns, 1) // 8 * 8  # of the S rows; whole vectors are faster
    if most < LEAST_ROWS or not in_pieces(S * D * K, THREADS_PAY_IN_SUMS):
        np.matmul(v.T, da, out=out)
        return
    more = empty(out.shape, out.dtype) if most < S else None
    for first in range(0, S, most):
        v_part, da_part, into = v[first:][:most], da[:, first:][:, :most], more if first else out
        n = len(v_part)
        np.matmul(
            v_part.reshape(n, -1, rows).transpose(1, 2, 0)[:, None],
            da_part.reshape(G, 1, n, -1, columns).swapaxes(2, 3),
            out=into.reshape(G, -1, rows, K // columns, columns).swapaxes(2, 3),
        )
        if first:
            out += more
