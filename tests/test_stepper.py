"""The stepper: its numbers are the library's, its equations the source's, names are escaped."""

import base64
import html
import inspect
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from other_cells import MGUCell, PeepholeLSTMCell
from stepper_pages import Runs, command, saved

from minirnn import cells
from minirnn.batches import Sequences
from minirnn.functions import sigmoid, tanh
from minirnn.losses import CrossEntropy
from minirnn.models import NameClassifier
from minirnn.recurrent import Recurrent
from minirnn.stepper import demo, drawing
from minirnn.stepper.equations import equations
from minirnn.stepper.export import kind_of, run_of
from minirnn.stepper.page import page
from minirnn.stepper.trace import watched
from minirnn.storage.checkpoints import save_net

DOCS = str(Path(__file__).resolve().parent.parent / "docs")
sys.path.insert(0, DOCS)
try:
    import recall
finally:
    sys.path.remove(DOCS)

IDS = np.array([10, 3, 3, 7, 1])


def plain(text):
    """An equation without its HTML: a subscript stands behind _, a superscript behind ^."""
    text = re.sub("<sub>(.*?)</sub>", r"_{\1}", text)
    return html.unescape(re.sub("<sup>(.*?)</sup>", r"^{\1}", text))


def net_of(cell, **options):
    rng = np.random.default_rng(3)
    net = NameClassifier(58, 4, rng=rng, cell=cell, hidden_size=6, **options)
    for p in net.parameters():
        p.data[...] = rng.standard_normal(p.shape)
    return net


def shown(net, label=2, layer=0):
    """{(phase, variable, line): values} as a page would hold them."""
    kind = kind_of(net, "net")
    run = run_of(net, kind, IDS, label, layer)
    kind = kind["layers"][layer]
    flat = np.frombuffer(base64.b64decode(run["values"]), "<f4")
    T, H, found, start = len(IDS), net.recurrent.hidden_size, {}, 0
    for panel in kind["panels"]:
        if panel["phase"] != "sum":
            values = flat[start : start + T * H].reshape(T, H)
            start += T * H
            assert not np.isnan(values).any(), panel["variable"]
            found[panel["phase"], panel["variable"]] = values
    factors = {None: np.ones((T, 1))}
    for factor in kind["factors"]:
        size = T * factor["width"]
        factors[factor["name"]] = flat[start : start + size].reshape(T, -1)
        start += size
    assert start == len(flat)
    letters = IDS[::-1] if kind["reversed"] else IDS
    factors["letter"] = np.eye(58)[letters]
    for panel in kind["panels"]:
        if panel["phase"] == "sum":
            left, right = factors[panel["left"]], factors[panel["right"]]
            assert left.shape[1] == panel["rows"]
            shares = left[:, :, None] * right[:, None]
            found["sum", panel["variable"]] = shares.sum(axis=0, dtype=np.float64)
    return found, run


def of_library(net, label=2):
    """The same net without a trace: the gates of `Recurrent`, and gradients step by step."""
    batch = Sequences([IDS], [label], 4, 58).batch(np.array([0]))
    loss = CrossEntropy()
    net.zero_grad()
    logits, cache = net.forward(batch)
    value, loss_cache = loss.forward(logits, batch.labels)
    net.backward(loss.backward(loss_cache), cache)
    return float(value)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_numbers_are_the_librarys(cell):
    net = net_of(cell)
    found, run = shown(net)
    assert run["loss"] == pytest.approx(of_library(net), rel=1e-6)
    layer = net.recurrent.layers[0]
    output, final, cache = Recurrent.forward(layer, IDS, [1] * len(IDS))
    np.testing.assert_allclose(found["forward", "h"], output, rtol=1e-5, atol=1e-6)
    for name, gate in Recurrent.gates(layer, cache).items():
        np.testing.assert_allclose(found["forward", name], gate, rtol=1e-5, atol=1e-6)
    if cell == "lstm":
        np.testing.assert_allclose(found["forward", "c"][-1], final[1][0], rtol=1e-5)
        np.testing.assert_allclose(found["forward", "c_prev"][1:], found["forward", "c"][:-1])
    # What a step hands back is what the step before is given.
    np.testing.assert_array_equal(found["backward", "dh_prev"][1:], found["backward", "dh"][:-1])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_gradients_of_the_states_are_those_of_a_cut_net(cell):
    """dh before step t is what `Recurrent` says of the state of a net that begins there."""
    net = net_of(cell)
    found, _ = shown(net)
    layer = net.recurrent.layers[0]
    last = found["backward", "dh"][-1][None]
    dfinal = (last, *[None] * (len(layer.cell.states) - 1))
    for t in range(1, len(IDS)):
        _, state, _ = Recurrent.forward(layer, IDS[:t], [1] * t)
        rest = len(IDS) - t
        _, _, cache = Recurrent.forward(layer, IDS[t:], [1] * rest, state)
        _, dstate = Recurrent.backward(layer, None, cache, dfinal)
        for name, d in zip(layer.cell.states, dstate, strict=True):
            np.testing.assert_allclose(
                found["backward", f"d{name}_prev"][t], d[0], rtol=1e-4, atol=1e-6
            )


@pytest.mark.parametrize("biases", [0, 1, 2])
@pytest.mark.parametrize(
    "cell, options",
    [
        ("rnn", {}), ("lstm", {}), ("gru", {}), (cells.GRUBeforeCell, {}), (MGUCell, {}),
        ("lstm", {"embedding": 5}), ("gru", {"num_layers": 2, "bidirectional": True}),
    ],
)  # fmt: skip
def test_the_sums_are_the_gradients_of_the_parameters(cell, options, biases):
    """All of them, and no other; the library's own were added up by its fast loops."""
    net = net_of(cell, biases=biases, **options)
    for k, layer in enumerate(net.recurrent.layers):
        found, _ = shown(net, layer=k)
        of_library(net)
        sums = {name: values for (phase, name), values in found.items() if phase == "sum"}
        for name, p in layer.named_parameters().items():
            for place, gate in enumerate(layer.cell.gates):
                values = sums.pop(f"d{name}_{gate}")
                most = abs(p.grad).max()
                np.testing.assert_allclose(values.squeeze(), p.grad[place], atol=2e-6 * most)
        assert sums == {}


def test_the_first_layers_input_is_letters_or_their_embedding():
    """gx is a row of Wx where a letter goes in, also below other layers, and else a product."""
    for options, expected in [
        ({"num_layers": 2}, [True, False]), ({"embedding": 5}, [False]),
        ({"num_layers": 2, "embedding": 5, "bidirectional": True}, [False] * 4),
    ]:  # fmt: skip
        layers = kind_of(net_of("gru", **options), "net")["layers"]
        assert [layer["letters"] for layer in layers] == expected
        for layer in layers:
            panel = next(p for p in layer["panels"] if p["variable"] == "gx_n")
            weights = "row x_{t} of W_{x,n}" if layer["letters"] else "x_{t} W_{x,n}"
            assert plain(panel["equal"]) == f"gx_{{n}} = {weights} + b_{{x,n}}"
            assert ("take" if layer["letters"] else "x @ Wx") in panel["code"]
    (layer,) = kind_of(net_of("lstm"), "net")["layers"]
    assert plain(layer["panels"][0]["equal"]) == "gx_{i} = row x_{t} of W_{x,i} + b_{x,i} + b_{h,i}"
    (layer,) = kind_of(net_of("lstm", biases=0), "net")["layers"]
    assert plain(layer["panels"][0]["equal"]) == "gx_{i} = row x_{t} of W_{x,i}"


@pytest.mark.parametrize("cell", [cells.GRUBeforeCell, MGUCell])
def test_other_cells_are_shown_too(cell):
    found, _ = shown(net_of(cell))
    for phase, variable in [("forward", "h"), ("backward", "dh_prev"), ("forward", "n")]:
        assert (phase, variable) in found


def test_every_layer_and_direction_can_be_shown():
    net = net_of("lstm", num_layers=2, bidirectional=True, embedding=5)
    layers = kind_of(net, "net")["layers"]
    assert [layer["reversed"] for layer in layers] == [False, True, False, True]
    assert layers[3]["name"] == "2, read from the end"
    values = [shown(net, layer=k)[0]["forward", "h"] for k in range(4)]
    batch = Sequences([IDS], [2], 4, 58).batch(np.array([0]))
    x, _ = net.embedding.forward(batch.x)
    _, state, _ = net.recurrent.forward(x, batch.sizes)
    for k in range(4):
        np.testing.assert_allclose(values[k][-1], state[0][k, 0], rtol=1e-4, atol=1e-6)


def test_a_trace_leaves_the_net_as_it_was():
    net = net_of("gru")
    before = net.state_dict()
    shown(net)
    assert type(net.recurrent.layers[0].cell) is cells.GRUCell
    assert all(np.array_equal(a, before[name]) for name, a in net.state_dict().items())


def test_values_are_noted_at_their_line_and_moment():
    def f(x):
        y = x + 1
        y = (
            y * 2  #
        )
        a, b = y, -y
        return a + b

    result, noted = watched(f, 1.0)
    first = inspect.getsourcelines(f)[1]
    assert result == 0.0
    assert noted == [
        (first + 1, "y", 2.0), (first + 2, "y", 4.0), (first + 5, "a", 4.0), (first + 5, "b", -4.0)
    ]  # fmt: skip


def test_a_value_that_is_changed_in_place_is_noted_as_it_was():
    def f(x):
        y = x * 2
        y += 1
        return y

    noted = watched(f, np.ones(2))[1]
    assert [value.tolist() for _, _, value in noted] == [[2, 2], [3, 3]]


class NamedGates(cells.GRUBeforeCell):
    """The product's gates are given by name."""

    def forward(self, gx, state, product):
        (h_prev,) = state
        n = tanh(gx[2] + product(h_prev, gates="n"))
        which = "n"
        r = sigmoid(gx[0] + product(h_prev, which))
        return (n,), (r,)


def test_gates_that_are_given_by_name_stand_in_the_equation():
    found = [plain(e.equal) for e in equations(NamedGates(), "forward")]
    assert "n = tanh(gx_{n} + h_{t−1} W_{h,n})" in found
    assert any("product(h_prev, which)" in text for text in found)


def test_equations_are_those_of_the_chapters():
    lstm = {e.variable: plain(e.equal) for e in equations(cells.LSTMCell(), "forward")}
    assert lstm["c"] == "c_{t} = f ⊙ c_{t−1} + i ⊙ g"
    assert lstm["ai"] == "a_{i} = gx_{i} + h_{t−1} W_{h,i}"
    back = [plain(e.equal) for e in equations(cells.LSTMCell(), "backward")]
    assert "dc_{t} ← dc_{t} + dh_{t} ⊙ o ⊙ (1 − (tanh c_{t})^{2})" in back
    assert "dh_{t−1} = Σ_{k} da_{k} W_{h,k}^{⊤}" in back
    rnn = [plain(e.equal) for e in equations(cells.RNNCell(), "backward")]
    assert "da = dh_{t} ⊙ (1 − h_{t}^{2})" in rnn and "dh_{t−1} = da W_{h}^{⊤}" in rnn
    gru = [plain(e.equal) for m in ("forward", "backward") for e in equations(cells.GRUCell(), m)]
    assert "product_{n} = h_{t−1} W_{h,n} + b_{h,n}" in gru
    assert "dr = da_{n} ⊙ product_{n}" in gru
    before = [plain(e.equal) for e in equations(cells.GRUBeforeCell(), "forward")]
    assert "n = tanh(gx_{n} + (r ⊙ h_{t−1}) W_{h,n})" in before


@pytest.mark.parametrize("cell", [cells.LSTMCell, cells.GRUCell, cells.RNNCell, MGUCell])
def test_equations_name_the_line_that_makes_the_value(cell):
    for method in ("forward", "backward"):
        lines, first = inspect.getsourcelines(getattr(cell, method))
        for e in equations(cell(), method):
            line = lines[e.line - first]
            assert e.variable in line or "return" in line


def test_what_is_not_known_stands_as_in_the_code():
    found = {e.variable: e.equal for e in equations(PeepholeLSTMCell(4), "forward")}
    assert found["pi"].endswith("self.p.data")


def drawn(cell):
    """{(from, to)} of the lines, {variable: name of its gradient} of the boxes, and the panels."""
    (layer,) = kind_of(net_of(cell), "net")["layers"]
    text = layer["drawing"]
    lines = re.findall(r'data-from="([^"]*)" data-to="([^"]*)"', text)
    boxes = re.findall(r'data-forward="([^"]*)" data-backward="([^"]*)"', text)
    uses = {(start, end) for starts, end in lines for start in starts.split()}
    return uses, dict(boxes), layer["panels"]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", cells.GRUBeforeCell])
def test_the_drawing_has_a_box_for_every_value_and_a_line_for_every_use(cell):
    uses, boxes, panels = drawn(cell)
    forward = {p["variable"]: p for p in panels if p["phase"] == "forward"}
    backward = {p["variable"] for p in panels if p["phase"] == "backward"}
    assert boxes.keys() == forward.keys()
    assert {*boxes.values()} - {""} == backward - {"dreset"}  # of r h_prev, which has no name
    assert {v for v, gradient in boxes.items() if not gradient} <= {"tanh_c"}
    names = {"gx": "gx_h"} | {plain(p["name"]): v for v, p in forward.items()}
    wanted = set()
    for variable, panel in forward.items():
        right = plain(panel["equal"]).partition(" = ")[2]
        words = re.findall(r"tanh c_\{t\}|[^\W_]+(?:_\{[^}]*\})?", right)
        wanted |= {(names[word], variable) for word in words if word in names}
    assert uses == wanted


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", cells.GRUBeforeCell])
def test_the_drawing_says_which_gradient_is_a_boxs(cell):
    """That of a sum is handed on to what it is a sum of, so their boxes share it."""
    boxes = drawn(cell)[1]
    shared = {"rnn": {"gx_h": "da", "a": "da"}, "lstm": {"gx_f": "daf", "af": "daf", "f": "df"},
              "gru": {"gx_n": "dan", "product_n": "dproduct_n", "product_r": "dar"}}  # fmt: skip
    assert shared.get(cell, {"gx_n": "dan", "ar": "dar"}).items() <= boxes.items()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", cells.GRUBeforeCell])
def test_nothing_lies_on_another_in_the_drawing(cell):
    """No box on a box, and no line through one."""
    plan = drawing.PLANS[type(net_of(cell).recurrent.layers[0].cell)]
    things = {name: drawing.middle(place) for name, place in (plan.boxes | plan.signs).items()}
    lines = [line.split() for line in plan.lines.split(",")]
    for line in lines:
        text = drawing.join(plan, [(start, end) for start, _, end in lines], *line)
        points = [tuple(map(float, p.split())) for p in re.search('d="M(.*?)"', text)[1].split("L")]
        for (x0, y0), (x1, y1) in pairwise(points):
            assert x0 == x1 or y0 == y1, line
            for name, (x, y) in things.items():
                half, down = (10, 10) if name in plan.signs else (drawing.HALF, drawing.DOWN)
                across = min(x0, x1) < x + half and max(x0, x1) > x - half
                assert not across or not min(y0, y1) < y + down or not max(y0, y1) > y - down, (
                    line, name)  # fmt: skip


def test_a_cell_of_ones_own_has_no_drawing():
    assert kind_of(net_of(MGUCell), "net")["layers"][0]["drawing"] is None


@pytest.fixture(scope="module")
def shown_on_the_site():
    """What the site's page draws: trained once for all tests."""
    data = demo.data()
    return data | {"runs": Runs(data)}


def test_the_demo_is_small_and_has_learned(shown_on_the_site):
    data = shown_on_the_site
    assert len(page(data)) < 300_000
    last = len(data["epochs"]) - 1
    for k in range(len(data["kinds"])):
        losses = [
            np.mean([data["runs"][f"{k}/{n}/{e}/0"]["loss"] for n in range(len(data["names"]))])
            for e in (0, last)
        ]
        assert losses[1] < losses[0] / 2


# The command


def test_command_writes_a_page_of_its_own(tmp_path, capsys):
    model, out = saved(tmp_path / "model.npz"), tmp_path / "out.html"
    name = "</script><img src=x onerror=alert(1)> O'Brien"
    assert command(name, "Müller", "--model", model, "-o", out) == 0
    assert "out.html" in capsys.readouterr().out
    text = out.read_text(encoding="utf-8")
    assert "<img" not in text and text.count("</script>") == 2
    assert not re.search(r"(src|href)=|https?://", text)
    data = json.loads(re.search(r'id="stepper-data">(.*?)</script>', text, re.S)[1])
    assert [n["text"] for n in data["names"]][1] == "Muller"
    assert len(data["kinds"][0]["layers"]) == 2 and data["guessed"]


def test_a_net_that_guesses_no_language_has_no_steps_to_show(tmp_path, capsys):
    settings = {"net": "StepModel", "model": "lstm", "alphabet": "ab", "hidden_size": 2,
                "num_layers": 1, "bidirectional": False, "embedding": 2}  # fmt: skip
    save_net(tmp_path / "text.npz", NameClassifier.from_settings(settings), settings)
    assert command("ab", "--model", tmp_path / "text.npz", "-o", tmp_path / "out.html") == 2
    error = capsys.readouterr().err
    assert "text.npz holds a StepModel, which guesses no language; give" in error


def test_several_models_make_a_slider(tmp_path, capsys):
    """From the first to the last that is named; they must be of one kind."""
    first, last = saved(tmp_path / "epoch-000.npz"), saved(tmp_path / "epoch-001.npz", seed=1)
    out = tmp_path / "out.html"
    assert command("Anna", "--model", first, last, "--language", "Portuguese", "-o", out) == 0
    data = json.loads(
        re.search(r'id="stepper-data">(.*?)</script>', out.read_text("utf-8"), re.S)[1]
    )
    assert data["epochs"] == ["epoch-000", "epoch-001"]
    assert sorted(data["runs"]) == ["0/0/0/0", "0/0/0/1", "0/0/1/0", "0/0/1/1"]
    assert data["runs"]["0/0/0/0"]["loss"] != data["runs"]["0/0/1/0"]["loss"]
    other = saved(tmp_path / "other.npz", hidden_size=6)
    assert command("Anna", "--model", first, other, "-o", out) == 2
    error = capsys.readouterr().err
    assert "other.npz has another hidden_size than" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["Ann", "--model", "nothing.npz"], "there is no file nothing.npz"),
        (["...", "--model", "MODEL"], "no letter"),
        (["李", "--model", "MODEL"], "no letter"),
        (["Ann", "--model", "MODEL", "--language", "X\x1b"], "there is no language X\\x1b"),
        (["Ann", "--model", "MODEL", "-o", "no/such/folder/x.html"], "cannot be written"),
        (["Ann", "--model", "MODEL", "--cell", "missing.py:Cell"], "no file missing.py"),
        (["Ann", "--model", "OTHER"], "does not fit"),
        (["Ann", "--model", "MODEL", "--cell", "mine.py:Mine"], "--cell is Mine, but the net's"),
    ],
)
def test_command_refuses_in_one_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "MODEL")
    saved(tmp_path / "OTHER", model="mycell")
    lines = "from minirnn.cells import LSTMCell as L\nclass Mine(L): pass"
    (tmp_path / "mine.py").write_text(lines)
    assert command(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and error.startswith("error: ")


def panel_values(data, key, phase, variable):
    """[T, H] of a panel; of the last one where several have this name."""
    kind, name, *_ = (int(k) for k in key.split("/"))
    layer, H = data["kinds"][kind]["layers"][0], data["kinds"][kind]["hidden"]
    T = len(data["names"][name]["ids"])
    flat = np.frombuffer(base64.b64decode(data["runs"][key]["values"]), "<f4")
    panels = [(p["phase"], p["variable"]) for p in layer["panels"] if p["phase"] != "sum"]
    k = max(k for k, panel in enumerate(panels) if panel == (phase, variable))
    return flat[k * T * H : (k + 1) * T * H].reshape(T, H)


def backward_norms(data, kind, name, epoch, variable="dh"):
    """The size of the gradient at each letter."""
    values = panel_values(data, f"{kind}/{name}/{epoch}/0", "backward", variable)
    return np.linalg.norm(values, axis=1)


def test_the_page_says_what_the_nets_show(shown_on_the_site):
    """What docs/stepper.md says of the gradients, and of the untrained gates."""
    data = shown_on_the_site
    names, last = range(len(data["names"])), len(data["epochs"]) - 1

    def ratio(kind, name, epoch):
        sizes = backward_norms(data, kind, name, epoch)
        return sizes[0] / sizes[-1]

    assert [kind["label"] for kind in data["kinds"]] == ["RNN", "LSTM", "GRU"]
    assert all(ratio(kind, name, 0) < 0.25 for kind in range(3) for name in names)
    untrained = [ratio(0, name, 0) for name in names]
    assert max(untrained) < 1 / 20 and sum(r < 1e-3 for r in untrained) >= 2
    more = [ratio(0, name, last) > ratio(1, name, last) for name in names]
    assert sum(more) == 4 and len(more) == 6
    assert max(ratio(0, name, last) for name in names) > 2
    for name in names:
        for gate in "ifo":
            gates = panel_values(data, f"1/{name}/0/0", "forward", gate)
            assert gates.min() > 0.25 and gates.max() < 0.76, (name, gate)


def test_the_page_says_what_the_fifty_letters_show():
    """What docs/stepper.md says of the longer task, whose nets are stored."""
    data = recall.task()
    data["runs"] = Runs(data)
    rnn, lstm, gru = range(3)

    def ratio(kind, name, epoch, variable="dh"):
        sizes = backward_norms(data, kind, name, epoch, variable)
        return sizes[0] / sizes[-1]

    def loss(kind, name, epoch):
        return data["runs"][f"{kind}/{name}/{epoch}/0"]["loss"]

    assert data["epochs"][2:] == ["after 1000 batches", "after 2500 batches"]
    for name in range(len(data["names"])):
        assert len(data["names"][name]["ids"]) == 50
        assert max(ratio(rnn, name, epoch) for epoch in range(4)) < 1e-6
        assert loss(rnn, name, 2) > 1 and loss(rnn, name, 3) < 0.01
        held = abs(panel_values(data, f"{rnn}/{name}/3/0", "forward", "h"))
        assert np.mean(held > 0.9) > 0.5
        assert np.mean(abs(panel_values(data, f"{rnn}/{name}/2/0", "forward", "h")) > 0.9) < 0.1
        assert 3e-10 < ratio(gru, name, 0) < 3e-9 and ratio(lstm, name, 0, "dc") > 0.1
        for epoch in (2, 3):
            assert loss(lstm, name, epoch) < 0.01 and loss(gru, name, epoch) < 0.01
            assert ratio(lstm, name, epoch, "dc") > 1 / 5000 and ratio(gru, name, epoch) > 1 / 1000


@pytest.mark.slow
@pytest.mark.parametrize("label", ["RNN", "LSTM", "GRU"])
def test_the_nets_of_the_fifty_letters_can_be_trained_again(label):
    """To the first stored look; what rounding does to later ones depends on the machine."""
    looks = recall.looks(label)
    stored = recall.task()["weights"]
    for epoch in (0, 1):
        again, before = (
            np.frombuffer(base64.b64decode(text), "<f4")
            for text in (next(looks), stored[f"{list(demo.KINDS).index(label)}/{epoch}"])
        )
        np.testing.assert_allclose(again, before, rtol=1e-2, atol=1e-2)


def test_the_command_puts_a_small_net_into_the_page(tmp_path):
    """So that any name can be typed there too; of others, the runs alone."""
    out = tmp_path / "out.html"
    for options, there in [({"bidirectional": False, "embedding": None}, True), ({}, False)]:
        model = saved(tmp_path / "model.npz", **options)
        assert command("Anna", "--model", model, "-o", out) == 0
        text = re.search(r'id="stepper-data">(.*?)</script>', out.read_text("utf-8"), re.S)[1]
        data = json.loads(text)
        assert ("weights" in data) == there and list(data["runs"])[0] == "0/0/0/0"
