/* What all parts of a page share: the place in the video, live bars, moments; see fragment.py. */
"use strict";
window.AUFusion = (() => {
  const FULL = 1000; // what a probability of 1 is in the data
  const STEP = 100; // what an intensity of 1 is in the data

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  function clock(seconds, digits = 1) {
    const sign = seconds < 0 ? "-" : "", all = Math.abs(seconds);
    const hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60;
    const rest = (all % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
    return sign + (hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes) + `:${rest}`;
  }

  const percent = (value) => (value === null ? "–" : `${Math.round((100 * value) / FULL)} %`);
  /** An intensity as numbers from 0 to 5 with one decimal. */
  const level = (value) => (value === null ? "–" : (value / STEP).toFixed(1));
  const first = (data) => data.edges[0];
  const last = (data) => data.edges[data.edges.length - 1];

  /** Column that holds a time, by bisection. */
  function columnAt(data, time) {
    let low = 0, high = data.edges.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (data.edges[middle] <= time + 1e-4) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** What the player calls 0, on the file's clock. Where a file does not begin at 0, Chromium counts
   *  by the file's clock and Firefox from its first picture: the length that they tell shows it. */
  function zero(data, video) {
    if (!data.offset || !Number.isFinite(video.duration)) return 0;
    const whole = last(data), cut = whole - data.offset;
    return Math.abs(video.duration - whole) <= Math.abs(video.duration - cut) ? 0 : data.offset;
  }

  /** Time on the file's clock: the player's where it can play, else where the user put it. */
  const places = new WeakMap();
  function place(data, video) {
    if (video && !video.error && video.readyState > 0) return video.currentTime + zero(data, video);
    return video && places.has(video) ? places.get(video) : first(data);
  }

  function seek(data, video, time) {
    const inside = Math.min(Math.max(time, first(data)), last(data));
    if (!video) return;
    places.set(video, inside);
    // a player shows the frame that begins at or before a time: a little more is surely within
    if (!video.error) video.currentTime = Math.max(inside - zero(data, video), 0) + Math.min(data.step / 4, 0.005);
    video.dispatchEvent(new CustomEvent("auf-place"));
  }

  /** Call `draw` whenever the place changes, at each picture while it plays. */
  function watch(video, draw) {
    if (!video) return () => {};
    let request = 0;
    const loop = () => {
      draw();
      request = video.paused || video.ended ? 0 : requestAnimationFrame(loop);
    };
    const start = () => { if (!request) request = requestAnimationFrame(loop); };
    const events = ["seeking", "seeked", "timeupdate", "loadeddata", "auf-place", "auf-track"];
    events.forEach((name) => video.addEventListener(name, draw));
    video.addEventListener("play", start);
    return () => {
      events.forEach((name) => video.removeEventListener(name, draw));
      video.removeEventListener("play", start);
      cancelAnimationFrame(request);
    };
  }

  /** The person that all parts of a page show. */
  const chosen = new WeakMap();
  const trackOf = (data) => data.tracks[chosen.get(data) || 0];

  function bars(root, data, video) {
    root.replaceChildren();
    root.classList.add("auf-bars");
    const rows = data.aus.map((name, au) => {
      const fill = make("div"), value = make("output", { "aria-live": "off" });
      const rail = make("div", { class: "auf-rail", role: "meter", "aria-valuemin": 0, "aria-valuemax": data.strongest,
        "aria-label": `${name} ${data.meanings[au]}` }, fill);
      if (data.levels) {
        const from = `present from ${data.levels[au].toFixed(2)}, a probability of ${Math.round(100 * data.thresholds[au])} %`;
        const tick = make("u", { title: from });
        tick.style.left = `${(100 * data.levels[au]) / data.strongest}%`;
        rail.append(tick);
      }
      const label = make("span", {}, `${name} `, make("small", {}, data.meanings[au]));
      const row = make("div", { class: "auf-bar" }, label, rail, value);
      root.append(row);
      return { row, fill, rail, value };
    });
    const draw = () => {
      const column = columnAt(data, place(data, video)), track = trackOf(data);
      rows.forEach(({ row, fill, rail, value }, au) => {
        const seen = track.status[column] !== 0 && track.intensity[au][column] !== null;
        const strength = seen ? track.intensity[au][column] : null, on = seen && track.active[au][column] === 1;
        fill.style.width = `${(100 * (strength || 0)) / STEP / data.strongest}%`;
        value.textContent = level(strength);
        rail.setAttribute("aria-valuenow", ((strength || 0) / STEP).toFixed(1));
        const spoken = seen ? `${level(strength)} of ${data.strongest}, ${on ? "present" : "absent"}, `
          + `probability ${percent(track.probability[au][column])}` : "no face";
        rail.setAttribute("aria-valuetext", spoken);
        row.title = spoken;
        row.classList.toggle("on", on);
      });
    };
    draw();
    return { destroy: watch(video, draw) };
  }

  function moments(root, data, video) {
    root.classList.add("auf-moments");
    const draw = () => {
      const track = trackOf(data);
      root.replaceChildren(...data.aus.map((name, au) => {
        const buttons = track.moments.filter((m) => m.au === au).map((m) => {
          const button = make("button", { type: "button", "data-time": m.time,
            "aria-label": `${name}: ${m.intensity.toFixed(1)} of ${data.strongest} at ${clock(m.time)}, go there` });
          if (m.picture) button.append(make("img", { src: m.picture, alt: "" }));
          button.append(make("span", {}, clock(m.time, m.time < 3600 ? 1 : 0)), make("span", {}, m.intensity.toFixed(1)));
          button.addEventListener("click", () => seek(data, video, m.time));
          return button;
        });
        const share = `present in ${(100 * track.share[au]).toFixed(track.share[au] < 0.1 ? 1 : 0)} % of frames`;
        return make("li", {}, make("h3", {}, `${name} ${data.meanings[au]}`), make("p", {}, share),
          buttons.length ? make("div", { class: "auf-row" }, ...buttons) : "nowhere: no face was seen");
      }));
    };
    draw();
    const event = () => draw();
    if (video) video.addEventListener("auf-track", event);
    return { destroy: () => video && video.removeEventListener("auf-track", event) };
  }

  /** The data of a page, parsed once for all of its parts. */
  const parsed = new Map();
  function read(ident) {
    if (!parsed.has(ident)) parsed.set(ident, JSON.parse(document.getElementById(ident).textContent));
    return parsed.get(ident);
  }
  const start = (root, ident, video) =>
    AUFusion.timeline(document.getElementById(root), read(ident), document.getElementById(video));

  return { FULL, STEP, percent, level, make, clock, first, last, columnAt, place, seek, watch, chosen, trackOf, bars, moments, read, start };
})();
