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
    session: Session, run: Run, what: Hashable, whole: Select[*Numbers], changing: Select[*Numbers]
) -> tuple[Numbers, Numbers]:
    """The one row of ``whole``, counted once for the run, and that of ``changing``, each time: in one statement.

    what: all else that ``whole`` depends on, ids of other finished runs among it.
    """
    key = (run.id, what)
    known = _kept.get(key)
    if known is not None:
        return known, tuple(session.execute(changing).one())
    first, second = whole.subquery(), changing.subquery()
    row = tuple(session.execute(select(first, second).join_from(first, second, true())).one())
    known, rest = row[: len(first.c)], row[len(first.c) :]
    if run.state is State.SUCCEEDED:
        if len(_kept) >= MOST:
            _kept.clear()
        _kept[key] = known
    return known, rest
