"""The stand-in for CuPy (`strict.py`) beside the real CuPy, on the emulated card or a real one.

python tests/tools/compare_strict.py              on the emulated card
python tests/tools/compare_strict.py --real       on a GPU

What the stand-in takes, CuPy must take too, and give the same: every function and method on the
stand-in's lists, with every keyword. The tables of `test_strict.py` are run on CuPy as well: what
counts as a read must copy to the host, what counts as free must not, and types must agree. Where
the stand-in refuses what CuPy takes, that is listed; it is not wrong. The emulated card cannot
sort, scan, or take a mask: that is listed too. The exit code is 1 where the stand-in is laxer than
CuPy, or they differ.
"""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
VALUES = dict(axis=0, axes=None, copy=True, ddof=0, dtype="float64", k=0, keepdims=True, order="C")
HOST = np.linspace(0.1, 0.9, 6, dtype="float32").reshape(2, 3)
TWO = (
    "add copyto divide equal floor_divide greater greater_equal less less_equal logaddexp "
    "logical_and logical_or maximum minimum multiply not_equal power remainder subtract true_divide"
).split()
ARGUMENTS = {  # what follows, or takes the place of, an array
    "broadcast_to": ((2, 3),), "expand_dims": (0,), "moveaxis": (0, 1), "swapaxes": (0, 1),
    "reshape": ((3, 2),), "roll": (1,), "split": (2,), "tile": (2,), "repeat": (2,),
    "clip": (0.2, 0.5), "astype": ("float64",), "take": (1,),
}  # fmt: skip
MADE = {"arange": (4,), "eye": (4,), "identity": (4,), "linspace": (0.0, 1.0, 5),
        "empty": ((2, 3),), "ones": ((2, 3),), "zeros": ((2, 3),)}  # fmt: skip
NOT_CALLED = (  # attributes, and what the tables of test_strict.py try
    "T shape dtype ndim size nbytes itemsize strides real imag flags get item tolist nonzero fill"
).split()
STRICTER = (  # of the table REFUSED: what CuPy takes, and why the library does without
    "array < 0-d NumPy array", "a slice from the device", "einsum with a NumPy array",
    "np.tanh", "np.sum", "np.concatenate", "sum of a NumPy array", "assignment of a NumPy array",
    "iteration", "unpacking",
)  # fmt: skip


def called(function, arguments, options):
    """(result, None) or (None, the error)."""
    try:
        return function(*arguments, **options), None
    except NotImplementedError:
        raise
    except Exception as error:
        return None, error


def beyond(error):
    """Whether this is a limit of the emulated card: code for a real card's threads."""
    return type(error).__name__ == "CompileException" or "inside CUB" in str(error)


def functions(strict, cupy, report):
    """Every function of the stand-in that computes."""
    for name in sorted(strict._functions):
        if name in strict._VALUES.split():
            continue
        if not hasattr(cupy, name):
            report("laxer", f"{name} is not in CuPy")
            continue

        def arguments(module, name=name):
            x = module.asarray(HOST)
            if name in MADE:
                return MADE[name]
            if name in TWO:
                return x, module.asarray(HOST)
            if name in strict._OF_TWO_ARRAYS.split():
                return x, module.asarray(HOST.T.copy() if name in ("dot", "matmul") else HOST)
            return (x, *ARGUMENTS.get(name, ()))

        each_keyword(name, strict, cupy, lambda m, n=name: getattr(m, n), arguments, report)


def methods(strict, cupy, report):
    """Every method of the stand-in's arrays that computes."""
    for name in sorted(n for n in vars(strict.ndarray) if not n.startswith("_")):
        if not hasattr(cupy.ndarray, name):
            report("laxer", f"ndarray.{name} is not in CuPy")
        if name in NOT_CALLED or not hasattr(cupy.ndarray, name):
            continue

        def arguments(module, name=name):
            if name == "dot":
                return (module.asarray(HOST.T.copy()),)
            return ARGUMENTS.get(name, ())

        def method(module, name=name):
            return getattr(module.asarray(HOST), name)

        each_keyword(f"ndarray.{name}", strict, cupy, method, arguments, report)


def each_keyword(name, strict, cupy, function, arguments, report):
    """The same call on both, without a keyword and with each one."""
    for keyword in (None, *VALUES):
        options = {} if keyword is None else {keyword: VALUES[keyword]}
        mine, refused = called(function(strict), arguments(strict), options)
        if refused is not None:
            continue
        theirs, error = called(function(cupy), arguments(cupy), options)
        call = f"{name}({'' if keyword is None else keyword + '='})"
        if beyond(error):
            report("untried", call)
        elif error is not None:
            report("laxer", f"{call}: CuPy says {type(error).__name__}: {error}"[:160])
        elif isinstance(mine, strict.ndarray):
            a, b = mine._host, theirs.get()
            if a.dtype != b.dtype or a.shape != b.shape:
                report("differs", f"{call}: {a.dtype} {a.shape}, CuPy {b.dtype} {b.shape}")
            elif not name.startswith("empty") and not np.allclose(a, b, rtol=1e-5):
                report("differs", f"{call}: {a.ravel()[:4]}, CuPy {b.ravel()[:4]}")


def tables(cupy, copies_to_host, report):
    """The tables of test_strict.py, run on CuPy."""
    spec = importlib.util.spec_from_file_location("test_strict_on_cupy", TESTS / "test_strict.py")
    module = importlib.util.module_from_spec(spec)
    ours = sys.modules.pop("strict", None)
    sys.modules["strict"] = cupy
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules["strict"] = ours

    def numbers():
        return cupy.asarray(np.random.default_rng(0).standard_normal((2, 3)).astype("float32"))

    for name, (attempt, _) in module.REFUSED.items():
        _, error = called(attempt, (numbers(),), {})
        if error is None:
            report("stricter" if name in STRICTER else "differs", f"{name}: CuPy takes it")
    for table, is_read in ((module.READS, True), (module.FREE, False)):
        for name, function in table.items():
            x = numbers()
            with copies_to_host() as count:
                _, error = called(function, (x,), {})
            if beyond(error):
                report("untried", name)
            elif error is not None:
                report("differs", f"{name}: CuPy says {type(error).__name__}: {error}"[:160])
            elif count is not None and (count() > 0) != is_read:
                kind = "stricter" if name in STRICTER else "differs"
                report(kind, f"{name}: CuPy copies {count()} times to the host")
    for name, (compute, dtype) in module.DTYPES.items():
        result = compute(numbers())
        if type(result) is not cupy.ndarray or result.dtype != dtype:
            report("differs", f"{name}: CuPy gives {getattr(result, 'dtype', type(result))}")


def main():
    import contextlib

    sys.path[:0] = [str(TESTS), str(TESTS / "helpers")]
    import strict

    @contextlib.contextmanager
    def uncounted():
        yield None

    copies_to_host = uncounted
    if "--real" not in sys.argv:
        from emulated_card import card

        card.insert()

        @contextlib.contextmanager
        def copies_to_host():
            with card.counting() as counted:
                yield lambda: counted["to_host"]

    import cupy

    rows = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        functions(strict, cupy, lambda *row: rows.append(row))
        methods(strict, cupy, lambda *row: rows.append(row))
        tables(cupy, copies_to_host, lambda *row: rows.append(row))
    for kind, text in rows:
        print(f"{kind:9s} {text}")
    wrong = sum(kind in ("laxer", "differs") for kind, _ in rows)
    print(f"CuPy {cupy.__version__}: {wrong} places where the stand-in is laxer or differs")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
