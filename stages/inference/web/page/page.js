// The page: asks the server how the videos stand, shows the list and the video that is open.

import { hideVideo, showVideo, startPlayer } from "./player.js";
import { act, get } from "./requests.js";
import { problem, watchUploads } from "./upload.js";
import { showVideos, tell } from "./videos.js";
import { duration, length, megabytes } from "./words.js";

const $ = (id) => document.getElementById(id);
const SOON = 500; // milliseconds from one question about progress to the next
const LATER = 5000; // the same where nothing is worked on

let state = { limits: null, jobs: [] };
let open = null; // id of the video shown
let wanted = null; // id of the video to open when it is done
let timer = 0;
let lost = false;

function showLimits({ megabytes: size, minutes }) {
  $("limits").textContent = `At most ${size} MB and ${minutes} minutes each`;
}

async function refresh() {
  clearTimeout(timer);
  try {
    state = await get("api/state");
    if (lost) problem("");
    lost = false;
    showLimits(state.limits);
    tell(state.jobs);
    if (wanted && state.jobs.some((job) => job.id === wanted && job.state === "done")) {
      const next = wanted;
      wanted = null;
      window.location.hash = next;
    }
    if (open && !state.jobs.some((job) => job.id === open)) window.location.hash = "";
    showVideos(state.jobs, open, actions);
  } catch (error) {
    lost = true;
    problem(error.message);
  }
  const busy = state.jobs.some((job) => job.state === "running" || job.state === "waiting");
  clearTimeout(timer);
  timer = setTimeout(refresh, busy && !document.hidden ? SOON : LATER);
}

function action(method, path) {
  return async (id) => {
    problem("");
    try {
      await act(method, `api/jobs/${id}${path}`);
    } catch (error) {
      problem(error.message);
      return;
    }
    await refresh();
  };
}

const actions = {
  cancel: action("POST", "/cancel"),
  restart: action("POST", "/restart"),
  remove: action("DELETE", ""),
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
    `${data.frames.toLocaleString()} frames in ${length(facts.seconds)}`,
    `${facts.width} × ${facts.height}`,
    facts.codec.toUpperCase(),
    facts.sound ? "with sound" : "without sound",
    megabytes(job.size),
    `predicted in ${duration(job.working)}`,
  ];
  if (!job.plays) parts.push("shown as an H.264 preview, for browsers do not play this format");
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

async function openVideo(id) {
  const job = state.jobs.find((one) => one.id === id && one.state === "done");
  if (!job) {
    open = null;
    hideVideo();
    $("shown").hidden = true;
    $("welcome").hidden = false;
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
  showVideo(data, job.plays || data.preview ? `api/jobs/${id}/video` : null);
  showVideos(state.jobs, open, actions);
  if (window.matchMedia("(max-width: 48rem)").matches) $("viewer").scrollIntoView();
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
startPlayer();
watchUploads(
  () => state.limits,
  async (id) => {
    wanted = id;
    await refresh();
  },
);
await refresh();
await follow();
