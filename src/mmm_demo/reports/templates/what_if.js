"use strict";
// What any other spend would bring: the model's own curves over a few hundred draws, and what all
// draws add to their mean. `planning/what_if.py` says the same in Python; tests hold both together.
(() => {
  const section = document.getElementById("what_if");
  const data = JSON.parse(document.getElementById("what_if-data").textContent);
  const { channels, current, most, nodes, reach, weeks, words } = data;
  const CHANNELS = channels.map((_, c) => c);
  const SALES = words.sales[0].toUpperCase() + words.sales.slice(1);
  const sum = (list) => list.reduce((total, value) => total + value, 0);

  // --- the model --------------------------------------------------------------------------------

  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  }

  const weights = unpacked(data.draws.weights); // channel, lag, draw
  const carried = unpacked(data.draws.carried); // channel, week, draw: earlier spend
  const worth = unpacked(data.draws.worth); // channel, draw
  const slope = data.draws.bend.slope ? unpacked(data.draws.bend.slope) : null;
  const draws = worth.length / channels.length;
  const span = weeks + reach - 1; // weeks in which the window's spend works
  const LOG_3 = Math.log(3);
  const CURVES = {
    logistic: (x) => { const left = Math.exp(-x); return (1 - left) / (1 + left); },
    michaelis_menten: (x) => x / (x + LOG_3),
    s_shaped: (x) => x * x / (x * x + LOG_3 * LOG_3),
    hill: (x, steep) => 1 / (1 + Math.pow(LOG_3 / x, steep)),
    linear: (x) => x,
  };

  // Where one unit of money works, spread by a profile: week, draw.
  function spreadOut(c, profile) {
    const unit = new Float64Array(span * draws);
    for (let lag = 0; lag < reach; lag++) {
      const from = (c * reach + lag) * draws;
      for (let week = 0; week < weeks; week++) {
        const to = (week + lag) * draws;
        for (let s = 0; s < draws; s++) unit[to + s] += profile[week] * weights[from + s];
      }
    }
    return unit;
  }

  // Sales by draw that money brings, net of what earlier spend still earns, but for their mean.
  function brought(c, unit, money, found) {
    const curve = CURVES[data.forms[c]];
    found.fill(0);
    for (let week = 0; week < span; week++) {
      const before = week < reach - 1 ? (c * (reach - 1) + week) * draws : -1;
      for (let s = 0; s < draws; s++) {
        const steep = slope ? slope[c * draws + s] : 1;
        const there = before < 0 ? 0 : carried[before + s];
        const level = there + money * unit[week * draws + s];
        found[s] += curve(level, steep) - (before < 0 ? 0 : curve(there, steep));
      }
    }
    for (let s = 0; s < draws; s++) found[s] *= worth[c * draws + s];
    return found;
  }

  function between(at, curve) {
    let i = 1;
    while (i < nodes.length - 1 && at > nodes[i]) i++;
    const part = (at - nodes[i - 1]) / (nodes[i] - nodes[i - 1]);
    return curve[i - 1] + part * (curve[i] - curve[i - 1]);
  }

  function quantile(sorted, level) {
    const at = (sorted.length - 1) * level;
    const low = Math.floor(at);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (at - low) * (sorted[high] - sorted[low]);
  }

  // Mean, ends of the 94 % interval, share above zero.
  function figures(list) {
    const sorted = Float64Array.from(list).sort();
    const [low, high] = data.interval.map((level) => quantile(sorted, level));
    const above = list.filter((value) => value > 0).length;
    return [sum(list) / list.length, low, high, above / list.length];
  }

  const lastUnit = CHANNELS.map((c) => spreadOut(c, data.last.profile[c]));
  function answered(c, unit, money, leftOut) {
    return brought(c, unit, money, new Float64Array(draws)).map((value) => value + leftOut);
  }
  const asLast = CHANNELS.map((c) => answered(c, lastUnit[c], current[c], data.last.leftOut[c]));

  const together = (lists) => lists.reduce(
    (total, list) => total.map((value, s) => value + list[s]),
  );
  const ofLast = together(asLast);

  let start = data.starts[0];
  let unit = [];
  let ofPlan = []; // sales by draw
  const known = CHANNELS.map(() => ({})); // the last answer of each channel
  function sales(c, money, kept) {
    if (kept) return asLast[c];
    if (known[c].money !== money || known[c].start !== start) {
      const leftOut = between(money / most[c], start.leftOut[c]);
      known[c] = { money, start, found: answered(c, unit[c], money, leftOut) };
    }
    return known[c].found;
  }

  // Highest working spend of a week, or a total, beyond any in the data.
  function leavesTheSeen(c, money, total) {
    const slack = 1e-6 * Math.max(total, 1);
    const [low, high] = data.observed[c];
    if (money < low - slack || money > high + slack) return true;
    const works = data.working;
    for (let week = 0; week < weeks; week++) {
      let level = works.before[c][week];
      works.weights[c].forEach((share, lag) => {
        if (lag <= week) level += share * money * start.profile[c][week - lag];
      });
      if (level > works.most[c] * (1 + 1e-6)) return true;
    }
    return false;
  }

  // --- numbers as the rest of the page writes them ----------------------------------------------

  // Python rounds an exact half to the even digit, JavaScript upward.
  function rounded(value, digits) {
    const [mantissa, power] = Math.abs(value).toExponential(60).split("e");
    const plain = mantissa.replace(".", "");
    const half = /^50*$/.test(plain.slice(digits)) && "02468".includes(plain[digits - 1]);
    if (!half) return Number(value.toPrecision(digits));
    return Math.sign(value) * Number(`${mantissa.slice(0, digits + 1)}e${power}`);
  }

  function money(value) {
    if (!Number.isFinite(value)) return "n/a";
    const short = rounded(value, 3);
    if (short === 0) return "0";
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(short) >= size) return (short / size).toPrecision(3) + letter;
    }
    if (Math.abs(short) >= 1e-4) return String(short);
    const [mantissa, power] = short.toExponential().split("e-");
    return `${mantissa}e-${power.padStart(2, "0")}`;
  }

  const signed = (value) => (value > 0 ? "+" : "") + money(value);
  // Whole numbers, halves to the even one.
  function whole(value) {
    return Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
  }

  // A share is rounded as it is: 0.005 is a little more than half a percent. An odd number of
  // eighths is all that can lie exactly between two of them.
  function percent(share) {
    const tie = (8 * share) % 2 === 1;
    return `${tie ? whole(100 * share) : Math.round(100 * share.toFixed(2))}%`;
  }

  // A probability comes from draws: never 0% or 100%.
  function chance(share) {
    if (share > 0.995) return "over 99%";
    return share < 0.005 ? "under 1%" : percent(share);
  }

  function change(before, now) {
    if (!(before > 0)) return now === before ? "unchanged" : "new";
    const moved = whole(100 * (now / before - 1));
    return moved === 0 ? "+0%" : `${moved > 0 ? "+" : ""}${moved}%`;
  }

  function roas(value) {
    if (!Number.isFinite(value)) return "n/a";
    const short = rounded(value, 3);
    if (short === 0) return "0";
    const places = Math.max(0, 2 - Number(short.toExponential().split("e")[1]));
    if (places >= 12) return String(short);
    const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
    return short.toLocaleString("en-US", digits);
  }

  // --- what is set ------------------------------------------------------------------------------

  let now = []; // money by channel
  let mix = []; // the same when it was last let go of: a move of the total keeps its proportions
  let kept = [];
  let locked = CHANNELS.map(() => false);
  let limits = "none";
  let target = 0; // money of all channels together
  let note = "";

  function bounds(c) {
    const part = Number(limits) / 100;
    const [low, high] = {
      none: [0, most[c]],
      plan: [start.low[c], start.high[c] ?? most[c]],
      seen: data.seen[c],
    }[limits] ?? [current[c] * (1 - part), current[c] * (1 + part)];
    return [Math.min(low, most[c]), Math.min(high, most[c])];
  }

  const within = (c, value) => Math.min(Math.max(value, bounds(c)[0]), bounds(c)[1]);
  const held = (c) => kept[c] || locked[c];

  // Scale what is free so that all add up to the target, as far as bounds allow.
  function scale(but) {
    const free = CHANNELS.filter((c) => c !== but && !held(c));
    const rest = target - sum(CHANNELS.filter((c) => !free.includes(c)).map((c) => now[c]));
    const first = [mix, start.planned, CHANNELS.map(() => 1)];
    const parts = first.find((list) => free.some((c) => list[c] > 0));
    const at = (factor) => free.map((c) => within(c, factor * parts[c]));
    let low = 0;
    let high = Math.max(0, ...free.map((c) => (parts[c] > 0 ? bounds(c)[1] / parts[c] : 0)));
    for (let i = 0; i < 60; i++) {
      const middle = (low + high) / 2;
      if (sum(at(middle)) < rest) low = middle; else high = middle;
    }
    at(high).forEach((value, i) => { now[free[i]] = value; });
    const off = sum(now) - target;
    if (Math.abs(off) > 1e-6 * Math.max(target, 1)) {
      note += ` The total is ${money(Math.abs(off))} ${off > 0 ? "above" : "below"} what was `
        + "asked: "
        + "channels that are locked, kept as last period or at a bound do not move.";
    }
  }

  // --- the part of the page ---------------------------------------------------------------------

  function made(tag, attributes = {}, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  }

  function drawn(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  // Steps of a slider, about 200 of them.
  function stepOf(end) {
    const rough = end / 200;
    const ten = Math.pow(10, Math.floor(Math.log10(rough)));
    return [1, 2, 5, 10].map((part) => part * ten).find((step) => step >= rough);
  }

  const exact = (value) => (value >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));

  function amountControl(label, end, moved) {
    const field = made("input", { type: "number", min: 0, step: "any", "aria-label": label });
    const slider = made("input", {
      type: "range", min: 0, max: end, step: stepOf(end), "aria-label": `${label}, slider`,
    });
    slider.addEventListener("input", () => moved(Number(slider.value), false));
    slider.addEventListener("change", () => moved(Number(slider.value), true));
    field.addEventListener("change", () => {
      const value = Number(field.value);
      if (field.value !== "" && Number.isFinite(value)) moved(Math.max(0, value), true);
      else show();
    });
    const set = (value) => {
      if (document.activeElement !== slider || Math.abs(slider.value - value) > slider.step) {
        slider.value = value;
      }
      slider.setAttribute("aria-valuetext", money(value));
      field.value = exact(value);
    };
    return { field, slider, set };
  }

  function choice(label, options, chosen) {
    const listed = options.map(([value, text]) => made("option", { value }, text));
    const select = made("select", {}, ...listed);
    select.addEventListener("change", () => chosen(select.value));
    return { select, box: made("label", {}, `${label} `, select) };
  }

  function button(text, pressed) {
    const element = made("button", { type: "button" }, text);
    element.addEventListener("click", pressed);
    return element;
  }

  function tick(text, label, changed) {
    const box = made("input", { type: "checkbox", "aria-label": label });
    box.addEventListener("change", () => changed(box.checked));
    return { box, label: made("label", {}, box, ` ${text}`) };
  }

  const total = amountControl("Money of all channels", sum(most), (value, done) => {
    target = value;
    note = "";
    scale(-1);
    show(done);
  });
  const keeping = "Keep the total: when one channel moves, the others make up for it in proportion";
  const keepTotal = tick(keeping, keeping, (on) => {
    if (on) target = sum(now);
    show(true);
  });
  const from = choice("Start from", data.starts.map((one, i) => [i, `plan ${one.name}`]), begin);
  const limit = choice("Bounds of a channel", [
    ["none", "none"], ["plan", "those of the plan"], ["seen", "where the data have seen it"],
    ...[10, 20, 30, 50].map((part) => [part, `last period, give or take ${part}%`]),
  ], (value) => {
    limits = value;
    note = "";
    CHANNELS.filter((c) => !held(c)).forEach((c) => { now[c] = within(c, now[c]); });
    if (keepTotal.box.checked) scale(-1);
    show(true);
  });

  // One channel gets other money, or is kept as last period.
  function move(c, value, done, keep = false) {
    note = "";
    kept[c] = keep;
    now[c] = keep ? current[c] : within(c, value);
    if (!keep && Math.abs(now[c] - value) > 1e-6 * Math.max(value, 1)) {
      note = `${channels[c]} is held at its bound, ${money(now[c])}.`;
    }
    if (keepTotal.box.checked) scale(c); else target = sum(now);
    show(done);
  }

  const rows = CHANNELS.map((c) => {
    const name = channels[c];
    const amount = amountControl(`Money of ${name}`, most[c],
      (value, done) => move(c, value, done));
    const lock = tick("Lock", `Lock ${name}`, (on) => { locked[c] = on; show(true); });
    const keep = button("Keep as last period", () => {
      if (kept[c]) move(c, start.planned[c], true); else move(c, current[c], true, true);
    });
    keep.setAttribute("aria-label", `Keep as last period: ${name}`);
    const bars = drawn("svg", {
      viewBox: "0 0 100 21", preserveAspectRatio: "none", "aria-hidden": "true",
    });
    const [low, high] = data.seen[c].map((value) => 100 * Math.min(1, value / most[c]));
    bars.append(drawn("rect", { class: "seen", x: low, width: high - low, y: 0, height: 21 }));
    const bar = (look, y) => {
      const rect = drawn("rect", { class: look, x: 0, y, height: 5 });
      bars.append(rect);
      return (value) => rect.setAttribute("width", Math.min(100, 100 * value / most[c]));
    };
    const [last, plan, here] = [bar("last", 1), bar("plan", 8), bar("now", 15)];
    last(current[c]);
    const told = made("p", { class: "told" });
    const brings = made("data");
    const box = made("fieldset", {}, made("legend", {}, name),
      made("div", { class: "bars" }, bars, amount.slider),
      made("div", { class: "set" }, amount.field, lock.label, keep), told);
    return { amount, lock, keep, plan, here, told, brings, box };
  });

  const figure = (label) => {
    const value = made("data");
    const more = made("span", { class: "more" });
    const box = made("div", {}, made("dt", {}, label), made("dd", {}, value, " ", more));
    return { value, more, box };
  };
  const answer = {
    gain: figure("Gain over the last period"),
    profit: figure("Profit over the last period"),
    beside: figure("Sales compared with the plan"),
    sales: figure(SALES),
    roas: figure("ROAS"),
    money: figure("Money"),
  };
  const outside = made("p", { class: "outside" });
  const message = made("p", { class: "note" });
  const aloud = made("p", { class: "aloud", role: "status", "aria-live": "polite" });
  const file = made("textarea", {
    readonly: "", rows: 12, spellcheck: "false", "aria-label": "Plan file of what is set",
  });
  const key = made("p", { class: "key" });
  for (const [look, text] of [
    ["last", "last period"], ["plan", "plan"], ["now", "now"], ["seen", "seen in the data"],
  ]) key.append(made("span", {}, made("span", { class: `swatch ${look}` }), ` ${text}`), " ");

  const panel = (look, ...names) => made(
    "dl", { class: `figures ${look}` }, ...names.map((name) => answer[name].box),
  );
  section.querySelector(".answers").append(
    made("div", { class: "tools" }, ...(data.starts.length > 1 ? [from.box] : []),
      button("Reset to the plan", () => begin(data.starts.indexOf(start))),
      button("All as last period", () => {
        now = [...current];
        kept = CHANNELS.map(() => true);
        target = sum(now);
        note = "";
        show(true);
      }), limit.box),
    panel("first", "gain", "profit", "beside"), panel("more", "sales", "roas", "money"),
    outside, aloud,
    made("fieldset", {}, made("legend", {}, "Money of all channels"),
      made("div", { class: "bars" }, total.slider), made("div", { class: "set" }, total.field),
      made("div", { class: "wide" }, keepTotal.label), message),
    key, ...rows.map((row) => row.box),
    made("details", {}, made("summary", {}, "Plan file of what is set"),
      made("p", {}, "Save it as FILE.yaml and plan it: mmm-demo optimize FILE.yaml"), file),
  );

  // --- showing ----------------------------------------------------------------------------------

  function tell(one, list, write, more) {
    one.box.hidden = list === null;
    if (list === null) return;
    one.value.value = list[0];
    one.value.textContent = write(list[0]);
    one.more.textContent = more;
  }

  const range = (list, write) => `(94%: ${write(list[1])} to ${write(list[2])})`;

  function moreOrLess(now, before, same, than) {
    if (close(now, before, 1e3 * before)) return same;
    return `${money(Math.abs(now - before))} ${now > before ? "more" : "less"}${than}`;
  }

  const close = (a, b, scaleOf) => Math.abs(a - b) <= 1e-9 * Math.max(scaleOf, 1);
  function show(done = true) {
    if (done) mix = [...now];
    const spent = sum(now);
    const before = sum(current);
    const margin = start.margin;
    const brings = CHANNELS.map((c) => sales(c, now[c], kept[c]));
    const all = together(brings);
    const gain = all.map((value, s) => value - ofLast[s]);
    const atPlan = CHANNELS.every((c) => !kept[c] && close(now[c], start.planned[c], spent));
    const own = start.own;
    const found = atPlan ? own : {
      sales: figures(all),
      gain: figures(gain),
      profit: margin === null ? null
        : figures(gain.map((value) => margin * value - (spent - before))),
      roas: spent > 0 ? figures(all.map((value) => value / spent)) : null,
      byChannel: brings.map((list) => sum(list) / draws),
    };
    const asBefore = kept.every((one) => one);
    const sure = (list, what) => (asBefore ? "this is the last period"
      : `${range(list, signed)}, ${chance(list[3])} likely ${what}`);
    tell(answer.gain, found.gain, signed, sure(found.gain, "to sell more"));
    tell(answer.profit, found.profit, signed, found.profit && sure(found.profit, "to earn more"));
    tell(answer.sales, found.sales, money, range(found.sales, money));
    tell(answer.roas, found.roas, roas, found.roas && range(found.roas, roas));
    const beyond = moreOrLess(spent, before, "as much as in the last period",
      " than in the last period");
    tell(answer.money, [spent], money, `(${beyond})`);
    const planned = sum(start.planned);
    const apart = figures(all.map((value, s) => value - ofPlan[s]));
    apart[0] = found.sales[0] - own.sales[0];
    const beside = atPlan ? "this is the plan"
      : `${range(apart, signed)}, with ${moreOrLess(spent, planned, "the same", "")} money`;
    tell(answer.beside, apart, signed, beside);

    const left = CHANNELS.filter(
      (c) => (atPlan ? start.outside[c] : !kept[c] && leavesTheSeen(c, now[c], spent)),
    );
    outside.textContent = left.length
      ? `Beyond what the data have seen: ${left.map((c) => channels[c]).join(", ")}. There the `
        + "answer rests on the model's shape."
      : "Every channel stays where the data have seen it.";
    outside.classList.toggle("left", left.length > 0);
    message.textContent = note;
    total.set(spent);
    rows.forEach((row, c) => {
      row.amount.set(now[c]);
      row.plan(start.planned[c]);
      row.here(now[c]);
      row.keep.setAttribute("aria-pressed", kept[c]);
      row.lock.box.checked = locked[c];
      row.box.classList.toggle("left", left.includes(c));
      row.brings.value = found.byChannel[c];
      row.brings.textContent = money(found.byChannel[c]);
      row.amount.field.disabled = row.amount.slider.disabled = locked[c];
      const seen = left.includes(c) ? ", beyond what the data have seen" : "";
      row.told.replaceChildren(
        `Now ${money(now[c])}; last period ${money(current[c])} `
          + `(${change(current[c], now[c])}), plan ${money(start.planned[c])}${seen}. ${SALES}: `, row.brings,
      );
    });
    file.value = planFile(spent);
    const [over, compared] = [answer.gain, answer.beside].map(
      (one) => `${one.value.textContent} ${one.more.textContent}`,
    );
    say(`Gain over the last period ${over}. Sales compared with the plan ${compared}. `
      + `${outside.textContent} ${note}`);
  }

  let waiting = 0;
  function say(text) { // once all is still: a reader would never end
    clearTimeout(waiting);
    waiting = setTimeout(() => { aloud.textContent = text; }, 700);
  }

  // As YAML has it on one line: of what JSON leaves as it is, YAML takes some for line ends.
  function quoted(text) {
    return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g,
      (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }

  function planFile(spent) {
    if (!data.market) return "# The market is not known, so no plan file can be written.";
    if (!(spent > 0)) return "# No money is set: there is nothing to plan.";
    const plain = (value) => { // YAML takes 1e-7 for a text
      const short = Number(value.toPrecision(12));
      return short < 1e-6 ? short.toFixed(20) : String(short);
    };
    const bounded = CHANNELS.filter((c) => !kept[c]);
    const repeated = CHANNELS.filter((c) => kept[c]);
    const priced = CHANNELS.filter((c) => data.cost[c] !== 1);
    const prices = priced.map((c) => `${quoted(channels[c])}: ${plain(data.cost[c])}`).join(", ");
    return [
      `market: ${data.market}`,
      `weeks: ${weeks}`,
      `start: ${data.start}`,
      ...(priced.length ? [`cost_per_unit: {${prices}}`] : []),
      "scenarios:",
      "  - name: what_if",
      ...(start.margin === null ? []
        : ["    objective: profit", `    margin: ${plain(start.margin)}`]),
      `    total_budget: ${plain(spent)}`,
      ...(bounded.length ? ["    bounds:"] : []),
      ...bounded.map((c) => `      ${quoted(channels[c])}: [${plain(now[c])}, ${plain(now[c])}]`),
      ...(repeated.length
        ? [`    fixed: [${repeated.map((c) => quoted(channels[c])).join(", ")}]`] : []),
      `    profile: ${start.file}`,
      "",
    ].join("\n");
  }

  function begin(place) {
    start = data.starts[place];
    unit = CHANNELS.map((c) => spreadOut(c, start.profile[c]));
    now = [...start.planned];
    ofPlan = together(CHANNELS.map((c) => sales(c, now[c], false)));
    kept = CHANNELS.map(() => false);
    locked = CHANNELS.map(() => false);
    limits = limit.select.value = "none";
    target = sum(now);
    keepTotal.box.checked = start.keepTotal;
    note = "";
    show(true);
  }

  begin(0);
  section.hidden = false;
})();
