// The page to explore: every control changes `state`, and `draw` shows it. Nothing is fetched.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const el = (id) => document.getElementById(id);
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star"];
const SIGNS = ["●", "■", "▲", "◆", "▼", "✚", "✖", "★"];
const COLOURS = ["#0072b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#8a6239", "#d46fb0", "#6f6f6f"];
// for lines that have an order: from dark to light
const ORDERED = ["#00204c", "#213d6b", "#555b6c", "#7b7a77", "#a59c74", "#c9b857", "#e6cf3a", "#fde737"];
const PINS = ["#d55e00", "#029e73"];
const POINT = "#d55e00";
const REDUCTIONS = { mean: "mean", least: "least", largest: "largest" };
const MOST_LINES = 12;
const COARSE = window.matchMedia("(pointer: coarse)").matches;
const LAYOUT = {
  margin: { l: 74, r: 26, t: 34, b: 58 },
  font: { size: 13 },
  hovermode: "closest",
  showlegend: false,
  dragmode: COARSE ? false : "zoom",
};
const CONFIG = { responsive: true, displayModeBar: false };
const state = { study: null, variable: null, across: null, by: "", scale: "log", at: {}, pins: [] };
let study; // the chosen study and variable
let variable;
const loaded = {}; // values of the studies that were shown

// ---- values ----
async function unpacked(id) {
  const text = atob(el(id).textContent);
  const raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) raw[i] = text.charCodeAt(i);
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}
async function load(name) {
  if (!loaded[name]) {
    const planes = new Uint8Array(await unpacked(`values-${name}`));
    const n = planes.length / 4;
    const bytes = new Uint8Array(planes.length);
    for (let b = 0; b < 4; b++) for (let i = 0; i < n; i++) bytes[4 * i + b] = planes[b * n + i];
    loaded[name] = new Float32Array(bytes.buffer);
  }
}
const size = (axis) => study.axes[axis].values.length;
function single(v, at) {
  let index = 0;
  for (const axis of v.axes) index = index * size(axis) + at[axis];
  return loaded[state.study][v.offset + index];
}
function quantile(sorted, share) {
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}
// a variable at a point: value, and where an axis is averaged the 10 and 90 % of what is known; null where unknown
function at(v, point) {
  const reduced = v.axes.filter((axis) => point[axis] in REDUCTIONS);
  if (reduced.length === 0) {
    const found = single(v, point);
    return { value: Number.isNaN(found) ? null : found, low: null, high: null };
  }
  let points = [point];
  for (const axis of reduced)
    points = points.flatMap((here) => study.axes[axis].values.map((_, i) => ({ ...here, [axis]: i })));
  const known = points
    .map((here) => single(v, here))
    .filter((x) => !Number.isNaN(x))
    .sort((a, b) => a - b);
  if (known.length === 0) return { value: null, low: null, high: null };
  const how = point[reduced[0]];
  const value =
    how === "least" ? known[0] : how === "largest" ? known.at(-1) : known.reduce((a, b) => a + b, 0) / known.length;
  const band = how === "mean" && known.length > 1;
  return { value, low: band ? quantile(known, 0.1) : null, high: band ? quantile(known, 0.9) : null };
}
const along = (v, axis, point) => study.axes[axis].values.map((_, i) => at(v, { ...point, [axis]: i }));
const lies = (v, axes) => v?.axes.every((axis) => axes.includes(axis));
// the interval that the dataset itself holds of a variable
function ends(v, point) {
  const name = Object.keys(study.variables).find((key) => study.variables[key] === v);
  const [low, high] = [study.variables[`${name}_low`], study.variables[`${name}_high`]];
  return lies(low, v.axes) && lies(high, v.axes) ? [at(low, point).value, at(high, point).value] : null;
}

// ---- words ----
// values are packed to four digits, coordinates are whole
const number = (x, digits = 6) =>
  x === null ? "none" : Number.isFinite(x) ? Number(x.toPrecision(digits)).toString().replace("-", "−") : "infinite";
const say = (v, x) => (v.meanings.length && x !== null ? v.meanings[x].replaceAll("_", " ") : number(x, 4));
const named = (thing) => thing.long_name + (thing.units === "1" ? "" : ` (${thing.units})`);
const numeric = (axis) => typeof study.axes[axis].values[0] === "number";
const several = (axis) => size(axis) > 1;
const coordinate = (axis, i) =>
  i in REDUCTIONS ? REDUCTIONS[i] : numeric(axis) ? number(study.axes[axis].values[i]) : study.axes[axis].values[i];
const place = (point, axes) =>
  axes
    .filter(several)
    .map((axis) =>
      point[axis] in REDUCTIONS
        ? `${REDUCTIONS[point[axis]]} over ${study.axes[axis].long_name}`
        : `${study.axes[axis].long_name} ${coordinate(axis, point[axis])}`,
    )
    .join(", ");
function wrapped(text, most = 46) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length > most) lines.push("");
    lines[lines.length - 1] += (lines.at(-1) ? " " : "") + word;
  }
  return lines.join("<br>");
}
const how = () => ({ kind: state.by.split(":")[0], axis: state.by.split(":")[1] });
// names of variables, each once: with the axes, or the dataset's own name, where two would read the same
function variableNames() {
  const shown = Object.keys(study.variables).filter((key) => !isEnd(key));
  const repeated = (texts) => texts.filter((text, i) => texts.indexOf(text) !== i);
  const first = shown.map((key) => named(study.variables[key]));
  const second = shown.map((key, i) =>
    repeated(first).includes(first[i])
      ? `${first[i]}, over ${study.variables[key].axes
          .filter(several)
          .map((axis) => study.axes[axis].long_name)
          .join(", ")}`
      : first[i],
  );
  return shown.map((key, i) => [key, repeated(second).includes(second[i]) ? `${first[i]}: ${key}` : second[i]]);
}
function isEnd(key) {
  const whole = key.replace(/_(low|high)$/, "");
  return whole !== key && whole in study.variables;
}

// of a study with too many points, which of them are here
const every = () =>
  Object.entries(study.every)
    .map(([axis, step]) => ` Of ${axis} one value in ${step} is here.`)
    .join("");

// ---- axes of charts ----
const positive = (values) => {
  const found = values.filter((x) => x !== null && Number.isFinite(x));
  return found.length > 0 && found.every((x) => x > 0);
};
const wide = (values) => {
  const found = values.filter((x) => x !== null && Number.isFinite(x));
  return positive(values) && Math.max(...found) > 10 * Math.min(...found);
};
function ticks(low, high) {
  const power = (n) =>
    Math.abs(n) <= 3 ? String(10 ** n).slice(0, 6) : `10<sup>${String(n).replace("-", "−")}</sup>`;
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const step = Math.max(1, Math.ceil((to - from) / 7));
  if (Math.log10(high / low) < 1.5) {
    const all = [];
    for (let n = from; n <= to; n++) for (const m of [1, 2, 5]) all.push(m * 10 ** n);
    return { tickvals: all, ticktext: all.map((x) => number(x)) };
  }
  const all = [];
  for (let n = from; n <= to; n += step) all.push(n);
  return { tickvals: all.map((n) => 10 ** n), ticktext: all.map(power) };
}
function scaled(values, log) {
  const found = values.filter((x) => x !== null && Number.isFinite(x) && (!log || x > 0));
  if (!log || found.length === 0) return { type: "linear", nticks: 7, exponentformat: "power" };
  return { type: "log", ...ticks(Math.min(...found), Math.max(...found)) };
}
const look = {
  ticks: "outside",
  ticklen: 4,
  showline: true,
  linecolor: "#888",
  gridcolor: "#eee",
  zeroline: false,
  automargin: true,
};
function axisLayout(axis) {
  const { values } = study.axes[axis];
  const title = { text: wrapped(named(study.axes[axis])) };
  if (!numeric(axis)) return { ...look, title, type: "category", tickangle: "auto" };
  return { ...look, title, ...scaled(values, wide(values)) };
}
function valueLayout(v, values) {
  const title = { text: wrapped(named(v)), standoff: 8 };
  if (v.meanings.length)
    return {
      ...look,
      title,
      tickvals: v.meanings.map((_, i) => i),
      ticktext: v.meanings.map((text) => text.replaceAll("_", " ")),
    };
  return { ...look, title, ...scaled(values, state.scale === "log" && positive(values)) };
}
function edges(axis) {
  // cells of a heat map end midway between values
  const log = wide(study.axes[axis].values);
  const places = study.axes[axis].values.map((x) => (log ? Math.log(x) : x));
  const n = places.length;
  const found = Array.from({ length: n + 1 }, (_, i) =>
    i === 0
      ? 1.5 * places[0] - 0.5 * places[1]
      : i === n
        ? 1.5 * places[n - 1] - 0.5 * places[n - 2]
        : (places[i - 1] + places[i]) / 2,
  );
  return log ? found.map(Math.exp) : found;
}

// ---- controls ----
function options(select, pairs, chosen) {
  select.replaceChildren(...pairs.map(([key, text]) => new Option(text, key, false, String(key) === String(chosen))));
  select.closest("label").hidden = pairs.length < 2;
  return pairs.some(([key]) => String(key) === String(chosen)) ? chosen : (pairs[0] || [null])[0];
}
const repeats = (axis) => DATA.repeats.includes(axis);
function start(axis) {
  if (repeats(axis) && variable.meanings.length === 0) return "mean";
  return Math.floor(size(axis) / 2);
}
async function chooseStudy(name, wanted) {
  state.study = options(
    el("study"),
    Object.keys(DATA.studies).map((key) => [key, key.replaceAll("_", " ")]),
    name,
  );
  study = DATA.studies[state.study];
  await load(state.study);
  const view = wanted || { ...study.view };
  variable = Object.values(study.variables)[0];
  state.at = {};
  state.pins = [];
  const most = (key) => study.variables[key].axes.filter(several).length;
  const fallback = Object.keys(study.variables)
    .filter((key) => !isEnd(key))
    .sort((a, b) => most(b) - most(a))[0];
  chooseVariable(view.variable in study.variables ? view.variable : fallback, view);
}
function chooseVariable(name, view = {}) {
  if (name !== state.variable || view.variable) state.pins = [];
  const whole = isEnd(name) ? name.replace(/_(low|high)$/, "") : name;
  state.variable = options(el("variable"), variableNames(), whole);
  variable = study.variables[state.variable];
  for (const axis of Object.keys(study.axes)) {
    const { values } = study.axes[axis];
    const asked = view[`at.${axis}`] ?? view[axis];
    const found =
      asked === undefined
        ? -1
        : values.findIndex((x) => String(x) === asked || (typeof x === "number" && x === Number(asked)));
    if (found >= 0) state.at[axis] = found;
    else if (asked in REDUCTIONS && repeats(axis)) state.at[axis] = asked;
    else if (!(axis in state.at) || (state.at[axis] in REDUCTIONS && variable.meanings.length))
      state.at[axis] = start(axis);
  }
  for (const text of [view.pin1, view.pin2]) {
    const pin = text && unwritten(text);
    if (pin) state.pins.push(pin);
  }
  const candidates = variable.axes.filter(several);
  const numbers = candidates.filter((axis) => numeric(axis) && !repeats(axis));
  const across = candidates.includes(view.across)
    ? view.across
    : numbers.includes(state.across)
      ? state.across
      : (numbers[0] ?? candidates[0] ?? null);
  state.scale = view.scale ?? "log";
  chooseAxes(across, view.by ?? state.by);
}
function chooseAxes(across, by) {
  const axes = variable.axes.filter(several);
  state.across = options(
    el("across"),
    axes.map((axis) => [axis, named(study.axes[axis])]),
    across,
  );
  const others = axes.filter((axis) => axis !== state.across);
  const pairs = [
    ["", "one line"],
    ...others.map((axis) => [`lines:${axis}`, `lines, by ${study.axes[axis].long_name}`]),
  ];
  if (state.across !== null && numeric(state.across))
    pairs.push(...others.filter(numeric).map((axis) => [`map:${axis}`, `map, up ${study.axes[axis].long_name}`]));
  const label = others.find((axis) => !numeric(axis));
  state.by = options(el("by"), pairs, pairs.some(([key]) => key === by) ? by : label ? `lines:${label}` : "");
  for (const axis of [state.across, how().axis])
    if (axis && state.at[axis] in REDUCTIONS) state.at[axis] = Math.floor(size(axis) / 2);
  const scales =
    variable.meanings.length || how().kind === "map"
      ? [[state.scale, ""]]
      : [
          ["log", "logarithmic"],
          ["linear", "linear"],
        ];
  state.scale = options(el("scale"), scales, state.scale);
  choosePoint();
}
function pointAxes() {
  const run = curve();
  return Object.keys(study.axes).filter(
    (axis) => several(axis) && (variable.axes.includes(axis) || (run?.axes.includes(axis) && axis !== "iteration")),
  );
}
function choosePoint() {
  el("point").replaceChildren(
    ...pointAxes().map((axis) => {
      const label = document.createElement("label");
      const select = document.createElement("select");
      label.append(named(study.axes[axis]), select);
      select.id = `at-${axis}`;
      const drawn = [state.across, how().axis].includes(axis);
      if (repeats(axis) && !drawn && variable.meanings.length === 0)
        for (const [key, text] of Object.entries(REDUCTIONS))
          select.add(new Option(text, key, false, state.at[axis] === key));
      for (let i = 0; i < size(axis); i++)
        select.add(new Option(coordinate(axis, i), i, false, i === state.at[axis]));
      select.addEventListener("change", () => {
        state.at[axis] = select.value in REDUCTIONS ? select.value : Number(select.value);
        draw();
      });
      return label;
    }),
  );
  draw();
}
function go(axis, i) {
  if (!axis || i < 0 || i >= size(axis)) return;
  state.at[axis] = i;
  const select = el(`at-${axis}`);
  if (select) select.value = i;
}

// ---- links: the state of all controls ----
const text = (axis, i) => (i in REDUCTIONS ? i : String(study.axes[axis].values[i]));
const written = (point) =>
  variable.axes
    .filter(several)
    .map((axis) => `${axis}~${text(axis, point[axis])}`)
    .join("|");
function unwritten(pin) {
  const point = { ...state.at };
  for (const part of pin.split("|")) {
    const [axis, value] = part.split("~");
    if (!(axis in study.axes)) return null;
    const i = study.axes[axis].values.findIndex((x) => String(x) === value);
    if (i < 0 && !(value in REDUCTIONS)) return null;
    point[axis] = i < 0 ? value : i;
  }
  return point;
}
function hash() {
  const found = new URLSearchParams({
    study: state.study,
    variable: state.variable,
    across: state.across ?? "",
    by: state.by,
    scale: state.scale,
  });
  for (const axis of pointAxes()) found.set(`at.${axis}`, text(axis, state.at[axis]));
  for (const [i, pin] of state.pins.entries()) found.set(`pin${i + 1}`, written(pin));
  return `#${found}`;
}
async function follow() {
  const wanted = Object.fromEntries(new URLSearchParams(window.location.hash.slice(1)));
  const known = wanted.study in DATA.studies ? wanted.study : Object.keys(DATA.studies)[0];
  await chooseStudy(known, wanted.variable && known === wanted.study ? wanted : undefined);
}

// ---- charts ----
// the run of the point: a variable along the iterations over the very axes of what is shown; none where there is none
function curve() {
  const axes = (v) =>
    v.axes
      .filter((axis) => axis !== "iteration" && several(axis))
      .sort()
      .join();
  if (variable.axes.includes("iteration")) return state.across === "iteration" ? undefined : variable;
  return Object.entries(study.variables).find(
    ([key, v]) => !isEnd(key) && v.axes.includes("iteration") && axes(v) === axes(variable),
  )?.[1];
}
const line = (name, x, y, more) => ({
  type: "scatter",
  mode: "lines",
  name,
  x,
  y,
  line: { color: "black", width: 1.5 },
  hoverinfo: "skip",
  ...more,
});
const finite = (x) => (x === null || Number.isFinite(x) ? x : null);
function heatMap() {
  const { across, at: point } = state;
  const up = how().axis;
  const [xs, ys] = [study.axes[across].values, study.axes[up].values];
  const z = ys.map((_, j) => along(variable, across, { ...point, [up]: j }).map((found) => found.value));
  const flat = z.flat().filter((x) => x !== null && Number.isFinite(x));
  const log = !variable.meanings.length && positive(flat) && Math.max(...flat) > 100 * Math.min(...flat);
  const codes = variable.meanings.length;
  const steps = codes
    ? variable.meanings.flatMap((_, i) => [
        [i / codes, ORDERED[Math.round((i * 7) / (codes - 1 || 1))]],
        [(i + 1) / codes, ORDERED[Math.round((i * 7) / (codes - 1 || 1))]],
      ])
    : "Cividis";
  const colours = codes
    ? {
        tickvals: variable.meanings.map((_, i) => i),
        ticktext: variable.meanings.map((word) => word.replaceAll("_", " ")),
      }
    : log
      ? (({ tickvals, ticktext }) => ({ tickvals: tickvals.map(Math.log10), ticktext }))(
          ticks(Math.min(...flat), Math.max(...flat)),
        )
      : {};
  const traces = [
    {
      type: "heatmap",
      x: edges(across),
      y: edges(up),
      z: z.map((row) => row.map((x) => (x === null || !Number.isFinite(x) ? null : log ? Math.log10(x) : x))),
      colorscale: steps,
      ...(codes ? { zmin: -0.5, zmax: codes - 0.5 } : {}),
      text: z.map((row, j) =>
        row.map(
          (x, i) =>
            `${study.axes[across].long_name} ${coordinate(across, i)}<br>${study.axes[up].long_name} ${coordinate(up, j)}<br>${variable.long_name} ${say(variable, x)}`,
        ),
      ),
      hovertemplate: "%{text}<extra></extra>",
      colorbar: { thickness: 12, outlinewidth: 0, ...colours },
    },
  ];
  const legend = [];
  const others = variable.axes.filter((axis) => axis !== up);
  if (up === "learning_rate") {
    const closed = study.variables.critical_learning_rate_closed_form;
    const measured = study.variables.critical_learning_rate;
    const values = (v) => along(v, across, point).map((found) => found.value);
    if (lies(closed, others)) {
      traces.push(line("threshold, closed form", xs, values(closed), { line: { color: "white", width: 3 } }));
      legend.push(["━", "#888", "white line: threshold, closed form"]);
    }
    if (lies(measured, others)) {
      traces.push(
        line("threshold, measured", xs, values(measured), {
          mode: "markers",
          marker: { color: "white", size: 8, line: { color: "black", width: 1 } },
        }),
      );
      legend.push(["○", "#222", "threshold, measured"]);
    }
  } else if (up === "learning_rate_ratio") {
    traces.push(line("threshold, closed form", [xs[0], xs.at(-1)], [1, 1], { line: { color: "white", width: 3 } }));
    legend.push(["━", "#888", "white line: threshold, closed form"]);
  }
  legend.push(["✕", POINT, "the point"]);
  traces.push(marks([state], (here) => [xs[here.at[across]], ys[here.at[up]]], "x-thin", 15));
  traces.push(pinned((pin) => [xs[pin[across]], ys[pin[up]]]));
  const span = (axis) => {
    const e = edges(axis);
    return (wide(study.axes[axis].values) ? [Math.log10(e[0]), Math.log10(e.at(-1))] : [e[0], e.at(-1)]).sort(
      (a, b) => a - b,
    );
  };
  const rows = ys.flatMap((_, j) =>
    xs.map((_, i) => [coordinate(up, j), coordinate(across, i), z[j][i], null, null]),
  );
  return {
    traces,
    legend,
    rows,
    layout: {
      xaxis: { ...axisLayout(across), range: span(across) },
      yaxis: { ...axisLayout(up), range: span(up) },
      plot_bgcolor: "#ddd",
    },
  };
}
const marks = (points, where, symbol, width) => ({
  type: "scatter",
  mode: "markers",
  name: "point",
  x: points.map((p) => where(p)[0]),
  y: points.map((p) => where(p)[1]),
  marker: { symbol, size: width, color: POINT, line: { color: POINT, width: symbol === "x-thin" ? 4 : 3 } },
  hoverinfo: "skip",
});
const pinned = (where) => ({
  type: "scatter",
  mode: "markers+text",
  name: "pins",
  x: state.pins.map((pin) => where(pin)[0]),
  y: state.pins.map((pin) => where(pin)[1]),
  text: state.pins.map((_, i) => "AB"[i]),
  textposition: "top center",
  textfont: { size: 15, color: state.pins.map((_, i) => PINS[i]) },
  marker: { symbol: "circle-open", size: 14, color: state.pins.map((_, i) => PINS[i]), line: { width: 3 } },
  hoverinfo: "skip",
});
function band(x, found, colour) {
  const known = found.map((f, i) => [x[i], f.low, f.high]).filter(([, low]) => low !== null && Number.isFinite(low));
  if (known.length < 2) return [];
  return [
    line(
      "band",
      [...known.map((k) => k[0]), ...known.map((k) => k[0]).reverse()],
      [...known.map((k) => k[1]), ...known.map((k) => k[2]).reverse()],
      { fill: "toself", fillcolor: `${colour}2e`, line: { width: 0, color: colour } },
    ),
  ];
}
// the closed form or prediction that belongs to what is shown
function predicted() {
  const names = [`${state.variable}_closed_form`, `${state.variable}_predicted`, study.view.beside];
  return names.map((name) => study.variables[name]).find((v) => v && v !== variable && lies(v, variable.axes));
}
function lines() {
  const { across, at: point } = state;
  const { axis } = how();
  const xs = numeric(across) ? study.axes[across].values : study.axes[across].values.map(String);
  let which = axis ? study.axes[axis].values.map((_, i) => i) : [null];
  if (which.length > MOST_LINES) {
    const step = (which.length - 1) / (MOST_LINES - 1);
    which = [
      ...new Set([
        ...Array.from({ length: MOST_LINES - 1 }, (_, k) => Math.round(k * step)),
        which.length - 1,
        point[axis],
      ]),
    ].sort((a, b) => a - b);
  }
  const ordered = axis && numeric(axis);
  const traces = [];
  const legend = [];
  const rows = [];
  const all = [];
  const formula = predicted();
  which.forEach((i, k) => {
    const here = i === null ? point : { ...point, [axis]: i };
    const name = i === null ? variable.long_name : coordinate(axis, i);
    const colour = ordered ? ORDERED[Math.round((k * 6.4) / Math.max(which.length - 1, 1))] : COLOURS[k % 8];
    const found = along(variable, across, here);
    const intervals = xs.map((_, j) => ends(variable, { ...here, [across]: j }));
    const y = found.map((f) => finite(f.value));
    all.push(...y);
    const bars =
      intervals[0] === null
        ? {}
        : {
            error_y: {
              array: intervals.map((e, j) => (e[1] === null || y[j] === null ? 0 : e[1] - y[j])),
              arrayminus: intervals.map((e, j) => (e[0] === null || y[j] === null ? 0 : y[j] - e[0])),
              thickness: 1,
              width: 2,
            },
          };
    traces.push(...band(xs, found, colour));
    traces.push({
      type: "scatter",
      mode: numeric(across) && formula === undefined ? "lines+markers" : "markers",
      name,
      x: xs,
      y,
      line: { color: colour, width: 1.2 },
      marker: { symbol: SYMBOLS[k % 8], color: colour, size: xs.length > 40 ? 5 : 8 },
      ...bars,
      meta: i,
      text: found.map((f) => say(variable, f.value)),
      hovertemplate: `${axis ? `${study.axes[axis].long_name} ${name}<br>` : ""}${study.axes[across].long_name} %{x}<br>%{text}<extra></extra>`,
    });
    if (formula && (k === 0 || formula.axes.includes(axis))) {
      const found = along(formula, across, here).map((f) => finite(f.value));
      const ink = formula.axes.includes(axis) ? colour : "#222";
      traces.push(line("closed form", xs, found, { line: { color: ink, width: 1.5 } }));
    }
    legend.push([SIGNS[k % 8], colour, axis ? `${name}` : name]);
    rows.push(
      ...xs.map((_, j) => [
        i === null ? "" : name,
        coordinate(across, j),
        found[j].value,
        ...(intervals[j] ?? [found[j].low, found[j].high]),
      ]),
    );
  });
  if (axis) legend.unshift(["", "#222", `${named(study.axes[axis])}:`]);
  if (axis && which.length < size(axis)) legend.push(["", "#555", `(${which.length} of ${size(axis)} shown)`]);
  if (formula) legend.push(["—", "#222", `lines: ${formula.long_name}`]);
  if (variable.axes.some((a) => point[a] === "mean")) legend.push(["▒", "#555", "band: 10 to 90 %"]);
  legend.push(["○", POINT, "the point"]);
  traces.push(
    marks([state], (here) => [xs[here.at[across]], finite(at(variable, here.at).value)], "circle-open", 17),
  );
  traces.push(pinned((pin) => [xs[pin[across]], finite(at(variable, pin).value)]));
  const threshold =
    across === "learning_rate_ratio"
      ? [{ type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, line: { color: "#555", dash: "dot" } }]
      : [];
  return {
    traces,
    legend,
    rows,
    layout: { shapes: threshold, xaxis: axisLayout(across), yaxis: valueLayout(variable, all) },
  };
}
function signs(id, legend) {
  el(id).replaceChildren(
    ...legend.map(([sign, colour, words]) => {
      const item = document.createElement("span");
      const mark = document.createElement("span");
      mark.textContent = sign ? `${sign} ` : "";
      mark.style.color = colour;
      item.append(mark, words);
      return item;
    }),
  );
}
function beside(isMap) {
  const run = curve();
  const axis = run ? "iteration" : isMap ? how().axis : null;
  el("right").hidden = axis === null;
  if (axis === null) return [];
  const v = run ?? variable;
  const xs = study.axes[axis].values;
  const points = [
    ["the point", "#0072b2", state.at],
    ...state.pins.map((pin, i) => [`pin ${"AB"[i]}`, PINS[i], pin]),
  ];
  const traces = [];
  const all = [];
  const rows = [];
  points.forEach(([name, colour, point], k) => {
    const found = along(v, axis, point);
    const y = found.map((f) => finite(f.value));
    all.push(...y);
    traces.push(...band(xs, found, colour));
    traces.push({
      type: "scatter",
      mode: "lines+markers",
      name,
      x: xs,
      y,
      text: found.map((f) => say(v, f.value)),
      line: { color: colour, width: 1.5 },
      marker: { color: colour, size: 5, symbol: SYMBOLS[k] },
      hovertemplate: `${name}<br>${study.axes[axis].long_name} %{x}<br>${v.long_name} %{text}<extra></extra>`,
    });
    rows.push(...xs.map((_, i) => [name, coordinate(axis, i), found[i].value, found[i].low, found[i].high]));
  });
  const title = run ? "the run of the point" : "a slice through the point";
  const layout = {
    ...LAYOUT,
    uirevision: `${state.study} ${state.variable} ${axis}`,
    title: { text: title, font: { size: 14 } },
    xaxis: axisLayout(axis),
    yaxis: valueLayout(v, all),
  };
  window.Plotly.react("curve", traces, layout, CONFIG);
  window.Plotly.Plots.resize("curve");
  el("curve").setAttribute("aria-label", `${v.long_name} against ${study.axes[axis].long_name}, ${title}`);
  signs("curve-legend", points.length > 1 ? points.map(([name, colour], k) => [SIGNS[k], colour, name]) : []);
  return rows.map((row) => [title, ...row]);
}
let shown = []; // rows of what the charts show, for the CSV
function draw() {
  const isMap = how().kind === "map";
  el("title").textContent = `${study.title} (${study.predictions})`;
  el("description").textContent =
    `${variable.long_name}: ${variable.description} Values here have four digits, in the dataset all.${every()}${study.left_out.length ? ` Not in this page, but in the dataset: ${study.left_out.join(", ")}.` : ""}`;
  const found = at(variable, state.at);
  const interval = ends(variable, state.at) ?? (found.low === null ? null : [found.low, found.high]);
  const range = interval ? ` (${number(interval[0], 4)} to ${number(interval[1], 4)})` : "";
  el("readout").textContent =
    `${variable.long_name} ${say(variable, found.value)}${range}, at ${place(state.at, variable.axes) || "every point"}`;
  const files = [
    ["index.html", "question and answer"],
    [`analysis/${state.study}.csv`, "numbers of the figure (CSV)"],
    [`figures/${state.study}.pdf`, "figure (PDF)"],
    [`datasets/${state.study}.nc`, "dataset (netCDF)"],
  ];
  files[0][0] += `#${state.study}`;
  el("links").replaceChildren(
    ...files.flatMap(([href, words]) => [
      Object.assign(document.createElement("a"), { href, textContent: words }),
      " ",
    ]),
  );
  el("left").hidden = state.across === null;
  const run = curve();
  el("right").hidden = !run && !isMap; // before either is drawn: they share the width
  shown = [];
  if (state.across !== null) {
    const { traces, legend, rows, layout } = isMap ? heatMap() : lines();
    const uirevision = `${state.study} ${state.variable} ${state.across} ${state.by} ${state.scale}`;
    window.Plotly.react("map", traces, { ...LAYOUT, ...layout, uirevision }, CONFIG);
    window.Plotly.Plots.resize("map");
    clicks();
    el("map").setAttribute(
      "aria-label",
      `${variable.long_name} against ${study.axes[state.across].long_name}; arrow keys move the point`,
    );
    signs("legend", legend);
    shown = rows.map((row) => [variable.long_name, ...row]);
  }
  shown.push(...beside(isMap));
  comparison();
  window.history.replaceState(null, "", hash());
}
function comparison() {
  el("unpin").hidden = state.pins.length === 0;
  if (state.pins.length === 0) return el("pins").replaceChildren();
  const table = document.createElement("table");
  const fill = (cells, tag) => {
    const row = document.createElement("tr");
    row.append(...cells.map((cell) => Object.assign(document.createElement(tag), { textContent: cell })));
    table.append(row);
  };
  fill(["pin", variable.long_name, "where"], "th");
  const values = state.pins.map((pin) => at(variable, pin).value);
  state.pins.forEach((pin, i) => {
    fill(["AB"[i], say(variable, values[i]), place(pin, variable.axes)], "td");
  });
  if (values.length === 2 && !variable.meanings.length && values[0] !== null && values[1])
    fill(["A / B", number(values[0] / values[1], 4), ""], "td");
  return el("pins").replaceChildren(table);
}

// ---- what a reader does ----
function download(name, blob) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
function csv() {
  const cell = (x) =>
    x === null ? "" : /[",\n]/.test(String(x)) ? `"${String(x).replaceAll('"', '""')}"` : String(x).replace("−", "-");
  const head = ["chart", "line", "x", "value", "low", "high"];
  return `${[head, ...shown].map((row) => row.map(cell).join(",")).join("\n")}\n`;
}
function listen() {
  el("study").addEventListener("change", (e) => chooseStudy(e.target.value));
  el("variable").addEventListener("change", (e) => chooseVariable(e.target.value));
  el("across").addEventListener("change", (e) => chooseAxes(e.target.value, state.by));
  el("by").addEventListener("change", (e) => chooseAxes(state.across, e.target.value));
  el("scale").addEventListener("change", (e) => {
    state.scale = e.target.value;
    draw();
  });
  el("pin").addEventListener("click", () => {
    state.pins = [...state.pins.slice(-1), { ...state.at }];
    draw();
  });
  el("unpin").addEventListener("click", () => {
    state.pins = [];
    draw();
  });
  const charts = () => ["map", "curve"].filter((id) => !el(id).parentElement.hidden);
  el("reset").addEventListener("click", () => {
    for (const id of charts()) window.Plotly.purge(id);
    listening = false;
    draw();
  });
  el("png").addEventListener("click", () => {
    for (const id of charts())
      window.Plotly.downloadImage(id, {
        format: "png",
        scale: 2,
        width: 900,
        height: 560,
        filename: `${state.study}-${state.variable}${id === "curve" ? "-run" : ""}`,
      });
  });
  el("csv").addEventListener("click", () =>
    download(`${state.study}-${state.variable}.csv`, new Blob([csv()], { type: "text/csv" })),
  );
  el("link").addEventListener("click", async () => {
    let told = "Link copied";
    try {
      await navigator.clipboard.writeText(window.location.href);
    } catch {
      told = "Not allowed here: copy the address of this page"; // it holds the same link
    }
    el("link").textContent = told;
    setTimeout(() => {
      el("link").textContent = "Copy link";
    }, 3000);
  });
  el("map").addEventListener("keydown", (e) => {
    const steps = {
      ArrowLeft: [state.across, -1],
      ArrowRight: [state.across, 1],
      ArrowDown: [how().axis, -1],
      ArrowUp: [how().axis, 1],
    };
    if (!(e.key in steps)) return;
    e.preventDefault();
    const [axis, step] = steps[e.key];
    go(
      axis,
      state.at[axis] +
        step * (axis && numeric(axis) && study.axes[axis].values[0] > study.axes[axis].values.at(-1) ? -1 : 1),
    );
    draw();
  });
  window.addEventListener("hashchange", () => {
    if (window.location.hash !== hash()) follow();
  });
}
let listening = false; // whether the chart tells of clicks; it can once it is drawn
function clicks() {
  if (listening) return;
  listening = true;
  el("map").on("plotly_click", (event) => {
    const [hit] = event.points;
    if (hit.data.type === "heatmap") {
      go(how().axis, hit.pointIndex[0]);
      go(state.across, hit.pointIndex[1]);
    } else {
      go(state.across, hit.pointIndex);
      if (typeof hit.data.meta === "number") go(how().axis, hit.data.meta);
    }
    draw();
  });
}
async function begin() {
  const source = new TextDecoder().decode(await unpacked("plotly"));
  document.head.append(Object.assign(document.createElement("script"), { textContent: source }));
  el("page").hidden = false;
  await follow();
  listen();
  el("loading").hidden = true;
  document.body.dataset.milliseconds = performance.now(); // from the start of loading until it can be used
  document.body.dataset.ready = "yes";
}
begin().catch((error) => {
  el("loading").textContent = `This page could not be shown: ${error.message}`;
});
