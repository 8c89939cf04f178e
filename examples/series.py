"""Numbers: the next value of a chaotic series, one step ahead and running free.

python examples/series.py                            RNN, LSTM and GRU, three seeds each
python examples/series.py --model gru --seeds 1 --epochs 10

The Mackey-Glass equation is a model of how blood cells are made: what is made now depends on how
many there were a while ago. Its values never repeat, but they follow from what came before.
"""

# ruff: noqa: E402
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy; see names.py

import numpy as np

from minirnn import Sequences, StepModel, __version__, cli, optim, plotting
from minirnn.batches import Batch
from minirnn.losses import MeanSquaredError
from minirnn.storage.files import write_atomic, write_figure
from minirnn.training import Trainer, evaluate

DELAY, FINE, LENGTH = 17, 10, 3000  # of the equation; steps of 1 / FINE; values, one for each time
WARM, FREE, WINDOW = 100, 100, 50  # values read before it runs free; then said; of a piece
ORDER = 20  # values that the linear autoregression looks at


def mackey_glass(length, delay=DELAY, start=1.2):
    """x' = 0.2 x(t - delay) / (1 + x(t - delay)^10) - 0.1 x, by small steps of Euler's.

    Mackey and Glass 1977. The first 500 values, which depend on the start, are left out. Scaled so
    that the first four fifths, from which a net learns, have mean 0 and standard deviation 1.
    """
    x = [start] * (delay * FINE + 1)
    for _ in range((length + 500) * FINE):
        late = x[-1 - delay * FINE]
        x.append(x[-1] + (0.2 * late / (1 + late**10) - 0.1 * x[-1]) / FINE)
    series = np.array(x[-length * FINE :: FINE])
    known = series[: length * 4 // 5]
    return (series - known.mean()) / known.std()


def autoregression(series, known):
    """Weights [ORDER + 1] with which the last values say the next best, by least squares."""
    windows = np.lib.stride_tricks.sliding_window_view(series[:known], ORDER + 1)
    rows = np.hstack([windows[:, :ORDER], np.ones((len(windows), 1))])
    return np.linalg.lstsq(rows, windows[:, ORDER], rcond=None)[0]


def rmse(said, true):
    return float(np.sqrt(np.mean((np.array(said) - true) ** 2)))


def baselines(series, known, places):
    """{name: (RMSE one step ahead, RMSE running free from each of the places)}."""
    w, held = autoregression(series, known), np.arange(known + ORDER, len(series))
    said = [series[t - ORDER : t] @ w[:ORDER] + w[ORDER] for t in held]
    free = []
    for place in places:
        values = list(series[place - ORDER : place])
        for _ in range(FREE):
            values.append(np.array(values[-ORDER:]) @ w[:ORDER] + w[ORDER])
        free.append(values[ORDER:])
    last = [np.full(FREE, series[place - 1]) for place in places]
    true = [series[place : place + FREE] for place in places]
    return {
        "the last value once more": (rmse(series[held - 1], series[held]), rmse(last, true)),
        f"linear, of {ORDER} values": (rmse(said, series[held]), rmse(free, true)),
    }


def run_free(net, series):
    """What the net goes on with after the values [n], each said value being read next."""
    x, state, said = series.astype("float32").reshape(-1, 1), None, []
    for _ in range(FREE):
        y, cache = net.forward(Batch(x, [1] * len(x), None, None, state))
        x, state = y[-1:], cache.state
        said.append(float(y[-1, 0]))
    return said


def trained(model, seed, series, known, args):
    """(net, its RMSE on the pieces never seen): it says the next value at every step."""
    rng = np.random.default_rng(seed)
    cuts = range(0, len(series) - 1, WINDOW)
    x = [series[k : min(k + WINDOW, len(series) - 1), None] for k in cuts]
    y = [series[k + 1 : k + 1 + WINDOW] for k in cuts]
    sequences, cut = Sequences(x, targets=y), known // WINDOW
    net = StepModel(1, 1, rng=rng, cell=model, hidden_size=args.hidden_size)
    streams, steps = 8, args.epochs * -(-cut // 8)
    trainer = Trainer(
        net, MeanSquaredError(), optim.Adam(net.parameters(), args.lr), sequences, np.arange(cut),
        np.arange(cut), rng=rng, epochs=args.epochs, batch_size=streams, clip=args.clip,
        sampling="streams", schedule=optim.cosine(args.lr, steps), monitor="rmse",
    )  # fmt: skip
    trainer.fit()  # it keeps the epoch that is best on what it learns from
    return net, evaluate(net, sequences, np.arange(cut, len(x)), streams=1).rmse


def parse():
    parser = cli.Parser(__doc__)
    add = parser.add_argument
    add("--model", choices=["rnn", "lstm", "gru"], help="the cell (default: all three)")
    add("--hidden-size", type=cli.whole, default=32, help="numbers in a state")
    add("--epochs", type=cli.whole, default=300, help="times through the series")
    add("--lr", type=cli.positive, default=0.02, help="the first rate; it falls to 0")
    add("--clip", type=cli.positive, default=1.0, help="largest norm of all gradients")
    add("--seeds", type=cli.whole, default=3, help="how many of them")
    add("--output", type=Path, metavar="DIR", default=Path("runs/series"), help="what is written")
    return parser.parse_args()


def run():
    args = parse()
    output, series, known = cli.output_folder(args.output), mackey_glass(LENGTH), LENGTH * 4 // 5
    places = range(known + WARM, LENGTH - FREE, FREE)
    rows = {name: [scores] for name, scores in baselines(series, known, places).items()}
    true = series[places[0] : places[0] + FREE]
    curves = {"the series": (np.arange(FREE), true)}
    for model in [args.model] if args.model else ["rnn", "lstm", "gru"]:
        rows[model.upper()] = []
        for seed in range(args.seeds):
            net, ahead = trained(model, seed, series, known, args)
            free = [run_free(net, series[place - WARM : place]) for place in places]
            wrong = rmse(free, [series[place : place + FREE] for place in places])
            rows[model.upper()].append((ahead, wrong))
            print(f"{model.upper()}, seed {seed}: {ahead:.4f} ahead, {wrong:.3f} free", flush=True)
        curves[model.upper()] = np.arange(FREE), free[0]
    print(f"\n{'RMSE on values never seen (standard deviation about 1)':60s}")
    print(f"{'':28s}{'one step ahead':>18s}{f'free, {FREE} steps':>18s}")
    for name, scores in rows.items():
        middle, spread = np.mean(scores, axis=0), np.std(scores, axis=0)
        cells = [f"{m:.3g}" + f" ± {d:.1g}" * (len(scores) > 1)
                 for m, d in zip(middle, spread, strict=True)]  # fmt: skip
        print(f"{name:28s}{cells[0]:>18s}{cells[1]:>18s}")
    figure = plotting.plot_curves({"Running free": curves}, "steps after the last value read", "x")
    write_figure(output / "free.png", figure)
    facts = {"version": __version__, "rows": rows}
    write_atomic(output / "summary.json", json.dumps(facts, indent=1).encode() + b"\n")
    print(f"\nwritten: {output / 'free.png'}, {output / 'summary.json'}")


if __name__ == "__main__":
    sys.exit(cli.main(run))
