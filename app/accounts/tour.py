"""What a person who is here for the first time is told: one bubble for each step of the loop."""

from app.projects.queries import Step

WORDS = {
    Step.UNDERSTAND: "What the model goes by, in sentences. Click on a figure to see the pictures behind it.",
    Step.SPECIFY: "Say in your own words what the model should use and what it should ignore, once for each class.",
    Step.REVIEW: "Confirm or correct some verdicts. The first ones you give before you see what the machine says.",
    Step.REALIGN: "The model learns to look elsewhere. What would be good enough is written down before it starts.",
    Step.DECIDE: "Before and after, side by side. Nothing is used until a person signs it.",
}
TOUR = tuple((step.value.capitalize(), words) for step, words in WORDS.items())
