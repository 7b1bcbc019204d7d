"""Counts over the rows of finished runs, which nothing changes any more: each process makes them once."""

from collections.abc import Hashable
from typing import Any

from sqlalchemy import Select, select, true
from sqlalchemy.orm import Session

from app.models import Run, State

MOST = 1000  # of a few numbers each
Numbers = tuple[Any, ...]
_kept: dict[Hashable, Numbers] = {}


def counted_once(
    session: Session, run: Run, what: Hashable, whole: Select[*Numbers], changing: Select[*Numbers] | None = None
) -> tuple[Numbers, Numbers]:
    """The one row of ``whole``, counted once for the run, and that of ``changing``, each time: in one statement.

    what: all else that ``whole`` depends on, ids of other finished runs among it.
    """
    key = (run.id, what)
    known = _kept.get(key)
    wanted = [each.subquery() for each in (None if known else whole, changing) if each is not None]
    found: Numbers = ()
    if wanted:
        joined = wanted[0] if len(wanted) == 1 else wanted[0].join(wanted[1], true())
        found = tuple(session.execute(select(*wanted).select_from(joined)).one())
    if known is None:
        known, found = found[: len(wanted[0].c)], found[len(wanted[0].c) :]
        if run.state is State.SUCCEEDED:
            if len(_kept) >= MOST:
                _kept.clear()
            _kept[key] = known
    return known, found
