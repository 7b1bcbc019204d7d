// What every page needs: menus that close, forms that are sent once, and a word when the server can't be reached.

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
document.addEventListener("htmx:error", () => {
  notice("The server can't be reached. What you did before is kept; this page tries again.");
});
document.addEventListener("htmx:after:request", () => notice(""));
