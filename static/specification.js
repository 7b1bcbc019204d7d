// Suggestions go into their field with one click; words that are not saved are not lost by a click elsewhere.

const form = document.querySelector("form.words");
let unsaved = false;

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-take]");
  if (!link) return;
  event.preventDefault();
  const field = document.getElementById(link.dataset.into);
  const text = field.value.trim().replace(/[,;.]+$/, "");
  field.value = text ? `${text}, ${link.dataset.take}` : link.dataset.take;
  const item = link.closest("li");
  const list = item.parentElement;
  item.remove();
  if (!list.children.length) list.parentElement.remove();
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// The words of one class go into the fields of the others that are still empty; nothing is written over.
const FIELDS = ["spurious", "relevant", "notes"];
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const card = button.closest(".card");
  for (const name of FIELDS) {
    const words = card.querySelector(`[name=${name}]`).value.trim();
    for (const field of form.querySelectorAll(`[name=${name}]`)) {
      if (!field.value.trim()) field.value = words;
    }
  }
  card.querySelector("textarea").dispatchEvent(new Event("input", { bubbles: true }));
});

form.addEventListener("input", () => {
  unsaved = true;
});
form.addEventListener("submit", () => {
  unsaved = false;
});
window.addEventListener("beforeunload", (event) => {
  if (unsaved && !document.querySelector("#notice a")) event.preventDefault(); // the words come back after signing in
});
