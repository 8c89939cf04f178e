"""Memory for large arrays that is used again, in place of being given back and asked for anew.

NumPy gives the memory of a large array back to the operating system as soon as the array is gone.
The next one gets its memory page by page, each on its first use, and a training step makes the same
arrays again and again: up to a fifth of its time went there (`docs/performance.md`). CuPy and
PyTorch keep such memory on a GPU, in what they call a memory pool; this is one for the CPU.
"""

import math
import sys
from collections import deque

import numpy as np

LEAST = 2**15  # numbers: what is smaller, NumPy's own allocator keeps
MOST = 2**29  # bytes that are kept
HEAP = 2**25 - 2**16  # bytes, see `MemoryPool.empty`


class MemoryPool:
    """Flat arrays that are kept, by length and type. What is handed out is a view of one, and as
    long as somebody holds a view, it has one reference more than the pool's own.

    References are counted in a list's only place, since tools that look at local variables add
    references to those. Where Python cannot count them (PyPy, or without its global lock), nothing
    is kept.
    """

    def __init__(self):
        self.arrays, self.bytes = {}, 0
        if hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)():
            found = [np.empty(0)]
            self.least, self.alone = LEAST, sys.getrefcount(found[0])  # of an array with no view
        else:
            self.least = math.inf

    def empty(self, shape, dtype):
        """An array with anything in it, as `numpy.empty`; it may be handed out and kept."""
        count = math.prod(shape)
        if count < self.least:
            return np.empty(shape, dtype)
        if not self.arrays:
            # Linux's C library keeps as much freed memory as twice the largest block that was freed
            # (of at most 32 MiB): from here on up to 64 MiB, for temporary arrays
            np.empty(HEAP, "u1")
        count = int(count)  # not NumPy's
        step = 1 << (count.bit_length() - 4)  # eight lengths to each power of two: batches differ
        length = -(-count // step) * step
        arrays = self.arrays.setdefault((length, np.dtype(dtype)), deque())
        for _ in range(len(arrays)):
            try:
                found = [arrays.pop()]  # while it is out, no other thread can find it
            except IndexError:  # another thread was faster
                break
            unused = sys.getrefcount(found[0]) == self.alone
            view = found[0][:count].reshape(shape) if unused else None
            if unused:
                arrays.append(found[0])  # the last one used comes first: it may be in the cache
                return view
            arrays.appendleft(found[0])
        array = np.empty(length, dtype)
        if array.nbytes <= MOST:
            if self.bytes + array.nbytes > MOST:  # forget all; what is in use lives on elsewhere
                self.arrays, self.bytes = {(length, array.dtype): arrays}, 0
                arrays.clear()
            arrays.append(array)
            self.bytes += array.nbytes
        return array[:count].reshape(shape)


_pool = MemoryPool()
empty = _pool.empty


def empty_like(array):
    """An array of the same shape and type with anything in it, and with the first two axes in the
    same order in memory."""
    if array.size < LEAST:
        return np.empty_like(array)
    if array.ndim == 3 and array.strides[0] < array.strides[1]:
        return empty_like(array.swapaxes(0, 1)).swapaxes(0, 1)
    return empty(array.shape, array.dtype)


def copied(array):
    """A copy."""
    if array.size < LEAST:
        return array.copy("K")
    result = empty_like(array)
    result[...] = array
    return result


def matmul(a, b):
    """a @ b, of arrays with two axes or more."""
    shape = (*(a.shape[:-2] or b.shape[:-2]), a.shape[-2], b.shape[-1])
    if math.prod(shape) < LEAST:
        return a @ b
    return np.matmul(a, b, out=empty(shape, np.result_type(a, b)))
