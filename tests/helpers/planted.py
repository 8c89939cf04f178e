"""Every mistake of the zoo that changes a gradient, planted in the other code of `fresh.py`.

Each was written from the zoo's sentence about it, not from the zoo's own change to the library:
{name of the zoo's bug: (where in fresh.py, [(old text, new text), ...])}.
"""

import inspect

import fresh

PLANTED = {
    # functions
    "sigmoid-as-tanh": ("logistic_slope", [("s - s**2", "1 - s**2")]),
    "tanh-as-sigmoid": ("hyperbolic_slope", [("(1.0 + t)", "t")]),
    "tanh-of-tanh": ("hyperbolic_slope", [("(1.0 + t) * (1.0 - t)", "1 / np.cosh(t) ** 2")]),
    "sigmoid-of-sigmoid": ("logistic_slope", [("return", "s = logistic(s)\n    return")]),
    "relu-from-output": ("ramp_slope", [("np.where(y > 0, 1.0, 0.0)", "1.0 - (y < 0)")]),
    # layers
    "linear-bias-mean": ("Affine", [("d_offset += d_row", "d_offset += d_row / len(batch)")]),
    "linear-bias-one-row": ("Affine", [
        ("d_offset += d_row", "d_offset = d_row if row is batch[0] or not d_offset.any() "
         "else d_offset")]),
    "linear-weight-mean": ("Affine", [("grad += d_weight", "grad += d_weight / batch.shape[0]")]),
    "linear-weight-overwritten": ("Affine", [
        ("self.weight.grad += d_weight", "self.weight.grad[:] = d_weight")]),
    "linear-dx-mean": ("Affine", [
        ("d_result @ self.weight.data", "(d_result / len(batch)) @ self.weight.data")]),
    "linear-returns-weights": ("Affine", [
        ("self.weight.grad += d_weight",
         "self.weight.grad += d_weight\n        self.weight.grad += self.weight.data")]),
    "embedding-repeated-ids": ("Lookup", [
        ("        for word, d_row in zip(words, d_rows, strict=True):\n"
         "            self.table.grad[word] += d_row",
             "        self.table.grad[words] += d_rows")]),
    "dropout-scale-lost": ("Thinning", [
        ("np.where(stays, d_values / (1 - self.drop), 0.0)", "d_values * stays")]),
    "dropout-not-undone": ("Thinning", [
        ("np.where(stays, d_values / (1 - self.drop), 0.0)", "1.0 * d_values")]),
    "dropout-mask-lost": ("Thinning", [
        ("np.where(stays, d_values / (1 - self.drop), 0.0)", "d_values / (1 - self.drop)")]),
    "dropout-fresh-mask": ("Thinning", [
        ("return np.where(stays, d_values",
         "stays = np.random.default_rng().random(stays.shape) > self.drop\n"
         "        return np.where(stays, d_values")]),
    # RNN cell
    "rnn-tanh-left-out": ("Elman", [("d_new * (1 - new) * (1 + new)", "d_new.copy()")]),
    "rnn-dh-before-tanh": ("Elman", [("product.backward((d_total,))",
        "product.backward((d_new,))")]),
    "rnn-state-not-passed": ("Elman", [("(d_old,)\n", "(np.zeros_like(d_old),)\n")]),
    "rnn-output-before-f": ("Elman", [("np.tanh(total)", "total")]),
    "rnn-slope-from-h-prev": ("Elman", [
        ("(1 - new) * (1 + new)", "(1 - product.product.inputs[None][0] ** 2)")]),
    "rnn-weights-not-passed": ("Elman", [("(d_old,)\n", "(d_old - d_old + d_total,)\n")]),
    "rnn-upstream-ignored": ("Elman", [
        ("d_new, new = dstate[0],", "d_new, new = np.ones(dstate[0].shape),")]),
    # LSTM cell
    "lstm-no-sigmoid-i": ("LoopLSTM", [('"u": y - y**2', '"u": 1.0')]),
    "lstm-no-sigmoid-f": ("LoopLSTM", [('"k": y - y**2', '"k": 1.0')]),
    "lstm-no-sigmoid-o": ("LoopLSTM", [('"q": y - y**2', '"q": 1.0')]),
    "lstm-no-sigmoid-ifo": ("LoopLSTM", [
        ('{"q": y - y**2, "k": y - y**2, "u": y - y**2, "m": 1 - y**2}[name]',
         '1 - y**2 if name == "m" else 1.0')]),
    "lstm-no-tanh-g": ("LoopLSTM", [('"m": 1 - y**2', '"m": np.ones_like(y)')]),
    "lstm-g-as-sigmoid": ("LoopLSTM", [('"m": 1 - y**2', '"m": y - y**2')]),
    "lstm-o-as-tanh": ("LoopLSTM", [('"q": y - y**2', '"q": 1 - y**2')]),
    "lstm-no-tanh-c": ("LoopLSTM", [(" * bend", "")]),
    "lstm-tanh-of-tanh-c": ("LoopLSTM", [("1 - squashed**2", "1 / np.cosh(squashed) ** 2")]),
    "lstm-tanh-prime-of-c": ("LoopLSTM", [("1 - squashed**2", '1 - cache["new"] ** 2')]),
    "lstm-future-dc-lost": ("LoopLSTM", [("d_new = d_new + d_shown", "d_new = d_shown")]),
    "lstm-h-path-lost": ("LoopLSTM", [
        ('        d_new = d_new + d_shown * act["q"] * bend\n', "")]),
    "lstm-forget-path-lost": ("LoopLSTM", [
        ('d_mem = d_new * act["k"]', "d_mem = np.zeros(mem.shape)")]),
    "lstm-forget-gate-skipped": ("LoopLSTM", [('d_mem = d_new * act["k"]', "d_mem = d_new + 0.0")]),
    "lstm-df-from-c": ("LoopLSTM", [("d_new * mem", 'd_new * cache["new"]')]),
    "lstm-i-g-swapped": ("LoopLSTM", [
        ('"u": d_new * act["m"]', '"u": d_new * act["u"]'),
        ('"m": d_new * act["u"]', '"m": d_new * act["m"]')]),
    "lstm-do-from-c": ("LoopLSTM", [("d_shown * squashed", 'd_shown * cache["new"]')]),
    "lstm-do-missing": ("LoopLSTM", [("d_shown * squashed", "np.zeros(d_shown.shape)")]),
    "lstm-gates-repacked": ("LoopLSTM", [
        ("        d_out = product",
         "        d_total[0], d_total[3] = d_total[3], d_total[0]\n        d_out = product")]),
    "lstm-i-f-repacked": ("LoopLSTM", [
        ("        d_out = product",
         "        d_total = [d_total[k] for k in (0, 2, 1, 3)]\n        d_out = product")]),
    "lstm-forget-for-all": ("LoopLSTM", [
        ("        d_out = product",
         "        d_total[0] = d_total[2] = d_total[1]\n        d_out = product")]),
    "lstm-state-not-passed": ("LoopLSTM", [("(d_out, d_mem)", "(d_out * 0.0, d_mem)")]),
    "lstm-cache-changed": ("LoopLSTM", [
        ("        d_out = product", '        act["u"] *= 0.5\n        d_out = product')]),
    "lstm-upstream-changed": ("LoopLSTM", [
        ("d_new = d_new + d_shown * ", "d_new += d_shown * ")]),
    "lstm-plus-for-times": ("LoopLSTM", [
        ('np.einsum("nh,nh->nh", act["u"], act["m"])', 'act["u"] + act["m"]')]),
    "lstm-h-without-tanh": ("LoopLSTM", [('act["q"] * squashed\n', 'act["q"] * new\n')]),
    "lstm-output-gate-classified": ("LoopLSTM", [("return (shown, new)",
        'return (act["q"], new)')]),
    "lstm-tanh-on-all-dc": ("LoopLSTM", [
        ('d_new + d_shown * act["q"] * bend', '(d_new + d_shown * act["q"]) * bend')]),
    "lstm-dc-without-o": ("LoopLSTM", [('d_shown * act["q"] * bend', "d_shown * bend")]),
    "lstm-dc-prev-early": ("LoopLSTM", [
        ('d_mem = d_new * act["k"]', 'd_mem = act["k"] * dstate[1]')]),
    "lstm-di-early": ("LoopLSTM", [('"u": d_new * act["m"]', '"u": dstate[1] * act["m"]')]),
    "lstm-df-early": ("LoopLSTM", [('"k": d_new * mem', '"k": dstate[1] * mem')]),
    "lstm-dg-early": ("LoopLSTM", [('"m": d_new * act["u"]', '"m": dstate[1] * act["u"]')]),
    "lstm-states-exchanged": ("LoopLSTM", [("d_shown, d_new = dstate", "d_new, d_shown = dstate")]),
    "lstm-prev-exchanged": ("LoopLSTM", [("(d_out, d_mem)", "(d_mem, d_out)")]),
    "lstm-product-before-slopes": ("LoopLSTM", [
        ("product.backward(tuple(d_total))", "product.backward(tuple(d_act.values()))")]),
    "lstm-h-sigmoid-c": ("LoopLSTM", [
        ("squashed = np.tanh(new)", "squashed = 1 / (1 + np.exp(-new))")]),
    **{f"lstm-half-slope-{theirs}{side}": ("LoopLSTM", [(f'"{ours}": y - y**2',
                                                        f'"{ours}": {slope}')])
       for theirs, ours in zip("ifo", "ukq", strict=True)
       for side, slope in (("", "y"), ("-rest", "1 - y"))},
    # GRU, reset after
    "gru-dn-from-z": ("LateGRU", [("d_n = d_new * u", "d_n = d_new * (1 - u)")]),
    "gru-keep-path-1-z": ("LateGRU", [("d_y = d_new * (1 - u)", "d_y = d_new * u")]),
    "gru-keep-path-whole": ("LateGRU", [("d_y = d_new * (1 - u)", "d_y = 1.0 * d_new")]),
    "gru-dz-without-n": ("LateGRU", [("d_new * (n - y)", "d_new * -y")]),
    "gru-dz-without-h-prev": ("LateGRU", [("d_new * (n - y)", "d_new * n")]),
    "gru-dgx-n-with-r": ("LateGRU", [("return (pre_n, pre_u", "return (1 * d_rec_n, pre_u")]),
    "gru-dr-before-tanh": ("LateGRU", [("d_r = pre_n * rec_n", "d_r = d_n * rec_n")]),
    "gru-z-sides-swapped": ("LateGRU", [
        ("d_n = d_new * u", "d_n = d_new * (1 - u)"), ("d_y = d_new * (1 - u)",
         "d_y = d_new * u")]),
    "gru-z-sign": ("LateGRU", [("d_new * (n - y)", "d_new * (y - n)")]),
    "gru-keep-path-lost": ("LateGRU", [("d_y = d_y + through", "d_y = through")]),
    "gru-gates-path-lost": ("LateGRU", [("        d_y = d_y + through\n", "")]),
    "gru-reset-skipped": ("LateGRU", [("pre_n * r\n", "pre_n\n")]),
    "gru-dr-from-h": ("LateGRU", [("d_r = pre_n * rec_n", "d_r = pre_n * y")]),
    "gru-no-tanh-n": ("LateGRU", [("d_n * (1 - n**2)", "d_n")]),
    "gru-no-sigmoid-r": ("LateGRU", [("d_r * r * (1 - r)", "d_r")]),
    "gru-no-sigmoid-z": ("LateGRU", [("d_u * u * (1 - u)", "d_u")]),
    "gru-r-z-repacked": ("LateGRU", [
        ("        through", "        pre_r, pre_u = pre_u, pre_r\n        through")]),
    "gru-r-z-repacked-hidden": ("LateGRU", [
        ("product.backward((d_rec_n, pre_u, pre_r))",
         "product.backward((d_rec_n, pre_r, pre_u))")]),
    "gru-forward-sides": ("LateGRU", [("y + u * (n - y)", "n + u * (y - n)")]),
    "gru-backward-sides": ("LateGRU", [
        ("d_n = d_new * u", "d_n = d_new * (1 - u)"), ("d_y = d_new * (1 - u)",
         "d_y = d_new * u"), ("d_new * (n - y)", "d_new * (y - n)")]),
    # GRU, reset before
    "before-reset-path-lost": ("EarlyGRU", [("        d_s = d_s + d_gated * g\n", "")]),
    "before-reset-skipped": ("EarlyGRU", [("d_gated * g\n", "d_gated\n")]),
    "before-dr-skips-weights": ("EarlyGRU", [("d_g = d_gated * s", "d_g = pre_c * s")]),
    "before-forms-mixed": ("EarlyGRU", [('product(g * s, "c")', 'g * product(s, "c")')]),
    "before-z-sides-swapped": ("EarlyGRU", [
        ("d_c = d_new * (1 - k)", "d_c = d_new * k"), ("d_s = d_new * k",
         "d_s = d_new * (1 - k)")]),
    "before-keep-path-lost": ("EarlyGRU", [("d_s = d_new * k", "d_s = np.zeros_like(s)")]),
    "before-dn-from-z": ("EarlyGRU", [("d_c = d_new * (1 - k)", "d_c = d_new * k")]),
    "before-keep-path-1-z": ("EarlyGRU", [("d_s = d_new * k", "d_s = d_new * (1 - k)")]),
    "before-keep-path-whole": ("EarlyGRU", [("d_s = d_new * k", "d_s = +d_new")]),
    "before-z-sign": ("EarlyGRU", [("d_new * (s - c)", "d_new * (c - s)")]),
    "before-no-tanh-n": ("EarlyGRU", [("d_c * (1 - c * c)", "+d_c")]),
    "before-no-sigmoid-r": ("EarlyGRU", [("d_g * g * (1 - g)", "+d_g")]),
    "before-no-sigmoid-z": ("EarlyGRU", [("(s - c) * k * (1 - k)", "(s - c)")]),
    # time
    "time-future-lost": ("Unrolled", [
        ("d_step[0] + doutput[begin : begin + n]", "doutput[begin : begin + n].copy()")]),
    "time-outputs-ignored": ("Unrolled", [
        ("d_step[0] + doutput[begin : begin + n]",
         "d_step[0] + (t == len(tape) - 1) * doutput[begin : begin + n]")]),
    "time-last-step-weights": ("StepUndo", [("self.dWh[place] +=", "self.dWh[place] =")]),
    "time-last-step-wx": ("Unrolled", [("dWx[g] += rows", "dWx[g] = rows")]),
    "time-last-step-bias": ("Unrolled", [("dbx[g] += d_gate", "dbx[g] = d_gate")]),
    "time-h-for-h-prev": ("Unrolled", [
        ("            tape.append",
         "            product.asked[None] = new[0]\n            tape.append")]),
    "time-wh-not-transposed": ("StepUndo", [("self.product.Wh[place].T",
        "self.product.Wh[place]")]),
    "time-one-gate-back": ("StepUndo", [("dv = dv + part @ back",
                                         "dv = dv + part @ back if place == 0 else dv")]),
    "time-initial-state-dropped": ("Unrolled", [
        (", tuple(d_now)\n", ", tuple(np.zeros_like(d) for d in d_now)\n")]),
    "time-initial-state-unused": ("Unrolled", [(" if state is None else state\n", "\n")]),
    "time-final-state-ignored": ("Unrolled", [("dfinal or [None]", "[None]")]),
    "time-final-memory-ignored": ("Unrolled", [
        ("is None else d for d in given", "is None or k else d for k, d in enumerate(given)")]),
    "time-final-at-last-step": ("Unrolled", [
        ("else d for d in given",
         "else d * (np.arange(N) < len(tape[-1][0]))[:, None] for d in given")]),
    "time-bias-mean": ("Unrolled", [
        ("self.bx.grad += dbx", "self.bx.grad += dbx / rows_in_all"),
        ("self.bh.grad += dbh", "self.bh.grad += dbh / rows_in_all")]),
    "time-bias-last-step": ("Unrolled", [("dbx[g] += d_gate.sum(axis=0)", "dbx[g] = d_gate[0]")]),
    "time-bias-of-another-gate": ("Unrolled", [("self.bx.grad += dbx", "self.bx.grad += dbx[:1]")]),
    "time-weights-mean": ("Unrolled", [("rows.T @ d_gate", "rows.T @ d_gate / n")]),
    "time-weights-overwritten": ("Unrolled", [("self.Wx.grad += dWx", "self.Wx.grad[:] = dWx")]),
    "time-returns-weights": ("Unrolled", [
        ("self.Wh.grad += dWh", "self.Wh.grad += dWh + self.Wh.data")]),
    "time-wh-no-gradient": ("Unrolled", [("        self.Wh.grad += dWh\n", "")]),
    "time-hidden-bias-outside": ("Unrolled", [("self.bh.grad += dbh", "self.bh.grad += dbx")]),
    "time-dx-one-gate": ("Unrolled", [
        ("dx[t] = dx[t] + d_gate @ self.Wx.data[g].T",
         "dx[t] = d_gate @ self.Wx.data[g].T if g == 0 else dx[t]")]),
    "time-clip-in-backward": ("Unrolled", [
        ("            dx[t] = 0\n", "            d_now = [np.clip(d, -1, 1) for d in d_now]\n"
         "            dx[t] = 0\n")]),
    "time-output-from-before": ("Unrolled", [
        ("            now = [np.concatenate", "            shown.append(now[0][:n])\n"
         "            now = [np.concatenate"),
        ("for a, s in zip(new, now, strict=True)]\n            shown.append(now[0][:n])",
         "for a, s in zip(new, now, strict=True)]")]),
    "time-truncated-late": ("Unrolled", [("(t + 1) % every == 0", "t % every == 0")]),
    # stack
    "stack-dx-order": ("Tower", [("            other = other[turn]\n", "")]),
    "stack-doutput-order": ("Tower", [("            d_back = d_back[turn]\n", "")]),
    "stack-output-order": ("Tower", [("            back = back[turn]\n", "")]),
    "stack-one-direction-dx": ("Tower", [("d = dx + other", "d = other")]),
    # losses
    "loss-not-divided": ("Surprise", [(" - hit) / len(counted)", " - hit)")]),
    "loss-no-one-hot": ("Surprise", [("hit[truth[k]] = 1.0", "pass")]),
    "loss-wrong-sign": ("Surprise", [('(cache["shares"][k] - hit)', '(hit - cache["shares"][k])')]),
    "loss-padding-counted": ("Surprise", [("for k in counted:", "for k in range(len(d_scores)):")]),
    "loss-upstream-ignored": ("Surprise", [("dloss * (cache", "(cache")]),
    "mse-no-two": ("SquaredGap", [("2.0 * gap", "gap")]),
}  # fmt: skip


def plant(where, changes):
    """The class or function of `fresh.py`, with the changes made to its text."""
    text = inspect.getsource(getattr(fresh, where))
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{where}: {old!r} stands there {text.count(old)} times")
        text = text.replace(old, new)
    space = dict(vars(fresh))
    exec(compile(text, f"<{where}, changed>", "exec"), space)
    return space[where]


def planted(name):
    """The changed class or function with the zoo's bug `name` in it."""
    where, changes = PLANTED[name]
    changed = plant(where, changes)
    if where == "StepUndo":
        return type("Unrolled", (fresh.Unrolled,), {"undo": changed})
    return changed
