// The video, the bars beside it that follow playback, and the ways to move through it.

import { moveCursor } from "./timeline.js";

const $ = (id) => document.getElementById(id);

let track = null;
let face = 0;
let shown = -1; // frame whose figures are shown
let bars = [];

function makeBars() {
  $("bars").replaceChildren();
  bars = track.aus.map((au) => {
    const item = document.createElement("li");
    const part = (name, text) => {
      const element = document.createElement("span");
      element.className = name;
      element.textContent = text;
      item.append(element);
      return element;
    };
    item.dataset.au = au.name;
    part("au", au.name);
    part("meaning", au.meaning).title = au.meaning;
    const fill = document.createElement("span");
    fill.className = "fill";
    part("bar", "").append(fill);
    const value = part("value", "");
    $("bars").append(item);
    return { item, fill, value };
  });
}

function sentence(frame, active, seen) {
  const place = `Frame ${frame + 1} of ${track.length}, ${track.times[frame].toFixed(2)} s.`;
  if (!track.faces.length) return `${place} No face was found in this video.`;
  const names = active.map((au) => `${au.name} ${au.meaning}`).join(", ") || "none";
  return `${place} ${seen ? "" : "No face is seen here. "}Active: ${names}.`;
}

function showFrame(frame) {
  if (frame === shown) return;
  shown = frame;
  const known = face < track.faces.length;
  const seen = known && track.seen(face, frame);
  const active = [];
  bars.forEach((bar, au) => {
    const level = known ? track.level(face, frame, au) : null;
    const on = level !== null && track.active(face, frame, au);
    if (on) active.push(track.aus[au]);
    bar.fill.style.width = `${100 * (level || 0)}%`;
    bar.value.textContent = level === null ? "–" : `${Math.round(100 * level)} %`;
    bar.item.classList.toggle("active", on);
  });
  $("bars").classList.toggle("unseen-face", !seen);
  $("now").textContent = sentence(frame, active, seen);
}

function follow(seconds) {
  if (!track) return;
  showFrame(track.frameAt(seconds));
  moveCursor(seconds);
  const slider = $("position");
  slider.value = seconds;
  slider.setAttribute("aria-valuetext", `${seconds.toFixed(2)} seconds`);
}

// Show the frame of a time: in the video where it plays, else in the figures alone.
export function seek(seconds) {
  const inside = Math.min(Math.max(seconds, track.times[0]), track.end - track.step / 2);
  if ($("video").readyState > 0) $("video").currentTime = Math.max(0, inside);
  follow(inside);
}

function stepBy(frames) {
  $("video").pause();
  const target = Math.min(Math.max(shown + frames, 0), track.length - 1);
  seek(track.within(target));
}

function followPlayback() {
  const video = $("video");
  // the time of the picture itself, where the browser tells it
  if (video.requestVideoFrameCallback) {
    const each = (now, picture) => {
      if (!video.paused) follow(picture.mediaTime);
      video.requestVideoFrameCallback(each);
    };
    video.requestVideoFrameCallback(each);
  } else {
    const each = () => {
      if (!video.paused) follow(video.currentTime);
      requestAnimationFrame(each);
    };
    requestAnimationFrame(each);
  }
  video.addEventListener("timeupdate", () => video.paused && follow(video.currentTime));
  video.addEventListener("seeked", () => follow(video.currentTime));
  video.addEventListener("play", () => $("now").setAttribute("aria-live", "off"));
  video.addEventListener("pause", () => $("now").setAttribute("aria-live", "polite"));
  video.addEventListener("ended", () => follow(track.end - track.step / 2));
  video.addEventListener("error", () => unplayable(
    "This browser cannot play the video: the figures below are complete all the same.",
  ));
}

export function unplayable(text) {
  $("unplayable").textContent = text;
  $("unplayable").hidden = !text;
  $("video").hidden = Boolean(text);
}

export function startPlayer() {
  followPlayback();
  $("back").onclick = () => stepBy(-1);
  $("forward").onclick = () => stepBy(1);
  $("speed").onchange = () => {
    $("video").playbackRate = Number($("speed").value);
  };
  $("position").oninput = () => seek(Number($("position").value));
}

// Show a video's figures; `address` is null where there is nothing to play.
export function showVideo(newTrack, newFace, address) {
  [track, face, shown] = [newTrack, newFace, -1];
  makeBars();
  const slider = $("position");
  [slider.min, slider.max] = [track.times[0], track.end];
  slider.step = 0.001;
  const video = $("video");
  if (address && video.getAttribute("src") !== address) {
    unplayable("");
    video.src = address;
    video.playbackRate = Number($("speed").value);
  }
  follow(track.times[0]);
}

export function showPerson(newFace) {
  [face, shown] = [newFace, -1];
  follow(Number($("position").value));
}

export function hideVideo() {
  track = null;
  $("video").pause();
  $("video").removeAttribute("src");
  $("video").load();
  unplayable("");
}
