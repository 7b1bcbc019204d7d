// A note that is opened has the keyboard at once, or the next letters would be answers; Escape leads back to these.
document.addEventListener("click", (event) => {
  const note = event.target.closest("details.note > summary")?.parentElement;
  if (!note || note.open) return;
  event.preventDefault();
  note.open = true;
  note.querySelector("textarea").focus();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("details.note textarea")) {
    event.target.closest("details").querySelector("summary").focus();
  }
});

// While the reader moves, the case that they are shown stays theirs. One word a minute is enough.
const MINUTE = 60_000;
const atWork = document.getElementById("at-work");
let told = -MINUTE;
const tell = () => {
  if (performance.now() - told < MINUTE) return;
  told = performance.now();
  fetch(atWork.action, { method: "POST", body: new FormData(atWork) }).catch(() => {});
};
if (atWork) for (const sign of ["pointermove", "keydown", "scroll"]) document.addEventListener(sign, tell, { passive: true });
