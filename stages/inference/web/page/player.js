// The open video: its picture, the bars and the timeline of the report, the ways to move through it.

const { AUFusion } = window;
const $ = (id) => document.getElementById(id);

let data = null;
let parts = [];

export function unplayable(text) {
  $("unplayable").textContent = text;
  $("unplayable").hidden = !text;
  $("video").classList.toggle("unseen", Boolean(text)); // it still has a place in the video
}

function go(time) {
  AUFusion.seek(data, $("video"), time);
}

// A column of the data is a frame, unless the video is very long.
function stepBy(frames) {
  const video = $("video");
  video.pause();
  const time = AUFusion.place(data, video);
  const column = AUFusion.columnAt(data, time);
  const exact = data.edges.length - 1 === data.frames;
  const place = Math.min(Math.max(column + frames, 0), data.edges.length - 2);
  go(exact ? data.edges[place] : time + frames * data.step);
}

export function startPlayer() {
  const video = $("video");
  $("back").onclick = () => stepBy(-1);
  $("forward").onclick = () => stepBy(1);
  $("speed").onchange = () => {
    video.playbackRate = Number($("speed").value);
  };
  video.addEventListener("loadeddata", () => {
    video.playbackRate = Number($("speed").value);
  });
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
  else unplayable("Browsers do not play this format: the figures are complete all the same.");
  parts = [
    AUFusion.bars($("bars"), data, video),
    AUFusion.timeline($("timeline"), data, video),
    AUFusion.moments($("moments"), data, video),
  ];
}
