"""Products in pieces are products, however the pieces fall, and the pieces are small."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minirnn import blocks
from minirnn.blocks import Blocks, sum_of_products, times


@given(
    n=st.integers(1, 40),
    D=st.sampled_from([1, 8, 24]),
    K=st.sampled_from([1, 5, 8, 16, 24]),
    gates=st.integers(1, 4),
    each=st.booleans(),
    turned=st.booleans(),
    one_thread=st.booleans(),
    small=st.sampled_from([300, 700, 2000]),
)
@example(n=37, D=24, K=16, gates=3, each=False, turned=False, one_thread=True, small=2000)
@example(n=37, D=24, K=16, gates=3, each=True, turned=True, one_thread=True, small=2000)
@example(n=13, D=24, K=24, gates=2, each=False, turned=False, one_thread=False, small=2000)
def test_a_product_in_pieces_is_the_product(n, D, K, gates, each, turned, one_thread, small):
    """v for all gates or for each, W in order or transposed, blocks of 8 columns of few rows."""
    rng = np.random.default_rng(0)
    v = rng.standard_normal((gates, n, D) if each else (n, D))
    W = rng.standard_normal((gates, K, D)).swapaxes(1, 2) if turned else None
    W = rng.standard_normal((gates, D, K)) if W is None else W
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "COLUMNS", 8)
        patch.setattr(blocks, "SMALL", small)
        patch.setattr(blocks, "ONE_THREAD", one_thread)
        found = Blocks(W).product(v)
        one = times(W[0], n)(v[0] if each else v)
    np.testing.assert_allclose(found, v @ W, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(one, (v[0] if each else v) @ W[0], rtol=1e-12, atol=1e-12)


@given(
    S=st.integers(1, 60),
    D=st.sampled_from([1, 3, 8, 12]),
    K=st.sampled_from([1, 5, 8, 16]),
    gates=st.integers(1, 4),
    side_by_side=st.booleans(),
    one_thread=st.booleans(),
    small=st.sampled_from([40, 1100, 1600]),
)
@example(S=50, D=12, K=16, gates=3, side_by_side=True, one_thread=True, small=2100)
@example(S=50, D=3, K=16, gates=2, side_by_side=False, one_thread=False, small=1600)
def test_a_sum_in_pieces_is_the_sum(S, D, K, gates, side_by_side, one_thread, small):
    """The gradient of a weight: in pieces of rows, and of the gradient's rows and columns."""
    rng = np.random.default_rng(0)
    v, da = rng.standard_normal((S, D)), rng.standard_normal((gates, S, K))
    if side_by_side:
        da = da.swapaxes(0, 1).copy().swapaxes(0, 1)
    out = np.full((gates, D, K), np.nan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "COLUMNS", 8)
        patch.setattr(blocks, "ROWS", 4)
        patch.setattr(blocks, "LEAST_ROWS", 8)
        patch.setattr(blocks, "SMALL", small)
        patch.setattr(blocks, "ONE_THREAD", one_thread)
        sum_of_products(v, da, out)
    np.testing.assert_allclose(out, v.T @ da, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("one_thread", [True, False])
@pytest.mark.parametrize(
    "S, D, H", [(40, 128, 128), (400, 58, 128), (400, 128, 256), (9000, 128, 128), (600, 77, 2000)]
)
def test_pieces_of_a_sum_are_small_and_not_for_nothing(monkeypatch, one_thread, S, D, H):
    shapes, real = [], np.matmul

    def remember(a, b, out):
        shapes.append((*a.shape[-2:], b.shape[-1]))
        return real(a, b, out=out)

    monkeypatch.setattr(blocks, "ONE_THREAD", one_thread)
    monkeypatch.setattr(blocks.np, "matmul", remember)
    v, da = np.ones((S, D), "float32"), np.ones((1, S, H), "float32")
    sum_of_products(v, da, np.empty((1, D, H), "float32"))
    cut = S * D * H > blocks.SMALL and H < 2000 and (one_thread or S * D * H <= 8 * blocks.SMALL)
    assert (len(shapes) > 1 or shapes[0] != (D, S, H)) == cut
    assert not cut or all(m * n * k <= blocks.SMALL for m, n, k in shapes)


@pytest.mark.parametrize("one_thread", [True, False])
@pytest.mark.parametrize("H", [128, 200, 256, 512, 4096])
@pytest.mark.parametrize("n", [4, 16, 17, 64, 120, 250])
def test_pieces_are_small_and_not_for_nothing(monkeypatch, one_thread, H, n):
    """A product that is cut up has pieces of at most `SMALL` multiplications; with more threads
    than one only few rows are cut, or up to twice `SMALL`; what is small is not cut, and what would
    stay large neither."""
    W, pieces = np.zeros((1, H, H), "float32"), []

    def remember(self, v, out, rows):
        pieces.append((rows, self.columns))
        out[...] = 0

    monkeypatch.setattr(blocks, "ONE_THREAD", one_thread)
    monkeypatch.setattr(Blocks, "_multiply", remember)
    Blocks(W).product(np.zeros((n, H), "float32"))
    cut = n * H * H > blocks.SMALL and H < 4096
    cut &= one_thread or n <= blocks.FEW or n * H * H <= 2 * blocks.SMALL
    assert bool(pieces) == cut
    assert all(rows * columns * H <= blocks.SMALL for rows, columns in pieces)
