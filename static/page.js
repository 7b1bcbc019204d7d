// What every page needs: menus that close, forms that are sent once, work under way that tells of itself, and a word
// when the server can't be reached.

// On a narrow screen the steps scroll: the current one must be in sight.
const steps = document.querySelector(".loop");
const step = steps?.querySelector("[aria-current]");
if (step) steps.scrollLeft = step.offsetLeft + step.parentElement.offsetLeft - (steps.clientWidth - step.offsetWidth) / 2;

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A second click must not start the same work twice. Forms that htmx sends are left alone: hx-disable does it there.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.matches("[hx-post], [hx-put], [hx-delete]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

const notice = (text) => {
  document.getElementById("notice").textContent = text;
};
const LOST = "The server can't be reached. What you did before is kept; this page tries again.";
document.addEventListener("htmx:error", () => notice(LOST));
document.addEventListener("htmx:after:request", () => notice(""));

// Work under way says when it has changed (Server-Sent Events), and htmx asks for what it has become. The browser connects
// again by itself; a page that nobody sees listens to nothing, and is brought up to date when it is seen again.
const live = () => document.querySelector("[data-live]");
const changed = () => live()?.dispatchEvent(new Event("changed"));
const AGAIN = 3000; // milliseconds
let source = null;

const hush = () => {
  source?.close();
  source = null;
};

const listen = () => {
  const address = document.hidden ? undefined : live()?.dataset.live;
  if (source?.readyState !== EventSource.CLOSED && source?.address === address) return;
  hush();
  if (!address) return;
  source = new EventSource(address);
  source.address = address;
  let failed = 0; // in a row: one is nothing, the server ends each stream after some minutes
  source.addEventListener("open", () => {
    if (failed > 1) notice("");
    failed = 0;
  });
  source.addEventListener("message", changed);
  source.addEventListener("error", () => {
    failed += 1;
    if (source?.readyState === EventSource.CLOSED) {
      changed(); // refused, as after signing out: what the fragment answers is what is to be done
      setTimeout(listen, AGAIN);
    } else if (failed > 1) {
      notice(LOST);
    }
  });
};

listen();
document.addEventListener("htmx:after:swap", listen);
document.addEventListener("visibilitychange", listen);
window.addEventListener("pagehide", hush);
window.addEventListener("pageshow", listen);
