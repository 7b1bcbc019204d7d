// Single keys press the button that carries them (data-key). None fires while a person types, and they can be switched off.

const dialog = document.getElementById("keys");
const box = document.getElementById("keys-on");
const STORE = "rightreasons-keys";

box.checked = localStorage.getItem(STORE) !== "off";
box.addEventListener("change", () => localStorage.setItem(STORE, box.checked ? "on" : "off"));

const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || dialog.open || !box.checked) return;
  if (event.key === "?") {
    dialog.showModal();
    return;
  }
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-show-keys]")) dialog.showModal();
});

// The next case is announced, and the keyboard stays where it was.
let focused = "";
document.addEventListener("htmx:before:swap", () => {
  focused = document.activeElement?.id ?? "";
});
document.addEventListener("htmx:after:swap", () => {
  const where = document.getElementById("where")?.textContent ?? "";
  const question = document.getElementById("question")?.textContent ?? "Every region is read";
  document.getElementById("announce").textContent = `${where}. ${question}`;
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
});
