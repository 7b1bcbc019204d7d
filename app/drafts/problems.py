"""All problems of a data set as CSV, in the reader's language."""

from collections.abc import Iterable

from app import spreadsheet
from app.languages.catalogue import gettext
from app.languages.messages import told
from app.models.preview import ProblemSeen


def as_csv(problems: Iterable[ProblemSeen]) -> bytes:
    head = (gettext("Row"), gettext("File"), gettext("What is wrong and what to do"))
    rows = ((each.row or "", each.path or gettext("the whole set"), told(each.message)) for each in problems)
    return spreadsheet.as_csv(head, rows)
