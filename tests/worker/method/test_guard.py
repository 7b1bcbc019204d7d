"""The guard's choice against one written straight from its words, and a guarded training against an unguarded one."""

import io
import itertools
from dataclasses import replace
from random import Random

import pytest
import torch
from torch import Tensor, nn

from tests.worker.method.test_realignment import accuracy_without_shortcut, aligned, network, shortcut
from worker.method import counterfactual, guard, realignment
from worker.method.balance import balanced_alignment, cut_evenly
from worker.method.evaluation import Proportion
from worker.method.guard import Bar, Measures, Validation, Watch
from worker.method.realignment import AlignmentImages, RealignmentSettings

BAR = Bar(
    accuracy_falls_at_most=0.02,
    group_falls_at_most=0.05,
    worst_group_rises=0.10,
    agreement_rises=0.20,
    answers_flip_at_most=0.10,
    owed_at_most=None,
    nearly_all=0.95,
    smallest_group=20,
)


def share(value: float, n: int = 100) -> Proportion:
    return Proportion(value, value, value, n)


def measures(accuracy: float, a: float, b: float, agreement: float) -> Measures:
    return Measures(share(accuracy), {"a": share(a), "b": share(b)}, share(agreement))


BEFORE = measures(0.80, 0.90, 0.50, 0.60)


def slowly_chosen(before: Measures, seen: list[Measures]) -> tuple[int, bool]:
    """The best agreement among the epochs that keep the bar, else the least harmful; of equal ones the most right."""
    keeping, harms = [], []
    for number, after in enumerate(seen, 1):
        fall = before.accuracy.value - after.accuracy.value
        group = max(before.groups[name].value - after.groups[name].value for name in ("a", "b"))
        worst = min(each.value for each in after.groups.values())
        if (
            fall <= 0.02 + 1e-9
            and group <= 0.05 + 1e-9
            and worst >= min(0.50 + 0.10, 0.95) - 1e-9
            and after.agreement.value >= max(0.90, 0.60 + 0.20) - 1e-9
        ):
            keeping.append(number)
        harms.append(max(fall - 0.02, group - 0.05, 0.0) if max(fall - 0.02, group - 0.05) > 1e-9 else 0.0)
    numbers = keeping or [number for number in range(1, len(seen) + 1) if harms[number - 1] == min(harms)]
    best = max(seen[number - 1].agreement.value for number in numbers)
    alike = [number for number in numbers if seen[number - 1].agreement.value == best]
    right = max(seen[number - 1].accuracy.value for number in alike)
    return [number for number in alike if seen[number - 1].accuracy.value == right][-1], bool(keeping)


def test_the_choice_is_that_of_a_slow_search() -> None:
    random, kept = Random(0), 0
    for _ in range(500):
        seen = [
            measures(
                round(random.uniform(0.76, 0.84), 2),
                round(random.uniform(0.80, 0.95), 2),
                round(random.uniform(0.40, 0.80), 2),
                round(random.uniform(0.5, 1), 1),
            )
            for _ in range(random.randrange(1, 9))
        ]
        choice = guard.choose(BAR, BEFORE, seen)
        assert (choice.epoch, choice.keeps) == slowly_chosen(BEFORE, seen)
        kept += choice.keeps
    assert 50 < kept < 450


def test_each_line_is_missed_alone() -> None:
    good = measures(0.80, 0.90, 0.60, 0.90)
    assert guard.choose(BAR, BEFORE, [good]).keeps
    for missed, after in {
        "accuracy": replace(good, accuracy=share(0.77)),
        "group": replace(good, groups={"a": share(0.84), "b": share(0.60)}),
        "worst_group": replace(good, groups={"a": share(0.90), "b": share(0.59)}),
        "agreement": replace(good, agreement=share(0.89)),
    }.items():
        assert guard.choose(BAR, BEFORE, [after]).missed == (missed,)


def test_what_was_owed_to_the_spurious_regions_may_go_besides() -> None:
    before = replace(BEFORE, owed=share(0.10), owed_by_group={"a": share(0.20), "c": share(0.5)})
    good = measures(0.80, 0.90, 0.60, 0.90)
    for after, missed in (
        (replace(good, accuracy=share(0.68)), ()),
        (replace(good, accuracy=share(0.67)), ("accuracy",)),
        (replace(good, groups={"a": share(0.65), "b": share(0.60)}), ()),
        (replace(good, groups={"a": share(0.64), "b": share(0.60)}), ("group",)),
    ):
        assert guard.choose(BAR, before, [after]).missed == missed
    flattered = replace(before, owed_by_group={"b": share(0.06)})  # the worst one, so that the other has to rise
    assert guard.choose(BAR, flattered, [replace(good, groups={"a": share(0.95), "b": share(0.50)})]).keeps
    assert guard.choose(BAR, flattered, [replace(good, groups={"a": share(0.94), "b": share(0.60)})]).missed == (
        "worst_group",
    )
    every = replace(before, owed_by_group={"a": share(0.06), "b": share(0.06)})
    assert guard.choose(BAR, every, [replace(good, groups={"a": share(0.90), "b": share(0.50)})]).keeps
    fallen = replace(good, groups={"a": share(0.90), "b": share(0.44)})  # of a group that owes nothing
    assert "group" in guard.choose(BAR, before, [fallen]).missed


def test_of_what_was_owed_only_what_is_certain_may_go_and_no_more_than_the_bar_lets() -> None:
    few, many = Proportion(0.30, 0.12, 0.56, 20), Proportion(0.40, 0.31, 0.50, 100)
    for owed, most, may in ((few, 0.20, 0.12), (many, 0.20, 0.20), (few, 0.05, 0.05), (few, None, 0.30), (many, 0, 0)):
        before = replace(BEFORE, owed=owed, owed_by_group={"a": owed})
        for left, is_kept in ((0.0, True), (0.01, False)):
            after = measures(0.80 - 0.02 - may - left, 0.90 - 0.05 - may - left, 0.60, 1.0)
            missing = guard.shortfalls(replace(BAR, owed_at_most=most), before, after)
            assert (missing[guard.ACCURACY] == missing[guard.GROUP] == 0) == is_kept


def test_a_watch_that_was_saved_before_the_owed_answers_were_counted_goes_on() -> None:
    before = replace(BEFORE, owed=share(0.1), owed_by_group={"a": share(0.2)})
    saved = Watch(before).as_dict()
    assert Watch.from_dict(saved).before == before
    for name in ("owed", "owed_by_group"):
        del saved["before"][name]
    assert Watch.from_dict(saved).before == BEFORE


def test_no_rise_is_asked_for_where_none_is_possible() -> None:
    before = measures(0.99, 0.99, 0.97, 0.98)
    assert guard.choose(BAR, before, [measures(0.99, 0.99, 0.96, 0.96)]).keeps
    assert guard.choose(BAR, before, [measures(0.99, 0.99, 0.96, 0.94)]).missed == ("agreement",)


def test_a_group_that_is_too_small_may_fall() -> None:
    fallen = measures(0.80, 0.70, 0.60, 0.90)
    assert guard.choose(BAR, BEFORE, [fallen]).missed == ("group",)
    assert guard.choose(replace(BAR, smallest_group=100), BEFORE, [fallen]).missed == ("group",)
    assert guard.choose(replace(BAR, smallest_group=101), BEFORE, [fallen]).keeps


def test_what_was_not_measured_or_not_asked_for_is_not_missed() -> None:
    assert guard.choose(BAR, Measures(), [Measures(), Measures()]) == guard.Choice(2, ())
    asked = replace(BAR, worst_group_rises=None, agreement_rises=None)
    assert guard.choose(asked, BEFORE, [measures(0.80, 0.90, 0.50, 0.90)]).keeps


def test_whole_images_are_held_out_by_the_seed_of_both_kinds() -> None:
    images, labels, masks = shortcut(40, seed=1, spurious_tells=True)
    masks[::4] = 0
    kept, held = guard.hold_out(AlignmentImages(images, labels, masks), seed=5)
    assert (len(held.labels), len(kept.labels)) == (8, 32)
    assert int(held.masks.flatten(1).any(dim=1).sum()) == 6
    together = torch.cat([kept.images, held.images])
    assert sorted(map(float, together.sum(dim=(1, 2, 3)))) == sorted(map(float, images.sum(dim=(1, 2, 3))))
    again, other = (guard.hold_out(AlignmentImages(images, labels, masks), seed)[1].images for seed in (5, 6))
    assert torch.equal(again, held.images)
    assert not torch.equal(other, held.images)


@pytest.mark.parametrize(("with_region", "held_out"), [(0, 0), (1, 0), (2, 3), (7, 2), (10, 2)])
def test_few_images_leave_some_to_learn_from(with_region: int, held_out: int) -> None:
    images, labels, masks = shortcut(10, seed=1, spurious_tells=True)
    masks[with_region:] = 0
    kept, held = guard.hold_out(AlignmentImages(images, labels, masks), seed=0)
    assert (len(held.labels), bool(kept.masks.any())) == (held_out, with_region > 0)


def test_agreement_is_the_share_of_answers_that_hold_without_and_with_another_region() -> None:
    images, labels, masks = shortcut(30, seed=4, spurious_tells=True)
    masks[::3] = 0
    model, held = network().eval(), AlignmentImages(images, labels, masks)
    donors = counterfactual.donors_of_another_class(labels, masks, torch.Generator().manual_seed(0)).tolist()
    same = []
    with torch.no_grad():
        for image, mask, donor in zip(images, masks, donors, strict=True):
            answer = model(image[None]).argmax()
            if mask.any():
                same.append(answer == model(counterfactual.remove(image[None], mask[None])).argmax())
            added = counterfactual.add(image[None], images[donor][None], masks[donor][None])
            same.append(answer == model(added).argmax())
    found = guard.agreement(model, held, "cpu")
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(sum(map(bool, same)) / 50), 50)
    assert 0 < found.value < 1
    nothing = AlignmentImages(images[:0], labels[:0], masks[:0])
    assert guard.agreement(model, nothing, "cpu") is None


def test_only_groups_that_are_large_enough_are_judged() -> None:
    correct = torch.tensor([True] * 8 + [False] * 2 + [False] * 9)
    accuracy, groups = guard.on_validation(correct, ["large"] * 10 + ["small"] * 9)
    assert accuracy is not None
    assert groups is not None
    assert (accuracy.value, set(groups), groups["large"].value) == (pytest.approx(8 / 19), {"large"}, 0.8)
    assert guard.on_validation(correct[:0], []) == (None, None)


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    """A model that goes by the shortcut."""
    model, settings = network(), RealignmentSettings(epochs=10, batch_size=16, learning_rate=1e-2)
    training = shortcut(90, seed=1, spurious_tells=True)[:2]
    start = realignment.start(model, settings)
    realignment.realign(model, start, training, None, settings, seed=3, device="cpu", epochs=10)
    return model.state_dict()


SETTINGS = RealignmentSettings(epochs=8, batch_size=16, learning_rate=1e-2)
TRAINING = shortcut(90, seed=1, spurious_tells=True)[:2]
VALIDATION = Validation(*shortcut(80, seed=7, spurious_tells=True)[:2])
# The validation images have the shortcut too, so that a model that leaves it has to be let fall, however much it owed.
LENIENT = Bar(0.5, 0.5, None, 0.05, 0.30, None, 0.95, 2)


def a_model(original: dict[str, Tensor]) -> nn.Module:
    model = network()
    model.load_state_dict(original)
    return model


def guarded(model: nn.Module, bar: Bar, epochs: int = 8) -> guard.Delivered:
    settings = replace(SETTINGS, epochs=epochs)
    return guard.guarded(model, TRAINING, aligned(), settings, bar, VALIDATION, seed=3, device="cpu")


def every_epoch(
    original: dict[str, Tensor], kept: AlignmentImages | None = None, *, cut: bool = False
) -> list[dict[str, Tensor]]:
    """The weights after each epoch of a training that nobody guards. kept: what it aligns, or what is not held out."""
    model, found = a_model(original), []

    def keep(_: object) -> None:
        if cut:
            assert cut_evenly(model, VALIDATION.images, VALIDATION.labels)
        found.append({name: value.clone() for name, value in model.state_dict().items()})

    kept = kept or guard.hold_out(aligned(), seed=3)[0]
    start = realignment.start(model, SETTINGS)
    realignment.realign(model, start, TRAINING, kept, SETTINGS, seed=3, device="cpu", epochs=8, on_epoch=keep)
    return found


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_answers_owed_are_right_and_wrong_without_the_region(original: dict[str, Tensor]) -> None:
    images, labels, masks = shortcut(60, seed=4, spurious_tells=True)
    masks[::3] = 0
    model, names = a_model(original).eval(), ["large"] * 45 + ["of ten"] * 10 + ["small"] * 5
    owed = []
    with torch.no_grad():
        for image, label, mask in zip(images, labels, masks, strict=True):
            without = model(counterfactual.remove(image[None], mask[None])).argmax()
            owed.append(bool(model(image[None]).argmax() == label and without != label))
    found, by_group = guard.owed_answers(model, AlignmentImages(images, labels, masks), names, "cpu")
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(sum(owed) / 60), 60)
    assert 0 < sum(owed) < 60
    assert by_group is not None
    assert {name: each.value for name, each in by_group.items()} == pytest.approx(
        {"large": sum(owed[:45]) / 45, "of ten": sum(owed[45:55]) / 10}
    )
    nothing = AlignmentImages(images[:0], labels[:0], masks[:0])
    assert guard.owed_answers(model, nothing, [], "cpu") == (None, None)


def test_the_best_epoch_is_delivered_with_its_weights(original: dict[str, Tensor]) -> None:
    model = a_model(original)
    found = guarded(model, LENIENT)
    assert found.choice.keeps
    weights = every_epoch(original)[found.choice.epoch - 1]
    assert equal(weights, found.weights)
    assert equal(weights, model.state_dict())
    assert accuracy_without_shortcut(model) > accuracy_without_shortcut(a_model(original)) + 0.1


def test_every_class_is_aligned_equally_often_where_that_is_asked_for(original: dict[str, Tensor]) -> None:
    given = aligned()
    of_one, of_other = (torch.nonzero(given.labels == label)[:, 0] for label in (0, 1))
    few = torch.cat([of_one, of_other[:10]])
    rare = AlignmentImages(given.images[few], given.labels[few], given.masks[few])
    model, settings = a_model(original), replace(SETTINGS, epochs=8)
    found = guard.guarded(model, TRAINING, rare, settings, LENIENT, VALIDATION, seed=3, device="cpu", balanced=True)
    kept, _ = guard.hold_out(rare, seed=3)
    repeated = balanced_alignment(kept)
    assert len(repeated.labels) > len(kept.labels)
    assert equal(every_epoch(original, repeated, cut=True)[found.choice.epoch - 1], found.weights)
    assert not equal(every_epoch(original, kept, cut=True)[found.choice.epoch - 1], found.weights)
    assert not equal(every_epoch(original, repeated)[found.choice.epoch - 1], found.weights)


def test_what_fails_the_bar_is_kept_and_the_model_stays_as_it_was(original: dict[str, Tensor]) -> None:
    model = a_model(original)
    found = guarded(model, replace(LENIENT, accuracy_falls_at_most=-2.0))
    assert found.choice.missed == ("accuracy",)
    assert equal(original, model.state_dict())
    assert equal(every_epoch(original)[found.choice.epoch - 1], found.weights)
    assert len(found.seen) == 8


def test_nothing_is_trained_on_where_nothing_more_is_gained() -> None:
    full = Measures(share(0.9), None, share(1.0))
    better, uncertain, worse = (
        replace(full, accuracy=share(0.91)),
        replace(full, agreement=share(0.99)),
        replace(full, accuracy=share(0.8)),
    )

    def settled(*seen: Measures, epochs: int = 9) -> bool:
        return guard.is_settled(BAR, Watch(Measures(share(0.9), None, share(0.5)), seen), epochs)

    assert not settled(full, full, full)
    assert settled(full, full, full, full)
    assert settled(better, full, full, full)
    assert settled(worse, better, full, full, better)  # kept the bar in each of the last three
    assert not settled(full, full, full, better)
    assert not settled(full, full, uncertain, full)
    assert not settled(better, full, full, worse)
    assert not settled(*[full] * 10, epochs=30)
    assert settled(*[full] * 11, epochs=30)
    assert not settled(*[full] * 3, epochs=3)
    assert not guard.is_settled(BAR, Watch(Measures(), (Measures(),) * 4), 9)


def test_of_epochs_that_agree_alike_the_one_that_gets_most_right_is_delivered() -> None:
    full, better = Measures(share(0.9), None, share(1.0)), Measures(share(0.92), None, share(1.0))
    before = Measures(share(0.9), None, share(0.5))
    assert guard.choose(BAR, before, [full, better, better, full]).epoch == 3
    assert guard.choose(BAR, before, [full, replace(better, agreement=share(0.99)), full]).epoch == 3


def test_a_settled_training_stops_there(original: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "is_settled", lambda _, watch, __: len(watch.seen) == 2)
    found = guarded(a_model(original), LENIENT)
    assert len(found.seen) == 2
    weights = every_epoch(original)
    assert equal(weights[found.choice.epoch - 1], found.weights)


def test_a_watch_that_was_saved_goes_on_as_one_that_was_not(original: dict[str, Tensor]) -> None:
    """Epoch by epoch through a file, as a worker that is killed after each would."""
    _, held = guard.hold_out(aligned(), seed=3)
    whole = guarded(a_model(original), LENIENT)
    first = a_model(original).eval()
    owed, _ = guard.owed_answers(first, aligned(), (), "cpu")
    watch = Watch(replace(guard.measure(first, VALIDATION, held, "cpu"), owed=owed))
    for weights in itertools.islice(every_epoch(original), len(whole.seen)):
        model = a_model(weights).eval()
        watch = guard.follow(watch, LENIENT, model, guard.measure(model, VALIDATION, held, "cpu"))
        saved = io.BytesIO()
        torch.save(watch.as_dict(), saved)
        saved.seek(0)
        watch = Watch.from_dict(torch.load(saved, weights_only=True))
    assert (watch.before, watch.seen) == (whole.before, whole.seen)
    assert watch.weights is not None
    assert equal(watch.weights, whole.weights)
