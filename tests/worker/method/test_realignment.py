import io
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from worker.method import counterfactual, losses, realignment
from worker.method.realignment import AlignmentImages, EpochFigures, RealignmentSettings, State

SETTINGS = RealignmentSettings(epochs=4, batch_size=16, learning_rate=1e-2)
LOSSES = ("consistency", "plain_rrr", "normalised_rrr", "control")


def network() -> nn.Module:
    """With batch norm and dropout, whose states and random numbers have to survive a resumption."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * 36, 2)
    )


def shortcut(count: int, seed: int, *, spurious_tells: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A faint stripe shows the class; a bright corner does too, or says nothing. Images, labels, masks."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (count,), generator=generator)
    told = labels if spurious_tells else torch.randint(2, (count,), generator=generator)
    images = 0.3 * torch.randn(count, 1, 8, 8, generator=generator)
    images[torch.arange(count), 0, 4] += 0.3 * (2 * labels - 1)[:, None]
    images[:, 0, :2, :2] += 4.0 * (2 * told - 1)[:, None, None]
    masks = torch.zeros(count, 1, 8, 8)
    masks[:, :, :2, :2] = 1
    return images, labels, masks


def run(
    model: nn.Module,
    settings: RealignmentSettings,
    state: State,
    epochs: int,
    alignment: AlignmentImages | None,
    figures: list[EpochFigures] | None = None,
) -> State:
    images, labels, _ = shortcut(90, seed=1, spurious_tells=True)
    seen: list[EpochFigures] = [] if figures is None else figures
    return realignment.realign(
        model, state, (images, labels), alignment, settings, seed=3, device="cpu", epochs=epochs, on_epoch=seen.append
    )


def aligned() -> AlignmentImages:
    return AlignmentImages(*shortcut(30, seed=2, spurious_tells=True))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_was_saved_and_resumed_equals_an_unbroken_one_bit_for_bit(loss: realignment.Loss) -> None:
    settings = replace(SETTINGS, loss=loss)
    whole = run(network(), settings, realignment.start(network(), settings), 4, aligned())
    state = realignment.start(network(), settings)
    for epochs in (1, 2, 1):
        saved = io.BytesIO()
        torch.save(run(network(), settings, state, epochs, aligned()).as_dict(), saved)
        saved.seek(0)
        state = State.from_dict(torch.load(saved, weights_only=True))
    assert state.epoch == whole.epoch == 4
    assert all(torch.equal(value, whole.model[name]) for name, value in state.model.items())


def test_training_neither_reads_nor_changes_the_global_random_state() -> None:
    torch.manual_seed(5)
    first = run(network(), SETTINGS, realignment.start(network(), SETTINGS), 1, aligned())
    torch.manual_seed(6)
    before = torch.get_rng_state()
    second = run(model := network(), SETTINGS, realignment.start(model, SETTINGS), 0, aligned())
    assert second.epoch == 0
    torch.manual_seed(6)
    again = run(model, SETTINGS, second, 1, aligned())
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, again.model[name]) for name, value in first.model.items())


def accuracy_without_shortcut(model: nn.Module) -> float:
    images, labels, _ = shortcut(400, seed=9, spurious_tells=False)
    with torch.no_grad():
        return float((model.eval()(images).argmax(dim=1) == labels).float().mean())


@pytest.fixture(scope="module")
def original() -> dict[str, Tensor]:
    model = network()
    settings = replace(SETTINGS, epochs=10)
    run(model, settings, realignment.start(model, settings), 10, None)
    return model.state_dict()


@pytest.mark.parametrize("loss", ["consistency", "normalised_rrr"])
def test_realignment_takes_the_shortcut_away_and_the_control_does_not(
    loss: realignment.Loss, original: dict[str, Tensor]
) -> None:
    found = {}
    for arm in (loss, "control"):
        model, settings = network(), replace(SETTINGS, loss=arm, epochs=15)
        model.load_state_dict(original)
        run(model, settings, realignment.start(model, settings), 15, aligned())
        found[arm] = accuracy_without_shortcut(model)
    assert found["control"] < 0.7
    assert found[loss] > found["control"] + 0.2


def test_epochs_are_reported_and_end_at_the_settings_number() -> None:
    figures: list[EpochFigures] = []
    model = network()
    state = run(model, SETTINGS, realignment.start(model, SETTINGS), 99, aligned(), figures)
    assert [figure.epoch for figure in figures] == [1, 2, 3, 4]
    assert figures[-1].loss < figures[0].loss
    assert all(0 <= figure.accuracy <= 1 and figure.penalty > 0 for figure in figures)
    assert not model.training
    assert run(model, SETTINGS, state, 5, aligned()).epoch == 4


def test_training_without_alignment_images_has_no_penalty_and_learns() -> None:
    figures: list[EpochFigures] = []
    model = network()
    run(model, SETTINGS, realignment.start(model, SETTINGS), 4, None, figures)
    assert all(figure.penalty == 0 for figure in figures)
    assert figures[-1].accuracy > 0.95


def test_a_state_keeps_its_weights_while_training_goes_on() -> None:
    model = network()
    state = realignment.start(model, SETTINGS)
    kept = {name: value.clone() for name, value in state.model.items()}
    run(model, SETTINGS, state, 2, aligned())
    assert all(torch.equal(value, kept[name]) for name, value in state.model.items())


def test_every_training_image_is_shown_once_an_epoch_beside_its_share_of_alignment_images() -> None:
    images, labels = torch.arange(90.0).reshape(90, 1, 1, 1), torch.zeros(90, dtype=torch.int64)
    alignment = AlignmentImages(
        torch.arange(7.0).reshape(7, 1, 1, 1), torch.zeros(7, dtype=torch.int64), torch.ones(7, 1, 1, 1)
    )
    generator = torch.Generator().manual_seed(0)
    training = realignment.InMemory(images, labels)
    batches = [batch for _, batch in realignment._batches(training, alignment, SETTINGS, generator)]
    assert sorted(torch.cat([batch.images for batch in batches]).flatten().tolist()) == list(range(90))
    assert {len(batch.aligned.images) for batch in batches} == {8}
    drawn = torch.cat([batch.aligned.images for batch in batches]).flatten().long().bincount()
    assert drawn.max() - drawn.min() <= 1


def test_counterfactuals_swap_the_masked_region_and_paste_regions_at_the_given_rate() -> None:
    alignment = AlignmentImages(*shortcut(40, seed=4, spurious_tells=True))
    # Half of the images have no region: they keep their own pixels unless a region is pasted.
    alignment.masks[20:] = 0
    some = AlignmentImages(alignment.images[20:], alignment.labels[20:], alignment.masks[20:])
    never, always = (
        realignment.counterfactuals(
            some, alignment, replace(SETTINGS, paste_probability=rate), torch.Generator().manual_seed(0)
        )
        for rate in (0.0, 1.0)
    )
    assert torch.equal(never, some.images)
    assert torch.equal(always[:, :, 2:], some.images[:, :, 2:])
    corners = {tuple(corner.flatten().tolist()) for corner in alignment.images[:20, 0, :2, :2]}
    assert all(tuple(corner.flatten().tolist()) in corners for corner in always[:, 0, :2, :2])


def test_the_loss_of_a_batch_is_the_cross_entropy_of_its_images_and_the_penalty() -> None:
    model = network().eval()
    images, labels, _ = shortcut(6, seed=5, spurious_tells=True)
    alignment = aligned()
    changed = counterfactual.inpaint(alignment.images, alignment.masks)
    batch = realignment._Batch(images, labels, alignment, changed)
    plain, penalty, _ = realignment._losses(model, batch, replace(SETTINGS, strength=3.0), 1.0)
    both = nn.functional.cross_entropy(
        model(torch.cat([images, alignment.images])), torch.cat([labels, alignment.labels])
    )
    expected = losses.counterfactual_penalty(model(alignment.images), model(changed), alignment.labels, 0.5)
    torch.testing.assert_close(penalty, 3 * expected)
    torch.testing.assert_close(plain, both)


def test_normalised_rrr_starts_at_its_strength() -> None:
    settings = replace(SETTINGS, loss="normalised_rrr", learning_rate=0.0)
    model, alignment = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), aligned()
    figures: list[EpochFigures] = []
    run(model, settings, realignment.start(model, settings), 1, alignment, figures)
    # Every batch's penalty counts for the whole batch, and the alignment images differ between batches a little.
    assert figures[0].penalty == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_in_parts_takes_the_step_of_the_whole_batch(loss: realignment.Loss) -> None:
    whole = replace(SETTINGS, loss=loss)
    figures: list[EpochFigures] = []
    # Without batch norm and dropout, which see the parts.
    states = []
    for settings in (whole, replace(whole, images_at_once=5)):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)).double()
        images, labels, masks = shortcut(30, seed=2, spurious_tells=True)
        alignment = AlignmentImages(images.double(), labels, masks.double())
        ordinary, their_labels, _ = shortcut(50, seed=1, spurious_tells=True)
        states.append(
            realignment.realign(
                model,
                realignment.start(model, settings),
                (ordinary.double(), their_labels),
                alignment,
                settings,
                seed=3,
                device="cpu",
                epochs=2,
                on_epoch=figures.append,
            )
        )
    # Only the scores pass through single precision.
    for name, value in states[0].model.items():
        torch.testing.assert_close(states[1].model[name], value, rtol=1e-3, atol=1e-5)
    assert figures[2].loss == pytest.approx(figures[0].loss, rel=1e-4)
    assert figures[3].accuracy == pytest.approx(figures[1].accuracy)


def test_no_part_holds_more_images_than_asked_and_together_they_are_the_batch() -> None:
    images, labels, _ = shortcut(11, seed=5, spurious_tells=True)
    alignment = aligned()
    batch = realignment._Batch(images, labels, alignment, alignment.images)
    parts = batch.parts(8)
    assert all(part.size + len(part.aligned.labels) <= 8 for part in parts)
    assert torch.equal(torch.cat([part.images for part in parts]), images)
    assert torch.equal(torch.cat([part.aligned.masks for part in parts]), alignment.masks)
    assert batch.parts(None) == [batch]


@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16_changes_the_steps_by_little_and_leaves_the_weights_in_single_precision(
    loss: realignment.Loss,
) -> None:
    exact, coarse = (replace(SETTINGS, loss=loss, precision=each) for each in ("float32", "bfloat16"))
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    one = run(model, exact, realignment.start(model, exact), 1, aligned())
    model.load_state_dict(before)
    other = run(model, coarse, realignment.start(model, coarse), 1, aligned())
    weights = one.model["0.weight"], other.model["0.weight"]
    assert other.model["0.weight"].dtype == torch.float32
    assert 0 < (weights[0] - weights[1]).abs().max() < (weights[0] - before["0.weight"]).abs().max()


@pytest.mark.parametrize("loss", LOSSES)
def test_every_tensor_of_a_batch_is_where_the_model_is(loss: realignment.Loss) -> None:
    """On ``meta``, which stands for a GPU: an operation between two devices would raise."""
    settings = replace(SETTINGS, loss=loss)
    model = network().to("meta", memory_format=torch.channels_last)
    images, labels, _ = shortcut(20, seed=5, spurious_tells=True)
    alignment = aligned()
    changed = counterfactual.inpaint(alignment.images, alignment.masks) if loss == "consistency" else None
    batch = realignment._Batch(images, labels, alignment, changed)
    for part in batch.parts(16):
        found = realignment._losses(model, part.to("meta"), settings, 1.0)
        assert {each.device.type for each in found} == {"meta"}
        sum(found[:2], torch.zeros((), device="meta")).backward()  # type: ignore[no-untyped-call]


def test_training_is_repeatable_and_leaves_torchs_switches_as_they_were() -> None:
    seen: list[bool] = []

    class Asks(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(torch.are_deterministic_algorithms_enabled())
            return images

    model = nn.Sequential(Asks(), network())
    run(model, SETTINGS, realignment.start(model, SETTINGS), 1, aligned())
    assert all(seen)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="runs on a machine with a CUDA device")
def test_a_state_from_the_gpu_goes_on_on_the_cpu() -> None:
    images, labels, _ = shortcut(90, seed=1, spurious_tells=True)
    model = network()
    state = realignment.realign(
        model,
        realignment.start(model, SETTINGS),
        (images, labels),
        aligned(),
        SETTINGS,
        seed=3,
        device="cuda",
        epochs=2,
    )
    assert all(value.device.type == "cpu" for value in state.model.values())
    assert run(network(), SETTINGS, state, 2, aligned()).epoch == 4


@pytest.mark.skipif(not torch.cuda.is_available(), reason="runs on a machine with a CUDA device")
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gpu_gives_the_same_bits_twice(loss: realignment.Loss) -> None:
    settings = replace(SETTINGS, loss=loss)
    images, labels, _ = shortcut(90, seed=1, spurious_tells=True)
    states = []
    for _ in range(2):
        model = network().to(memory_format=torch.channels_last)
        start = realignment.start(model, settings)
        states.append(
            realignment.realign(model, start, (images, labels), aligned(), settings, seed=3, device="cuda", epochs=2)
        )
    assert all(torch.equal(value, states[1].model[name]) for name, value in states[0].model.items())
