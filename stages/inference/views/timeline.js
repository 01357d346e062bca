/* Draws what timeline.py makes, by plotly.js; see fragment.py for the interface. */
"use strict";
AUFusion.timeline = (() => {
  const { STEP, percent, level, make, clock, first, last, columnAt, place, seek, watch, chosen, trackOf } = AUFusion;
  const STATUS = ["no face", "interpolated", "face"];
  const STATUS_COLOURS = ["#6b727b", "#e8c468", "#7fb8a4"];
  const SCHEME = window.matchMedia("(prefers-color-scheme: dark)");

  /** Colours of timeline.css, light or dark: of what is absent blue, of what is present orange. */
  function colours(root) {
    const style = getComputedStyle(root), of = (name) => style.getPropertyValue(`--${name}`).trim();
    const absent = [of("absent-weak"), of("absent-strong")], present = [of("present-weak"), of("present-strong")];
    return { ink: of("ink"), paper: of("paper"), gap: of("gap"), sound: of("sound"), wave: of("wave"), absent, present,
      scale: [[0, absent[0]], [0.5, absent[1]], [0.5, present[0]], [1, present[1]]] };
  }

  /** Ticks at round times, about one a hundred pixels. */
  function ticks(range, pixels) {
    const steps = [0.04, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const wanted = ((range[1] - range[0]) * 90) / Math.max(pixels, 90);
    const step = steps.find((s) => s >= wanted) || 7200;
    const values = [];
    for (let k = Math.ceil(range[0] / step); k * step <= range[1]; k++) values.push(k * step);
    return { tickvals: values, ticktext: values.map((v) => clock(v, step < 0.1 ? 2 : step < 1 ? 1 : 0)) };
  }

  /** Stretches of columns without a face, as [from, to] in seconds. */
  function gaps(data, track) {
    const found = [];
    track.status.forEach((status, k) => {
      if (status !== 0) return;
      const open = found[found.length - 1];
      if (open && open[1] === data.edges[k]) open[1] = data.edges[k + 1];
      else found.push([data.edges[k], data.edges[k + 1]]);
    });
    return found;
  }

  function traces(data, track, shade) {
    const middle = data.edges.slice(1).map((edge, k) => (edge + data.edges[k]) / 2);
    const says = middle.map((_, k) => `frame ${data.first_frame[k]}, ${clock(data.edges[k], 2)}`
      + (track.status[k] === 2 ? "" : `, ${STATUS[track.status[k]]}`));
    const cell = (au, k) => `${level(track.intensity[au][k])} of ${data.strongest}, ${track.active[au][k] ? "present" : "absent"}`
      + ` (${percent(track.probability[au][k])})<br>${says[k]}`;
    // a present AU of the intensity 0 comes right behind an absent one of the strongest
    const place = (au, k) => (track.intensity[au][k] === null ? null
      : track.intensity[au][k] / STEP + (track.active[au][k] ? data.strongest + 1e-3 : 0));
    const list = [{
      type: "heatmap", x: data.edges, y: data.aus, z: data.aus.map((_, au) => says.map((_, k) => place(au, k))),
      zmin: 0, zmax: 2 * data.strongest, colorscale: shade.scale, showscale: false, hoverongaps: false, ygap: 1,
      customdata: data.aus.map((_, au) => says.map((_, k) => cell(au, k))),
      hovertemplate: "<b>%{y}</b> %{customdata}<extra></extra>",
    }, {
      type: "heatmap", x: data.edges, y: ["face"], z: [track.status], zmin: 0, zmax: 2, yaxis: "y2",
      colorscale: STATUS_COLOURS.flatMap((c, k) => [[k / 3, c], [(k + 1) / 3, c]]), showscale: false,
      customdata: [says], hovertemplate: "%{customdata}<extra></extra>",
    }];
    if (data.waveform) {
      const both = [...data.waveform.high, ...data.waveform.low.slice().reverse()];
      list.push({ type: "scatter", mode: "lines", x: [...middle, ...middle.slice().reverse()], y: both, yaxis: "y3",
        fill: "toself", fillcolor: shade.wave, line: { width: 0.6, color: shade.wave }, hoverinfo: "skip" });
    }
    return list;
  }

  function layout(data, track, range, narrow, pixels, shade) {
    const sound = Boolean(data.waveform);
    const loud = sound ? data.waveform.high.reduce((most, high, k) => Math.max(most, high, -data.waveform.low[k]), 20) : 1;
    const names = data.aus.map((name, au) => (narrow ? name : `${name} ${data.meanings[au]}`));
    const axis = { fixedrange: true, showgrid: false, zeroline: false };
    return {
      margin: { l: narrow ? 46 : 178, r: 8, t: 4, b: 24 }, showlegend: false, dragmode: coarse() ? false : "zoom",
      font: { family: "system-ui, sans-serif", size: 12, color: shade.ink }, plot_bgcolor: shade.gap, paper_bgcolor: shade.paper,
      hoverlabel: { bgcolor: shade.ink, font: { color: shade.paper } },
      xaxis: { range, ...ticks(range, pixels), showgrid: false, zeroline: false, anchor: sound ? "y3" : "y2" },
      yaxis: { ...axis, autorange: "reversed", domain: [sound ? 0.24 : 0.07, 1], tickvals: data.aus, ticktext: names },
      yaxis2: { ...axis, domain: sound ? [0.185, 0.23] : [0, 0.055], tickvals: ["face"], ticktext: [narrow ? "face" : "face seen"] },
      ...(sound ? { yaxis3: { ...axis, domain: [0, 0.17], range: [-loud, loud], tickvals: [0], ticktext: ["sound"] } } : {}),
      shapes: (sound ? [{ type: "rect", xref: "paper", yref: "y3 domain", x0: 0, x1: 1, y0: 0, y1: 1, layer: "below",
        fillcolor: shade.sound, line: { width: 0 } }] : []).concat(gaps(data, track).slice(0, 400).map(([x0, x1]) => ({ type: "rect", xref: "x", yref: "y domain", x0, x1,
        y0: 0, y1: 1, fillcolor: "rgba(120,126,134,.72)", line: { width: 0 } }))),
    };
  }

  const coarse = () => window.matchMedia("(pointer: coarse)").matches;

  function timeline(root, data, video) {
    root.replaceChildren();
    root.classList.add("auf-timeline");
    const whole = [first(data), last(data)], span = whole[1] - whole[0];
    let range = whole.slice(), box = { left: 0, width: 1 };
    const tool = (text, label, act) => {
      const button = make("button", { type: "button", "aria-label": label, title: label }, text);
      button.addEventListener("click", act);
      return button;
    };
    const now = make("span", { class: "auf-now" });
    const tools = make("div", { class: "auf-tools", role: "group", "aria-label": "Zoom of the timeline" },
      tool("+", "Zoom in", () => zoom(0.5)), tool("−", "Zoom out", () => zoom(2)),
      tool("‹", "Earlier", () => shift(-0.5)), tool("›", "Later", () => shift(0.5)), tool("All", "Show all", () => show(whole)), now);
    if (data.tracks.length > 1) {
      const select = make("select", { "aria-label": "Person" }, ...data.tracks.map((t, k) => make("option", { value: k }, `Face ${t.face}`)));
      select.value = chosen.get(data) || 0;
      select.addEventListener("change", () => {
        chosen.set(data, Number(select.value));
        draw();
        if (video) video.dispatchEvent(new CustomEvent("auf-track"));
      });
      tools.prepend(select);
    }
    const strip = make("div", { class: "auf-strip", "aria-hidden": "true" });
    const plot = make("div", { class: "auf-plot", role: "img", "aria-label": spoken() });
    const cursor = make("div", { class: "auf-cursor" });
    const area = make("div", { class: "auf-area" }, strip, plot, cursor);
    const slider = make("input", { class: "auf-slider", type: "range", min: whole[0], max: whole[1], step: data.step,
      "aria-label": "Position in the video" });
    slider.addEventListener("input", () => seek(data, video, Number(slider.value)));
    const legend = make("div", { class: "auf-legend" });
    const statuses = [0, 1].filter((status) => data.tracks.some((track) => track.status.includes(status)));
    const ramp = (kind) => `linear-gradient(90deg, var(--${kind}-weak), var(--${kind}-strong))`;
    [[`absent, intensity 0 to ${data.strongest}`, ramp("absent"), "ramp"], [`present, intensity 0 to ${data.strongest}`, ramp("present"), "ramp"],
      ...statuses.map((status) => [STATUS[status], STATUS_COLOURS[status], ""])].forEach(([text, colour, kind]) => {
      const entry = make("span", kind ? { class: kind } : {}, text);
      entry.style.setProperty("--of", colour);
      legend.append(entry);
    });
    root.append(tools, area, slider, legend);

    function spoken() {
      const track = trackOf(data);
      const ranked = data.aus.map((name, au) => [track.share[au], name]).sort((a, b) => b[0] - a[0]).slice(0, 3);
      return `Intensities of 12 action units over ${clock(span)}. Most often present: `
        + ranked.map(([share, name]) => `${name} ${Math.round(100 * share)} %`).join(", ")
        + `. Without a face: ${Math.round(100 * track.without_face)} % of frames.`;
    }
    const pixel = (time) => box.left + ((time - range[0]) / (range[1] - range[0])) * box.width;
    const timeOf = (x) => range[0] + ((x - box.left) / box.width) * (range[1] - range[0]);

    function draw() {
      const narrow = root.clientWidth < 560, width = plot.clientWidth;
      const shade = colours(root);
      const made = layout(data, trackOf(data), range, narrow, width - (narrow ? 54 : 186), shade);
      box = { left: made.margin.l, width: Math.max(width - made.margin.l - made.margin.r, 1) };
      for (const part of [strip, slider]) {
        part.style.marginLeft = `${box.left}px`;
        part.style.width = `${box.width}px`;
      }
      plot.setAttribute("aria-label", spoken());
      Plotly.react(plot, traces(data, trackOf(data), shade), made, { displayModeBar: false, doubleClick: false, showTips: false });
      drawStrip();
      drawCursor();
    }
    function drawStrip() {
      strip.replaceChildren();
      const shown = trackOf(data).strip.filter((face) => face.picture);
      if (!shown.length) strip.append(make("i", {}, "no face to show"));
      let free = -Infinity;
      for (const { time, picture } of shown) {
        const left = pixel(time) - box.left - 28;
        if (left < free || left < -28 || left > box.width - 28) continue;
        const image = make("img", { src: picture, alt: "", title: clock(time) });
        image.style.left = `${left}px`;
        image.addEventListener("click", () => seek(data, video, time));
        strip.append(image);
        free = left + 60;
      }
    }
    function drawCursor() {
      const time = place(data, video);
      if (video && !video.paused && time > range[1] && range[1] < whole[1]) shift((time - range[0]) / (range[1] - range[0]));
      cursor.style.left = `${pixel(time)}px`;
      cursor.hidden = time < range[0] || time > range[1];
      slider.value = time;
      const column = columnAt(data, time), track = trackOf(data);
      const on = data.aus.filter((_, au) => track.active[au][column] === 1);
      const face = track.status[column] === 2 ? "" : `, ${STATUS[track.status[column]]}`;
      slider.setAttribute("aria-valuetext", `${clock(time)}${face}, present: ${on.join(", ") || "none"}`);
      now.replaceChildren(make("b", {}, clock(time, 2)), ` of ${clock(whole[1])}${face}`);
    }
    function show([low, high]) {
      const width = Math.min(Math.max(high - low, 4 * data.step), span);
      const start = Math.min(Math.max(low, whole[0]), whole[1] - width);
      range = [start, start + width];
      draw();
    }
    function zoom(factor, around = Math.min(Math.max(place(data, video), range[0]), range[1])) {
      show([around - (around - range[0]) * factor, around + (range[1] - around) * factor]);
    }
    const shift = (share) => show(range.map((edge) => edge + share * (range[1] - range[0])));

    let down = null;
    const press = (event) => { down = { x: event.clientX, y: event.clientY }; };
    const release = (event) => {
      if (down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < 5) {
        const x = event.clientX - plot.getBoundingClientRect().left;
        if (x >= box.left && x <= box.left + box.width) seek(data, video, timeOf(x));
      }
      down = null;
    };
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey) return;  // else the page scrolls
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.7 : 1 / 0.7, timeOf(event.clientX - plot.getBoundingClientRect().left));
    };
    plot.addEventListener("pointerdown", press, true);
    document.addEventListener("pointerup", release, true);
    plot.addEventListener("wheel", wheel, { passive: false });
    plot.addEventListener("dblclick", () => show(whole));
    draw();
    plot.on("plotly_relayout", (event) => {
      if ("xaxis.range[0]" in event) show([event["xaxis.range[0]"], event["xaxis.range[1]"]]);
    });
    const observer = new ResizeObserver(() => { if (plot.clientWidth) { Plotly.Plots.resize(plot); draw(); } });
    observer.observe(root);
    const unwatch = watch(video, drawCursor);
    SCHEME.addEventListener("change", draw);
    return {
      seek: (time) => seek(data, video, time),
      resize: draw,
      destroy() {
        unwatch();
        observer.disconnect();
        SCHEME.removeEventListener("change", draw);
        document.removeEventListener("pointerup", release, true);
        Plotly.purge(plot);
        root.replaceChildren();
      },
    };
  }

  return timeline;
})();
