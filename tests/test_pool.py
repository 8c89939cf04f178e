"""The memory pool: what is handed out is nobody else's as long as anything looks at it."""

import platform
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn import pool
from minirnn.pool import LEAST, MemoryPool

LARGE = LEAST // 6, 8


def address(array):
    return array.__array_interface__["data"][0]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 3)), max_size=40))
def test_no_two_arrays_in_use_share_memory(actions):
    """Arrays are made and dropped at random, and of some only a view is kept."""
    memory, held = MemoryPool(), []
    for step, (make, which, kind) in enumerate(actions):
        if make:
            array = memory.empty((LARGE[0] + 7000 * kind, 8), "float32")
            array[...] = step
            held.append((array[3:9, 2:5].T if kind == 1 else array, step))
        elif held:
            held.pop(which % len(held))
        for array, number in held:
            assert (array == number).all()


def test_memory_is_used_again_once_nothing_looks_at_it():
    memory = MemoryPool()
    array = memory.empty(LARGE, "float32")
    first, view, kept = address(array), array[1:].reshape(-1), memory.bytes
    del array
    array = memory.empty(LARGE, "float32")
    assert address(array) != first and memory.bytes == 2 * kept  # the view is still there
    del view
    array = memory.empty(LARGE, np.dtype("float32"))
    assert address(array) == first and memory.bytes == 2 * kept
    array = memory.empty((LARGE[0] - 50, 8), "float32")  # about as long
    assert memory.bytes == 2 * kept
    memory.empty(LARGE, "float64")  # another type
    assert memory.bytes == 4 * kept


def test_small_arrays_are_numpys():
    memory = MemoryPool()
    assert memory.empty((LEAST - 1,), "float32").base is None and memory.bytes == 0


def test_no_more_is_kept_than_allowed(monkeypatch):
    monkeypatch.setattr(pool, "MOST", 10 * LEAST)
    memory, held = MemoryPool(), []
    for number in range(12):
        held.append(memory.empty((LEAST,), "float32"))
        held[-1][...] = number
        assert memory.bytes <= pool.MOST
    assert all((array == number).all() for number, array in enumerate(held))


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, LEAST // 8, 8)])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_copy_keeps_the_order_in_memory(shape, swapped):
    array = np.random.default_rng(0).standard_normal(shape)
    array = array.swapaxes(0, 1) if swapped else array
    for result in (pool.copied(array), pool.empty_like(array)):
        assert result.shape == array.shape and result.strides == array.strides
    np.testing.assert_array_equal(pool.copied(array), array)
    assert not np.shares_memory(pool.copied(array), array)


@pytest.mark.parametrize(
    "a, b", [((3, 4), (4, 5)), ((200, 4), (2, 4, 300)), ((2, 200, 4), (4, 300))]
)
def test_products(a, b):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal(a), rng.standard_normal(b).astype("float32")
    result = pool.matmul(a, b)
    assert result.dtype == np.float64
    np.testing.assert_allclose(result, a @ b, rtol=1e-12)


def test_tools_that_look_at_variables_do_not_mislead_it():
    """A tracer that reads the local variables holds references to them for a while."""
    path = pool.__file__

    def trace(frame, event, argument):
        if frame.f_code.co_filename == path:
            frame.f_locals  # noqa: B018
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        memory = MemoryPool()
        first, second = memory.empty(LARGE, "float32"), memory.empty(LARGE, "float32")
    finally:
        sys.settrace(before)
    third = memory.empty(LARGE, "float32")
    assert len({address(array) for array in (first, second, third)}) == 3


def test_threads_get_memory_of_their_own():
    memory, wrong = MemoryPool(), []

    def work(number):
        for _ in range(300):
            arrays = [memory.empty(LARGE, "float32") for _ in range(3)]
            for k, array in enumerate(arrays):
                array[...] = 10 * number + k
            wrong.extend(1 for k, a in enumerate(arrays) if not (a == 10 * number + k).all())

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong


def test_nothing_is_kept_where_references_cannot_be_counted(monkeypatch):
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    memory = MemoryPool()
    assert memory.empty(LARGE, "float32").shape == LARGE and memory.bytes == 0
    monkeypatch.delattr(sys, "_is_gil_enabled")
    monkeypatch.delattr(sys, "getrefcount")
    assert MemoryPool().empty(LARGE, "float32").shape == LARGE


def test_an_array_larger_than_all_leaves_the_others_alone(monkeypatch):
    monkeypatch.setattr(pool, "MOST", 3 * 4 * LEAST)
    memory = MemoryPool()
    memory.empty(LARGE, "float32")
    kept = memory.bytes
    assert memory.empty((4 * LEAST,), "float32").shape == (4 * LEAST,) and memory.bytes == kept > 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_temporary_arrays_keep_their_memory():
    """In a new process, where nothing large has been freed yet: no new pages with each array."""
    code = """if True:
        import resource, numpy as np
        from minirnn.pool import empty

        def pages():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(50):
                [array * array for _ in range(20)]
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        array = np.ones(25600, "float32")  # 25 pages
        first = pages()
        empty((2**16,), "float32")
        pages()
        print(first, pages())
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert before > 50 * 200 and after < 50 * 20
