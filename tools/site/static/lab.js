// The lab's page: controls, workers that train, pictures and sentences. lab-core.js, which comes first, does the
// arithmetic. The address after # holds all settings, so that a link opens the page as its sender saw it.

function lab(root) {
  "use strict";

  const core = labCore();
  const percent = (share) => `${Math.round(100 * share)} %`;
  const WORLDS = {
    line: {
      name: "noisy line",
      statement: "The network is closer to the true line than least squares is.",
      noise: { label: "noise of y", values: [0, 0.5, 1, 2, 3, 4] },
      start: { width: 16, l2: 0, noise: 2, steps: 200, n: 40, rate: 0.01, optimizer: "adam" },
      alone: (one) => `its mean squared distance to the true line is ${number(one.error)}, that of least squares ${number(one.reference)}`,
      means: (error, reference) => `a mean squared distance of ${number(error)} for the network, ${number(reference)} for least squares`,
    },
    xor: {
      name: "XOR",
      statement: `The network has learned XOR: at least ${percent(core.XOR.solved)} of new points get the right class.`,
      noise: { label: "label noise", values: [0, 0.05, 0.1, 0.2, 0.3, 0.4] },
      start: { width: 2, l2: 0, noise: 0, steps: 200, n: 80, rate: 0.1, optimizer: "adam" },
      alone: (one) => `${percent(one.error)} of new points get the right class, with least squares ${percent(one.reference)}`,
      means: (error, reference) => `${percent(error)} of new points right for the network, ${percent(reference)} for least squares`,
    },
  };
  const SLIDERS = {
    width: { label: "width", values: [2, 4, 8, 16, 32] },
    l2: { label: "L2 penalty", values: [0, 0.0001, 0.001, 0.01, 0.1, 1] },
    noise: {}, // each world has its own
    steps: { label: "training steps", values: [0, 25, 50, 100, 200, 400, 800] },
    n: { label: "n (points)", values: [10, 20, 40, 80, 160] },
    rate: { label: "learning rate", values: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3] },
  };
  const OPTIMIZERS = { adam: "Adam", sgd: "SGD" };
  const MOST_SEED = 999999;

  // ----------------------------------------------------------------------------------------- state

  let state = read("");
  let results = []; // by network; empty where it is not trained yet
  let job = 0; // what belongs to an earlier one is thrown away
  let queue = [];
  let began = 0;
  let writing = 0;

  function valuesOf(world, name) {
    return name === "noise" ? WORLDS[world].noise.values : SLIDERS[name].values;
  }

  // Return the state that an address says; what is missing or makes no sense is as at the start.
  function read(text) {
    const given = new URLSearchParams(text.replace(/^#/, ""));
    const world = Object.hasOwn(WORLDS, given.get("world")) ? given.get("world") : "line";
    const found = { world, ...WORLDS[world].start, seed: 1, run: 1 };
    for (const name of Object.keys(SLIDERS)) found[name] = nearest(valuesOf(world, name), given.get(name), found[name]);
    if (Object.hasOwn(OPTIMIZERS, given.get("optimizer"))) found.optimizer = given.get("optimizer");
    found.seed = whole(given.get("seed"), 0, MOST_SEED, found.seed);
    found.run = whole(given.get("run"), 1, core.NETWORKS, found.run);
    return found;
  }

  function nearest(values, text, otherwise) {
    const wanted = text === null || text.trim() === "" ? NaN : Number(text);
    if (!Number.isFinite(wanted)) return otherwise;
    return values.reduce((best, value) => (Math.abs(value - wanted) < Math.abs(best - wanted) ? value : best));
  }

  function whole(text, low, high, otherwise) {
    return /^\d+$/.test(text ?? "") ? Math.min(high, Math.max(low, Number(text))) : otherwise;
  }

  // Take some settings over and do what they ask for: train, or only show another run.
  function change(some) {
    const world = some.world ?? state.world;
    const first = world === state.world ? state : { ...read(`world=${world}`), seed: state.seed, run: state.run };
    const before = trained(state);
    state = { ...first, ...some };
    write();
    show();
    if (trained(state) === before) draw();
    else begin();
  }

  // Put the state into the address, a moment later: browsers refuse a hundred changes in half a minute.
  function write() {
    clearTimeout(writing);
    writing = setTimeout(() => history.replaceState(null, "", `#${new URLSearchParams(state)}`), 150);
  }

  function trained(some) {
    return JSON.stringify({ ...some, run: 0 });
  }

  // -------------------------------------------------------------------------------------- training
  // A worker asks for the next network when it has finished one, so a job that is out of date ends with it.

  const source = `const core = (${labCore})();
    onmessage = ({ data }) => postMessage({ job: data.job, result: core.run(data.settings, data.member) });`;
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const workers = Array.from({ length: Math.min(4, navigator.hardwareConcurrency || 2) }, () => {
    const worker = new Worker(address);
    worker.onmessage = ({ data }) => {
      if (data.job === job) take(data.result);
      next(worker);
    };
    worker.onerror = () => say("Training failed in this browser. Lesson 1 shows what there would be to see.");
    worker.idle = true;
    return worker;
  });

  function begin() {
    job += 1;
    results = [];
    began = performance.now();
    // The run that is shown comes first.
    queue = Array.from({ length: core.NETWORKS }, (_, i) => (state.run - 1 + i) % core.NETWORKS);
    root.dataset.state = "training";
    say("Training ...");
    for (const worker of workers) if (worker.idle) next(worker);
    draw();
  }

  function next(worker) {
    worker.idle = queue.length === 0;
    if (worker.idle) return;
    const { world, run, ...settings } = state;
    worker.postMessage({ job, member: queue.shift(), settings: { task: world, ...settings } });
  }

  function take(result) {
    results[result.member] = result;
    if (all().length === core.NETWORKS) {
      const seconds = (performance.now() - began) / 1000;
      root.dataset.state = "done";
      say(`${core.NETWORKS} networks trained in ${seconds.toFixed(1)} s.`);
    }
    draw();
  }

  function all() {
    return results.filter(Boolean);
  }

  // ------------------------------------------------------------------------------------- sentences

  const part = (name) => root.querySelector(`[data-part="${name}"]`);

  function say(text) {
    part("status").textContent = text;
  }

  function number(value) {
    if (value >= 99.5) return Math.round(value).toLocaleString("en");
    return value < 0.001 ? (value === 0 ? "0" : "less than 0.001") : String(Number(value.toPrecision(2)));
  }

  function tell(done) {
    const [world, one] = [WORLDS[state.world], results[state.run - 1]];
    part("statement").textContent = `“${world.statement}”`;
    part("alone").textContent = one ? `Run ${state.run} alone says ${one.yes ? "yes" : "no"}: ${world.alone(one)}.` : "...";
    const yes = done.filter((each) => each.yes).length;
    const [low, high] = core.wilson(yes, core.NETWORKS);
    const mean = (name) => done.reduce((sum, each) => sum + each[name], 0) / done.length;
    const whole = done.length === core.NETWORKS;
    part("share").textContent = whole
      ? `${yes} of ${core.NETWORKS} single runs say yes: ${percent(yes / core.NETWORKS)}, ` +
        `99 % interval from ${percent(low)} to ${percent(high)}.`
      : `${done.length} of ${core.NETWORKS} networks are trained.`;
    part("means").textContent = whole ? `On average: ${world.means(mean("error"), mean("reference"))}.` : "";
  }

  // -------------------------------------------------------------------------------------- pictures

  let asked = false;

  // Draw at the next opportunity, however many results come until then.
  function draw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      const done = all();
      part("progress").value = done.length;
      tell(done);
      if (done.length === 0) return; // the last pictures stay until there is something new
      const one = results[state.run - 1];
      const [left, right] = state.world === "line" ? lines(one, done) : maps(one, done);
      picture("one", 0.75, one ? left : () => "", `Run ${state.run}. ${part("alone").textContent}`);
      picture("many", 0.75, right, `${done.length} runs together. ${part("means").textContent}`);
      picture("runs", 0, dots(done), `Each of ${done.length} runs as a dot. ${part("share").textContent}`);
    });
  }

  // Fill one picture, as wide as its place; `inside` makes its content from width and height.
  function picture(name, shape, inside, words) {
    const svg = part(name);
    const width = Math.max(240, svg.parentElement.clientWidth);
    const height = shape ? Math.round(Math.min(360, shape * width)) : 168;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("height", height);
    svg.setAttribute("aria-label", words);
    svg.innerHTML = inside(width, height);
  }

  // Return the frame of a picture with axes: what it is, a function to x, one to y, and the ticks.
  function frame(width, height, [left, right], [bottom, top], ticks) {
    const edge = { left: 30, right: width - 10, top: 6, bottom: height - 22 };
    const x = (value) => edge.left + ((value - left) / (right - left)) * (edge.right - edge.left);
    const y = (value) => edge.bottom - ((value - bottom) / (top - bottom)) * (edge.bottom - edge.top);
    const marks = ticks.x.map((at) => `<text x="${x(at)}" y="${height - 6}" text-anchor="middle">${at}</text>`);
    marks.push(...ticks.y.map((at) => `<text x="${edge.left - 5}" y="${y(at) + 4}" text-anchor="end">${at}</text>`));
    const box = `<rect class="frame" x="${edge.left}" y="${edge.top}" width="${edge.right - edge.left}" ` +
      `height="${edge.bottom - edge.top}"/>`;
    return { x, y, edge, inside: (content) => `${marks.join("")}<svg x="${edge.left}" y="${edge.top}" ` +
      `width="${edge.right - edge.left}" height="${edge.bottom - edge.top}" ` +
      `viewBox="${edge.left} ${edge.top} ${edge.right - edge.left} ${edge.bottom - edge.top}">${content}</svg>${box}` };
  }

  const path = (points, name, close = "") =>
    `<path class="${name}" d="M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}${close}"/>`;

  // Return what draws one curve, and the band of all, of the noisy line.
  function lines(one, done) {
    const places = Array.from(core.places("line"));
    const { low, high } = core.LINE;
    const framed = (width, height) => frame(width, height, [low, high], [-3, 23], { x: [0, 5, 10, 15, 20], y: [0, 10, 20] });
    const straight = (to, [a, b], name) => path([low, high].map((x) => [to.x(x), to.y(a + b * x)]), name);
    const curve = (to, values, name) => path(places.map((x, i) => [to.x(x), to.y(clipped(values[i]))]), name);
    const real = [core.truth(0), core.truth(1) - core.truth(0)];
    const left = (width, height) => {
      const to = framed(width, height);
      const dot = (x, i) => `<circle class="point" cx="${to.x(x).toFixed(1)}" cy="${to.y(one.points.y[i]).toFixed(1)}" r="3"/>`;
      return to.inside(straight(to, real, "truth") + Array.from(one.points.x, dot).join("") +
        straight(to, one.line, "reference") + curve(to, one.curve, "network"));
    };
    const right = (width, height) => {
      const to = framed(width, height);
      const networks = core.band(done.map((each) => each.curve));
      const fits = core.band(done.map((each) => places.map((x) => each.line[0] + each.line[1] * x)));
      const of = (band, which) => band.map((three) => three[which]);
      const side = (which) => places.map((x, i) => [to.x(x), to.y(clipped(networks[i][which]))]);
      return to.inside(path([...side(0), ...side(2).reverse()], "band", "Z") + straight(to, real, "truth") +
        [0, 2].map((which) => curve(to, of(fits, which), "reference edge")).join("") +
        curve(to, of(fits, 1), "reference") + curve(to, of(networks, 1), "network"));
    };
    return [left, right];
  }

  function clipped(value) {
    return Math.min(1000, Math.max(-1000, value)); // far outside, and still a number that a browser can draw
  }

  // Return what draws the classes that one network sees, and the share of all that see class 1, for XOR.
  function maps(one, done) {
    const { reach, side } = core.XOR;
    const ticks = { x: [-1, 0, 1], y: [-1, 0, 1] };
    const framed = (width, height) => frame(Math.min(width, height + 12), height, [-reach, reach], [-reach, reach], ticks);
    // Cells of equal certainty make one path: ten steps from "all disagree" to "all agree", for each class.
    const cells = (to, shares) => {
      const grouped = new Map();
      // Edges are whole pixels: between two cells there is no seam.
      const edge = (i) => [to.x((2 * reach * i) / side - reach), to.y(reach - (2 * reach * i) / side)].map(Math.round);
      shares.forEach((share, i) => {
        const key = `${share > 0.5 ? "yes" : "no"} ${Math.round(10 * Math.abs(2 * share - 1))}`;
        const [column, row] = [i % side, Math.floor(i / side)];
        const [[left], [right], [, top], [, bottom]] = [edge(column), edge(column + 1), edge(row), edge(row + 1)];
        grouped.set(key, `${grouped.get(key) ?? ""}M${left} ${top}H${right}V${bottom}H${left}z`);
      });
      return Array.from(grouped, ([key, cell]) => {
        const [name, level] = key.split(" ");
        return `<path class="cell ${name}" fill-opacity="${(0.045 * level).toFixed(3)}" d="${cell}"/>`;
      }).join("");
    };
    const left = (width, height) => {
      const to = framed(width, height);
      const points = Array.from(one.points.y, (label, i) => {
        const [x, y] = [to.x(one.points.x[2 * i]), to.y(one.points.x[2 * i + 1])];
        return label > 0.5 ? `<circle class="yes" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.2"/>`
          : `<rect class="no" x="${(x - 2.8).toFixed(1)}" y="${(y - 2.8).toFixed(1)}" width="5.6" height="5.6"/>`;
      });
      return to.inside(cells(to, Array.from(one.curve, (value) => (value > 0 ? 1 : 0))) + border(to, one.line) + points.join(""));
    };
    const right = (width, height) => {
      const to = framed(width, height);
      const shares = Array.from(one ? one.curve : done[0].curve, (_, i) =>
        done.reduce((sum, each) => sum + (each.curve[i] > 0), 0) / done.length);
      return to.inside(cells(to, shares));
    };
    return [left, right];
  }

  // Return where the least-squares score of two inputs is one half.
  function border(to, [a, b, c]) {
    const far = 2 * core.XOR.reach;
    if (b === 0 && c === 0) return "";
    const ends = [-far, far].map((at) => (Math.abs(c) > Math.abs(b) ? [at, (0.5 - a - b * at) / c] : [(0.5 - a - c * at) / b, at]));
    return path(ends.map(([x, y]) => [to.x(x), to.y(y)]), "reference");
  }

  // Return what draws every run as a dot, stacked where they are close; left of the upright line one says no, or yes.
  function dots(done) {
    const line = state.world === "line";
    const [low, high, limit] = line ? [-1.5, 1.5, 0] : [0.4, 1, core.XOR.solved];
    const place = (one) => (line ? Math.log10(Math.max(one.error, 1e-12) / Math.max(one.reference, 1e-12)) : one.error);
    const ticks = line
      ? [[-1, "a tenth"], [0, "equal"], [1, "ten times"]]
      : [[0.5, "50 %"], [0.75, "75 %"], [limit, percent(limit)]];
    const title = line ? "distance, relative to least squares" : "share of new points that get the right class";
    return (width, height) => {
      const [edge, floor, size, most] = [46, height - 42, 9, Math.floor((height - 58) / 9)];
      const x = (value) => edge + ((Math.min(high, Math.max(low, value)) - low) / (high - low)) * (width - 2 * edge);
      // Bins are counted from the line, so that none lies across it; they hold as many dots side by side as it needs.
      let found = [];
      for (let across = 1; across <= 5; across++) {
        const filled = new Map();
        found = done.map((one) => {
          const bin = Math.floor((x(place(one)) - x(limit)) / (across * size));
          const before = filled.get(bin) ?? 0;
          filled.set(bin, before + 1);
          const at = x(limit) + (bin * across + (before % across) + 0.5) * size;
          return { one, at, y: floor - size * (Math.floor(before / across) + 0.5) };
        });
        if (Math.max(...filled.values()) <= most * across) break;
      }
      const drawn = found.map(({ one, at, y }) => {
        const name = `${one.yes ? "yes" : "no"}${one.member === state.run - 1 ? " shown" : ""}`;
        const mark = one.yes ? `<circle cx="${at.toFixed(1)}" cy="${y.toFixed(1)}" r="3.8"`
          : `<rect x="${(at - 3.4).toFixed(1)}" y="${(y - 3.4).toFixed(1)}" width="6.8" height="6.8"`;
        return `${mark} class="${name}" data-run="${one.member + 1}"><title>run ${one.member + 1}</title></${one.yes ? "circle" : "rect"}>`;
      });
      const [yes, no] = ["yes", "no"].map((word) => `<text class="${word}" text-anchor="`);
      const [before, after] = line ? [`${yes}end"`, `${no}start"`] : [`${no}end"`, `${yes}start"`];
      const names = `${before} x="${x(limit) - 6}" y="12">${line ? "yes" : "no"}</text>` +
        `${after} x="${x(limit) + 6}" y="12">${line ? "no" : "yes"}</text>`;
      const axis = `<path class="frame" d="M0 ${floor}H${width}M${x(limit)} 2V${floor}"/>`;
      return axis + names + ticks.map(([at, text]) =>
        `<text x="${x(at)}" y="${height - 26}" text-anchor="middle">${text}</text>`).join("") +
        `<text x="${width / 2}" y="${height - 8}" text-anchor="middle">${title}</text>${drawn.join("")}`;
    };
  }

  // -------------------------------------------------------------------------------------- controls

  const inputs = {};

  function control(name, kind, label, options = {}) {
    const input = document.createElement(kind);
    Object.assign(input, options, { id: `lab-${name}`, name });
    const output = document.createElement("output");
    output.htmlFor = input.id;
    const text = Object.assign(document.createElement("label"), { htmlFor: input.id, textContent: label });
    const row = Object.assign(document.createElement("div"), { className: "lab-control" });
    row.append(text, ...(options.type === "range" ? [output] : []), input);
    inputs[name] = { input, output, text };
    return row;
  }

  function choice(name, label, names) {
    const row = control(name, "select", label);
    for (const [value, text] of Object.entries(names)) inputs[name].input.append(new Option(text, value));
    inputs[name].input.addEventListener("change", (event) => change({ [name]: event.target.value }));
    return row;
  }

  function slider(name, label, most) {
    const row = control(name, "input", label, { type: "range", min: name === "run" ? 1 : 0, max: most, step: 1 });
    inputs[name].input.addEventListener("input", (event) => {
      const at = Number(event.target.value);
      change({ [name]: name === "run" ? at : valuesOf(state.world, name)[at] });
    });
    return row;
  }

  // Show the state in the controls.
  function show() {
    for (const name of Object.keys(SLIDERS)) {
      const { input, output, text } = inputs[name];
      if (name === "noise") text.textContent = WORLDS[state.world].noise.label;
      input.value = valuesOf(state.world, name).indexOf(state[name]);
      output.textContent = state[name];
      input.setAttribute("aria-valuetext", state[name]);
    }
    for (const name of ["world", "optimizer", "seed", "run"]) inputs[name].input.value = state[name];
    inputs.run.output.textContent = state.run;
    part("legend").dataset.world = state.world;
  }

  const settings = part("settings");
  settings.append(choice("world", "world", { line: WORLDS.line.name, xor: WORLDS.xor.name }));
  for (const [name, { label = "", values }] of Object.entries(SLIDERS)) {
    settings.append(slider(name, label, (values ?? WORLDS.line.noise.values).length - 1));
  }
  settings.append(choice("optimizer", "optimizer", OPTIMIZERS));
  settings.append(control("seed", "input", "seed", { type: "number", min: 0, max: MOST_SEED, step: 1 }));
  inputs.seed.input.addEventListener("change", (event) => change({ seed: whole(event.target.value, 0, MOST_SEED, state.seed) }));
  part("run").append(slider("run", "the run shown", core.NETWORKS));
  part("new").addEventListener("click", () => change({ seed: 1 + Math.floor(Math.random() * MOST_SEED) }));
  part("reset").addEventListener("click", () => change(read(`world=${state.world}`)));
  for (const button of document.querySelectorAll("button[data-lab]")) {
    button.addEventListener("click", () => {
      change({ ...read(button.dataset.lab), seed: state.seed });
      root.scrollIntoView({ block: "start" });
    });
  }
  part("runs").addEventListener("click", (event) => {
    const run = Number(event.target.closest("[data-run]")?.dataset.run);
    if (run) change({ run });
  });
  window.addEventListener("hashchange", () => {
    if (location.hash.includes("world=")) change(read(location.hash));
  });
  new ResizeObserver(draw).observe(root);

  if (location.hash.includes("world=")) state = read(location.hash);
  show();
  begin();
  return { read, get state() { return state; }, get results() { return results; } };
}

window.addEventListener("DOMContentLoaded", () => {
  window.theLab = lab(document.querySelector("#lab"));
});
