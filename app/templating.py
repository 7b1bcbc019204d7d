"""The templates, and how figures, moments and pictures are written on every page."""

from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from jinja2_fragments.fastapi import Jinja2Blocks

from app.accounts.cookies import csrf_token
from app.accounts.keys import Keys
from app.accounts.tour import TOUR
from app.models.figures import Estimate
from app.projects.queries import Step
from app.runs.progress import progress_of, result_url
from app.trust.lock import coefficient, signed

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "static"
NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUTE, HOUR, DAY = 60, 3600, 86400


def around(request: Request) -> dict[str, Any]:
    """What every page is given."""
    user = getattr(request.state, "user", None)
    return {"user": user, "csrf": csrf_token(request), "keys": user.keys if user else Keys()}


def percent(share: float | None, digits: int = 0) -> str:
    """``0.625`` becomes ``62 %``."""
    return "–" if share is None else f"{100 * share:.{digits}f}{NARROW_SPACE}%"


def points(share: float | None, digits: int = 0) -> str:
    """A difference of two shares in percentage points, always with its sign."""
    if share is None:
        return "–"
    text = f"{100 * share:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text if float(f"{100 * share:.{digits}f}") else "0"


def interval(estimate: Estimate) -> str:
    """``34–42``, in percent."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{100 * estimate.low:.0f}–{100 * estimate.high:.0f}"


def estimate_in_words(estimate: Estimate | None) -> str:
    """``93 % (91–94, n = 1,000)``, or why there is no figure."""
    if estimate is None:
        return "not measured yet"
    if estimate.value is None:
        return estimate.missing or "not measured"
    parts = [part for part in (interval(estimate), f"n = {count(estimate.n)}" if estimate.n else "") if part]
    return percent(estimate.value) + (f" ({', '.join(parts)})" if parts else "")


def probability(value: float | None) -> str:
    """``0.97`` becomes ``.97``, as in the literature."""
    if value is None:
        return "–"
    return f"{value:.2f}".removeprefix("0")


def count(number: float) -> str:
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """``about 3 min``: no more exact than an estimate deserves."""
    if seconds < MINUTE:
        return f"{max(1, round(seconds))}{NARROW_SPACE}s"
    if seconds < HOUR:
        return f"{round(seconds / MINUTE)}{NARROW_SPACE}min"
    hours, rest = divmod(round(seconds / MINUTE), 60)
    return f"{hours}{NARROW_SPACE}h {rest}{NARROW_SPACE}min"


def moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC"


@lru_cache
def version_of(path: str, changed: float) -> str:
    del changed
    return sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def static_url(path: str) -> str:
    """The file's address with its content's version, so that browsers may keep it for ever."""
    return f"/static/{path}?v={version_of(path, (STATIC / path).stat().st_mtime)}"


templates = Jinja2Blocks(directory=ROOT / "templates", context_processors=[around])
templates.env.trim_blocks = templates.env.lstrip_blocks = True
templates.env.globals |= {
    "static_url": static_url,
    "progress_of": progress_of,
    "result_url": result_url,
    "steps": tuple(Step),
    "tour": TOUR,
}
templates.env.filters |= {
    "percent": percent,
    "points": points,
    "interval": interval,
    "estimate": estimate_in_words,
    "coefficient": coefficient,
    "signed": signed,
    "probability": probability,
    "count": count,
    "duration": duration,
    "moment": moment,
}


def page(request: Request, name: str, /, block: str | None = None, status: int = 200, **context: Any) -> Response:  # noqa: ANN401  a template's context
    """The template, or one block of it for htmx."""
    return templates.TemplateResponse(request, name, context, status_code=status, block_name=block)
