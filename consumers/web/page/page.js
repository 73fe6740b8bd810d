// The live page: asks the service how it does, and draws what it says. Whatever a user or a sender may have named is
// set as text, never as markup.

"use strict";

const NOW_EVERY_MS = 1000;
const QUALITY_EVERY_MS = 3000;
const PATIENCE_MS = 8000;
const BEHIND_S = 10; // a lag of more than this is worth a word
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const whole = (value) => number.format(Math.round(value));
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}\u00a0%`;
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

function duration(seconds) {
  if (seconds < 1) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** An element with attributes and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function draw(tag, attributes, text = "") {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

function path(xs, ys) {
  let line = "";
  let pen = "M";
  ys.forEach((y, i) => {
    if (y === null) {
      pen = "M";
      return;
    }
    line += `${pen}${xs[i].toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return line;
}

// -- now -------------------------------------------------------------------------------------------------------------

function standing(state, words) {
  byId("standing").dataset.state = state;
  byId("standing").textContent = words;
}

function showStanding(now) {
  const lagS = now.traffic.lag_s.at(-1) ?? 0;
  if (!now.live) standing("bad", "Stalled: its loop has not gone round for two minutes");
  else if (now.role === "recovering") standing("warn", "Recovers: follows the journal, answers nothing yet");
  else if (now.role === "standby") standing("good", "Stands by: takes over when the leader goes; lists are on its page");
  else if (lagS > BEHIND_S) standing("warn", `Leads, and is ${duration(lagS)} behind`);
  else standing("good", "Leads, and keeps up");
}

function tile(id, value, words, state = "") {
  const card = byId(id);
  card.dataset.state = state;
  card.querySelector("strong").textContent = value;
  card.querySelector("p").textContent = words;
}

function spark(id, values) {
  const svg = byId(id).querySelector("svg");
  const top = Math.max(...values.filter((value) => value !== null), 1e-9);
  const xs = values.map((_, i) => (300 * i) / Math.max(values.length - 1, 1));
  svg.setAttribute("viewBox", "0 0 300 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(draw("path", { d: path(xs, values.map((value) => value === null ? null : 28 - (26 * value) / top)) }));
}

function showTiles(now) {
  const { totals, traffic } = now;
  const { p50, p99 } = now.end_to_end_s;
  const lag = traffic.lag_records.at(-1);
  const lagS = traffic.lag_s.at(-1) ?? 0;
  const rate = now.events_per_s;
  tile("rate", rate === null ? "–" : whole(rate), `${whole(totals.events)} events, ${whole(totals.lists)} lists since the start`);
  tile("lag", lag === undefined ? "–" : whole(lag), lag ? `what is answered now came ${duration(lagS)} ago` : lag === 0 ? "nothing waits" : "", lagS > BEHIND_S ? "warn" : "");
  tile("latency", p99 === null ? "–" : duration(p99), p50 === null ? "" : `p50 ${duration(p50)}; from event to committed list, last minute`);
  const reasons = Object.entries(now.dead_letters).sort((a, b) => b[1] - a[1]);
  const share = totals.dead_letters / Math.max(totals.events, 1);
  tile("dead", whole(totals.dead_letters), reasons.length ? `${percent(share, 1)}; ${reasons.slice(0, 3).map(([name, count]) => `${name} ${whole(count)}`).join(", ")}` : "every record could be used", share > 0.01 ? "warn" : "");
  spark("rate", traffic.events_per_s);
  spark("lag", traffic.lag_records);
  spark("latency", traffic.p99_s);
}

function because(item) {
  return item.reasons.map((reason) => {
    const past = reason.because.length ? ` after ${reason.because.join(", ")}` : "";
    return `${reason.expert} ${percent(reason.weight)}${past}`;
  });
}

function withProbability(item) {
  return make("span", { class: "item" }, item.item_id, " ", make("span", { class: "share" }, percent(item.score)));
}

function showLists(lists) {
  if (byId("lists").matches(":hover, :has(:focus-visible)")) return; // what one points at stands still
  byId("no-lists").hidden = lists.length > 0;
  const rows = lists.map(({ at_ms: at, list }) => {
    const user = make("button", { type: "button", class: "user", title: "Show the whole list" }, list.user_id);
    user.addEventListener("click", () => lookUp(list.user_id));
    const reasons = list.items.length ? because(list.items[0]) : [];
    return make(
      "tr",
      {},
      make("td", {}, clock(at)),
      make("td", {}, user),
      make("td", {}, ...(list.items.length ? list.items.slice(0, 3).map(withProbability) : ["nothing learned yet"])),
      make("td", {}, reasons[0] ?? ""),
    );
  });
  byId("lists").querySelector("tbody").replaceChildren(...rows);
}

function showNow(now) {
  byId("application").textContent = now.application === "springtide" ? "" : now.application;
  document.title = `${now.role}: ${now.application}`;
  showStanding(now);
  showTiles(now);
  showLists(now.lists);
}

// -- quality ---------------------------------------------------------------------------------------------------------

const CHART = { left: 46, right: 8, top: 10, bottom: 30 };
let quality = null;
let pointedAt = null;

const measure = () => document.querySelector("input[name=measure]:checked").value;

const bestFirst = (newest, by) => Object.keys(newest).sort((a, b) => newest[b][by] - newest[a][by]);
const isExpert = (name) => name !== "list" && name !== "mixture";

/** The part that each scorer plays in the picture, the best first. */
function parts(newest) {
  const names = bestFirst(newest, measure());
  const experts = names.filter(isExpert);
  const popular = experts.find((name) => name.startsWith("popular_"));
  const played = new Map(names.map((name) => [name, "other"]));
  if (popular) played.set(popular, "popular");
  if (experts.length) played.set(experts[0], "expert");
  for (const name of ["mixture", "list"]) if (played.has(name)) played.set(name, name);
  return played;
}

function step(top) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => power * factor >= rough);
}

function showChart(played) {
  const { left, right, top, bottom } = CHART;
  const { events, curves } = quality;
  const svg = byId("chart");
  const width = Math.max(svg.parentElement.clientWidth, 240); // so that letters keep their size
  const height = Math.min(560, Math.round(0.85 * width));
  const highest = Math.max(...[...played.keys()].flatMap((name) => curves[name][measure()]), 0.01);
  const every = step(highest);
  const ceiling = every * Math.ceil(highest / every);
  const last = events.at(-1);
  const x = (count) => left + ((width - left - right) * count) / last;
  const y = (value) => height - bottom - ((height - top - bottom) * value) / ceiling;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  for (let i = 0; i * every <= ceiling * 1.001; i += 1) {
    const value = i * every;
    svg.append(
      draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, every < 0.01 ? value.toFixed(3) : value.toFixed(2)),
    );
  }
  const stride = Math.max(step(last), 1);
  for (let count = 0; count <= last; count += stride) {
    const anchor = count === 0 ? "start" : last - count < stride / 4 ? "end" : "middle";
    svg.append(draw("text", { x: x(count), y: height - 10, "text-anchor": anchor }, whole(count)));
  }
  const order = ["other", "popular", "expert", "mixture", "list"];
  const names = [...played.keys()].sort((a, b) => order.indexOf(played.get(a)) - order.indexOf(played.get(b)));
  const xs = events.map(x);
  for (const name of names) {
    svg.append(draw("path", { d: path(xs, curves[name][measure()].map(y)), "data-part": played.get(name), "data-scorer": name }));
  }
  pointAt(pointedAt);
}

/** Bring out one scorer's line. */
function pointAt(name) {
  pointedAt = name;
  for (const line of byId("chart").querySelectorAll("path")) line.classList.toggle("hot", line.dataset.scorer === name);
}

const TAGS = { list: " what goes out", expert: " best expert", popular: " best popularity" };

function showScorers(played) {
  const { scorers } = quality.newest;
  const rows = [...played].map(([name, part]) => {
    const row = make(
      "tr",
      { "data-part": part },
      make("td", {}, name, make("span", { class: "tag" }, TAGS[part] ?? "")),
      make("td", { class: "number" }, scorers[name].hr.toFixed(3)),
      make("td", { class: "number" }, scorers[name].ndcg.toFixed(3)),
    );
    row.addEventListener("mouseenter", () => pointAt(name));
    row.addEventListener("mouseleave", () => pointAt(null));
    return row;
  });
  byId("scorers").querySelector("tbody").replaceChildren(...rows);
}

function showForeseen() {
  const { scorers } = quality.newest;
  const best = bestFirst(scorers, "hr").find(isExpert);
  const rival = best ? `; ${best}, the best expert here, ${percent(scorers[best].hr, 1)}` : "";
  tile("foreseen", percent(scorers.list.hr, 1), `HR@10 of the list, newest ${whole(quality.newest.events)} events${rival}`);
}

function showQuality() {
  const { newest, published } = quality;
  if (!newest.events) {
    byId("chart-note").textContent = "Nothing was tested yet.";
    return;
  }
  const played = parts(newest.scorers);
  showChart(played);
  showScorers(played);
  showForeseen();
  byId("chart-note").textContent = `Over the whole run, by events tested. The table: newest ${whole(newest.events)} of them.`;
  byId("published").textContent = published.events
    ? `Of the lists that were really out, ${percent(published.hr, 1)} held the user's next item (HR@10; NDCG@10 ${published.ndcg.toFixed(3)}, newest ${whole(published.events)}). They may have been out for days, so this is lower by nature.`
    : "";
}

// -- one user --------------------------------------------------------------------------------------------------------

async function lookUp(user) {
  byId("user").value = user;
  const answer = await fetch(`/user.json?id=${encodeURIComponent(user)}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  const shown = await answer.json();
  byId("list").hidden = shown === null;
  if (shown === null) {
    byId("found").textContent = `No list of ${user} is remembered: none went out lately from this process.`;
    return;
  }
  const { list } = shown;
  byId("found").textContent =
    `${list.user_id}: went out at ${clock(shown.at_ms)}, after ${whole(list.model.events_learned)} events learned, ` +
    `for the event at offset ${list.trigger.offset} of ${list.trigger.topic} partition ${list.trigger.partition}.`;
  const rows = list.items.map((item) =>
    make(
      "tr",
      {},
      make("td", { class: "number" }, String(item.rank)),
      make("td", {}, item.item_id),
      make("td", { class: "number" }, percent(item.score, 1)),
      make("td", {}, because(item).join("; ")),
    ),
  );
  byId("list").querySelector("tbody").replaceChildren(...rows);
}

// -- the loop --------------------------------------------------------------------------------------------------------

let heard = Date.now();

function lost() {
  document.body.classList.add("stale");
  standing("bad", `No answer since ${clock(heard)}: what is shown is of then`);
}

/** Ask again and again, `every` so many milliseconds, while somebody looks. */
async function keepAsking(where, every, show) {
  if (!document.hidden) {
    try {
      const answer = await fetch(where, { signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!answer.ok) throw new Error(await answer.text());
      show(await answer.json());
      heard = Date.now();
      document.body.classList.remove("stale");
    } catch (error) {
      console.warn(error);
      lost();
    }
  }
  setTimeout(() => keepAsking(where, every, show), every);
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  lookUp(byId("user").value).catch(lost);
});
for (const choice of document.querySelectorAll("input[name=measure]")) {
  choice.addEventListener("change", () => quality && showQuality());
}
keepAsking("/live.json", NOW_EVERY_MS, showNow);
keepAsking("/quality.json", QUALITY_EVERY_MS, (answer) => {
  quality = answer;
  showQuality();
});
