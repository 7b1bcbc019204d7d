"""Which epoch a realignment delivers and why, as its run stores it under ``result["guard"]``."""

from app.models.figures import Estimate, Stored

KEY = "guard"


class GuardRecord(Stored):
    """Measured while it was trained: right answers on validation images, agreement on alignment images held out.

    Agreement is the share of answers that are the same without the regions that stand as spurious.
    """

    epoch: int  # whose weights are the realigned checkpoint, counted from 1
    trained: int  # epochs until it was done, or nothing could improve any more
    asked: int
    missed: list[str]  # lines of the bar: accuracy, group, worst_group, agreement; none: it keeps the bar
    held_out: int  # alignment images
    accuracy_before: Estimate
    accuracy: Estimate
    agreement_before: Estimate
    agreement: Estimate

    @property
    def keeps(self) -> bool:
        return not self.missed
