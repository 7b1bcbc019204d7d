"""What the forms of a review send."""

from typing import Annotated

from fastapi import Depends, Form, HTTPException
from pydantic import BeforeValidator, StringConstraints

from app.languages.catalogue import gettext
from app.models import Answer
from app.models.review import LONGEST_NOTE


def with_plain_ends(text: str) -> str:
    """A browser sends two characters for the end of a line that it counted as one."""
    return text.replace("\r\n", "\n")


NoteText = Annotated[
    str, BeforeValidator(with_plain_ends), StringConstraints(strip_whitespace=True, max_length=LONGEST_NOTE)
]
Note = Annotated[NoteText, Form()]


def given_answer(answer: Annotated[Answer, Form()]) -> Answer:
    if answer is Answer.WITHDRAWN:
        raise HTTPException(422, gettext("An answer is taken back with Undo."))
    return answer


GivenAnswer = Annotated[Answer, Depends(given_answer)]
