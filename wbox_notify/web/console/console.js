// Relative times stay true, and the parts of a page that are marked as live follow what happens.
"use strict";

const words = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function ago(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return words.format(Math.trunc(seconds / size), unit);
}

function tellTimes() {
  for (const time of document.querySelectorAll("time[data-ago]")) time.textContent = ago(time.dateTime);
}

// The page is asked for again, and each live part takes the place of the one with its id. What somebody is
// about to use stays.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    const inUse = part.contains(document.activeElement) || part.querySelector("input:checked, details[open]");
    if (other && !inUse && other.innerHTML !== part.innerHTML) part.replaceWith(other);
  }
  tellTimes();
}

const PAUSE = 1000;
let due = false;
let renewed = Promise.resolve();

function renewSoon() {
  if (due) return;
  due = true;
  setTimeout(() => {
    renewed = renewed.then(() => {
      due = false; // what happens from here on may be missing in the answer
      return renew();
    }).catch(() => {});
  }, PAUSE);
}

tellTimes();
setInterval(tellTimes, 10000);

// A browser opens six connections to one host: pages that nobody looks at must leave them to the others. A new
// stream begins with a message, so a page that is looked at again is renewed.
let stream;
function follow() {
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource("/activity/stream");
  stream.addEventListener("message", renewSoon);
}

if (document.querySelector("[data-live]")) {
  follow();
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => stream?.close());
}
const often = document.querySelector("[data-every]");
if (often) {
  setInterval(() => { if (!document.hidden) renewSoon(); }, 1000 * Number(often.dataset.every));
}
