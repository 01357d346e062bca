// A second result beside the one that is open: its picture and bars, and both in one table.

import { startControls } from "./controls.js";
import { noteFocus } from "./focus.js";
import { get } from "./requests.js";

const { AUFusion } = window;
const $ = (id) => document.getElementById(id);

let first = null; // data of the result that is open
let own = ""; // its id
let second = null; // data of the result beside it
let jobs = [];
let parts = [];
let asked = ""; // id of the result that was chosen last
let tellControls = () => {};

function close() {
  for (const part of parts) part.destroy();
  parts = [];
  asked = "";
  second = null;
  $("pair").hidden = true;
  $("video-other").pause();
  $("video-other").removeAttribute("src");
  $("video-other").load();
  $("photo-other").removeAttribute("src");
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
    said(mine.intensity[au], 1, ""),
    said(other.intensity[au], 1, ""),
  ];
  for (const text of texts) {
    const cell = document.createElement("td");
    cell.textContent = text;
    element.append(cell);
  }
  return element;
}

// Where both have the same frames, the share of decisions in which they agree.
function agreement({ decisions, agreement: share }) {
  const title = `First: ${first.title}. Second: ${second.title}.`;
  if (decisions === null) {
    return `${title} They have not the same frames: only shares and means compare.`;
  }
  if (!decisions) return `${title} No frame shows a face in both.`;
  const number = decisions.toLocaleString();
  return `${title} They agree in ${(100 * share).toFixed(1)} % of ${number} decisions.`;
}

// The figures are the server's, for they are of frames; the data here may have columns of several.
async function compare() {
  const id = asked;
  const mine = AUFusion.trackOf(first);
  const people = `face=${mine.face}&other_face=${AUFusion.trackOf(second).face}`;
  const found = await get(`api/jobs/${own}/beside/${id}?${people}`);
  if (asked !== id || !second || AUFusion.trackOf(first) !== mine) return;
  $("agreement").textContent = agreement(found);
  $("compared").replaceChildren(...first.aus.map((_, au) => row(au, found.first, found.second)));
}

async function choose() {
  const id = $("other").value;
  close();
  asked = id;
  const job = jobs.find((one) => one.id === id);
  if (!job) return;
  const data = await get(`api/jobs/${id}/view`);
  if (asked !== id || !first) return; // something else was opened in the meantime
  second = data;
  await compare();
  if (asked !== id) return;
  const still = Boolean(data.still);
  const plays = !still && (job.plays || data.preview);
  $("other-name").textContent = job.name;
  $("photo-other").hidden = !still;
  $("photo-other").alt = still ? job.name : "";
  $("video-other").hidden = !plays;
  $("controls-other").hidden = still;
  tellControls(plays, Boolean(data.waveform));
  if (still) $("photo-other").src = `api/jobs/${id}/picture`;
  else if (plays) $("video-other").src = `api/jobs/${id}/video`;
  parts = [AUFusion.bars($("bars-other"), data, $("video-other"))];
  $("pair").hidden = false;
}

export function startBeside(problem) {
  const saying = (work) => async () => {
    try {
      await work();
    } catch (error) {
      problem(error.message);
    }
  };
  tellControls = startControls($("controls-other"), $("video-other"), () => second);
  $("other").onchange = saying(choose);
  // another person of the first was chosen
  $("video").addEventListener("auf-track", saying(async () => second && compare()));
}

// The results that may be chosen; the choice stays as long as it is among them.
export function offerBeside(all) {
  const goOn = noteFocus();
  jobs = all.filter((job) => job.state === "done" && job.id !== own);
  $("beside").hidden = !jobs.length;
  const before = $("other").value;
  const wanted = ["", ...jobs.map((job) => job.id)];
  const there = [...$("other").options].map((option) => option.value);
  if (wanted.join() === there.join()) {
    goOn($("title"));
    return;
  }
  $("other").replaceChildren(new Option("nothing", ""), ...jobs.map((job) => new Option(job.name, job.id)));
  $("other").value = wanted.includes(before) ? before : "";
  if (!wanted.includes(before)) close();
  goOn($("other"), $("title"));
}

// Another result was opened, or none.
export function openBeside(data, id, all) {
  close();
  first = data;
  own = id;
  $("other").value = "";
  offerBeside(all);
}
