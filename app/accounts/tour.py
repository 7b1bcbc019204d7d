"""What a person who is here for the first time is told: one bubble for each step of the loop."""

from app.languages.catalogue import gettext, msgid
from app.projects.queries import Step

WORDS = {
    Step.UNDERSTAND: msgid("What the model goes by, in sentences. Click on a figure to see the pictures behind it."),
    Step.SPECIFY: msgid(
        "Say in your own words what the model should use and what it should ignore, once for each class."
    ),
    Step.REVIEW: msgid(
        "Confirm or correct some verdicts. The first ones you give before you see what the machine says."
    ),
    Step.REALIGN: msgid(
        "The model learns to look elsewhere. What would be good enough is written down before it starts."
    ),
    Step.DECIDE: msgid("Before and after, side by side. Nothing is used until a person signs it."),
}


def tour() -> list[tuple[str, str]]:
    """Title and words of each bubble."""
    return [(step.label, gettext(words)) for step, words in WORDS.items()]
