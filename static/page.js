// What every page needs: menus that close, forms that are sent once, work under way that tells of itself, and a word
// when the server can't be reached.

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

// Moments come in UTC; they are said in the zone of the reader's own device, and keep UTC as their title.
const inReaderLanguage = (asked) => new Intl.DateTimeFormat(document.documentElement.lang, asked);
const moments = inReaderLanguage({ dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
const zones = inReaderLanguage({ timeZoneName: "short" });
const localise = () => {
  for (const moment of document.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(moment.dateTime);
    moment.title = moment.textContent;
    const zone = zones.formatToParts(at).find((part) => part.type === "timeZoneName").value;
    // In a narrow column it breaks between date and time alone.
    moment.textContent = `${moments.format(at)} ${zone}`.replaceAll(" ", "\u00a0").replace(/,\u00a0(?=[^,]*$)/, ", ");
  }
};
localise();
document.addEventListener("htmx:after:swap", localise);

// On a narrow screen each row of a long table stands as a card (see style.css), where every value needs the name of its
// column beside it. Laid out so, a table has to say that it is one. Without this it scrolls sideways.
const nameColumns = () => {
  for (const table of document.querySelectorAll("table.cards:not([role])")) {
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
    table.setAttribute("role", "table");
    for (const part of table.querySelectorAll("thead, tbody, tfoot")) part.setAttribute("role", "rowgroup");
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      let column = 0;
      for (const cell of row.cells) {
        const heads = row.parentElement === table.tHead;
        cell.setAttribute("role", heads ? "columnheader" : cell.tagName === "TH" ? "rowheader" : "cell");
        if (!heads) cell.dataset.label = names[column];
        column += cell.colSpan;
      }
    }
  }
};
nameColumns();
document.addEventListener("htmx:after:swap", nameColumns);

// A second click must not start the same work twice. In forms that htmx sends hx-disable and hx-sync see to that; one that
// has just come with a swap, and that htmx has not taken up yet, waits the moment until it has: the browser would else
// send it by itself, and load the whole page.
const MOMENT = 30; // milliseconds
document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented) return;
  if (window.htmx && form.matches("[hx-post], [hx-put], [hx-delete]")) {
    event.preventDefault();
    setTimeout(() => form.isConnected && form.requestSubmit(submitter), MOMENT);
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

const place = document.getElementById("notice");
const notice = (text, link = null) => {
  place.textContent = text;
  if (link) place.append(" ", link);
};
const { lost: LOST, notTaken: NOT_TAKEN, signedOut: SIGNED_OUT_WORDS, signIn: SIGN_IN } = document.body.dataset;
// That a step was not taken is told until one is, whatever the page asks for by itself meanwhile.
let missed = false;
const lost = () => notice(missed ? NOT_TAKEN : LOST);
const back = () => notice(missed ? NOT_TAKEN : "");
const notTaken = () => {
  missed = true;
  lost();
};
document.addEventListener("htmx:error", ({ detail: { ctx } }) => (ctx.request.method === "GET" ? lost() : notTaken()));
document.addEventListener("unreachable", notTaken);

// A session that has ended is told where the person is: to be led away in the middle of a word would be worse.
const SIGNED_OUT = 401;
const tellSignedOut = () => {
  if (place.querySelector("a")) return;
  const link = document.createElement("a");
  link.href = `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
  link.textContent = SIGN_IN;
  notice(SIGNED_OUT_WORDS, link);
};
document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.response.status === SIGNED_OUT) {
    tellSignedOut();
    return;
  }
  if (ctx.request.method !== "GET") missed = false;
  back();
});

// Where a swap takes away what had the focus, the keyboard stays where it was, or at what has come in its place; and in
// sight, where it was in sight.
let focused = null;
let inSight = false;
const isInSight = (element) => {
  const { top, bottom } = element.getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
};
const focus = () => (document.activeElement === document.body ? null : document.activeElement);
document.addEventListener("htmx:before:request", () => {
  // A button that is disabled until its answer is there loses the focus; what the page asks for by itself meanwhile must
  // not make that forgotten.
  focused = focus() ?? (focused?.disabled ? focused : null);
});
document.addEventListener("htmx:before:swap", () => {
  focused = focus() ?? focused;
  inSight = Boolean(focused && isInSight(focused));
});
const keepFocus = (target) => {
  if (inSight) focus()?.scrollIntoView({ block: "nearest" });
  if (focus() || !focused) return;
  const here = document.getElementById(target?.id) ?? document.getElementById("content");
  const next = (focused.id && document.getElementById(focused.id)) || here.querySelector("a[href], button:not(:disabled)") || here;
  if (next.disabled) return; // until its answer is there: below
  if (next === here) here.tabIndex = -1;
  next.focus();
  focused = null;
};
document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => keepFocus(ctx.target));
document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => setTimeout(keepFocus, 0, ctx.target));

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
    if (failed > 1) back();
    failed = 0;
  });
  source.addEventListener("message", changed);
  source.addEventListener("error", () => {
    failed += 1;
    if (source?.readyState === EventSource.CLOSED) {
      changed(); // refused, as after signing out: what the fragment answers is what is to be done
      setTimeout(listen, AGAIN);
    } else if (failed > 1) {
      lost();
    }
  });
};

// The line may come back before the stream notices that it was away.
document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
  if (ctx.sourceElement.matches("[data-live]")) setTimeout(changed, AGAIN);
});

listen();
document.addEventListener("htmx:after:swap", listen);
document.addEventListener("visibilitychange", listen);
window.addEventListener("pagehide", hush);
window.addEventListener("pageshow", listen);
