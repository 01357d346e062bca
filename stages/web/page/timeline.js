// All frames at one glance: a heatmap of 12 action units over the sound's loudness, by plotly.

const $ = (id) => document.getElementById(id);
const COLUMNS = 1500; // of the heatmap, at most
const MARGIN = { l: 46, r: 10, t: 6, b: 34 }; // pixels
const TILE = 51; // pixels, width of a face in the strip

let track = null;
let face = 0;
let span = [0, 1];
let whole = [0, 1];
let time = 0;
let tiles = [];
let seek = () => {};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Probabilities of frames that are counted as active are drawn in the scale's upper half.
function scale() {
  return [
    [0, colour("--empty")],
    [0.5, colour("--main")],
    [0.5, colour("--paper")],
    [1, colour("--on")],
  ];
}

function heatmap() {
  const { edges, rows, marks } = track.columns(face, span[0], span[1], COLUMNS);
  const text = rows.map((row, au) =>
    row.map((level, column) => {
      if (level === null) return "no face";
      return `${Math.round(100 * level)} %${marks[au][column] ? ", active" : ""}`;
    }),
  );
  return {
    type: "heatmap",
    x: edges,
    y: track.aus.map((au) => au.name),
    z: rows.map((row, au) =>
      row.map((level, column) => {
        if (level === null) return null;
        return marks[au][column] ? 1.3 + 0.7 * level : 0.999 * level;
      }),
    ),
    customdata: text,
    zmin: 0,
    zmax: 2,
    ygap: 1,
    colorscale: scale(),
    showscale: false,
    hovertemplate: "%{y}, %{x:.2f} s: %{customdata}<extra></extra>",
  };
}

function sound() {
  const loud = track.loudness || [];
  const width = (track.times.at(-1) - track.times[0]) / Math.max(1, loud.length);
  const x = loud.map((_, bin) => track.times[0] + (bin + 0.5) * width);
  const fill = { type: "scatter", mode: "lines", x, yaxis: "y2", hoverinfo: "skip" };
  const line = { color: colour("--quiet"), width: 1 };
  return [
    { ...fill, y: loud.map((value) => -value), line },
    { ...fill, y: loud, line, fill: "tonexty" },
  ];
}

function layout() {
  const axis = { fixedrange: true, zeroline: false, showgrid: false, color: colour("--quiet") };
  const heard = Boolean(track.loudness);
  const narrow = window.matchMedia("(pointer: coarse), (max-width: 48rem)").matches;
  return {
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 11, color: colour("--ink") },
    showlegend: false,
    dragmode: narrow ? false : "zoom", // a finger scrolls the page
    xaxis: { range: [...span], color: colour("--quiet"), showgrid: false, zeroline: false,
      ticksuffix: " s", title: { text: "" } },
    yaxis: { ...axis, autorange: "reversed", domain: [heard ? 0.15 : 0, 1], color: colour("--ink"),
      ticks: "" },
    yaxis2: { ...axis, range: [-1, 1], domain: [0, 0.12], showticklabels: false, visible: heard },
    hoverlabel: { font: { size: 12 } },
  };
}

function left(seconds) {
  const width = $("timeline").clientWidth - MARGIN.l - MARGIN.r;
  return MARGIN.l + ((seconds - span[0]) / (span[1] - span[0])) * width;
}

function place() {
  const inside = time >= span[0] - 1e-6 && time <= span[1] + 1e-6;
  $("cursor").hidden = !track || !inside;
  $("cursor").style.left = `${left(time)}px`;
}

function placeTiles() {
  const edge = $("timeline").clientWidth - MARGIN.r;
  let free = MARGIN.l;
  for (const tile of tiles) {
    const x = left(tile.time) - TILE / 2;
    const fits = x >= free && x + TILE <= edge;
    tile.element.hidden = !fits;
    tile.element.style.left = `${x}px`;
    if (fits) free = x + TILE + 2;
  }
}

// Mark the frame that the video shows.
export function moveCursor(seconds) {
  time = seconds;
  place();
}

async function zoom(range) {
  const [from, to] = range || whole;
  const begin = Math.max(whole[0], Math.min(from, whole[1] - track.step));
  span = [begin, Math.min(whole[1], Math.max(to, begin + track.step))];
  await draw();
}

function listen(plot) {
  plot.on("plotly_click", (event) => {
    const box = plot.getBoundingClientRect();
    const width = plot.clientWidth - MARGIN.l - MARGIN.r;
    const part = (event.event.clientX - box.left - MARGIN.l) / width;
    seek(span[0] + part * (span[1] - span[0]));
  });
  plot.on("plotly_relayout", (change) => {
    if ("xaxis.range[0]" in change) zoom([change["xaxis.range[0]"], change["xaxis.range[1]"]]);
    else if (change["xaxis.autorange"]) zoom(null);
  });
  plot.on("plotly_doubleclick", () => {
    zoom(null);
    return false;
  });
}

async function draw() {
  const plot = $("timeline");
  const fresh = !plot.on;
  await window.Plotly.react(plot, [heatmap(), ...sound()], layout(), {
    displayModeBar: false,
    responsive: true,
    doubleClick: false,
  });
  if (fresh) listen(plot);
  place();
  placeTiles();
}

function fillStrip(address, faces) {
  $("strip").replaceChildren();
  $("strip").classList.toggle("filled", faces.length > 0);
  tiles = faces.map((seconds, number) => {
    const element = document.createElement("span");
    element.style.backgroundImage = `url(${address})`;
    element.style.backgroundSize = `${100 * faces.length}% 100%`;
    element.style.backgroundPosition = `${(100 * number) / Math.max(1, faces.length - 1)}% 0`;
    element.onclick = () => seek(seconds);
    $("strip").append(element);
    return { element, time: seconds };
  });
}

// Draw a video's timeline; `onSeek` is called with the seconds of a click.
export async function showTimeline(newTrack, newFace, strip, onSeek) {
  [track, face, seek, time] = [newTrack, newFace, onSeek, newTrack.times[0]];
  whole = [track.times[0], track.end];
  span = [...whole];
  fillStrip(strip.address, strip.times);
  await draw();
}

window.addEventListener("resize", () => track && requestAnimationFrame(() => {
  place();
  placeTiles();
}));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => track && draw());
