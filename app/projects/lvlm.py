"""The names of LVLMs: which one a project may have, and who writes its words, as pages say it."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.orm import Session

from app.config import settings
from app.languages.catalogue import gettext
from app.models import Run
from app.runs.queries import results_of

NONE = "none"
EMBEDDED = "embedded"
TRANSFORMERS = "transformers:"
OPENAI = "openai:"
LONGEST = 400


class LVLMNameError(Exception):
    """A project can't have that LVLM; the message is a sentence for a person."""


@dataclass(frozen=True)
class Speaker:
    """What a page says beside an LVLM's words."""

    name: str
    knows: str  # its domain, or where it runs
    leaves: bool = False  # whether pictures leave this machine for it


def usable_lvlm(name: str = "") -> str:
    """The name of an LVLM that a project may have; empty stands for that of new projects. Raises LVLMNameError."""
    wanted = name.strip() or settings().lvlm
    if not is_name(wanted):
        raise LVLMNameError(
            gettext(
                "%(wanted)s is none of: none, embedded, transformers:FOLDER-OR-NAME, openai:MODEL@URL.", wanted=wanted
            )
        )
    host = server_of(wanted)[1].hostname if wanted.startswith(OPENAI) else None
    if host and host not in settings().allowed_hosts:
        raise LVLMNameError(
            gettext(
                "Images would leave this machine for %(host)s, which is not allowed. "
                "The person who runs the server may add it to RIGHTREASONS_LVLM_HOSTS.",
                host=host,
            )
        )
    return wanted


def is_name(name: str) -> bool:
    if len(name) > LONGEST:
        return False
    if name.startswith(OPENAI):
        model, url = server_of(name)
        return bool(model and url.scheme in {"http", "https"} and url.hostname)
    return name in {NONE, EMBEDDED} or (name.startswith(TRANSFORMERS) and name != TRANSFORMERS)


def server_of(name: str) -> tuple[str, SplitResult]:
    """The model of ``openai:MODEL@URL`` and where it is served."""
    model, _, url = name.removeprefix(OPENAI).rpartition("@")
    try:
        return model, urlsplit(url)
    except ValueError:  # an address in brackets that is none
        return model, SplitResult("", "", "", "", "")


def speaker_of(name: str) -> Speaker | None:
    """Who speaks under an LVLM's name, as ``worker.lvlm.load`` reads it; None where people alone judge."""
    if name == NONE:
        return None
    if name == EMBEDDED:
        return Speaker(gettext("demo model"), gettext("for practice, not for patients"))
    if name.startswith(OPENAI):
        model, url = server_of(name)
        return Speaker(
            model, gettext("asked at %(netloc)s: pictures leave this machine", netloc=url.netloc), leaves=True
        )
    place = name.removeprefix(TRANSFORMERS)
    return Speaker(place.rstrip("/").rsplit("/", 1)[-1] or name, gettext("runs on this installation"))


def speaker_in(session: Session, run: Run) -> Speaker | None:
    """Whose words a run holds, whatever LVLM its project has had since; its result is not loaded for that."""
    (lvlm,) = results_of(session, run.id, "lvlm")
    return speaker_of(lvlm or NONE)
