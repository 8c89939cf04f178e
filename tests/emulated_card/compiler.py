"""g++ in the place of CUDA's run-time compiler: a kernel becomes a C++ function in a library."""

import hashlib
import re
import subprocess
from pathlib import Path

import cupy
from cupy.cuda import compiler

HERE = Path(__file__).parent
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\(")
INCLUDE = Path(cupy.__file__).parent / "_core" / "include"
FOLDERS = [
    INCLUDE,
    *(INCLUDE / "cupy" / "_cccl" / part for part in ("libcudacxx", "thrust", "cub")),
]
# -ffp-contract=off: a product and a sum are rounded one by one; -w: CuPy's sources are not ours
OPTIONS = "-std=c++17 -O1 -w -fPIC -shared -fpermissive -ffp-contract=off".split()


class Program:
    """Takes the place of CuPy's `_NVRTCProgram`: what it compiles to is the path of a library."""

    folder = None  # where the libraries go

    def __init__(self, source, name="", headers=(), include_names=(), name_expressions=None,
                 method="ptx"):  # fmt: skip
        self.source = source.decode() if isinstance(source, bytes) else source

    def compile(self, options=(), log_stream=None):
        """(the path of the library as bytes that end in 0, no mapping of names)."""
        defined = [option for option in options if option.startswith("-D")]
        names = dict.fromkeys(KERNEL.findall(self.source))
        meets = int("__syncthreads" in self.source)
        calls = [f"CALLED_AS({name}, {meets})" for name in names]
        text = "\n".join(['#include "kernel.hpp"', self.source, *calls, ""])
        digest = hashlib.sha256("\n".join([text, *defined]).encode()).hexdigest()[:32]
        library = self.folder / f"{digest}.so"
        if not library.exists():
            self.build(text, defined, library)
        return f"{library}\0".encode(), None

    def build(self, text, defined, library):
        """Run g++; a `CompileException`, as CuPy's own, where it complains."""
        source, unfinished = library.with_suffix(".cpp"), library.with_suffix(".part")
        source.write_text(text)
        folders = [f"-I{folder}" for folder in (HERE, *FOLDERS)]
        command = ["g++", *OPTIONS, *defined, *folders, str(source), "-o", str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise compiler.CompileException(done.stderr, text, str(source), defined)
        unfinished.rename(library)


def install(folder):
    """Let CuPy compile with g++ from now on, into this folder."""
    Program.folder = Path(folder)
    compiler._NVRTCProgram = Program
    compiler._get_nvrtc_version = lambda: (13, 0)
    compiler._preprocess = lambda *arguments: ""  # its result is but a key of CuPy's cache
