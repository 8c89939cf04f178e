"""Put a pretended card under the real CuPy of this process, and count what CuPy asks of it."""

import collections
import contextlib
import ctypes
import hashlib
import importlib.util
import mmap
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
COUNTS = "launches products to_device to_host on_device memsets synchronisations mallocs".split()
NOT_SUPPORTED = 15  # CUBLAS_STATUS_NOT_SUPPORTED, of what products.c has not got
JUMP = b"\x48\xb8%s\xff\xe0"  # x86-64: movabs rax, address; jmp rax

device = None  # the library of device.c, once the card is in


def missing():
    """Why there can be no emulated card here, or None where it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "the emulated card needs Linux on x86-64"
    for tool in ("gcc", "g++", "nm"):
        if shutil.which(tool) is None:
            return f"the emulated card needs {tool}"
    if importlib.util.find_spec("cupy") is None:
        return "the emulated card needs CuPy: pip install cupy-cuda13x"
    return None


def insert(pool=True):
    """Build the card, put it in, and import CuPy. Raises `RuntimeError` where that cannot be.

    Without CuPy's pool every array is an allocation of the card's, so all that is read before it is
    written is NaN, and what is written beyond an array's end ends the process.
    """
    global device
    if device is not None:
        return
    if reason := missing():
        raise RuntimeError(reason)
    if "cupy" in sys.modules:
        raise RuntimeError("the emulated card must be put in before CuPy is imported")
    folder = libraries()
    os.environ["CUPY_CACHE_DIR"] = str(folder)
    os.environ["CUPY_ACCELERATORS"] = ""  # CUB is machine code of a real card
    device = load(folder / "libcuda.so.1")
    device.card_counts.restype = ctypes.POINTER(ctypes.c_long * len(COUNTS))
    device.card_kernel_name.restype = ctypes.c_char_p
    device.card_kernel_launches.restype = ctypes.c_long
    for path in folder.glob("libcublas*.so.*"):
        load(path)

    import cupy_backends.cuda.api.runtime as runtime

    redirect(runtime.__file__)
    import cupy

    from . import compiler

    compiler.install(folder)
    if not pool:
        cupy.cuda.set_allocator(None)


def load(path):
    """A library whose functions all that is loaded later can see."""
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def libraries():
    """The folder with libcuda and libcublas, built where they are not there yet."""
    cublas = extension("libs/cublas")
    wanted = [symbol.partition("@") for symbol in undefined(cublas) if symbol.startswith("cublas")]
    sonames = {soname.strip("@") for _, _, soname in wanted}  # "libcublas.so.13"
    sources = [*HERE.glob("*.[ch]*"), HERE / "compiler.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(sources)))
    digest.update(str(cublas).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "minirnn-emulated-card" / digest.hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    (soname,) = sonames
    build(folder / "libcuda.so.1", HERE / "device.c", "")
    ours = (HERE / "products.c").read_text()
    others = [name for name, _, _ in wanted if not defines(ours, name)]
    stubs = "".join(f"int {name}(void) {{ return {NOT_SUPPORTED}; }}\n" for name in others)
    build(folder / soname, HERE / "products.c", stubs)
    build(folder / soname.replace("cublas", "cublasLt"), "/dev/null", "")  # has to be there
    return folder


def defines(source, name):
    """Whether products.c has this function, by itself or through its macro for S and D."""
    general = name.replace("cublasS", "cublas##name##").replace("cublasD", "cublas##name##")
    return f"int {name}(" in source or f"int {general}(" in source


def build(path, source, more):
    """Compile a C file, with more C after it, into a shared library."""
    if path.exists():
        return
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    command = ["gcc", "-O2", "-shared", "-fPIC", "-w", "-x", "c", "-", "-ldl"]
    command += [f"-Wl,-soname,{path.name}", "-o", str(unfinished)]
    text = f'#include "{source}"\n{more}'
    subprocess.run(command, input=text, text=True, check=True)
    unfinished.rename(path)


def extension(name):
    """The path of one of CuPy's extension modules, which is not imported for it."""
    root = Path(importlib.util.find_spec("cupy_backends").origin).parent
    return next((root / "cuda").glob(f"{name}.*.so"))


def undefined(path):
    """The symbols that a library takes from others."""
    command = ["nm", "-D", "--undefined-only", str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[-1] for line in lines]


def redirect(path):
    """Lead each cuda... function inside an extension module, which is loaded, to the card's own.

    CUDA's runtime is compiled into CuPy. Over the first bytes of its function a jump is written, in
    the memory of this process alone. Functions that the card has not got stay: they find no driver.
    """
    maps = Path("/proc/self/maps").read_text().splitlines()
    first = next(line.split() for line in maps if line.endswith(os.path.realpath(path)))
    base = int(first[0].partition("-")[0], 16) - int(first[2], 16)
    listing = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    protect, page = ctypes.CDLL(None).mprotect, mmap.PAGESIZE
    for address, kind, name in (line.split() for line in listing.splitlines() if line[0] != " "):
        ours = getattr(device, f"card_{name}", None) if kind in "tT" else None
        if ours is None or not name.startswith("cuda"):
            continue
        at = base + int(address, 16)
        everything = 7  # read, write, execute
        protect(ctypes.c_void_p(at - at % page), ctypes.c_size_t(2 * page), everything)
        target = ctypes.cast(ours, ctypes.c_void_p).value
        code = JUMP % target.to_bytes(8, "little")
        ctypes.memmove(at, code, len(code))


class Counted(dict):
    """{what: how often} of a `counting` block, and in `kernels` {kernel: launches}."""

    kernels = ()

    @property
    def orders(self):
        """All that the host sends to the card: launches, products, memsets, copies on the card."""
        return sum(self[what] for what in ("launches", "products", "memsets", "on_device"))


@contextlib.contextmanager
def counting(compute=True):
    """`with counting() as counted: ...`; compute=False counts without computing anything."""
    counted = Counted()
    device.card_reset()
    device.card_run(int(compute))
    try:
        yield counted
    finally:
        device.card_run(1)
        counted.update(zip(COUNTS, device.card_counts().contents, strict=True))
        counted.kernels = collections.Counter()
        for k in range(device.card_number_of_kernels()):
            counted.kernels[device.card_kernel_name(k).decode()] += device.card_kernel_launches(k)
