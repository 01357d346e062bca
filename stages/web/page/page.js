// The page: asks the server how the videos stand, shows the list and the video that is open.

import { hideVideo, seek, showPerson, showVideo, startPlayer, unplayable } from "./player.js";
import { act, get } from "./requests.js";
import { showTimeline } from "./timeline.js";
import { Track } from "./track.js";
import { problem, watchUploads } from "./upload.js";
import { showVideos, tell } from "./videos.js";
import { duration, megabytes } from "./words.js";

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
    state = await get("/api/state");
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
      await act(method, `/api/jobs/${id}${path}`);
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
    link.href = `/api/jobs/${job.id}/files/${kind}`;
    link.download = "";
    link.textContent = name;
    const size = document.createElement("span");
    size.textContent = ` ${megabytes(job.files[kind])}`;
    link.append(size);
    $("downloads").append(link);
  }
}

function showFacts(job, track) {
  const { facts } = job;
  const parts = [
    `${track.length.toLocaleString()} frames in ${duration(facts.seconds)}`,
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
    ...track.notes.map((note) => {
      const item = document.createElement("li");
      item.textContent = note;
      return item;
    }),
  );
  $("notes").hidden = !track.notes.length;
}

function showPeople(job, track, strip) {
  $("person-choice").hidden = track.faces.length < 2;
  $("person").replaceChildren(
    ...track.faces.map((one, number) => new Option(`Person ${one.id}`, number)),
  );
  $("person").onchange = async () => {
    const face = Number($("person").value);
    showPerson(face);
    await showTimeline(track, face, strip, seek);
    showPerson(face);
  };
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
  const view = await get(`/api/jobs/${id}/view`);
  if (open !== id) return; // another was opened in the meantime
  const track = new Track(view);
  const strip = { address: `/api/jobs/${id}/strip`, times: view.strip || [] };
  hideVideo();
  $("welcome").hidden = true;
  $("shown").hidden = false;
  showFacts(job, track);
  showPeople(job, track, strip);
  showDownloads(job);
  const playable = job.plays || view.preview;
  showVideo(track, 0, playable ? `/api/jobs/${id}/video` : null);
  if (!playable) unplayable("Browsers do not play this format: the figures are complete all the same.");
  $("track").hidden = !track.faces.length;
  if (track.faces.length) await showTimeline(track, 0, strip, seek);
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
