"""What pydantic found wrong in a form, as a reader in another language is told; English has pydantic's words."""

from collections.abc import Mapping
from typing import Any

from app.languages.catalogue import ENGLISH, gettext, language, msgid

NO_NUMBER, NO_CHOICE = msgid("is no number"), msgid("is none of the choices")
KINDS = {
    "missing": msgid("is missing"),
    "greater_than": msgid("has to be above %(gt)s"),
    "greater_than_equal": msgid("has to be at least %(ge)s"),
    "less_than": msgid("has to be below %(lt)s"),
    "less_than_equal": msgid("may be at most %(le)s"),
    "string_too_long": msgid("may have at most %(max_length)s characters"),
    "string_too_short": msgid("needs at least %(min_length)s characters"),
    "int_parsing": NO_NUMBER,
    "int_from_float": NO_NUMBER,
    "float_parsing": NO_NUMBER,
    "finite_number": NO_NUMBER,
    "enum": NO_CHOICE,
    "literal_error": NO_CHOICE,
    "channels": msgid("%(name)s has %(given)s numbers, one for each of %(channels)s"),
}


def in_words(mistake: Mapping[str, Any]) -> str:
    """Without the field that it is in, and without a full stop."""
    if language() == ENGLISH or mistake["type"] == "value_error":  # our own words are in the reader's language already
        return str(mistake["msg"]).removeprefix("Value error, ").rstrip(".")
    kind = KINDS.get(mistake["type"])
    return gettext(kind, **mistake.get("ctx", {})) if kind else gettext("can't be read")
