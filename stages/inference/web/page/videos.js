// The list of videos: those that wait, the one worked on, and the history.

import { noteFocus } from "./focus.js";
import { count, day, standing } from "./words.js";

const $ = (id) => document.getElementById(id);
const rows = new Map(); // id -> elements that change

function button(text, label, onClick) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.setAttribute("aria-label", label);
  element.onclick = onClick;
  return element;
}

function make(job, actions) {
  const item = document.createElement("li");
  item.dataset.id = job.id;
  const entry = document.createElement("div");
  entry.className = "entry";
  const poster = document.createElement("img");
  poster.alt = "";
  poster.loading = "lazy";
  poster.src = `api/jobs/${job.id}/poster`;
  const text = document.createElement("div");
  const link = document.createElement("a");
  link.className = "name";
  link.textContent = job.name;
  link.onclick = () => actions.open(job.id);
  const state = document.createElement("p");
  state.className = "quiet";
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", `Progress of ${job.name}`);
  const added = document.createElement("p");
  added.className = "quiet";
  added.textContent = day(job.created);
  const tools = document.createElement("div");
  tools.className = "actions";
  const cancel = button("Cancel", `Cancel ${job.name}`, () => actions.cancel(job.id));
  const again = button("Try again", `Try ${job.name} again`, () => actions.restart(job.id));
  const remove = button("Delete", `Delete ${job.name}`, () => {
    if (window.confirm(`Delete ${job.name} and its results from the server?`)) {
      actions.remove(job.id, job.name);
    }
  });
  tools.append(cancel, again, remove);
  text.append(link, state, bar, added, tools);
  entry.append(poster, text);
  item.append(entry);
  return { item, link, state, bar, cancel, again, remove };
}

function update(row, job, open) {
  const done = job.state === "done";
  if (done) row.link.href = `#${job.id}`;
  else row.link.removeAttribute("href");
  row.item.classList.toggle("open", job.id === open);
  if (job.id === open) row.link.setAttribute("aria-current", "true");
  else row.link.removeAttribute("aria-current");
  const text = standing(job);
  if (row.state.textContent !== text) row.state.textContent = text;
  row.state.className = job.state === "failed" ? "error" : "quiet";
  row.bar.hidden = job.state !== "running";
  row.bar.max = Math.max(1, job.total);
  if (job.phase === "predicting") row.bar.value = job.done;
  else row.bar.removeAttribute("value"); // of no known length
  const goOn = row.item.contains(document.activeElement) ? noteFocus() : () => {};
  row.cancel.hidden = !(job.state === "running" || job.state === "waiting");
  row.again.hidden = !(job.state === "failed" || job.state === "stopped");
  goOn(row.again, row.cancel, done ? row.link : row.remove);
}

// The row after another one, or else before it, of a video that is still known.
function neighbour(item, known) {
  for (const way of ["nextElementSibling", "previousElementSibling"]) {
    for (let one = item[way]; one; one = one[way]) {
      if (known.has(one.dataset.id)) return rows.get(one.dataset.id);
    }
  }
  return null;
}

// What of a row the focus goes to.
function first({ link, item }) {
  return link.hasAttribute("href") ? link : item.querySelector("button:not([hidden])");
}

// `open` is the id of the video shown; `actions` are open, cancel, restart, remove.
export function showVideos(jobs, open, actions) {
  $("none").hidden = jobs.length > 0;
  const known = new Set(jobs.map((job) => job.id));
  const goOn = noteFocus();
  const near = document.activeElement?.closest("#videos li");
  const next = near && neighbour(near, known);
  for (const [id, row] of rows) {
    if (!known.has(id)) {
      row.item.remove();
      rows.delete(id);
    }
  }
  goOn(next && first(next), $("file"));
  jobs.forEach((job, place) => {
    if (!rows.has(job.id)) rows.set(job.id, make(job, actions));
    const row = rows.get(job.id);
    update(row, job, open);
    // moving an element would take the focus from it: only where it is not in its place
    if ($("videos").children[place] !== row.item) {
      $("videos").insertBefore(row.item, $("videos").children[place] || null);
    }
  });
}

// Whether there are older videos than those listed; a server lists no more than `most`.
export function showOlder(shown, all, most) {
  const goOn = noteFocus();
  $("more").hidden = shown >= all || shown >= most;
  $("older").hidden = shown >= all;
  const text = `${shown.toLocaleString()} of ${count(all, "video", "videos")} shown`;
  const end = shown >= most ? "; those before them come as newer ones are deleted" : "";
  $("older").textContent = text + end;
  goOn($("videos").lastElementChild?.querySelector("a[href], button:not([hidden])"));
}

// Go on by keyboard, or by ear, at a video that is listed.
export function focusOn(id) {
  if (rows.has(id)) first(rows.get(id)).focus();
}

// Have a screen reader say something.
export function say(text) {
  $("status").textContent = text;
}

let spoken = new Map(); // id -> state or tenth of the work that was told last

// What a screen reader is told: changes of state, and each tenth of the work; not every frame.
export function tell(jobs) {
  const now = new Map();
  const sentences = [];
  for (const job of jobs) {
    const tenth = job.total ? Math.floor((10 * job.done) / job.total) : 0;
    const key = job.state === "running" ? `${job.phase} ${tenth}` : job.state;
    now.set(job.id, key);
    if (spoken.has(job.id) && spoken.get(job.id) !== key) {
      sentences.push(`${job.name}: ${job.state === "done" ? "done" : standing(job)}.`);
    }
  }
  spoken = now;
  if (sentences.length) say(sentences.join(" "));
}
