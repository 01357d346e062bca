// A second result beside the one that is open: its picture and bars, and both in one table.

import { get } from "./requests.js";

const { AUFusion } = window;
const $ = (id) => document.getElementById(id);

let first = null; // data of the result that is open
let own = ""; // its id
let jobs = [];
let parts = [];
let asked = ""; // id of the result that was chosen last

function close() {
  for (const part of parts) part.destroy();
  parts = [];
  asked = "";
  $("pair").hidden = true;
  $("video-other").pause();
  $("video-other").removeAttribute("src");
  $("video-other").load();
  $("photo-other").removeAttribute("src");
}

function mean(values) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  return known.reduce((sum, value) => sum + value, 0) / known.length / AUFusion.STEP;
}

const said = (value, digits, unit) => (value === null ? "–" : value.toFixed(digits) + unit);

function row(au, mine, other) {
  const element = document.createElement("tr");
  const name = document.createElement("th");
  name.scope = "row";
  name.textContent = `${first.aus[au]} ${first.meanings[au]}`;
  element.append(name);
  const texts = [
    said(100 * mine.share[au], 0, " %"),
    said(100 * other.share[au], 0, " %"),
    said(mean(mine.intensity[au]), 1, ""),
    said(mean(other.intensity[au]), 1, ""),
  ];
  for (const text of texts) {
    const cell = document.createElement("td");
    cell.textContent = text;
    element.append(cell);
  }
  return element;
}

// Where both have the same frames, the share of decisions in which they agree.
function agreement(data, mine, other) {
  const title = `First: ${first.title}. Second: ${data.title}.`;
  const same = data.frames === first.frames && data.edges.length === first.edges.length;
  if (!same) return `${title} They have not the same frames: only shares and means compare.`;
  let count = 0;
  let equal = 0;
  mine.active.forEach((values, au) => {
    values.forEach((value, k) => {
      if (mine.status[k] === 0 || other.status[k] === 0) return;
      count += 1;
      equal += value === other.active[au][k] ? 1 : 0;
    });
  });
  if (!count) return `${title} No frame shows a face in both.`;
  return `${title} They agree in ${((100 * equal) / count).toFixed(1)} % of decisions.`;
}

async function choose() {
  const id = $("other").value;
  close();
  asked = id;
  const job = jobs.find((one) => one.id === id);
  if (!job) return;
  const data = await get(`api/jobs/${id}/view`);
  if (asked !== id || !first) return; // something else was opened in the meantime
  const still = Boolean(data.still);
  $("other-name").textContent = job.name;
  $("photo-other").hidden = !still;
  $("photo-other").alt = still ? job.name : "";
  $("video-other").hidden = still;
  if (still) $("photo-other").src = `api/jobs/${id}/picture`;
  else if (job.plays || data.preview) $("video-other").src = `api/jobs/${id}/video`;
  parts = [AUFusion.bars($("bars-other"), data, $("video-other"))];
  const mine = AUFusion.trackOf(first);
  const other = AUFusion.trackOf(data);
  $("agreement").textContent = agreement(data, mine, other);
  $("compared").replaceChildren(...first.aus.map((_, au) => row(au, mine, other)));
  $("pair").hidden = false;
}

export function startBeside(problem) {
  $("other").onchange = async () => {
    try {
      await choose();
    } catch (error) {
      problem(error.message);
    }
  };
}

// The results that may be chosen; the choice stays as long as it is among them.
export function offerBeside(all) {
  jobs = all.filter((job) => job.state === "done" && job.id !== own);
  $("beside").hidden = !jobs.length;
  const before = $("other").value;
  const wanted = ["", ...jobs.map((job) => job.id)];
  const there = [...$("other").options].map((option) => option.value);
  if (wanted.join() === there.join()) return;
  $("other").replaceChildren(new Option("nothing", ""), ...jobs.map((job) => new Option(job.name, job.id)));
  $("other").value = wanted.includes(before) ? before : "";
  if (!wanted.includes(before)) close();
}

// Another result was opened, or none.
export function openBeside(data, id, all) {
  close();
  first = data;
  own = id;
  $("other").value = "";
  offerBeside(all);
}
