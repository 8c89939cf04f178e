"""A step's product, ordered from cuBLAS by pointers: an order of half a microsecond, not of six."""

import numpy as np


class RowProduct:
    """C[c : c + n] = A[a : a + n] B, or with `add`, C[c : c + n] += A[a : a + n] B.

    A [.., K], B [K, M] and C [.., M] are CuPy's, of one type, float32 or float64, and row by row
    in memory; all three may be some columns of wider arrays. Raises `ValueError` where sizes, types
    or order do not fit.
    """

    def __init__(self, A, B, C, add=False):
        self.A, self.B, self.C, self.add = A, B, C, add
        K, M = B.shape
        fit = A.shape[1] == K and C.shape[1] == M and A.dtype == B.dtype == C.dtype
        if not fit or any(array.strides[1] != array.itemsize for array in (A, B, C)):
            texts = (f"{array.shape} {array.dtype}" for array in (A, B, C))
            raise ValueError("A {}, B {} and C {} do not fit, or not row by row".format(*texts))
        self.numbers = np.array([0, 1], C.dtype)  # cuBLAS reads them from the host
        zero, one = (self.numbers[k:].ctypes.data for k in (0, 1))
        rows = [array.strides[0] for array in (A, B, C)]
        lda, ldb, ldc = (stride // C.dtype.itemsize for stride in rows)
        self.pointers = A.data.ptr, rows[0], C.data.ptr, rows[2]
        # cuBLAS has matrices column by column, where ours are transposed: C^T (+)= B^T A^T
        self.before = 0, 0, M  # neither is transposed once more
        self.between = K, one, B.data.ptr, ldb
        self.after = lda, one if add else zero
        self.ldc = ldc
        self.gemm = self.handle = None
        self._take_cublas()

    def _take_cublas(self):
        """CuPy's thin call of cuBLAS: inside of CuPy, but the same from version 13 to 14."""
        try:
            from cupy.cuda.device import get_cublas_handle
            from cupy_backends.cuda.libs import cublas

            self.gemm = {"f": cublas.sgemm, "d": cublas.dgemm}[self.C.dtype.char]
            self.handle = get_cublas_handle()
        except (ImportError, AttributeError):
            self.gemm = None

    def __call__(self, a, c, n):
        if self.gemm is None:
            return self.by_arrays(a, c, n)
        A, a_row, C, c_row = self.pointers
        self.gemm(self.handle, *self.before, n, *self.between, A + a * a_row, *self.after,
                  C + c * c_row, self.ldc)  # fmt: skip

    def by_arrays(self, a, c, n):
        """The same through CuPy's public functions, should the thin call ever be gone."""
        from cupy import cublas

        cublas.gemm(
            "N", "N", self.A[a : a + n], self.B, out=self.C[c : c + n],
            beta=1.0 if self.add else 0.0,
        )  # fmt: skip
