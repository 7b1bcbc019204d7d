// Single keys press the button that carries them (data-key). Which key does what is the person's choice: the server
// writes it into the buttons and into the dialog, and an answer of the dialog's form into both again.

const dialog = document.getElementById("keys");
const typing = (element) =>
  element.closest("input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]");

const buttonFor = (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  if (document.body.matches(".without-keys") || typing(event.target) || document.querySelector("dialog[open]")) return null;
  return document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]:not(:disabled)`);
};

// Some buttons work for as long as they are held, and some again and again.
let held = null;
const release = () => {
  held?.dispatchEvent(new CustomEvent("held", { detail: false }));
  held = null;
};

document.addEventListener("keydown", (event) => {
  const button = buttonFor(event);
  if (!button) return;
  event.preventDefault();
  if (event.repeat && button.dataset.repeats === undefined) return;
  if (button.dataset.holds === undefined) {
    button.click();
    return;
  }
  held = button;
  held.dispatchEvent(new CustomEvent("held", { detail: true }));
});
document.addEventListener("keyup", release);
window.addEventListener("blur", release);

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) dialog.showModal();
});

const useSavedKeys = () => {
  document.body.classList.toggle("without-keys", document.getElementById("keys-on").dataset.saved === "off");
  for (const field of dialog.querySelectorAll("input[data-does]")) {
    for (const button of document.querySelectorAll(`[data-key][data-does="${field.dataset.does}"]`)) {
      button.dataset.key = field.dataset.saved;
      const hint = button.querySelector("kbd");
      if (hint) hint.textContent = field.dataset.saved.toUpperCase();
    }
  }
};

// The next case is announced; the keyboard stays where it was (page.js).
const announcement = () => {
  const where = document.getElementById("where")?.textContent ?? "";
  const question = document.querySelector("#question, #case h2")?.textContent ?? "";
  return `${where}. ${question}`;
};
let announced = announcement();
document.addEventListener("htmx:after:swap", () => {
  useSavedKeys();
  const place = document.getElementById("announce");
  if (place && announced !== announcement()) place.textContent = announced = announcement();
});
