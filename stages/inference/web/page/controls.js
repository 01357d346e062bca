// The buttons below a video: all that a browser's own controls do, in every browser by keyboard.

const { AUFusion } = window;

// A column of the data is a frame, unless the video is very long.
function step(data, video, frames) {
  video.pause();
  const time = AUFusion.place(data, video);
  const column = AUFusion.columnAt(data, time);
  const exact = data.edges.length - 1 === data.frames;
  const place = Math.min(Math.max(column + frames, 0), data.edges.length - 2);
  AUFusion.seek(data, video, exact ? data.edges[place] : time + frames * data.step);
}

// `data` returns what the video shows, or null. The function returned tells the buttons of another
// video: whether it plays, and whether it sounds.
export function startControls(root, video, data) {
  root.append(document.getElementById("buttons").content.cloneNode(true));
  const of = (name) => root.querySelector(`.${name}`);
  const [play, mute, volume, speed] = ["play", "mute", "volume", "speed"].map(of);
  const stepping = (frames) => () => data() && step(data(), video, frames);
  const tell = () => {
    play.textContent = video.paused || video.ended ? "Play" : "Pause";
    mute.textContent = video.muted ? "Sound on" : "Sound off";
    volume.value = Math.round(100 * video.volume);
  };
  play.onclick = () => {
    if (video.paused || video.ended) video.play().catch(() => {}); // the event `error` says why
    else video.pause();
  };
  of("back").onclick = stepping(-1);
  of("forward").onclick = stepping(1);
  mute.onclick = () => {
    video.muted = !video.muted;
  };
  volume.oninput = () => {
    video.volume = volume.value / 100;
    video.muted = false;
  };
  speed.onchange = () => {
    video.playbackRate = Number(speed.value);
  };
  video.addEventListener("loadeddata", () => speed.onchange());
  for (const event of ["play", "pause", "ended", "emptied", "volumechange"]) {
    video.addEventListener(event, tell);
  }
  tell();
  return (plays, sounds) => {
    for (const one of root.querySelectorAll(".plays")) one.hidden = !plays;
    for (const one of root.querySelectorAll(".sounds")) one.hidden = !(plays && sounds);
  };
}
