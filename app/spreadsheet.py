"""Tables that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence

# What a cell begins with that a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(head: Sequence[str], rows: Iterable[Sequence[str | int | float | None]]) -> bytes:
    held = io.StringIO(newline="")
    written = csv.writer(held)
    written.writerow(head)
    written.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return held.getvalue().encode("utf-8-sig")  # spreadsheets need the mark to read UTF-8


def harmless(cell: str) -> str:
    """As text even in a spreadsheet: what came from outside must not become a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
