"""What ranks say to each other: the sums of arrays, and whether all have the same."""

import ctypes
import functools
import hashlib
from itertools import accumulate

import numpy as np

from ..backend import asnumpy, get_array_module
from ..errors import DataError


def agree(comm, parts):
    """Compare {what may differ: list of arrays and others} of all ranks by a digest of each.

    Raises `DataError`, on every rank, where one has something else than the first.
    """
    digests = {what: hashlib.sha256() for what in parts}
    for what, items in parts.items():
        for item in items:
            array = isinstance(item, np.ndarray)
            digests[what].update(item.tobytes() if array else repr(item).encode())
    everyone = comm.allgather([digest.digest() for digest in digests.values()])
    for what, *seen in zip(parts, *everyone, strict=True):
        rank = next((k for k, digest in enumerate(seen) if digest != seen[0]), None)
        if rank is not None:
            raise DataError(
                f"rank {rank} has {what} than rank 0, but all must have the same; "
                "start all with one command, on the same files"
            )


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
