// Small nets that read any name here in the page: the lines of minirnn/cells.py, in their order.
// The tests hold every value to the library's. Vectors are arrays of numbers in double precision.
"use strict";

const minirnnNets = (function () {
  const each = (f) => (...v) => v[0].map((_, k) => f(...v.map((x) => x[k])));
  const plus = each((...x) => x.reduce((a, b) => a + b));
  const times = each((...x) => x.reduce((a, b) => a * b));
  const minus = each((a, b) => a - b);
  const sigmoid = each((a) => 1 / (1 + Math.exp(-a))), tanh = each(Math.tanh);
  const rest = each((y) => 1 - y);
  const dSigmoid = each((y) => y * (1 - y)), dTanh = each((y) => 1 - y * y);

  // forward(gx, state, product) returns all that it assigns, and backward(dstate, all that forward
  // has assigned, back) likewise, a list where one name is assigned twice; da is what reached the
  // product of each gate, dgx the gradients of gx where they differ.
  const cells = {
    RNN: {
      gates: "h", states: ["h"], additive: true,
      forward([gx], [h_prev], product) {
        const a = plus(gx, product(h_prev)[0]);
        return { h_prev, a, h: tanh(a) };
      },
      backward([dh], { h }, back) {
        const da = times(dh, dTanh(h));
        return { dh, da, dh_prev: back([da]), gates: [da] };
      },
    },
    LSTM: {
      gates: "ifgo", states: ["h", "c"], additive: true,
      forward(gx, [h_prev, c_prev], product) {
        const [ai, af, ag, ao] = product(h_prev).map((y, k) => plus(gx[k], y));
        const i = sigmoid(ai), f = sigmoid(af), o = sigmoid(ao);
        const g = tanh(ag);
        const c = plus(times(f, c_prev), times(i, g));
        const tanh_c = tanh(c);
        return { h_prev, c_prev, ai, af, ag, ao, i, f, o, g, c, tanh_c, h: times(o, tanh_c) };
      },
      backward([dh, dc_later], { i, f, g, o, c_prev, tanh_c }, back) {
        const d_o = times(dh, tanh_c);
        const dc = plus(dc_later, times(dh, o, dTanh(tanh_c)));
        const df = times(dc, c_prev), dc_prev = times(dc, f);
        const di = times(dc, g), dg = times(dc, i);
        const dai = times(di, dSigmoid(i)), daf = times(df, dSigmoid(f));
        const dao = times(d_o, dSigmoid(o)), dag = times(dg, dTanh(g));
        const gates = [dai, daf, dag, dao];
        return { dh, dc: [dc_later, dc], do: d_o, df, dc_prev, di, dg, dai, daf, dao, dag,
          dh_prev: back(gates), gates };
      },
    },
    GRU: {
      gates: "rzn", states: ["h"], additive: false,
      forward([gx_r, gx_z, gx_n], [h_prev], product) {
        const [product_r, product_z, product_n] = product(h_prev);
        const r = sigmoid(plus(gx_r, product_r)), z = sigmoid(plus(gx_z, product_z));
        const n = tanh(plus(gx_n, times(r, product_n)));
        const h = plus(times(rest(z), n), times(z, h_prev));
        return { h_prev, product_r, product_z, product_n, r, z, n, h };
      },
      backward([dh], { r, z, n, h_prev, product_n }, back) {
        const dz = times(dh, minus(h_prev, n)), dn = times(dh, rest(z)), direct = times(dh, z);
        const dan = times(dn, dTanh(n));
        const dr = times(dan, product_n), dproduct_n = times(dan, r);
        const dar = times(dr, dSigmoid(r)), daz = times(dz, dSigmoid(z));
        const gates = [dar, daz, dproduct_n], dh_prev = plus(direct, back(gates));
        return { dh, dz, dn, dh_prev: [direct, dh_prev], dan, dr, dproduct_n, dar, daz,
          gates, dgx: [dar, daz, dan] };
      },
    },
  };

  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const floats = (text) => new Float32Array(bytes(text));

  // A net from its weights in base64, as `weights_of` of export.py has written them.
  function unpacked(text, cell, V, H, K) {
    const flat = floats(text), G = cell.gates.length;
    let start = 0;
    const rows = (n, width) => Array.from({ length: n },
      () => Array.from(flat.subarray(start, start += width)));
    const matrices = (n) => Array.from({ length: G }, () => rows(n, H));
    return { Wx: matrices(V), Wh: matrices(H), bx: rows(G, H), bh: rows(G, H),
      W: rows(H, K), b: rows(1, K)[0] };
  }

  // v M and d M^T, for a matrix M as a list of rows.
  const forth = (v, M) => M[0].map((_, k) => v.reduce((sum, x, j) => sum + x * M[j][k], 0));
  const back = (d, M) => M.map((row) => row.reduce((sum, w, k) => sum + w * d[k], 0));

  const latest = (made) => (Array.isArray(made[0]) ? made[made.length - 1] : made);

  // The letters `ids`, read by a net of this kind; with the answer `label`, or else its own:
  // {values: as `run_of` of export.py packs them, loss, p, label}.
  function read(kind, weights, V, K, ids, label = null) {
    const cell = cells[kind.label], { panels, factors } = kind.layers[0], H = kind.hidden;
    const net = unpacked(weights, cell, V, H, K), T = ids.length;
    const zero = Array(H).fill(0), steps = [];
    let state = cell.states.map(() => zero);
    for (const id of ids) {
      const bias = (k) => (cell.additive ? plus(net.bx[k], net.bh[k]) : net.bx[k]);
      const gx = net.Wx.map((Wx, k) => plus(Wx[id], bias(k)));
      const product = (v) => net.Wh.map((Wh, k) =>
        (cell.additive ? forth(v, Wh) : plus(forth(v, Wh), net.bh[k])));
      const made = cell.forward(gx, state, product);
      [...cell.gates].forEach((gate, k) => { made[`gx_${gate}`] = gx[k]; });
      state = cell.states.map((name) => made[name]);
      steps.push({ forward: made });
    }
    const logits = plus(forth(state[0], net.W), net.b), most = Math.max(...logits);
    const sum = logits.reduce((s, y) => s + Math.exp(y - most), 0);
    const p = logits.map((y) => Math.exp(y - most) / sum);
    const right = label ?? p.indexOf(Math.max(...p));
    let dstate = [back(p.map((x, k) => x - Number(k === right)), net.W), zero].slice(
      0, cell.states.length);
    for (let t = T - 1; t >= 0; t--) {
      const made = cell.backward(dstate, steps[t].forward,
        (gates) => plus(...gates.map((da, k) => back(da, net.Wh[k]))));
      dstate = cell.states.map((name) => latest(made[`d${name}_prev`]));
      steps[t].backward = made;
    }
    return { values: packed(cell, panels, factors, steps), label: right, p,
      loss: Math.log(sum) + most - logits[right] };
  }

  function packed(cell, panels, factors, steps) {
    const times = new Map(), flat = [];
    for (const { phase, variable } of panels) {
      if (phase === "sum") continue;
      const key = `${phase} ${variable}`, time = times.get(key) ?? 0;
      times.set(key, time + 1);
      for (const step of steps) {
        const made = step[phase][variable];
        flat.push(...(Array.isArray(made[0]) ? made[time] : made));
      }
    }
    for (const { name } of factors) {
      const [what, gate] = name.split(" "), k = cell.gates.indexOf(gate);
      for (const { forward, backward } of steps) {
        flat.push(...(what === "v" ? forward.h_prev
          : what === "da" ? backward.gates[k] : backward.dgx[k]));
      }
    }
    return Float32Array.from(flat);
  }

  // What is read of what was typed, as `Alphabet.clean` does: {text, lost, cut}.
  function cleaned(typed, alphabet, alike, longest) {
    const known = new Set(alphabet), parts = [...typed.normalize("NFD")];
    const read = (c) => (known.has(c) ? c
      : [...(alike[c] ?? c)].filter((one) => known.has(one)).join(""));
    const whole = parts.map(read).join("").trim();
    const lost = parts.filter((c) => !/[\p{Mn}\s]/u.test(c) && !read(c));
    const text = whole.slice(0, longest);
    return { text: /\p{L}/u.test(text) ? text : "", lost: [...new Set(lost)].join(""),
      cut: whole.length > longest };
  }

  return { read, cleaned, floats };
})();
if (typeof module !== "undefined") module.exports = minirnnNets;
