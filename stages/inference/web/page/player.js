// The open video: its picture, the bars and the timeline of the report, the ways to move through it.

import { startControls } from "./controls.js";
import { noteFocus } from "./focus.js";

const { AUFusion } = window;
const $ = (id) => document.getElementById(id);

let data = null;
let parts = [];
let tellControls = () => {};

// What cannot be played has its place in the video all the same, and buttons to move it.
function unplayable(text) {
  const goOn = noteFocus();
  $("unplayable").textContent = text;
  $("unplayable").hidden = !text;
  $("video").hidden = Boolean(text) || Boolean(data?.still);
  tellControls(!text, Boolean(data?.waveform));
  goOn($("controls").querySelector(".forward"));
}

export function startPlayer() {
  const video = $("video");
  tellControls = startControls($("controls"), video, () => data);
  video.addEventListener("error", () => {
    if (video.getAttribute("src")) {
      unplayable("This browser cannot play the video: the figures are complete all the same.");
    }
  });
}

export function hideVideo() {
  for (const part of parts) part.destroy();
  parts = [];
  data = null;
  $("video").pause();
  $("video").removeAttribute("src");
  $("video").load();
  unplayable("");
}

// A photo has no course: neither timeline nor controls, but the picture and its bars.
function showAs(still, name) {
  for (const id of ["video", "controls", "course", "strongest"]) $(id).hidden = still;
  $("photo").hidden = !still;
  $("photo").alt = still ? name : "";
  if (!still) $("photo").removeAttribute("src");
  $("now-title").textContent = still ? "In this photo" : "In this frame";
}

// Show a video or a photo and its figures; `address` is null where there is nothing to play.
export function showVideo(newData, address, name) {
  hideVideo();
  data = newData;
  const video = $("video");
  showAs(data.still, name);
  if (data.still) {
    $("photo").src = address;
    parts = [AUFusion.bars($("bars"), data, video)];
    return;
  }
  if (address) video.src = address;
  unplayable(address ? "" : "Browsers do not play this format: the figures are complete all the same.");
  parts = [
    AUFusion.bars($("bars"), data, video),
    AUFusion.timeline($("timeline"), data, video),
    AUFusion.moments($("moments"), data, video),
  ];
}
