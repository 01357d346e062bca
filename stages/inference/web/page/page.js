// The page: asks the server how the videos stand, shows the list and the video that is open.

import { offerBeside, openBeside, startBeside } from "./beside.js";
import { noteFocus } from "./focus.js";
import { hideVideo, showVideo, startPlayer } from "./player.js";
import { act, get } from "./requests.js";
import { problem, watchUploads } from "./upload.js";
import { focusOn, say, showOlder, showVideos, tell } from "./videos.js";
import { duration, length, megabytes } from "./words.js";

const $ = (id) => document.getElementById(id);
const SOON = 500; // milliseconds from one question about progress to the next
const LATER = 5000; // the same where nothing is worked on
const MORE = 50; // videos of the list that are shown first, and at each wish for more
const KEPT = "aufusion videos shown"; // where a reloaded page finds how many it has shown

let state = { limits: null, all: 0, most: MORE, jobs: [] };
let show = Math.max(MORE, kept());
let open = null; // id of the video shown
let wanted = null; // id of the video to open when it is done
let stays = false; // whether the user chose another one since the last files were dropped
let chosen = null; // id of the video that the user has chosen in the list just now
let timer = 0;
let lost = false;

function kept() {
  try {
    return Number(window.sessionStorage.getItem(KEPT)) || 0;
  } catch {
    return 0; // the browser keeps nothing: a reload begins with the newest
  }
}

function keep(number) {
  try {
    window.sessionStorage.setItem(KEPT, number);
  } catch {
    // as above
  }
}

function showLimits({ megabytes: size, minutes }) {
  $("limits").textContent = `At most ${size} MB and ${minutes} minutes each`;
}

async function refresh() {
  clearTimeout(timer);
  const named = window.location.hash.slice(1); // may be older than what is listed
  try {
    state = await get(`api/state?show=${show}&with=${encodeURIComponent(named)}`);
    if (lost) problem("");
    lost = false;
    showLimits(state.limits);
    tell(state.jobs);
    if (wanted && state.jobs.some((job) => job.id === wanted && job.state === "done")) {
      const next = wanted;
      wanted = null;
      window.location.hash = next;
    }
    const gone = open === named && !state.jobs.some((job) => job.id === open);
    if (open && gone) window.location.hash = "";
    showVideos(state.jobs, open, actions);
    offerBeside(state.jobs);
    showOlder(state.jobs.length, state.all, state.most);
  } catch (error) {
    lost = true;
    problem(error.message);
  }
  const busy = state.jobs.some((job) => job.state === "running" || job.state === "waiting");
  clearTimeout(timer);
  timer = setTimeout(refresh, busy && !document.hidden ? SOON : LATER);
}

function action(method, path, done = () => {}) {
  return async (id, name) => {
    problem("");
    try {
      await act(method, `api/jobs/${id}${path}`);
    } catch (error) {
      problem(error.message);
      return;
    }
    await refresh();
    done(name);
  };
}

const actions = {
  cancel: action("POST", "/cancel"),
  restart: action("POST", "/restart"),
  remove: action("DELETE", "", (name) => say(`${name} was deleted.`)),
  open(id) {
    wanted = null;
    stays = true;
    if (id === open) $("title").focus();
    else chosen = id;
  },
};

function showDownloads(job) {
  const names = { csv: "CSV", parquet: "Parquet", json: "JSON", report: "Report" };
  $("downloads").replaceChildren();
  for (const [kind, name] of Object.entries(names)) {
    if (!(kind in job.files)) continue;
    const link = document.createElement("a");
    link.href = `api/jobs/${job.id}/files/${kind}`;
    link.download = "";
    link.textContent = name;
    const size = document.createElement("span");
    size.textContent = ` ${megabytes(job.files[kind])}`;
    link.append(size);
    $("downloads").append(link);
  }
}

function showFacts(job, data) {
  const { facts } = job;
  const parts = [
    `${facts.width} × ${facts.height}`,
    megabytes(job.size),
    `predicted in ${duration(job.working)}`,
  ];
  if (data.still) parts.unshift("A photo");
  else {
    parts.unshift(`${data.frames.toLocaleString()} frames in ${length(facts.seconds)}`);
    parts.splice(2, 0, facts.codec.toUpperCase(), facts.sound ? "with sound" : "without sound");
  }
  if (!data.still && !job.plays) parts.push("shown as an H.264 preview, for browsers do not play this format");
  $("title").textContent = job.name;
  $("facts").textContent = parts.join(" · ");
  $("notes").replaceChildren(
    ...data.notes.map((note) => {
      const item = document.createElement("li");
      item.textContent = note;
      return item;
    }),
  );
  $("notes").hidden = !data.notes.length;
}

async function showMore() {
  const known = new Set(state.jobs.map((job) => job.id));
  show = Math.min(show + MORE, state.most);
  keep(show);
  await refresh();
  const first = state.jobs.find((job) => !known.has(job.id));
  if (first) focusOn(first.id);
}

async function openVideo(id) {
  if (id && !state.jobs.some((job) => job.id === id)) await refresh();
  const job = state.jobs.find((one) => one.id === id && one.state === "done");
  const goOn = noteFocus();
  if (!job) {
    open = null;
    hideVideo();
    openBeside(null, "", state.jobs);
    $("shown").hidden = true;
    $("welcome").hidden = false;
    goOn($("viewer"));
    return;
  }
  if (open === id) return;
  open = id;
  const data = await get(`api/jobs/${id}/view`);
  if (open !== id) return; // another was opened in the meantime
  $("welcome").hidden = true;
  $("shown").hidden = false;
  showFacts(job, data);
  showDownloads(job);
  const shows = data.still ? "picture" : "video";
  const has = data.still || job.plays || data.preview;
  showVideo(data, has ? `api/jobs/${id}/${shows}` : null, job.name);
  openBeside(data, id, state.jobs);
  showVideos(state.jobs, open, actions);
  const narrow = window.matchMedia("(max-width: 48rem)").matches; // the list lies above
  if (narrow) window.scrollTo(0, window.scrollY + $("viewer").getBoundingClientRect().top);
  if (chosen === id) $("title").focus({ preventScroll: narrow });
  else goOn($("title"));
  chosen = null;
}

// A link within the page that moves the focus alone: the address names the video that is open.
function skip(link, where) {
  $(link).onclick = (event) => {
    event.preventDefault();
    where();
  };
}


async function follow() {
  try {
    await openVideo(window.location.hash.slice(1));
  } catch (error) {
    open = null;
    problem(error.message);
  }
}

window.addEventListener("hashchange", follow);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
$("more").onclick = showMore;
skip("skip", () => (open ? $("title") : $("viewer")).focus());
skip("return", () => focusOn(open));
startPlayer();
startBeside(problem);
watchUploads(
  () => state.limits,
  () => {
    stays = false;
  },
  async (id) => {
    if (!stays) wanted = id;
    await refresh();
  },
);
await refresh();
await follow();
