// The lab's arithmetic: points, networks, training, intervals. No page is touched here, so that workers can run it too.
// Networks train as Keras trains them; tests/site/test_lab.py compares them weight by weight.
// Letters in comments: N points, B of a batch, D inputs, F features that enter a layer, U units that leave it.

function labCore() {
  "use strict";

  const NETWORKS = 50;
  const Z = 2.5758293035489004; // of the normal distribution: 99 % lie within
  const BATCH = 32; // Keras's
  const LINE = { low: 0, high: 20, intercept: 3, slope: 0.7, places: 100 };
  const XOR = { reach: 2, side: 40, spread: 0.25, fresh: 400, solved: 0.95 };
  const CORNERS = [[-1, -1], [-1, 1], [1, 1], [1, -1]]; // neighbours differ in class

  // ---------------------------------------------------------------------------------------- chance

  // Return a generator whose stream depends on every part of the key (numbers or texts) and on nothing else.
  function random(...key) {
    let hash = 0x9e3779b9;
    for (const letter of key.join("/")) hash = mixed(hash ^ letter.codePointAt(0));
    // Small fast counter (PractRand's sfc32): three words that are shuffled, and one that counts.
    let a = hash, b = mixed(hash + 1), c = mixed(hash + 2), count = 1;
    const word = () => {
      const sum = (a + b + count) | 0;
      count = (count + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
      return sum >>> 0;
    };
    for (let i = 0; i < 15; i++) word();
    const uniform = () => (word() + 0.5) / 4294967296; // never 0, never 1
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal };
  }

  function mixed(value) {
    let x = value | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return x ^ (x >>> 16);
  }

  // Return the numbers 0 to n - 1 in a random order.
  function order(n, chance) {
    const found = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(chance.uniform() * (i + 1));
      [found[i], found[j]] = [found[j], found[i]];
    }
    return found;
  }

  // -------------------------------------------------------------------------------------- networks

  // Return kernels (F, U) from Glorot's uniform distribution and biases of 0, in the order of Keras's get_weights().
  function start(sizes, chance) {
    const weights = [];
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const [features, units] = [sizes[layer], sizes[layer + 1]];
      const edge = Math.sqrt(6 / (features + units));
      weights.push(Float32Array.from({ length: features * units }, () => edge * (2 * chance.uniform() - 1)));
      weights.push(new Float32Array(units));
    }
    return weights;
  }

  // Fill outs[layer + 1] (B, U) from outs[layer] (B, F): ReLU, and none after the last layer.
  function forward(sizes, weights, outs, count) {
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      const [features, units] = [sizes[layer], sizes[layer + 1]];
      const [kernel, bias, from, to] = [weights[2 * layer], weights[2 * layer + 1], outs[layer], outs[layer + 1]];
      const last = layer + 2 === sizes.length;
      for (let row = 0; row < count; row++) {
        const at = row * units;
        for (let u = 0; u < units; u++) to[at + u] = bias[u];
        for (let f = 0; f < features; f++) {
          const value = from[row * features + f];
          if (value === 0) continue; // a unit that is not active
          const line = f * units;
          for (let u = 0; u < units; u++) to[at + u] += value * kernel[line + u];
        }
        if (!last) for (let u = 0; u < units; u++) if (to[at + u] < 0) to[at + u] = 0;
      }
    }
  }

  // Fill slopes from deltas of the last layer; deltas of the layers before it are found on the way.
  function backward(sizes, weights, outs, deltas, slopes, count) {
    for (let layer = sizes.length - 2; layer >= 0; layer--) {
      const [features, units] = [sizes[layer], sizes[layer + 1]];
      const [kernel, from, delta, below] = [weights[2 * layer], outs[layer], deltas[layer + 1], deltas[layer]];
      const [ofKernel, ofBias] = [slopes[2 * layer].fill(0), slopes[2 * layer + 1].fill(0)];
      for (let row = 0; row < count; row++) {
        const at = row * units;
        for (let u = 0; u < units; u++) ofBias[u] += delta[at + u];
        for (let f = 0; f < features; f++) {
          const value = from[row * features + f];
          if (layer > 0) below[row * features + f] = 0;
          if (value === 0) continue; // neither its weights nor what lies below it feel anything
          const line = f * units;
          let sum = 0;
          for (let u = 0; u < units; u++) {
            ofKernel[line + u] += value * delta[at + u];
            sum += kernel[line + u] * delta[at + u];
          }
          if (layer > 0) below[row * features + f] = sum;
        }
      }
    }
  }

  // Train one network in place and return its weights. `batches` holds the rows of each step; `how` the task ("line":
  // squared error; "xor": cross-entropy of a logit), optimizer ("adam", "sgd"), rate, and l2 (of kernels, not of biases).
  function train(sizes, weights, x, y, batches, how) {
    const most = Math.max(...batches.map((rows) => rows.length));
    const room = () => sizes.map((size) => new Float32Array(most * size));
    const alike = () => weights.map((w) => new Float32Array(w.length));
    const [outs, deltas, slopes, first, second] = [room(), room(), alike(), alike(), alike()];
    const [inputs, l2] = [sizes[0], Math.fround(how.l2)]; // Keras keeps a penalty in single precision
    batches.forEach((rows, step) => {
      const count = rows.length;
      for (let row = 0; row < count; row++) {
        for (let d = 0; d < inputs; d++) outs[0][row * inputs + d] = x[rows[row] * inputs + d];
      }
      forward(sizes, weights, outs, count);
      const [found, delta] = [outs.at(-1), deltas.at(-1)];
      for (let row = 0; row < count; row++) {
        const wanted = y[rows[row]];
        const error = how.task === "line" ? 2 * (found[row] - wanted) : 1 / (1 + Math.exp(-found[row])) - wanted;
        delta[row] = error / count;
      }
      backward(sizes, weights, outs, deltas, slopes, count);
      weights.forEach((w, which) => {
        const slope = slopes[which];
        if (l2 > 0 && which % 2 === 0) for (let i = 0; i < w.length; i++) slope[i] += 2 * l2 * w[i];
        if (how.optimizer === "adam") adam(w, slope, first[which], second[which], how.rate, step + 1);
        else for (let i = 0; i < w.length; i++) w[i] -= how.rate * slope[i];
      });
    });
    return weights;
  }

  // One step of Adam as Keras takes it: both corrections in the rate, and epsilon beside the root. For the corrections
  // Keras rounds both betas to single precision, which moves 1 - 0.999 by one part in 80,000; for the means it does not.
  function adam(w, slope, mean, square, rate, step) {
    const corrected = (rate * Math.sqrt(1 - Math.fround(0.999) ** step)) / (1 - Math.fround(0.9) ** step);
    for (let i = 0; i < w.length; i++) {
      mean[i] += (slope[i] - mean[i]) * (1 - 0.9);
      square[i] += (slope[i] * slope[i] - square[i]) * (1 - 0.999);
      w[i] -= (mean[i] * corrected) / (Math.sqrt(square[i]) + 1e-7);
    }
  }

  // Return the outputs at x (N, D): (N,).
  function predict(sizes, weights, x) {
    const count = x.length / sizes[0];
    const outs = sizes.map((size, layer) => (layer === 0 ? x : new Float32Array(count * size)));
    forward(sizes, weights, outs, count);
    return outs.at(-1);
  }

  // Return intercept and slopes of least squares, by the normal equations; a singular direction gets slope 0.
  function leastSquares(x, y, inputs) {
    const size = inputs + 1;
    const rows = Array.from({ length: size }, () => new Float64Array(size + 1));
    for (let n = 0; n < y.length; n++) {
      const at = [1, ...x.slice(n * inputs, (n + 1) * inputs)];
      at.forEach((a, i) => {
        at.forEach((b, j) => (rows[i][j] += a * b));
        rows[i][size] += a * y[n];
      });
    }
    for (let i = 0; i < size; i++) { // positive definite: no pivots are needed
      const pivot = rows[i][i];
      for (let j = 0; j < size; j++) {
        if (j === i || !(pivot > 1e-9)) continue;
        const factor = rows[j][i] / pivot;
        for (let k = i; k <= size; k++) rows[j][k] -= factor * rows[i][k];
      }
    }
    return rows.map((row, i) => (row[i] > 1e-9 ? row[size] / row[i] : 0));
  }

  // ------------------------------------------------------------------------------------- two worlds
  // Settings: task, width, l2, noise, steps, n, rate, optimizer, seed. Everything about a network follows from them and
  // its number; points, weights and batches have streams of their own, so that a slider leaves the others alone.

  function sizesOf(settings) {
    return settings.task === "line" ? [1, settings.width, settings.width, 1] : [2, settings.width, 1];
  }

  // Return the training points of a network, x (N, D) and y (N,).
  function draw(settings, member) {
    const { task, n, noise, seed } = settings;
    const [place, chance] = ["places", "noise"].map((what) => random(seed, task, what, member));
    if (task === "line") {
      const x = Float32Array.from({ length: n }, () => LINE.low + (LINE.high - LINE.low) * place.uniform());
      return { x, y: x.map((at) => truth(at) + noise * chance.normal()) };
    }
    const { x, y } = blobs(n, place);
    return { x, y: y.map((label) => (chance.uniform() < noise ? 1 - label : label)) };
  }

  function truth(x) {
    return LINE.intercept + LINE.slope * x;
  }

  function blobs(n, chance) {
    const [x, y] = [new Float32Array(2 * n), new Float32Array(n)];
    for (let i = 0; i < n; i++) {
      x[2 * i] = CORNERS[i % 4][0] + XOR.spread * chance.normal();
      x[2 * i + 1] = CORNERS[i % 4][1] + XOR.spread * chance.normal();
      y[i] = i % 2;
    }
    return { x, y };
  }

  // Return the rows of each step: mini-batches in a new order each epoch for the line, all points at once for XOR.
  function batches(settings, member) {
    const { task, n, steps, seed } = settings;
    if (task === "xor" || n <= BATCH) return Array(steps).fill(Int32Array.from({ length: n }, (_, i) => i));
    const [chance, found] = [random(seed, task, "batches", member), []];
    while (found.length < steps) {
      const epoch = order(n, chance);
      for (let at = 0; at < n && found.length < steps; at += BATCH) found.push(epoch.slice(at, at + BATCH));
    }
    return found;
  }

  // Return where curves are looked at: x of the line, or the corners of a grid, row by row from the top.
  function places(task) {
    if (task === "line") {
      const width = (LINE.high - LINE.low) / LINE.places;
      return Float32Array.from({ length: LINE.places }, (_, i) => LINE.low + width * (i + 0.5));
    }
    const at = (i) => XOR.reach * ((2 * i + 1) / XOR.side - 1);
    const grid = new Float32Array(2 * XOR.side ** 2);
    for (let i = 0; i < XOR.side ** 2; i++) grid.set([at(i % XOR.side), -at(Math.floor(i / XOR.side))], 2 * i);
    return grid;
  }

  // Train network `member` and return its points, its curve, and what it alone says: {points, curve, line, error,
  // reference, yes}. Errors of the line are mean squared distances to the true one; those of XOR are shares of new
  // points with the right class. A network that diverged counts as one that knows nothing but the mean of its targets.
  function run(settings, member) {
    const { task, seed } = settings;
    const [sizes, points, at] = [sizesOf(settings), draw(settings, member), places(task)];
    const weights = start(sizes, random(seed, task, "weights", member));
    train(sizes, weights, points.x, points.y, batches(settings, member), settings);
    const diverged = !weights.every((w) => w.every(Number.isFinite));
    const mean = points.y.reduce((sum, y) => sum + y, 0) / points.y.length;
    const flat = task === "line" ? mean : Math.log(mean / (1 - mean));
    const network = (x) => (diverged ? new Float32Array(x.length / sizes[0]).fill(flat) : predict(sizes, weights, x));
    const line = leastSquares(points.x, points.y, sizes[0]);
    const curve = network(at);
    if (task === "line") {
      const distance = (value) => at.reduce((sum, x, i) => sum + (value(x, i) - truth(x)) ** 2, 0) / at.length;
      const [error, reference] = [distance((_, i) => curve[i]), distance((x) => line[0] + line[1] * x)];
      return { member, points, curve, line, error, reference, yes: error < reference };
    }
    const fresh = blobs(XOR.fresh, random(seed, task, "fresh", member));
    const right = (score) => fresh.y.reduce((sum, y, i) => sum + (score(i) > 0 === y > 0.5), 0) / XOR.fresh;
    const scores = network(fresh.x);
    const straight = (i) => line[0] + line[1] * fresh.x[2 * i] + line[2] * fresh.x[2 * i + 1] - 0.5;
    const [error, reference] = [right((i) => scores[i]), right(straight)];
    return { member, points, curve, line, error, reference, yes: error >= XOR.solved };
  }

  // ------------------------------------------------------------------------------------- statistics

  // Return Wilson's interval of a share at 99 %, [low, high].
  function wilson(count, n) {
    const [share, square] = [count / n, Z * Z];
    const middle = (count + square / 2) / (n + square);
    const half = (Z / (n + square)) * Math.sqrt(n * share * (1 - share) + square / 4);
    return [count === 0 ? 0 : middle - half, count === n ? 1 : middle + half];
  }

  // Return a quantile with linear interpolation, as NumPy's.
  function quantile(values, share) {
    const sorted = Float64Array.from(values).sort();
    const at = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
    return below + (at - Math.floor(at)) * (above - below);
  }

  // Return, for the curves of several runs, [5 %, mean, 95 %] at each place.
  function band(curves) {
    return Array.from(curves[0], (_, i) => {
      const values = curves.map((curve) => curve[i]);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return [quantile(values, 0.05), mean, quantile(values, 0.95)];
    });
  }

  return {
    NETWORKS, LINE, XOR, random, order, start, train, predict, leastSquares, sizesOf, draw, batches, places, run, truth,
    wilson, quantile, band,
  };
}
