// Figures in words, as the page shows them.

export function megabytes(bytes) {
  if (bytes < 1e4) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// The same, with a decimal where that says something.
export function length(seconds) {
  return seconds < 10 ? `${Math.max(0, seconds).toFixed(1)} s` : duration(seconds);
}

export function day(text) {
  return new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

export function count(number, one, many) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

// One sentence about where a video stands.
export function standing(job) {
  if (job.state === "waiting") {
    return job.ahead ? `Waiting, ${count(job.ahead, "video", "videos")} before it` : "Waiting";
  }
  if (job.state === "stopped") return "Stopped";
  if (job.state === "failed") return job.error;
  if (job.state === "done" && job.facts.still) return "Photo";
  if (job.state === "done") {
    return `${count(job.facts.pictures, "frame", "frames")}, ${length(job.facts.seconds)}`;
  }
  if (job.phase !== "predicting") return `Working: ${job.phase}`;
  let text = `Frame ${job.done.toLocaleString()} of ${job.total.toLocaleString()}`;
  if (job.speed) text += `, ${job.speed.toFixed(job.speed < 10 ? 1 : 0)} frames a second`;
  if (job.left !== null) text += `, ${duration(job.left)} left`;
  return text;
}
