"""Which epoch a realignment delivers and why, as its run stores it under ``result["guard"]``."""

from pydantic import Field

from app.models.figures import Estimate, Stored

KEY = "guard"


class GuardRecord(Stored):
    """Measured while it was trained: right answers on validation images, agreement on alignment images held out.

    Agreement is the share of answers that are the same without the regions that stand as spurious. Owed to these alone
    are answers of the model before that are right and become wrong without them, as a share of all alignment images.
    """

    epoch: int  # whose weights are the realigned checkpoint, counted from 1
    trained: int  # epochs until it was done, or nothing more was gained
    asked: int
    missed: list[str]  # lines of the bar: accuracy, group, worst_group, agreement; none: it keeps the bar
    held_out: int  # alignment images
    accuracy_before: Estimate
    accuracy: Estimate
    agreement_before: Estimate
    agreement: Estimate
    owed: Estimate = Estimate(missing="not measured")  # as all trainings before it was
    owed_by_group: dict[str, Estimate] = Field(default_factory=dict)

    @property
    def keeps(self) -> bool:
        return not self.missed
