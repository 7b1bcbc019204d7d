// Five bubbles, one under each step of the loop, shown once to a person and skipped with a click or with Escape.

const tour = document.getElementById("tour");
const bubbles = [...tour.querySelectorAll(".bubble")];
const steps = [...document.querySelectorAll(".loop li")];
const next = document.getElementById("tour-next");
const form = tour.querySelector("form");
const MARGIN = 8; // pixels to the window's edge
let shown = -1;

const place = () => {
  if (tour.hidden) return;
  const step = steps[shown].getBoundingClientRect();
  const most = document.documentElement.clientWidth - tour.offsetWidth - MARGIN;
  tour.style.left = `${Math.max(MARGIN, Math.min(step.left, most))}px`;
  tour.style.top = `${step.bottom + scrollY + MARGIN}px`;
};

const show = (number) => {
  steps[shown]?.classList.remove("told");
  shown = number;
  bubbles.forEach((bubble, index) => {
    bubble.hidden = index !== shown;
  });
  steps[shown].classList.add("told");
  steps[shown].scrollIntoView({ block: "nearest", inline: "nearest" });
  next.hidden = shown === bubbles.length - 1;
  const skip = document.getElementById("tour-skip");
  skip.textContent = next.hidden ? skip.dataset.last : skip.dataset.first;
  place();
};

const end = () => {
  steps[shown]?.classList.remove("told");
  tour.hidden = true;
  fetch(form.action, { method: "POST", body: new FormData(form), keepalive: true }); // the person may leave at once
  document.getElementById("content").focus();
};

next.addEventListener("click", () => {
  show(shown + 1);
  bubbles[shown].focus(); // it is read out
  if (next.hidden) document.getElementById("tour-skip").focus();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  end();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !tour.hidden) end();
});
window.addEventListener("resize", place);

if (steps.length === bubbles.length) {
  tour.hidden = false;
  show(0);
}
