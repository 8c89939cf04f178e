"""The net of `examples/text.py` beside the same net in PyTorch: the same weights, the same steps.

    python tests/tools/compare_text.py [--epochs 6] [--steps 200] [--model gru] [--hidden-size 256]
        [--rounds 30]

Both begin with the same weights and read the same pieces of the embedded text, one thread each,
with the script's AdamW, falling rate and clipping. First all steps of so many epochs, or only the
first --steps, then the bits a letter held out; then letters/s, the two in turn: medians of the
rounds, and of the ratio of each round, with quartiles. PyTorch is needed.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from minirnn import convert, optim
from minirnn.batches import streams
from minirnn.losses import CrossEntropy
from minirnn.models import StepModel
from minirnn.text.corpus import load_text
from minirnn.training import Trainer, evaluate

LR, CLIP, STREAMS, T = 4e-3, 1.0, 32, 64  # as in examples/text.py


class Theirs(torch.nn.Module):
    """The same net, with the weights of ours."""

    def __init__(self, net, model):
        super().__init__()
        V, E = net.embedding.W.shape
        H = net.recurrent.hidden_size
        self.embedding = torch.nn.Embedding(V, E)
        self.recurrent = getattr(torch.nn, model.upper())(E, H)
        self.linear = torch.nn.Linear(H, V)
        state = {k: torch.from_numpy(a) for k, a in convert.to_pytorch(net.recurrent).items()}
        self.recurrent.load_state_dict(state)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.from_numpy(net.embedding.W.data))
            self.linear.weight.copy_(torch.from_numpy(net.linear.W.data.T))
            self.linear.bias.copy_(torch.from_numpy(net.linear.b.data))
        self.optimizer = torch.optim.AdamW(self.parameters(), LR)
        self.state = None  # (h, c) of an LSTM, (h,) of the others

    def loss(self, batch):
        """The mean loss of one batch of pieces, all of one length."""
        n = len(batch.index)
        x, y = (torch.from_numpy(a).reshape(-1, n) for a in (batch.x, batch.labels))
        state = self.state and [s[:, :n].contiguous() for s in self.state]
        pair = isinstance(self.recurrent, torch.nn.LSTM)
        h, state = self.recurrent(self.embedding(x), state and (tuple(state) if pair else state[0]))
        self.state = [s.detach() for s in (state if pair else [state])]
        return torch.nn.functional.cross_entropy(self.linear(h).flatten(0, 1), y.flatten())

    def step(self, batch, lr):
        self.optimizer.param_groups[0]["lr"] = lr
        self.optimizer.zero_grad()
        self.loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters(), CLIP)
        self.optimizer.step()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, help="stop after so many")
    parser.add_argument("--model", choices=["rnn", "lstm", "gru"], default="gru")
    parser.add_argument("--hidden-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    text = load_text()
    sequences, *parts = text.pieces(T, STREAMS)  # without what would make a batch of two lengths
    known, held = (part[: (len(part) - 1) // STREAMS * STREAMS] for part in parts)
    rng, V = np.random.default_rng(0), len(text.letters)
    net = StepModel(V, V, rng=rng, cell=args.model, hidden_size=args.hidden_size, embedding=64)
    theirs = Theirs(net, args.model)
    schedule = optim.cosine(LR, args.epochs * len(known) // STREAMS, LR / 20)
    ours = Trainer(net, CrossEntropy(), optim.AdamW(net.parameters(), LR), sequences, known, held,
                   schedule=schedule, rng=rng, epochs=args.epochs, batch_size=STREAMS,
                   sampling="streams", clip=CLIP)  # fmt: skip
    for _ in range(args.epochs):
        ours.draw_epoch()
        theirs.state = None
        for index in ours.batches[: args.steps]:
            theirs.step(sequences.batch(index), schedule(ours.step))
            ours.train_step(index)
        if args.steps:
            break

    bits = evaluate(net, sequences, held, streams=STREAMS).bits
    theirs.state, nats, seen = None, 0.0, 0
    with torch.no_grad():
        for index in streams(sequences, held, STREAMS, None):
            batch = sequences.batch(index)
            nats += float(theirs.loss(batch)) * len(batch.labels)
            seen += len(batch.labels)
    other = nats / seen / np.log(2)
    print(f"after {ours.step:,} steps, bits a letter held out: ours {bits:.4f}, "
          f"PyTorch {other:.4f}")  # fmt: skip

    ours.draw_epoch()
    theirs.state, times = None, np.empty((min(args.rounds, len(ours.batches)), 2))
    for row, index in zip(times, ours.batches, strict=False):
        started = time.perf_counter()
        ours.train_step(index)
        between = time.perf_counter()
        theirs.step(sequences.batch(index), schedule(ours.step))
        row[:] = between - started, time.perf_counter() - between
    speeds = STREAMS * T / times
    for name, values, form in [
        ("ours, letters/s on one thread", speeds[:, 0], ",.0f"),
        ("PyTorch, letters/s on one thread", speeds[:, 1], ",.0f"),
        ("ours / PyTorch", speeds[:, 0] / speeds[:, 1], ".3f"),
    ]:
        low, middle, high = (format(q, form) for q in np.quantile(values, (0.25, 0.5, 0.75)))
        print(f"{name}: {middle} ({low} to {high})")
    return int(abs(bits - other) > 0.02)


if __name__ == "__main__":
    sys.exit(main())
