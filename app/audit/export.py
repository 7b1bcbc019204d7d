"""The log as JSON lines: each is the canonical JSON of an entry with its hash, so that anybody can check the chain."""

from collections.abc import Iterator

from sqlalchemy import select

from app.audit.chain import TABLE, canonical
from app.db import reading

PORTION = 1000


def lines() -> Iterator[str]:
    """The oldest first, in portions, so that a long log fills no memory and holds no transaction open."""
    last = 0
    while True:
        with reading() as session:
            after = select(TABLE).where(TABLE.c.number > last).order_by(TABLE.c.number).limit(PORTION)
            rows = session.execute(after).mappings().all()
        for row in rows:
            yield canonical(dict(row)) + "\n"
        if len(rows) < PORTION:
            return
        last = rows[-1]["number"]
