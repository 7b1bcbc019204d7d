"""How numbers, shares and moments are written, as the reader's language has them."""

import math
from datetime import datetime
from functools import lru_cache

from babel.dates import format_date, format_time
from babel.numbers import format_decimal
from markupsafe import Markup

from app.languages.catalogue import ENGLISH, gettext, language, locale, locale_of
from app.languages.stored import stored
from app.models.figures import Estimate

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
MINUTE, HOUR = 60, 3600
# Odds that change less are not worth a word; how much more they change than this makes no difference to anyone.
LEAST_FACTOR, MOST_FACTOR = 2, 1000


def decimal(value: float, digits: int = 0) -> str:
    """``1,234.5``, rounded to so many digits."""
    return written(value, "#,##0" + ("." + "0" * digits if digits else ""), language())


@lru_cache(maxsize=4096)
def written(value: float, pattern: str, name: str) -> str:
    """Kept, for a page may have a thousand figures, many of them alike."""
    return format_decimal(value, format=pattern, locale=locale_of(name)).replace("-", MINUS)


def significant(value: float, digits: int = 2) -> str:
    """``0.4``: no more digits than count, and none that say nothing."""
    return written(float(f"{value:.{digits}g}"), "0.######", language())


def percent(share: float | None, digits: int = 0) -> str:
    """``0.625`` becomes ``62 %``."""
    return "–" if share is None else f"{decimal(100 * share, digits)}{NARROW_SPACE}%"


def points(share: float | None, digits: int = 0) -> str:
    """A difference of two shares in percentage points, always with its sign."""
    if share is None:
        return "–"
    if not float(f"{100 * share:.{digits}f}"):
        return "0"
    return ("+" if share > 0 else "") + decimal(100 * share, digits)


def times(nats: float | None) -> str:
    """The factor of odds whose logarithm changes by so many nats, whichever way: ``12``; empty below 2."""
    if nats is None or abs(nats) < math.log(LEAST_FACTOR):
        return ""
    if abs(nats) > math.log(MOST_FACTOR):
        return gettext("more than %(number)s", number=count(MOST_FACTOR))
    return significant(math.exp(abs(nats)))


def interval(estimate: Estimate) -> str:
    """``34–42``, in percent."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{decimal(100 * estimate.low)}–{decimal(100 * estimate.high)}"


def estimate_in_words(estimate: Estimate | None) -> str:
    """``93 % (91–94, n = 1,000)``, or why there is no figure."""
    if estimate is None:
        return gettext("not measured yet")
    if estimate.value is None:
        return stored(estimate.missing) or gettext("not measured")
    number = f"n = {count(estimate.n)}".replace(" ", NO_BREAK_SPACE) if estimate.n else ""
    parts = [part for part in (interval(estimate), number) if part]
    return percent(estimate.value) + (f" ({', '.join(parts)})" if parts else "")


def probability(value: float | None) -> str:
    """``0.97`` becomes ``.97``, as English literature has it; German keeps the nought."""
    if value is None:
        return "–"
    return decimal(value, 2).removeprefix("0" if language() == ENGLISH else "")


def count(number: float) -> str:
    return decimal(number)


def duration(seconds: float) -> str:
    """``about 3 min``: no more exact than an estimate deserves."""
    if seconds < MINUTE:
        return f"{max(1, round(seconds))}{NARROW_SPACE}s"
    if seconds < HOUR:
        return f"{round(seconds / MINUTE)}{NARROW_SPACE}min"
    hours, rest = divmod(round(seconds / MINUTE), 60)
    return f"{hours}{NARROW_SPACE}h {rest}{NARROW_SPACE}min"


def moment(value: datetime) -> Markup:
    """In UTC: where the reader is, only their own device knows, and there page.js says it anew.

    In a narrow column it breaks between date and time alone.
    """
    date, time = format_date(value, locale=locale()), format_time(value, "HH:mm", locale=locale())
    said = ", ".join(part.replace(" ", NO_BREAK_SPACE) for part in (date, f"{time} UTC"))
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="minutes"), said)


def coefficient(estimate: Estimate) -> str:
    """``0.52 (0.21 to 0.78, n = 20)``, or why there is none. No share of 100: it may fall below 0."""
    if estimate.value is None:
        return stored(estimate.missing) or gettext("not measured")
    between = between_ends(estimate) or stored(estimate.missing)
    return f"{signed(estimate.value)} ({between}, n = {count(estimate.n)})" if between else signed(estimate.value)


def between_ends(estimate: Estimate) -> str:
    """``0.21 to 0.78``; empty where there is no interval."""
    if estimate.low is None or estimate.high is None:
        return ""
    return gettext("%(low)s to %(high)s", low=signed(estimate.low), high=signed(estimate.high))


def signed(value: float | None) -> str:
    """To two digits, with a true minus sign, and none before a zero."""
    return "–" if value is None else decimal(round(value, 2) + 0.0, 2)
