"""Matrix products in the pieces for which BLAS is fastest.

OpenBLAS, which NumPy comes with, has routines for small matrices (up to a million multiplications)
that read them where they lie; for larger ones it copies both into an order of its own first. On one
thread a large product in small blocks takes 0.6 to 0.95 of its time (`docs/performance.md`). With
more threads OpenBLAS shares out large products, but never small ones, so then it is left to it.
"""

import os

import numpy as np

from .pool import empty, matmul

COLUMNS = 128
SMALL = 10**6  # multiplications: OpenBLAS's own limit
FEW = 16  # rows: of so few, blocks are faster than two threads

_threads = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
ONE_THREAD = _threads == "1" or os.cpu_count() == 1


class Blocks:
    """A matrix for each gate, W [G, D, K], cut up in place for products v W.

    At most `COLUMNS` columns are taken at once, and `most` rows of v, a multiple of four: the
    routines compute four at once.
    """

    def __init__(self, W):
        G, D, K = W.shape
        columns = K if K % COLUMNS else COLUMNS
        self.W, self.columns = W, columns
        self.fits, self.most = SMALL // max(D * K, 1), SMALL // max(D * columns, 1) // 4 * 4
        self.parts = W.reshape(G, D, -1, columns).swapaxes(1, 2)  # [G, K / columns, D, columns]

    def product(self, v):
        """v W [G, n, K], for v [n, D] or [G, n, D]."""
        (G, _, K), n = self.W.shape, v.shape[-2]
        if n <= self.fits or self.most < 8 or not (ONE_THREAD or n <= FEW):
            return matmul(v, self.W) if n > FEW else v @ self.W
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
    blocks = Blocks(W[None])
    return lambda v: v.dot(W) if len(v) <= blocks.fits else blocks.product(v)[0]
