"""PyTorch's side of the benchmark: `torch.nn`, and the tutorials' loop over letters."""

import torch
from benchmark_cases import GATES, LANGUAGES, LR
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss
from torch.nn.utils.rnn import PackedSequence

from minirnn.data import Alphabet


class TorchNN:
    """`torch.nn.RNN`, `LSTM` or `GRU` and `torch.optim.SGD`.

    Names are packed one-hot rows, for PyTorch has no ids there, and sequences of unequal lengths
    are packed; dense batches are plain tensors,
    on which it is up to four times as fast as on packed ones. weights: as `Ours.weights` gives
    them; left out, PyTorch's own first values.
    """

    def __init__(self, case, batches, weights=None, device="cpu"):
        torch.backends.cudnn.allow_tf32 = False  # float32 on both sides
        letters = len(Alphabet())
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[case.model]
        self.net = kind(case.width, case.H)
        self.linear = nn.Linear(case.H, LANGUAGES) if case.group == "reports" else None
        if weights is not None:
            state, last = weights
            self.net.load_state_dict({k: torch.from_numpy(a) for k, a in state.items()})
            load_linear(self.linear, last)
        parts = nn.ModuleList([self.net] if self.linear is None else [self.net, self.linear])
        parts.to(device)
        self.optimizer = torch.optim.SGD(parts.parameters(), LR)
        self.batches = [self.prepared(batch, letters, device) for batch in batches]

    def prepared(self, batch, letters, device):
        """(input, gradient from above, labels) in this framework's arrays."""
        dy = torch.from_numpy(batch.dy).to(device)
        if batch.sizes is None:
            return torch.from_numpy(batch.x).to(device).requires_grad_(), dy, None
        if batch.labels is None:
            x = torch.from_numpy(batch.x).to(device).requires_grad_()
            return PackedSequence(x, torch.tensor(batch.sizes)), dy, None
        labels = torch.from_numpy(batch.labels).to(device)
        x = one_hot(batch.x, letters, device)
        if self.linear is not None:  # a single name, as the tutorials hold it: [T, 1, letters]
            return x[:, None], dy, labels
        return PackedSequence(x, torch.tensor(batch.sizes)), dy, labels

    def train(self):
        for x, dy, labels in self.batches:
            self.optimizer.zero_grad()
            if self.linear is not None:
                cross_entropy(self.output(x), labels).backward()
            else:
                rows = x.data if isinstance(x, PackedSequence) else x
                rows.grad = None  # of `.data`, the packed leaf itself
                self.output(x).backward(dy)
            self.optimizer.step()

    def forward(self):
        with torch.no_grad():
            for x, _, _ in self.batches:
                self.output(x)

    def output(self, x):
        """All hidden states; in the reports' protocol the logits."""
        y, _ = self.net(x)
        if self.linear is not None:
            return self.linear(y[-1])
        return y.data if isinstance(y, PackedSequence) else y

    def results(self):
        self.train()
        with torch.no_grad():
            output = self.output(self.batches[0][0])
            if self.linear is not None:
                output = log_softmax(output, dim=-1)
        gradients = {name: p.grad.cpu().numpy() for name, p in self.net.named_parameters()}
        return output.cpu().numpy(), gradients


class Padded(TorchNN):
    """The same on sequences padded with zeros to the longest, [T, N, H], without a mask."""

    def prepared(self, batch, letters, device):
        self.rows = torch.tensor([(t, k) for t, n in enumerate(batch.sizes) for k in range(n)]).T
        x, dy = (torch.zeros(len(batch.sizes), batch.sizes[0], a.shape[1]) for a in (batch.x,) * 2)
        for padded, rows in ((x, batch.x), (dy, batch.dy)):
            padded[tuple(self.rows)] = torch.from_numpy(rows)
        return x.to(device).requires_grad_(), dy.to(device), None

    def results(self):
        output, gradients = super().results()
        return output[tuple(self.rows.numpy())], gradients


class Cell(nn.Module):
    """One step as the tutorials write it: a Linear for each gate on the letter beside the state."""

    def __init__(self, model, width, H, weights):
        super().__init__()
        self.model, G = model, GATES[model]
        split = {k.removesuffix("_l0"): torch.from_numpy(a).chunk(G) for k, a in weights.items()}
        self.gates = nn.ModuleList(nn.Linear(width + H, H) for _ in range(G))
        with torch.no_grad():
            for k, gate in enumerate(self.gates):
                gate.weight.copy_(torch.cat([split["weight_ih"][k], split["weight_hh"][k]], dim=1))
                gate.bias.copy_(split["bias_ih"][k] + split["bias_hh"][k])
            if model == "gru":  # the reset gate acts on one half only
                self.x_to_n, self.h_to_n = nn.Linear(width, H), nn.Linear(H, H)
                for linear, side in ((self.x_to_n, "ih"), (self.h_to_n, "hh")):
                    linear.weight.copy_(split[f"weight_{side}"][2])
                    linear.bias.copy_(split[f"bias_{side}"][2])
                del self.gates[2]

    def forward(self, x, state):
        h = state[0]
        both = torch.cat([x, h], dim=1)
        if self.model == "rnn":
            return (torch.tanh(self.gates[0](both)),)
        if self.model == "lstm":
            i, f, o = (torch.sigmoid(self.gates[k](both)) for k in (0, 1, 3))
            c = f * state[1] + i * torch.tanh(self.gates[2](both))
            return o * torch.tanh(c), c
        r, z = (torch.sigmoid(gate(both)) for gate in self.gates)
        n = torch.tanh(self.x_to_n(x) + r * self.h_to_n(h))
        return ((1 - z) * n + z * h,)


class Letters:
    """The tutorials' training loop: a cell called for every letter, autograd, an update by hand.

    In the reports' protocol every letter also gets log-probabilities, of which the last count.
    On other batches it is the same cell in eager PyTorch, for a whole step of the batch at once.
    """

    def __init__(self, case, batches, weights, device="cpu"):
        letters, (state, last) = len(Alphabet()), weights
        self.cell = Cell(case.model, case.width, case.H, state)
        self.linear = nn.Linear(case.H, LANGUAGES) if case.group == "reports" else None
        load_linear(self.linear, last)
        parts = [self.cell] if self.linear is None else [self.cell, self.linear]
        self.modules = nn.ModuleList(parts).to(device)
        self.states, self.H = 2 if case.model == "lstm" else 1, case.H
        self.batches = []
        for batch in batches:
            dy = torch.from_numpy(batch.dy).to(device).reshape(-1, case.H)
            if batch.sizes is None:
                x = torch.from_numpy(batch.x).to(device).reshape(-1, case.H).requires_grad_()
                self.batches.append((x, [case.N] * case.T, dy, None))
            elif batch.labels is None:
                x = torch.from_numpy(batch.x).to(device).requires_grad_()
                self.batches.append((x, batch.sizes, dy, None))
            else:
                labels = torch.from_numpy(batch.labels).to(device)
                self.batches.append((one_hot(batch.x, letters, device), batch.sizes, dy, labels))

    def train(self):
        for x, sizes, dy, labels in self.batches:
            self.modules.zero_grad()
            x.grad = None
            if self.linear is not None:
                nll_loss(self.output(x, sizes), labels).backward()
            else:
                self.output(x, sizes).backward(dy)
            for p in self.modules.parameters():
                p.data.add_(p.grad, alpha=-LR)

    def output(self, x, sizes):
        """All hidden states; in the reports' protocol the last letter's log-probabilities."""
        state = tuple(x.new_zeros(sizes[0], self.H) for _ in range(self.states))
        outputs = []
        for rows in x.split(sizes):
            state = self.cell(rows, tuple(s[: len(rows)] for s in state))
            if self.linear is None:
                outputs.append(state[0])
            else:
                outputs = [log_softmax(self.linear(state[0]), dim=1)]
        return torch.cat(outputs)

    def results(self):
        """Gradients are left out: they are in another layout."""
        with torch.no_grad():
            return self.output(*self.batches[0][:2]).cpu().numpy(), {}


def one_hot(ids, letters, device):
    """Rows [S, letters] of zeros with a 1."""
    return nn.functional.one_hot(torch.from_numpy(ids), letters).float().to(device)


def load_linear(linear, last):
    """Give a Linear the W and b of ours, which are used as x W + b."""
    if linear is not None and last is not None:
        W, b = last
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
