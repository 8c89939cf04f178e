"""A CuPy that goes wrong in a chosen way: what `--backend cupy` meets on other people's machines.

`write(folder, fault)` puts a package `cupy` there, for PYTHONPATH. The texts are those of CUDA.
"""

FAULTS = {
    # name: (where it happens, the exception's class, its text, driver, runtime)
    "library missing": (
        "import", "ImportError",
        "\\n================\\nFailed to import CuPy.\\n\\nlibnvrtc.so.12: cannot be opened", 0, 0,
    ),
    "compiler missing": (  # CuPy 14 without CUDA's libraries
        "probe", "DynamicLibNotFoundError",
        'Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: libnvrtc.so.13 or '
        "libnvrtc.so.12, No such file: libnvrtc.so.13 or libnvrtc.so.12\\n", 13000, 13020,
    ),
    "cuBLAS missing": (
        "product", "ImportError",
        'Failure finding "libcublasLt.so.13 or libcublasLt.so.12": No such file: libcublasLt.so.13 '
        "or libcublasLt.so.12, No such file: libcublasLt.so.13 or libcublasLt.so.12\\n",
        13000, 13020,
    ),
    "compiler missing, CuPy 13": (
        "probe", "RuntimeError",
        "CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object "
        "file: No such file or directory", 12040, 12040,
    ),
    "no driver": (
        "count", "CUDARuntimeError",
        "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
        0, 12040,
    ),
    "driver too old": (
        "count", "CUDARuntimeError",
        "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
        11040, 12040,
    ),
    "no device": (
        "count", "CUDARuntimeError", "cudaErrorNoDevice: no CUDA-capable device is detected",
        12040, 12040,
    ),
    "no device, said by number": ("none", "", "", 12040, 12040),
    "too little memory": (
        "probe", "OutOfMemoryError",
        "Out of memory allocating 512 bytes (allocated so far: 0 bytes).", 12040, 12040,
    ),
    "too little memory for a library": (
        "probe", "CUDARuntimeError", "CUBLAS_STATUS_ALLOC_FAILED", 12040, 12040,
    ),
    "wrong architecture": (
        "probe", "CUDARuntimeError",
        "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution on the device",
        12040, 12040,
    ),
    "wrong architecture for the compiler": (
        "probe", "CompileException",
        "nvrtc: error: invalid value for --gpu-architecture (-arch)", 12040, 12040,
    ),
    "broken": (
        "probe", "CUDARuntimeError", "cudaErrorUnknown: unknown error", 12040, 12040,
    ),
    "wrong results": ("wrong", "", "", 12040, 12040),
}  # fmt: skip

SOURCE = """
import types

import numpy as np

WHERE, DRIVER, RUNTIME = {where!r}, {driver}, {runtime}


class CUDARuntimeError(RuntimeError):
    pass


class CompileException(Exception):
    pass


class OutOfMemoryError(MemoryError):
    pass


class DynamicLibNotFoundError(RuntimeError):
    pass


def fail(place):
    if WHERE == place:
        raise {error}


def getDeviceCount():
    fail("count")
    return 0 if WHERE == "none" else 1


class Array(np.ndarray):
    def __matmul__(self, other):
        fail("product")
        return np.ndarray.__matmul__(self, other)


def arange(*args, **options):
    fail("probe")
    return np.arange(*args, **options).view(Array)


def tanh(x):
    return x if WHERE == "wrong" else np.tanh(x)


runtime = types.SimpleNamespace(
    getDeviceCount=getDeviceCount,
    driverGetVersion=lambda: DRIVER,
    runtimeGetVersion=lambda: RUNTIME,
)
cuda = types.SimpleNamespace(runtime=runtime)
ndarray = np.ndarray
fail("import")
"""


def write(folder, fault):
    """The package, in a folder; returns the folder as text."""
    where, error, text, driver, runtime = FAULTS[fault]
    text = text.encode().decode("unicode_escape")
    error = f"{error}({text!r})" if error else "AssertionError()"
    package = folder / "cupy"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        SOURCE.format(where=where, driver=driver, runtime=runtime, error=error)
    )
    return str(folder)
