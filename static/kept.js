// What a person types into a form with data-keep stays in this tab until the server has it: an ended session, a lost
// connection or a step back loses none of it. The mark holds the person's name, so that nobody else is shown it.

const PREFIX = "rightreasons-kept ";
const CHECK = 10_000; // milliseconds to wait for a sign of the server

const fieldsOf = (form) => [...form.elements].filter((field) => field.id && field.matches("textarea, input:not([type]), [data-kept]"));
const draftOf = (key) => JSON.parse(sessionStorage.getItem(key) ?? "null");
const write = (key, draft) => sessionStorage.setItem(key, JSON.stringify(draft));
const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));

const keep = (form, sent = false) => {
  const values = Object.fromEntries(fieldsOf(form).map((field) => [field.id, field.value]));
  write(PREFIX + form.dataset.keep, { sent, values });
};

document.addEventListener("input", (event) => {
  if (event.target.form?.matches("[data-keep]")) keep(event.target.form);
});

// A page of ours after a form was sent means that it arrived, unless that page says otherwise or the person went back.
const refused = document.body.matches("[data-refused]") || performance.getEntriesByType("navigation")[0]?.type === "back_forward";
for (const key of keys()) {
  const draft = draftOf(key);
  if (draft.sent && refused) write(key, { ...draft, sent: false });
  else if (draft.sent) sessionStorage.removeItem(key);
}

const putBack = (form) => {
  const key = PREFIX + form.dataset.keep;
  const draft = draftOf(key);
  const changed = draft ? fieldsOf(form).filter((field) => field.type !== "hidden" && (draft.values[field.id] ?? field.value) !== field.value) : [];
  if (!changed.length) return;
  for (const field of fieldsOf(form)) field.value = draft.values[field.id] ?? field.value;
  for (const field of changed) field.closest("details")?.setAttribute("open", "");
  const told = document.getElementById("put-back").content.cloneNode(true);
  told.querySelector("button").addEventListener("click", () => {
    sessionStorage.removeItem(key);
    location.reload();
  });
  changed[0].closest(".field, details, form").before(told);
  form.dispatchEvent(new Event("put-back")); // for what is said beside the words
};

const putAllBack = () => {
  for (const form of document.querySelectorAll("form[data-keep]:not([data-put-back])")) {
    form.dataset.putBack = "yes";
    putBack(form);
  }
};
// After htmx has begun to listen, which it does at this event too.
document.addEventListener("DOMContentLoaded", putAllBack);
document.addEventListener("htmx:after:swap", putAllBack);
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  const form = ctx.sourceElement.closest("form[data-keep]");
  if (form && ctx.sourceElement === form && ctx.response.status < 400) sessionStorage.removeItem(PREFIX + form.dataset.keep);
});

// A form that leaves its page is sent only where somebody is there to take it; else it stays as it is.
document.addEventListener(
  "submit",
  async (event) => {
    const form = event.target;
    if (form.matches('[action*="/sign-out"]')) for (const key of keys()) sessionStorage.removeItem(key);
    if (!form.matches("[data-keep]:not([hx-post])") || form.dataset.sent) return;
    if (form.dataset.reached) {
      delete form.dataset.reached;
      keep(form, true);
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    if (form.dataset.asking) return;
    form.dataset.asking = "yes";
    keep(form);
    const { submitter } = event;
    const there = await fetch("/healthz", { signal: AbortSignal.timeout(CHECK) }).then(({ ok }) => ok, () => false);
    delete form.dataset.asking;
    if (!there) {
      document.dispatchEvent(new Event("unreachable"));
      return;
    }
    form.dataset.reached = "yes";
    form.requestSubmit(submitter);
  },
  { capture: true },
);
