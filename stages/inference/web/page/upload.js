// Dropping and choosing videos; a row with a progress bar for each upload under way.

import { noteFocus } from "./focus.js";
import { fetchFile, send } from "./requests.js";
import { megabytes } from "./words.js";

const $ = (id) => document.getElementById(id);

export function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function row(file) {
  const element = document.createElement("div");
  element.className = "upload";
  const line = document.createElement("div");
  line.className = "row";
  const text = document.createElement("span");
  text.textContent = `Uploading ${file.name}`;
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Cancel";
  cancel.setAttribute("aria-label", `Cancel the upload of ${file.name}`);
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  line.append(text, cancel);
  element.append(line, bar);
  $("uploads").append(element);
  return { element, text, cancel, bar };
}

async function upload(file, limits, onDone) {
  if (!file.size) throw new Error(`${file.name} is empty: choose another.`);
  if (limits && file.size > limits.megabytes * 1e6) {
    throw new Error(
      `${file.name} is too large (${megabytes(file.size)}): the server takes at most ` +
        `${limits.megabytes} MB.`,
    );
  }
  const shown = row(file);
  const sending = send(file, (loaded, total) => {
    shown.bar.value = total ? loaded / total : 0;
    if (loaded === total) shown.text.textContent = `Checking ${file.name}`;
  });
  shown.cancel.onclick = sending.cancel;
  try {
    const id = await sending.done;
    if (id) await onDone(id);
  } catch (error) {
    throw new Error(`${file.name}: ${error.message}`);
  } finally {
    const goOn = noteFocus();
    shown.element.remove();
    goOn($("file"));
  }
}

// `limits` returns the server's limits; `onDone` is called with each new video's id.
export function watchUploads(limits, onBegin, onDone) {
  const drop = $("drop");
  const take = async (files) => {
    problem("");
    onBegin();
    const wrong = [];
    for (const file of files) {
      try {
        await upload(file, limits(), onDone);
      } catch (error) {
        wrong.push(error.message);
        problem(wrong.join(" "));
      }
    }
  };
  $("file").onchange = () => {
    const files = [...$("file").files];
    $("file").value = "";
    take(files);
  };
  $("demo").onclick = async () => {
    try {
      take([await fetchFile("static/demo.mp4", "generated face.mp4")]);
    } catch (error) {
      problem(error.message);
    }
  };
  // dropped anywhere else, the browser would leave the page
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.preventDefault());
  }
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, () => drop.classList.add("over"));
  }
  for (const kind of ["dragleave", "drop"]) {
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
}
