"""A realignment under guard: what is measured after each epoch, and which one is delivered."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from app.models.figures import Estimate
from app.models.guard_record import GuardRecord
from app.runs.parameters import NEARLY_ALL, AcceptanceBar
from worker.method import guard
from worker.method.evaluation import Proportion
from worker.method.guard import Bar, Measures, Watch
from worker.method.realignment import AlignmentImages
from worker.tasks.inputs import device

NO_VALIDATION = "The data set has no validation images."
NOT_MEASURED = "not measured"
NONE_HELD_OUT = "Too few pictures have a spurious region to hold one out."


@dataclass
class Watched:
    """Told of every epoch. The correction has a ``watch`` that chooses among them; the control ends at that epoch.

    held: alignment images that are not trained on; groups: names of the validation images' groups; epochs: asked for.
    """

    bar: Bar
    epochs: int
    held: AlignmentImages
    groups: list[str]
    evidence: Callable[[nn.Module], float]
    watch: Watch | None = None
    epochs_left: int | None = None
    is_over: bool = False

    def __call__(self, model: nn.Module, correct: Tensor) -> tuple[dict[str, Any], bool]:
        found = self.measures(model, correct)
        if self.watch is not None:
            self.watch = guard.follow(self.watch, self.bar, model, found)
            self.is_over = guard.is_settled(self.bar, self.watch, self.epochs)
        if self.epochs_left is not None:
            self.epochs_left -= 1
            self.is_over = self.epochs_left == 0
        agreement = {} if found.agreement is None else {"agreement": found.agreement.value}
        return {"evidence_on_spurious": self.evidence(model), **agreement}, self.is_over

    def measures(self, model: nn.Module, correct: Tensor) -> Measures:
        accuracy, groups = guard.on_validation(correct, self.groups)
        return Measures(accuracy, groups, guard.agreement(model, self.held, device()))

    def first_measures(
        self, model: nn.Module, correct: Tensor, aligned: AlignmentImages, groups: list[str]
    ) -> Measures:
        """Of the model that is realigned. aligned: all alignment images; groups: names of their groups."""
        owed, by_group = guard.owed_answers(model, aligned, groups, device())
        return replace(self.measures(model, correct), owed=owed, owed_by_group=by_group)

    def record(self) -> GuardRecord:
        """Of the epoch that is delivered."""
        assert self.watch is not None
        before, seen = self.watch.before, self.watch.seen
        choice = guard.choose(self.bar, before, seen)
        chosen = seen[choice.epoch - 1]
        return GuardRecord(
            epoch=choice.epoch,
            trained=len(seen),
            asked=self.epochs,
            missed=list(choice.missed),
            held_out=len(self.held.labels),
            accuracy_before=estimate(before.accuracy, NO_VALIDATION),
            accuracy=estimate(chosen.accuracy, NO_VALIDATION),
            owed=estimate(before.owed, NOT_MEASURED),
            owed_by_group={name: estimate(found, "") for name, found in (before.owed_by_group or {}).items()},
            agreement_before=estimate(before.agreement, NONE_HELD_OUT),
            agreement=estimate(chosen.agreement, NONE_HELD_OUT),
        )


def bar_of(asked: AcceptanceBar, *, groups: bool) -> Bar:
    """groups: whether a class has several; of classes alone none may fall, but the worst one has no reason to rise."""
    return Bar(
        accuracy_falls_at_most=asked.accuracy_falls_at_most,
        group_falls_at_most=asked.group_falls_at_most,
        worst_group_rises=asked.worst_group_rises if groups else None,
        agreement_rises=asked.agreement_rises,
        answers_flip_at_most=asked.answers_flip_at_most,
        owed_at_most=asked.owed_at_most,
        nearly_all=NEARLY_ALL,
        smallest_group=asked.smallest_group,
    )


def estimate(found: Proportion | None, missing: str) -> Estimate:
    return Estimate(missing=missing) if found is None else Estimate(**vars(found))
