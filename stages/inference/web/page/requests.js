// What the page asks of its server; an error is a sentence.

const LOST = "The server does not answer: is it still running?";

async function sentence(response) {
  if (response.status === 401) {
    window.location.assign("login");
    return "Please log in.";
  }
  try {
    return (await response.json()).error || `The server refused (${response.status}).`;
  } catch {
    return `The server refused (${response.status}).`;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error(LOST);
  }
  if (!response.ok) throw new Error(await sentence(response));
  return response;
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function fetchFile(path, name) {
  return new File([await (await ask(path)).blob()], name);
}

export async function act(method, path) {
  await ask(path, { method });
}

// Upload a file; resolves to the new video's id. XMLHttpRequest, for fetch tells no progress.
export function send(file, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => {
      let answer = {};
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // an answer that is no JSON says nothing
      }
      if (request.status === 201) resolve(answer.id);
      else reject(new Error(answer.error || `The server refused (${request.status}).`));
    };
    request.onerror = () => reject(new Error(LOST));
    request.onabort = () => resolve(null);
  });
  request.open("POST", `api/jobs?name=${encodeURIComponent(file.name)}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(file);
  return { done, cancel: () => request.abort() };
}
