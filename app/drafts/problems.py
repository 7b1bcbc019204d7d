"""All problems of a data set as CSV, in the reader's language."""

import csv
import io
from collections.abc import Iterable

from app.languages.catalogue import gettext
from app.languages.messages import told
from app.models.preview import ProblemSeen

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(problems: Iterable[ProblemSeen]) -> bytes:
    held = io.StringIO(newline="")
    rows = csv.writer(held)
    rows.writerow((gettext("Row"), gettext("File"), gettext("What is wrong and what to do")))
    for each in problems:
        rows.writerow((each.row or "", harmless(each.path or gettext("the whole set")), harmless(told(each.message))))
    return held.getvalue().encode("utf-8-sig")  # spreadsheets need the mark to read UTF-8


def harmless(cell: str) -> str:
    """As text even in a spreadsheet: a path from an upload must not become a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
