// Keeps the page as the server would show it now: after each change it is fetched again and patched in place.

let busy = false;
let again = false;

/** Puts the new messages in, takes the old ones out, and leaves the rest alone (a video may be playing). */
function patchLog(log, fresh) {
  const wanted = [...fresh.children];
  const ids = new Set(wanted.map((item) => item.id));
  for (const item of [...log.children]) if (!ids.has(item.id)) item.remove();
  wanted.forEach((item, index) => {
    const old = log.children[index];
    if (old?.id !== item.id) log.insertBefore(item, old ?? null);
    else if (old.dataset.state !== item.dataset.state) old.replaceWith(item);
  });
}

function patch(page) {
  const focused = document.activeElement?.id;
  patchLog(document.getElementById("log"), page.getElementById("log"));
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  }
  document.body.className = page.body.className;
  document.body.dataset.version = page.body.dataset.version;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus();
}

async function refresh() {
  again = true;
  if (busy) return;
  busy = true;
  try {
    while (again) {
      again = false;
      const answer = await fetch(location.href);
      patch(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } finally {
    busy = false;
  }
}

/** Shows the link card in the place of a picture, video or sound that can not be loaded. */
function fallBack(media) {
  media.closest("figure.media")?.classList.add("broken");
}

document.addEventListener("error", (event) => fallBack(event.target), true);
for (const media of document.querySelectorAll("figure.media > :is(img, video, audio)")) {
  if (media.error || (media.tagName === "IMG" && media.complete && !media.naturalWidth)) fallBack(media);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-path]");
  if (!button) return;
  const { method, path, body } = button.dataset;
  await fetch(path, { method, body, headers: body ? { "Content-Type": "application/json" } : {} });
});

new EventSource("/sim/stream").addEventListener("message", ({ data }) => {
  if (data !== document.body.dataset.version) refresh();
});
