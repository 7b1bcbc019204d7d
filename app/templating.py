"""The templates, and how figures, moments and pictures are written on every page."""

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from jinja2.ext import Extension
from jinja2_fragments.fastapi import Jinja2Blocks

from app.accounts.cookies import csrf_token
from app.accounts.keys import Keys
from app.accounts.tour import tour
from app.languages import figures
from app.languages.catalogue import LANGUAGES, gettext, language, quoted, said, said_in_context, said_of
from app.languages.messages import told
from app.languages.stored import stored
from app.projects.queries import Step
from app.runs.progress import progress_of, result_url

ROOT = Path(__file__).parent.parent
STATIC = ROOT / "static"


def around(request: Request) -> dict[str, Any]:
    """What every page is given."""
    user = getattr(request.state, "user", None)
    return {
        "user": user,
        "csrf": csrf_token(request),
        "keys": user.keys if user else Keys(),
        "language": language(),
        "own_address": address_of(request),
        "languages": LANGUAGES,
    }


def address_of(request: Request) -> str:
    """Where a change of language leads back to; not to what a form was sent to."""
    if request.method != "GET":
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def opening(text: str) -> str:
    """With a capital letter, and the rest as it is: German nouns and abbreviations keep theirs."""
    return text[:1].upper() + text[1:]


@lru_cache
def version_of(path: str, changed: float) -> str:
    del changed
    return sha256((STATIC / path).read_bytes()).hexdigest()[:12]


def static_url(path: str) -> str:
    """The file's address with its content's version, so that browsers may keep it for ever."""
    return f"/static/{path}?v={version_of(path, (STATIC / path).stat().st_mtime)}"


class Sentences(Extension):
    """Lets the spaces around a sentence stand, which around other tags are trimmed: two sentences in a row are text."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        del name, filename
        return re.sub(r"{% (trans\b|endtrans %})", self.kept, source)

    @staticmethod
    def kept(found: re.Match[str]) -> str:
        return "{% endtrans +%}" if found[1].startswith("end") else "{%+ trans"


templates = Jinja2Blocks(directory=ROOT / "templates", context_processors=[around])
templates.env.add_extension("jinja2.ext.i18n")
templates.env.add_extension(Sentences)
templates.env.policies["ext.i18n.trimmed"] = True
# The extension adds this method while it is loaded.
templates.env.install_gettext_callables(said, said_of, newstyle=True, pgettext=said_in_context)  # type: ignore[attr-defined]
templates.env.trim_blocks = templates.env.lstrip_blocks = True
templates.env.globals |= {
    "static_url": static_url,
    "progress_of": progress_of,
    "result_url": result_url,
    "steps": tuple(Step),
    "tour": tour,
}
templates.env.filters |= {
    "percent": figures.percent,
    "points": figures.points,
    "times": figures.times,
    "interval": figures.interval,
    "estimate": figures.estimate_in_words,
    "coefficient": figures.coefficient,
    "signed": figures.signed,
    "between": figures.between_ends,
    "said": gettext,
    "probability": figures.probability,
    "count": figures.count,
    "decimal": figures.decimal,
    "significant": figures.significant,
    "duration": figures.duration,
    "moment": figures.moment,
    "stored": stored,
    "told": told,
    "opening": opening,
    "quoted": quoted,
}


def page(request: Request, name: str, /, block: str | None = None, status: int = 200, **context: Any) -> Response:  # noqa: ANN401  a template's context
    """The template, or one block of it for htmx."""
    return templates.TemplateResponse(request, name, context, status_code=status, block_name=block)
