"""The bug zoo: mistakes that people really make in hand-written recurrent nets.

Each is a few lines of this library's own code, changed: `old` stands in the source of `target`,
`new` takes its place. The tests kill every one of them; `diagnosis` recognises them in other
people's code by what they do to the gradients.
"""

import functools
import inspect
from dataclasses import dataclass

from .. import (
    batches,
    cells,
    functions,
    layers,
    losses,
    optim,
    packing,
    product,
    recurrent,
    stacked,
)


@dataclass(frozen=True)
class Bug:
    """One mistake. `when` completes the sentence "This is what you get when ..."."""

    name: str
    target: str  # module.Name of what is changed
    old: str
    new: str
    when: str
    seen: str = ""  # where it was met in public
    gradient: bool = True  # whether it changes a gradient, given its own forward pass

    @property
    def level(self):
        """Its area: function, layer, cell, time, stack, loss, optimiser or data."""
        return LEVELS[self.target.split(".")[0]]


LEVELS = {
    "functions": "function",
    "layers": "layer",
    "cells": "cell",
    "product": "time",
    "recurrent": "time",
    "stacked": "stack",
    "losses": "loss",
    "optim": "optimiser",
    "batches": "data",
    "packing": "stack",
}

MODULES = {
    m.__name__.rpartition(".")[2]: m
    for m in (
        functions, layers, cells, packing, product, recurrent, stacked, losses, optim, batches
    )
}  # fmt: skip

ZOO = [
    # functions
    Bug("sigmoid-as-tanh", "functions.d_sigmoid", "y * (1 - y)", "1 - y * y",
        "the sigmoid's derivative is taken for the tanh's, 1 - y^2"),
    Bug("tanh-as-sigmoid", "functions.d_tanh", "1 - y * y", "y * (1 - y)",
        "the tanh's derivative is taken for the sigmoid's, y (1 - y)"),
    Bug("tanh-of-tanh", "functions.d_tanh", "1 - y * y", "1 - tanh(y) * tanh(y)",
        "tanh is applied once more inside its derivative: 1 - tanh(y)^2 instead of 1 - y^2",
        "nicklashansen/rnn_lstm_from_scratch #1"),
    Bug("sigmoid-of-sigmoid", "functions.d_sigmoid", "y * (1 - y)",
        "sigmoid(y) * (1 - sigmoid(y))",
        "sigmoid is applied once more inside its derivative"),
    Bug("relu-from-output", "functions.d_relu", "(y > 0)", "(y >= 0)",
        "relu's derivative asks y >= 0, which an output of relu always is"),
    # layers
    Bug("linear-bias-mean", "layers.Linear", "rows_dy.sum(axis=0)", "rows_dy.mean(axis=0)",
        "the bias gradient is a mean over the batch instead of a sum"),
    Bug("linear-bias-one-row", "layers.Linear", "rows_dy.sum(axis=0)", "rows_dy[0]",
        "the bias gradient is not summed over the batch: one row stands for all"),
    Bug("linear-weight-mean", "layers.Linear", "rows_x.T.dot(rows_dy)",
        "rows_x.T.dot(rows_dy) / len(rows_x)",
        "the weight gradient is divided by the batch size once more"),
    Bug("linear-weight-overwritten", "layers.Linear", "self.W.grad += ", "self.W.grad[...] = ",
        "backward overwrites the weight gradient instead of adding to it"),
    Bug("linear-dx-mean", "layers.Linear", "dy @ self.W.data.T", "dy @ self.W.data.T / len(dy)",
        "dx is divided by the batch size"),
    Bug("linear-returns-weights", "layers.Linear", "self.W.grad += ",
        "self.W.grad += self.W.data + ",
        "the parameters themselves are added to their gradient", "explosion/thinc 9.1.1"),
    Bug("embedding-repeated-ids", "layers.Embedding",
        "self.W.grad += one_hot(ids, self.W.shape[0], dy.dtype).T @ dy.reshape(len(ids), -1)",
        "self.W.grad[ids] += dy.reshape(len(ids), -1)",
        "W.grad[ids] += dy counts an id that occurs several times only once",
        "HIPS/autograd PR #136"),
    Bug("dropout-scale-lost", "layers.Dropout", "dy * mask", "dy * (mask > 0)",
        "dropout's backward forgets the division by 1 - p"),
    Bug("dropout-not-undone", "layers.Dropout", "dy if mask is None else dy * mask", "dy + 0.0",
        "dropout's backward hands the gradient on as it came, without the mask"),
    Bug("dropout-mask-lost", "layers.Dropout", "dy * mask", "dy * mask.max()",
        "dropout's backward divides by 1 - p, but does not set to zero what was dropped"),
    Bug("dropout-fresh-mask", "layers.Dropout", "dy * mask",
        "self.forward(dy, training=True)[0]",
        "dropout's backward uses another mask than forward did, a newly drawn one perhaps"),
    # RNN cell
    Bug("rnn-tanh-left-out", "cells.RNNCell", "da = dh * self.d_f(h)", "da = dh * 1.0",
        "the derivative of tanh is left out"),
    Bug("rnn-dh-before-tanh", "cells.RNNCell", "product.backward((da,))", "product.backward((dh,))",
        "the gradient goes to the previous state without passing tanh's derivative"),
    Bug("rnn-state-not-passed", "cells.RNNCell", "(product.backward((da,)),)",
        "(0 * product.backward((da,)),)",
        "no gradient goes back to the previous state", "qixianbiao/RNN #2"),
    Bug("rnn-output-before-f", "cells.RNNCell", "h = self.f(a)", "h = a + 0.0",
        "the step forgets its non-linearity", "pytorch/tutorials #3791, practical-pytorch #110"),
    Bug("rnn-slope-from-h-prev", "cells.RNNCell", "self.d_f(h)",
        "self.d_f(product.product.inputs[None][-1])",
        "the derivative of tanh is taken at h_{t-1} instead of h_t"),
    Bug("rnn-weights-not-passed", "cells.RNNCell", "(product.backward((da,)),)",
        "(0 * product.backward((da,)) + da,)",
        "da goes to the previous state as it is, without the weights Wh"),
    Bug("rnn-upstream-ignored", "cells.RNNCell", "da = dh * self.d_f(h)", "da = 1.0 * self.d_f(h)",
        "the gradient that comes from above, dh, is taken as 1"),
    # LSTM cell
    Bug("lstm-no-sigmoid-i", "cells.LSTMCell", "di * d_sigmoid(i)", "di",
        "the input gate's sigmoid derivative is left out"),
    Bug("lstm-no-sigmoid-f", "cells.LSTMCell", "df * d_sigmoid(f)", "df",
        "the forget gate's sigmoid derivative is left out", "CaptainE/RNN-LSTM-in-numpy #1"),
    Bug("lstm-no-sigmoid-o", "cells.LSTMCell", "do * d_sigmoid(o)", "do",
        "the output gate's sigmoid derivative is left out"),
    Bug("lstm-no-sigmoid-ifo", "cells.LSTMCell",
        "dai, daf, dao = di * d_sigmoid(i), df * d_sigmoid(f), do * d_sigmoid(o)",
        "dai, daf, dao = di, df, do", "the sigmoid's derivative is left out of all three gates"),
    Bug("lstm-no-tanh-g", "cells.LSTMCell", "dag = dg * d_tanh(g)", "dag = dg",
        "the candidate's tanh derivative is left out"),
    Bug("lstm-g-as-sigmoid", "cells.LSTMCell", "dg * d_tanh(g)", "dg * d_sigmoid(g)",
        "the candidate g gets the sigmoid's derivative instead of the tanh's"),
    Bug("lstm-o-as-tanh", "cells.LSTMCell", "do * d_sigmoid(o)", "do * d_tanh(o)",
        "the output gate gets the tanh's derivative instead of the sigmoid's"),
    Bug("lstm-no-tanh-c", "cells.LSTMCell", "dh * o * d_tanh(tanh_c)", "dh * o",
        "the derivative of tanh(c) is left out on the way from h to c"),
    Bug("lstm-tanh-of-tanh-c", "cells.LSTMCell", "d_tanh(tanh_c)", "d_tanh(tanh(tanh_c))",
        "tanh is applied to tanh(c) once more inside its derivative",
        "nicklashansen/rnn_lstm_from_scratch #1"),
    Bug("lstm-tanh-prime-of-c", "cells.LSTMCell", "d_tanh(tanh_c)",
        "d_tanh(f * c_prev + i * g)",
        "1 - c^2 is used instead of 1 - tanh(c)^2"),
    Bug("lstm-future-dc-lost", "cells.LSTMCell", "dc = dc + dh", "dc = dh",
        "the cell state's gradient from the future is overwritten by the one from h",
        "apache/mxnet #4057, deeplearning4j #8838"),
    Bug("lstm-h-path-lost", "cells.LSTMCell", "dc = dc + dh * o * d_tanh(tanh_c)", "dc = 1.0 * dc",
        "the gradient of h never reaches the cell state"),
    Bug("lstm-forget-path-lost", "cells.LSTMCell", "dc * c_prev, dc * f", "dc * c_prev, 0 * dc",
        "the cell state's gradient is not carried to the step before",
        "CaptainE/RNN-LSTM-in-numpy #1"),
    Bug("lstm-forget-gate-skipped", "cells.LSTMCell", "dc * c_prev, dc * f",
        "dc * c_prev, 1.0 * dc",
        "the cell state's gradient goes to the step before without passing the forget gate"),
    Bug("lstm-df-from-c", "cells.LSTMCell", "dc * c_prev, dc * f",
        "dc * (f * c_prev + i * g), dc * f",
        "the forget gate's gradient uses the new cell state instead of the previous one"),
    Bug("lstm-i-g-swapped", "cells.LSTMCell", "di, dg = dc * g, dc * i", "di, dg = dc * i, dc * g",
        "the gradients of the input gate and of the candidate are swapped"),
    Bug("lstm-do-from-c", "cells.LSTMCell", "do = dh * tanh_c", "do = dh * (f * c_prev + i * g)",
        "the output gate's gradient uses c instead of tanh(c)"),
    Bug("lstm-do-missing", "cells.LSTMCell", "do = dh * tanh_c", "do = 0 * dh",
        "the output gate gets no gradient"),
    Bug("lstm-gates-repacked", "cells.LSTMCell", "da = (dai, daf, dag, dao)",
        "da = (dai, daf, dao, dag)",
        "the gradients are packed in another gate order than the weights: g and o are swapped",
        "pytorch #750"),
    Bug("lstm-i-f-repacked", "cells.LSTMCell", "da = (dai, daf, dag, dao)",
        "da = (daf, dai, dag, dao)",
        "the gradients of the input and the forget gate are packed in each other's place"),
    Bug("lstm-forget-for-all", "cells.LSTMCell", "da = (dai, daf, dag, dao)",
        "da = (daf, daf, dag, daf)",
        "the input and the output gate get the forget gate's gradient", "hanbt/learn_dl #53"),
    Bug("lstm-state-not-passed", "cells.LSTMCell", "product.backward(da), dc_prev",
        "0 * product.backward(da), dc_prev",
        "no gradient goes back to the previous hidden state", "qixianbiao/RNN #2"),
    Bug("lstm-cache-changed", "cells.LSTMCell", "do = dh * tanh_c",
        "tanh_c *= dh\n        do = 1.0 * tanh_c\n        tanh_c = tanh_c / dh",
        "backward writes into its cache"),
    Bug("lstm-upstream-changed", "cells.LSTMCell", "dc = dc + dh", "dc += dh",
        "backward adds into the gradient that it was given (dc += instead of dc = dc +)"),
    Bug("lstm-plus-for-times", "cells.LSTMCell", "f * c_prev + i * g", "f * c_prev + i + g",
        "input gate and candidate are added instead of multiplied",
        "MartinuzziFrancesco/torchrecurrent #22"),
    Bug("lstm-h-without-tanh", "cells.LSTMCell", "h = o * tanh_c", "h = o * c",
        "h is o c instead of o tanh(c), while backward undoes the tanh", "nicodjimenez/lstm #47"),
    Bug("lstm-output-gate-classified", "cells.LSTMCell", "return (h, c), ", "return (o, c), ",
        "the output gate is handed on instead of the hidden state", "a lab report on names"),
    Bug("lstm-tanh-on-all-dc", "cells.LSTMCell", "dc + dh * o * d_tanh(tanh_c)",
        "(dc + dh * o) * d_tanh(tanh_c)",
        "tanh's derivative is applied to all of dc, also to what comes from the next step's c"),
    Bug("lstm-dc-without-o", "cells.LSTMCell", "dh * o * d_tanh(tanh_c)", "dh * d_tanh(tanh_c)",
        "the output gate is left out on the way from h to c"),
    Bug("lstm-dc-prev-early", "cells.LSTMCell", "dc * c_prev, dc * f", "dc * c_prev, dstate[1] * f",
        "dc_prev is taken from dc before the share that comes through h is added"),
    Bug("lstm-di-early", "cells.LSTMCell", "dc * g, dc * i", "dstate[1] * g, dc * i",
        "the input gate's gradient is taken from dc before the share through h is added"),
    Bug("lstm-df-early", "cells.LSTMCell", "dc * c_prev, dc * f", "dstate[1] * c_prev, dc * f",
        "the forget gate's gradient is taken from dc before the share through h is added"),
    Bug("lstm-dg-early", "cells.LSTMCell", "dc * g, dc * i", "dc * g, dstate[1] * i",
        "the candidate's gradient is taken from dc before the share through h is added"),
    Bug("lstm-states-exchanged", "cells.LSTMCell", "dh, dc = dstate", "dc, dh = dstate",
        "dh and dc are unpacked in each other's place"),
    Bug("lstm-prev-exchanged", "cells.LSTMCell", "(product.backward(da), dc_prev)",
        "(dc_prev, product.backward(da))",
        "dh_prev and dc_prev are returned in each other's place"),
    Bug("lstm-product-before-slopes", "cells.LSTMCell", "product.backward(da), dc_prev",
        "product.backward((di, df, dg, do)), dc_prev",
        "product.backward is given the gates' gradients before their slopes are multiplied in"),
    Bug("lstm-h-sigmoid-c", "cells.LSTMCell", "tanh_c = tanh(c)", "tanh_c = sigmoid(c)",
        "forward squashes c with the sigmoid, while backward undoes a tanh"),
    *[Bug(f"lstm-half-slope-{y}{side}", "cells.LSTMCell", f"d_sigmoid({y})", new,
          f"the {gate} gate's slope is only one factor of y (1 - y), {what}")
      for y, gate in (("i", "input"), ("f", "forget"), ("o", "output"))
      for side, new, what in (("", y, "y"), ("-rest", f"(1 - {y})", "1 - y"))],
    # GRU, reset after
    Bug("gru-dn-from-z", "cells.GRUCell", "dh * (1 - z), dh * z", "dh * z, dh * z",
        "the candidate gets the share z of dh, which is the previous state's, not 1 - z"),
    Bug("gru-keep-path-1-z", "cells.GRUCell", "dh * (1 - z), dh * z", "dh * (1 - z), dh * (1 - z)",
        "the previous state gets the share 1 - z of dh, which is the candidate's, not z"),
    Bug("gru-keep-path-whole", "cells.GRUCell", "dh * (1 - z), dh * z", "dh * (1 - z), dh",
        "the previous state gets all of dh, without the factor z"),
    Bug("gru-dz-without-n", "cells.GRUCell", "dh * (h_prev - n)", "dh * h_prev",
        "the update gate's gradient lacks the candidate's share: h_prev instead of h_prev - n"),
    Bug("gru-dz-without-h-prev", "cells.GRUCell", "dh * (h_prev - n)", "dh * -n",
        "the update gate's gradient lacks the previous state's share: -n instead of h_prev - n"),
    Bug("gru-dgx-n-with-r", "cells.GRUCell", "return (dar, daz, dan)",
        "return (dar, daz, dproduct_n)",
        "the candidate's dgx is multiplied by r, which belongs to the product alone"),
    Bug("gru-dr-before-tanh", "cells.GRUCell", "dan * product_n", "dn * product_n",
        "the reset gate's gradient is taken before the candidate's tanh is undone"),
    Bug("gru-z-sides-swapped", "cells.GRUCell", "dh * (1 - z), dh * z", "dh * z, dh * (1 - z)",
        "z and 1 - z have changed sides in backward", "pytorch #99531"),
    Bug("gru-z-sign", "cells.GRUCell", "dh * (h_prev - n)", "dh * (n - h_prev)",
        "the update gate's gradient has the wrong sign: n - h_prev instead of h_prev - n"),
    Bug("gru-keep-path-lost", "cells.GRUCell", "dh_prev + product.backward", "product.backward",
        "the previous state's own share, dh z, is lost"),
    Bug("gru-gates-path-lost", "cells.GRUCell",
        "dh_prev = dh_prev + product.backward((dar, daz, dproduct_n))",
        "product.backward((dar, daz, dproduct_n))",
        "only dh z goes back to the previous state; what came through the gates is lost"),
    Bug("gru-reset-skipped", "cells.GRUCell", "dan * product_n, dan * r", "dan * product_n, dan",
        "the candidate's gradient passes the reset gate as if it were 1"),
    Bug("gru-dr-from-h", "cells.GRUCell", "dan * product_n, dan * r", "dan * h_prev, dan * r",
        "the reset gate's gradient uses h_prev, as in the form that resets before the product"),
    Bug("gru-no-tanh-n", "cells.GRUCell", "dan = dn * d_tanh(n)", "dan = dn",
        "the candidate's tanh derivative is left out"),
    Bug("gru-no-sigmoid-r", "cells.GRUCell", "dr * d_sigmoid(r)", "dr",
        "the reset gate's sigmoid derivative is left out"),
    Bug("gru-no-sigmoid-z", "cells.GRUCell", "dz * d_sigmoid(z)", "dz",
        "the update gate's sigmoid derivative is left out"),
    Bug("gru-r-z-repacked", "cells.GRUCell", "        dh_prev = dh_prev + product.backward",
        "        dar, daz = daz, dar\n        dh_prev = dh_prev + product.backward",
        "the gradients of reset and update gate are packed in each other's place"),
    Bug("gru-r-z-repacked-hidden", "cells.GRUCell", "(dar, daz, dproduct_n)",
        "(daz, dar, dproduct_n)",
        "the gradients of reset and update gate are packed in each other's place on their way to "
        "the previous state"),
    Bug("gru-forward-sides", "cells.GRUCell", "h = (1 - z) * n + z * h_prev",
        "h = z * n + (1 - z) * h_prev",
        "forward lets z take the new state, backward lets it keep the old one", "pytorch #8153"),
    Bug("gru-backward-sides", "cells.GRUCell", "dh * (h_prev - n), dh * (1 - z), dh * z",
        "dh * (n - h_prev), dh * z, dh * (1 - z)",
        "forward lets z keep the old state, backward lets it take the new one"),
    # GRU, reset before
    Bug("before-reset-path-lost", "cells.GRUBeforeCell", "dh_prev + dreset * r", "dh_prev",
        "the gradient through r h_prev never reaches h_prev"),
    Bug("before-reset-skipped", "cells.GRUBeforeCell", "dreset * r", "dreset",
        "the gradient through r h_prev goes back without the factor r"),
    Bug("before-dr-skips-weights", "cells.GRUBeforeCell", "dr, dh_prev = dreset * h_prev",
        "dr, dh_prev = dan * h_prev",
        "the reset gate's gradient does not pass the candidate's weights"),
    Bug("before-forms-mixed", "cells.GRUBeforeCell", 'product(r * h_prev, "n")',
        'r * product(h_prev, "n")',
        "forward resets after the product, but backward undoes the form that resets before it",
        "handson-ml #132"),
    Bug("before-z-sides-swapped", "cells.GRUBeforeCell", "dh * (1 - z), dh * z",
        "dh * z, dh * (1 - z)", "z and 1 - z have changed sides in backward"),
    Bug("before-keep-path-lost", "cells.GRUBeforeCell",
        "dn, dh_prev = dh * (h_prev - n), dh * (1 - z), dh * z",
        "dn, dh_prev = dh * (h_prev - n), dh * (1 - z), 0 * dh",
        "the previous state's own share, dh z, is lost"),
    Bug("before-dn-from-z", "cells.GRUBeforeCell", "dh * (1 - z), dh * z", "dh * z, dh * z",
        "the candidate gets the share z of dh, which is the previous state's, not 1 - z"),
    Bug("before-keep-path-1-z", "cells.GRUBeforeCell", "dh * (1 - z), dh * z",
        "dh * (1 - z), dh * (1 - z)",
        "the previous state gets the share 1 - z of dh, which is the candidate's, not z"),
    Bug("before-keep-path-whole", "cells.GRUBeforeCell", "dh * (1 - z), dh * z",
        "dh * (1 - z), dh", "the previous state gets all of dh, without the factor z"),
    Bug("before-z-sign", "cells.GRUBeforeCell", "dh * (h_prev - n)", "dh * (n - h_prev)",
        "the update gate's gradient has the wrong sign: n - h_prev instead of h_prev - n"),
    Bug("before-no-tanh-n", "cells.GRUBeforeCell", "dan = dn * d_tanh(n)", "dan = dn",
        "the candidate's tanh derivative is left out"),
    Bug("before-no-sigmoid-r", "cells.GRUBeforeCell", "dr * d_sigmoid(r)", "dr",
        "the reset gate's sigmoid derivative is left out"),
    Bug("before-no-sigmoid-z", "cells.GRUBeforeCell", "dz * d_sigmoid(z)", "dz",
        "the update gate's sigmoid derivative is left out"),
    # time
    Bug("time-future-lost", "recurrent.Recurrent", "dstate[0] + doutput[start:end]",
        "1.0 * doutput[start:end]",
        "the output's gradient overwrites the one that comes from the future",
        "CaptainE/RNN-LSTM-in-numpy #1"),
    Bug("time-outputs-ignored", "recurrent.Recurrent",
        "if doutput is not None:\n                dstate",
        "if doutput is not None and end == S:\n                dstate",
        "only the last step's output gradient is used"),
    Bug("time-last-step-weights", "product.ProductBackward", "dWh[part] += v.T @ da[part]",
        "dWh[part] += v[: len(inputs[0])].T @ da[part][..., : len(inputs[0]), :]",
        "each step overwrites the gradient of Wh, so that only the step undone last is left"),
    Bug("time-last-step-wx", "recurrent.Recurrent", "self.Wx.grad += x.T @ dgx",
        "n = len(next(iter(undo.product.inputs.values()))[0])\n"
        "        self.Wx.grad += x[:n].T @ dgx[:, :n]",
        "each step overwrites the gradient of Wx, so that only the step undone last is left"),
    Bug("time-last-step-bias", "recurrent.Recurrent", "dbx = dgx.sum(axis=1)",
        "dbx = dgx[:, : len(next(iter(undo.product.inputs.values()))[0])].sum(axis=1)",
        "each step overwrites the bias gradient, so that only the step undone last is left"),
    Bug("time-h-for-h-prev", "recurrent.Recurrent", "            steps.append(cache)",
        "            next(iter(product.inputs.values()))[-1] = state[0]\n"
        "            steps.append(cache)",
        "the gradient of Wh is taken with h_t instead of h_{t-1}", "explosion/thinc 9.1.1"),
    Bug("time-wh-not-transposed", "product.ProductBackward",
        ".T for gate in names", " for gate in names",
        "Wh is not transposed on the way back"),
    Bug("time-one-gate-back", "product.ProductBackward",
        "reduce(add, [a @ Wh_T for a, Wh_T in zip(da, self._weights[gates], strict=True)])",
        "da[0] @ self._weights[gates][0]",
        "only the first gate sends its gradient to the previous state"),
    Bug("time-initial-state-dropped", "recurrent.Recurrent",
        "return self._dx(x, dgx, shape), dstate",
        "return self._dx(x, dgx, shape), tuple(0 * d for d in dstate)",
        "the initial state gets no gradient"),
    Bug("time-initial-state-unused", "recurrent.Recurrent", "        return tuple(state)",
        "        return tuple(0 * s for s in state)",
        "the initial state that was given is not used"),
    Bug("time-final-state-ignored", "recurrent.Recurrent", "xp.zeros((N, H), dtype) if d is None",
        "xp.zeros((N, H), dtype) if True",
        "the gradient of the final states is ignored", "deeplearning4j #8838, chainer #2505"),
    Bug("time-final-memory-ignored", "recurrent.Recurrent",
        "xp.zeros((N, H), dtype) if d is None", "xp.zeros((N, H), dtype) if d is None or k > 0",
        "of the final states' gradients only that of the output, h, is used; that of c is ignored"),
    Bug("time-final-at-last-step", "recurrent.Recurrent", "last[alive:n]",
        "last[alive:n] * (t + 1 == len(sizes))",
        "the final state's gradient reaches only the sequences that are alive at the last step"),
    Bug("time-bias-mean", "recurrent.Recurrent", "        self._add_gradients(x, dgx, da, undo)",
        "        kept = [(b.grad, b.grad.copy()) for b in (self.bx, self.bh) if b is not None]\n"
        "        self._add_gradients(x, dgx, da, undo)\n"
        "        for grad, before in kept:\n"
        "            grad[...] = before + (grad - before) / S",
        "bias gradients are a mean over steps and batch instead of a sum"),
    Bug("time-bias-last-step", "recurrent.Recurrent", "dbx = dgx.sum(axis=1)", "dbx = dgx[:, 0]",
        "the bias gradient is not summed: one row stands for all"),
    Bug("time-bias-of-another-gate", "recurrent.Recurrent", "self.bx.grad += dbx",
        "self.bx.grad += dbx[0]",
        "every gate's bias gets the first gate's gradient",
        "hanbt/learn_dl #53, ddbourgin/numpy-ml #42"),
    Bug("time-weights-mean", "recurrent.Recurrent", "self.Wx.grad += x.T @ dgx",
        "self.Wx.grad += x.T @ dgx / len(x)",
        "the gradient of Wx is a mean over the rows instead of a sum"),
    Bug("time-weights-overwritten", "recurrent.Recurrent", "self.Wx.grad += x.T @ dgx",
        "self.Wx.grad[...] = x.T @ dgx",
        "backward overwrites the gradient of Wx instead of adding to it"),
    Bug("time-returns-weights", "recurrent.Recurrent",
        "        undo.add_weight_gradient(self.Wh.grad, da)",
        "        undo.add_weight_gradient(self.Wh.grad, da)\n"
        "        self.Wh.grad += self.Wh.data",
        "the parameters themselves are added to their gradient", "explosion/thinc 9.1.1"),
    Bug("time-wh-no-gradient", "recurrent.Recurrent",
        "undo.add_weight_gradient(self.Wh.grad, da)", "pass",
        "Wh gets no gradient", "explosion/thinc 9.1.1"),
    Bug("time-hidden-bias-outside", "recurrent.Recurrent",
        "self.bh.grad += dbx if dgx is da else da.sum(axis=1)", "self.bh.grad += dbx",
        "the hidden bias gets the input bias's gradient, as if it stood outside the reset gate",
        "google/flax #5594"),
    Bug("time-dx-one-gate", "recurrent.Recurrent", "dx += dgate @ Wx_gate.T", "pass",
        "only the first gate sends its gradient to the input"),
    Bug("time-clip-in-backward", "recurrent.Recurrent",
        "dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)",
        "dgx, dstate = self.cell.backward(tuple(dstate), steps[t], undo)\n"
        "            dstate = tuple(xp.clip(d, -0.5, 0.5) for d in dstate)",
        "the gradient is clipped inside backward, at every step", "neuralnetlib 5.0"),
    Bug("time-output-from-before", "recurrent.Recurrent",
        "state, cache = self.cell.forward(gx[:, start:end], state, product)\n"
        "            if start == 0:\n"
        "                check_state(self.cell, state, (n, self.hidden_size))\n"
        "            outputs.append(state[0])",
        "outputs.append(state[0])\n"
        "            state, cache = self.cell.forward(gx[:, start:end], state, product)",
        "the output of a step is taken from h_{t-1}, while backward undoes h_t",
        "pytorch/tutorials #193, pytorch #4573"),
    Bug("time-truncated-late", "recurrent.Recurrent", "(t + 1) % truncate == 0",
        "t % truncate == 0",
        "truncation drops the gradient one step off"),
    # stack
    Bug("stack-dx-order", "stacked.Stack", "part = part[order] if backwards else part",
        "part = part",
        "the backward direction's input gradient is not put back in order"),
    Bug("stack-doutput-order", "stacked.Stack", "part = part[order]\n                part, dstates",
        "pass\n                part, dstates",
        "the backward direction's output gradient is not brought into its order"),
    Bug("stack-output-order", "stacked.Stack", "output[order] if backwards else output", "output",
        "the backward direction's outputs are not put back in order, while backward expects it"),
    Bug("stack-one-direction-dx", "stacked.Stack", "part if dx is None else dx + part", "part",
        "only one direction's gradient reaches the layer below"),
    Bug("stack-reversed-over-padding", "packing.reversal", "starts[lengths[k] - 1 - t]",
        "starts[(lengths[0] - 1 - t) % lengths[k]]",
        "the backward direction is reversed over the longest length, not each sequence's own",
        "pytorch #3587, google/flax #2170", gradient=False),
    # losses
    Bug("loss-not-divided", "losses.CrossEntropy", "dlogits * (dloss / divisor)", "dlogits * dloss",
        "the loss is divided by its normaliser, but its gradient is not"),
    Bug("loss-no-one-hot", "losses.CrossEntropy", "keepdims=True) - wanted", "keepdims=True)",
        "the 1 of the true class is not subtracted from the softmax"),
    Bug("loss-wrong-sign", "losses.CrossEntropy", "return (dlogits *", "return (-dlogits *",
        "the gradient points uphill: its sign is wrong"),
    Bug("loss-padding-counted", "losses.CrossEntropy", "        dlogits = get_array_module(log_p)",
        "        wanted, ignored = wanted.copy(), wanted.sum(axis=1) == 0\n"
        "        wanted[ignored, (self.ignore_index or 0) % log_p.shape[1]] = 1\n"
        "        dlogits = get_array_module(log_p)",
        "ignored labels (padding) get a gradient too"),
    Bug("loss-ignored-in-mean", "losses.CrossEntropy", "count = weight.sum()",
        "count = len(labels)",
        "ignored labels are counted in the mean", gradient=False),
    Bug("loss-upstream-ignored", "losses.CrossEntropy", "(dloss / divisor)", "(1.0 / divisor)",
        "the gradient that comes from above the loss is ignored"),
    Bug("mse-no-two", "losses.MeanSquaredError", "(2 * dloss / divisor)", "(dloss / divisor)",
        "the 2 of the square's derivative is left out"),
    # optimisers: the gradient is right, the step is not
    Bug("sgd-rate-in-velocity", "optim.SGD", "v += g", "v += lr * g",
        "the learning rate is applied twice, in the velocity and in the step", gradient=False),
    Bug("sgd-decay-late", "optim.SGD", "g = g + self.weight_decay * p.data",
        "g = g - self.weight_decay * p.data", "weight decay makes weights grow", gradient=False),
    Bug("adam-no-correction", "optim.Adam", "1 - beta1**self.steps, 1 - beta2**self.steps",
        "1.0, 1.0",
        "Adam's means are not corrected for starting at zero", gradient=False),
    Bug("adam-eps-inside", "optim.Adam", "(root + self.eps)",
        "(root**2 + self.eps) ** 0.5", "Adam's eps stands inside the root", gradient=False),
    Bug("adamw-decay-in-gradient", "optim.AdamW", "p.data -= (lr * self.weight_decay) * p.data",
        "p.grad += self.weight_decay * p.data",
        "AdamW's weight decay goes through the running means", gradient=False),
    Bug("clip-per-tensor", "optim.clip_grad_norm", "p.grad *= scale",
        "p.grad *= min(max_norm / (float((p.grad**2).sum()) ** 0.5 + 1e-6), 1.0)",
        "every tensor is clipped to the norm alone, which changes the direction", gradient=False),
    Bug("clip-always", "optim.clip_grad_norm", ".minimum(max_norm / (norm + 1e-6), 1.0)",
        ".asarray(max_norm / (norm + 1e-6))", "small gradients are scaled up to the norm",
        gradient=False),
    # data
    Bug("labels-not-sorted", "batches.Sequences", "else index[order]]",
        "else np.sort(index)]",
        "the sequences are sorted by length, but their labels are not", gradient=False),
]  # fmt: skip


@functools.cache
def source(target):
    """The source text of a target: a class or function of the package."""
    module_name, name = target.split(".")
    return inspect.getsource(getattr(MODULES[module_name], name))


@functools.lru_cache(maxsize=512)
def mutant(bug):
    """The changed class or function. Raises `ValueError` where `old` is not there exactly once."""
    text = source(bug.target)
    if text.count(bug.old) != 1:
        raise ValueError(
            f"{bug.name}: the old text stands {text.count(bug.old)} times in {bug.target}"
        )
    return _execute(bug.target, text.replace(bug.old, bug.new), {})


def rebuilt(target, bug):
    """`target`, made again so that it uses the mutant of something that it builds on."""
    return remade(target, **{bug.target.split(".")[1]: mutant(bug)})


def remade(target, **parts):
    """`target`, made again with other parts in the place of those it builds on."""
    return _execute(target, source(target), parts)


def _execute(target, text, extra):
    module_name, name = target.split(".")
    space = {**vars(MODULES[module_name]), **extra}
    exec(compile(text, f"<{target}, changed>", "exec"), space)
    return space[name]
