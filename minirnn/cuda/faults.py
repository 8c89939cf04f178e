"""Diagnosis of why CuPy cannot compute, with a cure for each cause."""

import importlib

from ..errors import BackendError


def is_out_of_memory(error):
    """Return whether an exception says that host or device have no memory left.

    CuPy's own is a `MemoryError`, but the libraries under it, the loader of shared libraries and
    extensions in C report theirs in words, or as what came before.
    """
    while error is not None:
        if isinstance(error, MemoryError) or _says(error, MEMORY):
            return True
        error = error.__context__
    return False


def out_of_memory(size, streams=False):
    """The sentence for a batch of this size, or of so many streams, that the memory has no room
    for."""
    option = "--streams" if streams else "--batch-size"
    smaller = f"{option} {size // 2}" if size > 1 else "a smaller --hidden-size"
    return f"out of memory with a batch of {size}; try {smaller}"


# What CUDA's libraries say, by cause. https://docs.nvidia.com/cuda/cuda-runtime-api
MEMORY = (
    "cudaErrorMemoryAllocation out_of_memory OUT_OF_MEMORY ALLOC_FAILED failed_to_map_segment "
    "Cannot_allocate_memory can't_start_new_thread error_return_without_exception_set"
)
NO_DEVICE = "cudaErrorNoDevice no_CUDA-capable_device"
DRIVER = "cudaErrorInsufficientDriver driver_version_is_insufficient cudaErrorSystemDriverMismatch"
LIBRARY = "Failure_finding failed_to_load cannot_open_shared_object"  # of CuPy 14 and 13
ARCHITECTURE = (
    "cudaErrorNoKernelImageForDevice no_kernel_image NO_BINARY_FOR_GPU gpu-architecture "
    "INVALID_PTX cudaErrorUnsupportedPtxVersion ARCH_MISMATCH"
)


def _says(error, words):
    return any(word.replace("_", " ") in str(error).replace("_", " ") for word in words.split())


INSTALL = 'pip install "cupy-cuda12x[ctk]" or "cupy-cuda13x[ctk]", whichever fits the driver'
ON_THE_CPU = "or use --backend numpy"


def working_cupy():
    """Import CuPy and try a product and a kernel: that it can be imported says little.

    Raises `BackendError` that says what is missing, and how to get it.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        raise BackendError(
            f"CuPy cannot be imported ({_line(error)}): install it with {INSTALL}, {ON_THE_CPU}"
        ) from error
    except Exception as error:  # it is there, but a library of CUDA is not
        raise BackendError(
            f"CuPy cannot be imported, though it is installed ({_line(error)}): uninstall every "
            f"cupy package, then {INSTALL}, {ON_THE_CPU}"
        ) from error
    try:
        if cupy.cuda.runtime.getDeviceCount() == 0:
            raise BackendError(
                f"CuPy finds no GPU on this machine: check CUDA_VISIBLE_DEVICES, {ON_THE_CPU}"
            )
        probe = cupy.arange(4, dtype="float32").reshape(2, 2)
        ok = float(cupy.tanh(probe @ probe)[1, 1]) == 1.0  # tanh(2 * 1 + 3 * 3)
    except BackendError:
        raise
    except Exception as error:  # CUDARuntimeError, but its class needs a working CuPy to name
        raise BackendError(f"{_cause(cupy, error)} ({_line(error)})") from error
    if not ok:
        raise BackendError(f"CuPy computes wrongly on this GPU: update its driver, {ON_THE_CPU}")
    return cupy


def _cause(cupy, error):
    """Return what is wrong with the GPU, and the cure."""
    if is_out_of_memory(error):
        return (
            "the GPU has too little free memory: end what else uses it (nvidia-smi lists it), "
            f"{ON_THE_CPU}"
        )
    if _says(error, LIBRARY):
        return (
            "CuPy finds a GPU, but not CUDA's own libraries, which its package does not hold: "
            f"{INSTALL}, {ON_THE_CPU}"
        )
    if _says(error, NO_DEVICE):
        return f"CuPy finds no GPU on this machine: check CUDA_VISIBLE_DEVICES, {ON_THE_CPU}"
    if _says(error, DRIVER):
        driver = _version(cupy, "driverGetVersion")
        if driver == "0.0":
            return f"there is no NVIDIA driver for the GPU: install one, {ON_THE_CPU}"
        return (
            f"the NVIDIA driver is too old: it is for CUDA {driver}, and this CuPy for CUDA "
            f"{_version(cupy, 'runtimeGetVersion')}: update it, or {INSTALL}, {ON_THE_CPU}"
        )
    if _says(error, ARCHITECTURE):
        return (
            "this CuPy has no code for a GPU of this architecture: uninstall it, then "
            f"{INSTALL}, {ON_THE_CPU}"
        )
    return f"CuPy finds a GPU but cannot compute on it: check that nvidia-smi runs, {ON_THE_CPU}"


def _version(cupy, function):
    """A CUDA version as text, "12.4"; "0.0" is what a driver that is not there answers."""
    try:
        number = int(getattr(cupy.cuda.runtime, function)())
    except Exception:
        return "?"
    return f"{number // 1000}.{number % 1000 // 10}"


def _line(error):
    """The first line of an error's text that says something, short enough for a message."""
    lines = [line.strip(" =") for line in str(error).splitlines()]
    return next((line for line in lines if line), type(error).__name__)[:160]
