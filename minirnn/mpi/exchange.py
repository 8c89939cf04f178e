"""What ranks say to each other in every step: the sums of arrays."""

import ctypes
import functools
from itertools import accumulate

from ..backend import asnumpy, get_array_module


def summed(comm, arrays):
    """Return each array's sum over all ranks, by one message, in the type of the first.

    They go straight from a card where MPI takes its memory, else through the host.
    """
    from mpi4py import MPI

    xp, dtype = get_array_module(*arrays), arrays[0].dtype
    arrays = [xp.asarray(array, dtype=dtype) for array in arrays]
    send = xp.concatenate([array.reshape(-1) for array in arrays])
    if xp.__name__ == "cupy" and takes_cuda():
        xp.cuda.get_current_stream().synchronize()  # MPI waits for no order to a card
    else:
        send = asnumpy(send)
    comm.Allreduce(MPI.IN_PLACE, send)
    total, ends = xp.asarray(send), accumulate(array.size for array in arrays)
    return [
        total[end - array.size : end].reshape(array.shape)
        for array, end in zip(arrays, ends, strict=True)
    ]


@functools.cache
def takes_cuda():
    """Return whether the MPI library says that it takes memory of an NVIDIA card."""
    from mpi4py import MPI

    query = getattr(ctypes.CDLL(MPI.__file__), "MPIX_Query_cuda_support", None)
    return bool(query and query())
