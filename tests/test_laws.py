"""Laws that every right recurrent net keeps, whatever its weights: no oracle is needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minirnn.batches import Sequences
from minirnn.cells import GRUBeforeCell
from minirnn.gradcheck.ladder import randomised
from minirnn.losses import CrossEntropy
from minirnn.models import StepModel
from minirnn.packing import pack, unpack
from minirnn.stacked import GRU, LSTM, RNN

D, H = 3, 4
MAKERS = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "gru-before": lambda *a, **o: GRU(*a, reset_after=False, **o),
}
each_net = pytest.mark.parametrize("name", MAKERS)
seeds = st.integers(0, 2**32 - 1)
lengths = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def net_of(name, seed, **options):
    rng = np.random.default_rng(seed)
    return randomised(MAKERS[name](D, H, rng=rng, dtype="float64", **options), rng), rng


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def run(net, x, sizes=None, state=None, doutput=None, dfinal=None, **options):
    """(output, final, dx, dstate, {name: gradient}) of one forward and one backward."""
    output, final, cache = net.forward(x, sizes, state, **options)
    net.zero_grad()
    dx, dstate = net.backward(doutput, cache, dfinal)
    return output, final, dx, dstate, {n: p.grad.copy() for n, p in net.named_parameters().items()}


def start(net, rng, N):
    return tuple(rng.standard_normal((len(net.layers), N, H)) for _ in net.layers[0].cell.states)


@each_net
@given(seed=seeds, ends=lengths, both=st.booleans(), layers=st.integers(1, 2))
def test_packed_is_one_at_a_time(name, seed, ends, both, layers):
    net, rng = net_of(name, seed, bidirectional=both, num_layers=layers)
    width = H * (2 if both else 1)
    xs = [rng.standard_normal((length, D)) for length in ends]
    dys = [rng.standard_normal((length, width)) for length in ends]
    state, dfinal = start(net, rng, len(ends)), start(net, rng, len(ends))
    rows, sizes, order = pack(xs)
    drows = pack(dys)[0]
    inside = [tuple(s[:, order] for s in group) for group in (state, dfinal)]
    output, final, dx, dstate, gradients = run(net, rows, sizes, inside[0], drows, inside[1])
    outputs, dxs = unpack(output, sizes, order), unpack(dx, sizes, order)
    total = {n: np.zeros_like(g) for n, g in gradients.items()}
    for k in range(len(ends)):
        alone = [tuple(s[:, [k]] for s in group) for group in (state, dfinal)]
        one = run(net, xs[k][:, None], None, alone[0], dys[k][:, None], alone[1])
        close(outputs[k], one[0][:, 0])
        close(dxs[k], one[2][:, 0])
        place = list(order).index(k)
        for mine, wanted in zip((*final, *dstate), (*one[1], *one[3]), strict=True):
            close(mine[:, place], wanted[:, 0])
        for n, g in one[4].items():
            total[n] += g
    for n in total:
        close(gradients[n], total[n])


@each_net
@given(seed=seeds, N=st.integers(1, 3))
def test_equal_lengths_packed_are_a_dense_batch(name, seed, N):
    net, rng = net_of(name, seed)
    x, dy = rng.standard_normal((4, N, D)), rng.standard_normal((4, N, H))
    dense = run(net, x, None, None, dy)
    packed = run(net, x.reshape(-1, D), [N] * 4, None, dy.reshape(-1, H))
    close(dense[0].reshape(-1, H), packed[0])
    close(dense[2].reshape(-1, D), packed[2])
    for n in dense[4]:
        close(dense[4][n], packed[4][n])


@each_net
@given(seed=seeds, cut=st.integers(1, 4))
def test_two_pieces_with_carried_state_are_the_whole(name, seed, cut):
    net, rng = net_of(name, seed, num_layers=2)
    x, dy = rng.standard_normal((5, 2, D)), rng.standard_normal((5, 2, H))
    state, dfinal = start(net, rng, 2), start(net, rng, 2)
    whole = run(net, x, None, state, dy, dfinal)
    first, middle, cache1 = net.forward(x[:cut], state=state)
    second, final, cache2 = net.forward(x[cut:], state=middle)
    net.zero_grad()
    dx2, dmiddle = net.backward(dy[cut:], cache2, dfinal)
    dx1, dstate = net.backward(dy[:cut], cache1, dmiddle)
    close(whole[0], np.concatenate([first, second]))
    close(whole[2], np.concatenate([dx1, dx2]))
    for mine, wanted in zip((*final, *dstate), (*whole[1], *whole[3]), strict=True):
        close(mine, wanted)
    for n, p in net.named_parameters().items():
        close(p.grad, whole[4][n])


@each_net
@given(seed=seeds)
def test_full_length_truncation_is_none(name, seed):
    net, rng = net_of(name, seed)
    x, dy = rng.standard_normal((5, 2, D)), rng.standard_normal((5, 2, H))
    full, cut = run(net, x, None, None, dy), run(net, x, None, None, dy, truncate=5)
    for n in full[4]:
        np.testing.assert_array_equal(full[4][n], cut[4][n])


def test_truncation_is_refused_where_it_has_no_meaning():
    net, rng = net_of("lstm", 0, bidirectional=True)
    with pytest.raises(ValueError, match="bidirectional"):
        net.forward(rng.standard_normal((4, 2, D)), truncate=2)


@each_net
@given(seed=seeds, both=st.booleans())
def test_permuting_the_batch_permutes_the_results(name, seed, both):
    net, rng = net_of(name, seed, bidirectional=both)
    x, order = rng.standard_normal((4, 5, D)), rng.permutation(5)
    dy = rng.standard_normal((4, 5, H * (2 if both else 1)))
    a, b = run(net, x, None, None, dy), run(net, x[:, order], None, None, dy[:, order])
    close(a[0][:, order], b[0])
    close(a[2][:, order], b[2])
    for n in a[4]:
        close(a[4][n], b[4][n])


@each_net
@given(seed=seeds, ends=lengths)
def test_reverse_direction_is_forward_on_reversed_sequences(name, seed, ends):
    both, rng = net_of(name, seed, bidirectional=True)
    alone = MAKERS[name](D, H, rng=rng, dtype="float64")
    for p, q in zip(alone.parameters(), both.layers[1].parameters(), strict=True):
        p.data[...] = q.data
    xs = [rng.standard_normal((length, D)) for length in ends]
    rows, sizes, order = pack(xs)
    backwards = pack([x[::-1] for x in xs])[0]
    mine = unpack(both.forward(rows, sizes)[0], sizes, order)
    wanted = unpack(alone.forward(backwards, sizes)[0], sizes, order)
    for a, b in zip(mine, wanted, strict=True):
        close(a[:, H:], b[::-1])
    close(both.forward(rows, sizes)[1][0][1], alone.forward(backwards, sizes)[1][0][0])


@each_net
@given(seed=seeds)
def test_swapped_directions_swap_the_halves(name, seed):
    net, rng = net_of(name, seed, bidirectional=True)
    x = rng.standard_normal((4, 2, D))
    before, _, _ = net.forward(x)
    net.layers.reverse()
    after, _, _ = net.forward(x[::-1])
    close(after[::-1], np.concatenate([before[..., H:], before[..., :H]], axis=-1))


@each_net
@given(seed=seeds, ends=lengths)
def test_stacking_is_feeding_by_hand(name, seed, ends):
    net, rng = net_of(name, seed, num_layers=2)
    rows, sizes, _ = pack([rng.standard_normal((length, D)) for length in ends])
    middle, _, _ = net.layers[0].forward(rows, sizes)
    output, _, _ = net.layers[1].forward(middle, sizes)
    np.testing.assert_array_equal(net.forward(rows, sizes)[0], output)


@each_net
@given(seed=seeds)
def test_permuting_hidden_units_changes_nothing_else(name, seed):
    net, rng = net_of(name, seed)
    x, order = rng.standard_normal((4, 2, D)), rng.permutation(H)
    before, _, _ = net.forward(x)
    layer = net.layers[0]
    layer.Wx.data[...] = layer.Wx.data[..., order]
    layer.Wh.data[...] = layer.Wh.data[:, order][..., order]
    layer.bx.data[...], layer.bh.data[...] = layer.bx.data[:, order], layer.bh.data[:, order]
    close(net.forward(x)[0], before[..., order])


@each_net
@given(seed=seeds, factor=st.floats(-3, 3).filter(lambda f: abs(f) > 0.01))
def test_backward_is_linear_in_the_upstream_gradient(name, seed, factor):
    net, rng = net_of(name, seed, num_layers=2)
    x = rng.standard_normal((4, 2, D))
    u, v = rng.standard_normal((2, 4, 2, H))
    a, b = run(net, x, None, None, u), run(net, x, None, None, v)
    c = run(net, x, None, None, u + factor * v)
    close(c[2], a[2] + factor * b[2])
    for n in a[4]:
        close(c[4][n], a[4][n] + factor * b[4][n])


@given(seed=seeds)
def test_doubling_the_loss_doubles_its_gradient(seed):
    rng = np.random.default_rng(seed)
    loss, logits = CrossEntropy(), rng.standard_normal((3, 4))
    _, cache = loss.forward(logits, np.array([0, 3, 1]))
    np.testing.assert_array_equal(loss.backward(cache, 2.0), 2 * loss.backward(cache))


@given(seed=seeds)
def test_ignored_labels_have_no_gradient_and_no_say(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.standard_normal((5, 4)), np.array([2, -1, 0, -1, 3])
    loss = CrossEntropy(ignore_index=-1)
    value, cache = loss.forward(logits, labels)
    kept = labels != -1
    alone, alone_cache = CrossEntropy().forward(logits[kept], labels[kept])
    close(value, alone)
    assert not loss.backward(cache)[~kept].any()
    close(loss.backward(cache)[kept], CrossEntropy().backward(alone_cache))


def test_lstm_with_open_forget_and_shut_input_gate_keeps_its_cell():
    net, rng = net_of("lstm", 0)
    layer = net.layers[0]
    layer.bx.data[0], layer.bx.data[1] = -1e3, 1e3  # i = 0, f = 1
    state = start(net, rng, 2)
    _, final, _ = net.forward(rng.standard_normal((6, 2, D)), state=state)
    np.testing.assert_array_equal(final[1], state[1])


@pytest.mark.parametrize("name", ["gru", "gru-before"])
def test_gru_with_z_at_keep_is_the_identity(name):
    net, rng = net_of(name, 0)
    net.layers[0].bx.data[1] = 1e3  # z = 1
    state = start(net, rng, 2)
    _, final, _ = net.forward(rng.standard_normal((6, 2, D)), state=state)
    close(final[0], state[0])  # n + z (h_prev - n) may round


@each_net
@given(seed=seeds, ends=lengths, both=st.booleans())
def test_ids_are_one_hot_rows(name, seed, ends, both):
    net, rng = net_of(name, seed, bidirectional=both)
    ids, sizes, _ = pack([rng.integers(0, D, length) for length in ends])
    dy = rng.standard_normal((len(ids), H * (2 if both else 1)))
    a, b = run(net, ids, sizes, None, dy), run(net, np.eye(D)[ids], sizes, None, dy)
    close(a[0], b[0])
    assert a[2] is None
    for n in a[4]:
        close(a[4][n], b[4][n])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", GRUBeforeCell])
@given(seed=seeds, ends=lengths, both=st.booleans(), layers=st.integers(1, 2), V=st.integers(4, 8))
def test_an_embedding_and_its_layers(cell, seed, ends, both, layers, V):
    """One after the other they say what the model says, however few or many the letters are."""
    rng = np.random.default_rng(seed)
    net = StepModel(V, 3, rng=rng, cell=cell, hidden_size=H, embedding=D, bidirectional=both,
                    num_layers=layers, dtype="float64")  # fmt: skip
    data = Sequences([rng.integers(0, V, length) for length in ends],
                     targets=[np.zeros(length, int) for length in ends])  # fmt: skip
    batch = data.batch(np.arange(len(ends)))
    y, cache = net.forward(batch)
    assert (cache.recurrent.stack is net.recurrent) == (len(batch.x) < V or V > 2 * D)
    dy = rng.standard_normal(y.shape)
    for _ in range(2):  # backward twice gives it twice
        assert net.backward(dy, cache) is None
    found = {n: p.grad / 2 for n, p in net.named_parameters().items()}

    net.zero_grad()
    x, ids = net.embedding.forward(batch.x)
    output, _, inner = net.recurrent.forward(x, batch.sizes)
    wanted, outer = net.linear.forward(output)
    dx, _ = net.recurrent.backward(net.linear.backward(dy, outer), inner)
    net.embedding.backward(dx, ids)
    close(y, wanted)
    for n, p in net.named_parameters().items():
        close(found[n], p.grad)


@each_net
def test_only_the_final_state_in_the_loss(name):
    """No output gradient at all: the pattern on which an older library gave NaN (chainer #2505)."""
    net, rng = net_of(name, 1)
    x, dfinal = rng.standard_normal((4, 2, D)), start(net, rng, 2)
    a, b = run(net, x, dfinal=dfinal), run(net, x, doutput=np.zeros((4, 2, H)), dfinal=dfinal)
    close(a[2], b[2])


@each_net
def test_backward_twice_gives_twice_and_changes_nothing(name):
    net, rng = net_of(name, 2, bidirectional=True, num_layers=2)
    x, dy = rng.standard_normal((4, 2, D)), rng.standard_normal((4, 2, 2 * H))
    before = x.copy(), dy.copy()
    _, final, cache = net.forward(x)
    net.zero_grad()
    dx, _ = net.backward(dy, cache, final)
    once = [p.grad.copy() for p in net.parameters()]
    again, _ = net.backward(dy, cache, final)
    np.testing.assert_array_equal(dx, again)
    for p, g in zip(net.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad, 2 * g)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(dy, before[1])


@each_net
def test_nothing_handed_out_is_a_view_of_something_kept(name):
    net, rng = net_of(name, 3)
    x, dy = rng.standard_normal((4, 2, D)), rng.standard_normal((4, 2, H))
    output, final, cache = net.forward(x)
    net.zero_grad()
    wanted = net.backward(dy, cache)[0].copy()
    output[...] = np.nan
    for array in final:
        array[...] = np.nan
    dx, dstate = net.backward(dy, cache)
    np.testing.assert_array_equal(dx, wanted)
    dx[...] = np.nan
    dstate[0][...] = np.nan
    np.testing.assert_array_equal(net.backward(dy, cache)[0], wanted)
