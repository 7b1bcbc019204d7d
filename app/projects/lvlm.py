"""Who writes the words that an LVLM gives, and whether pictures leave the machine for them."""

from dataclasses import dataclass
from urllib.parse import urlsplit

NONE = "none"


@dataclass(frozen=True)
class Speaker:
    """What a page says beside an LVLM's words."""

    name: str
    knows: str  # its domain, or where it runs
    leaves: bool = False  # whether pictures leave this machine for it


def speaker_of(lvlm: str) -> Speaker | None:
    """Who speaks under a project's LVLM setting, as ``worker.lvlm.load`` reads it; None where people alone judge."""
    kind, _, place = lvlm.partition(":")
    if kind == NONE:
        return None
    if kind == "embedded":
        return Speaker("demo model", "knows digits only")
    if kind == "openai":
        model, _, url = place.partition("@")
        host = urlsplit(url).netloc
        return Speaker(model, f"asked at {host}: pictures leave this machine", leaves=True)
    return Speaker(place.rstrip("/").rsplit("/", 1)[-1] or kind, "runs on this installation")
