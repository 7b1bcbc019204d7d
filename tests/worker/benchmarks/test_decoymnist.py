import re
from collections.abc import Sequence

import pytest
import torch

from worker import lvlm
from worker.benchmarks import decoymnist
from worker.benchmarks.form import BenchmarkOptions
from worker.lvlm import Answer, Conversation

ARMS = ("original", "control", "true_masks", "oracle", "oracle_13", "lvlm", "plain_rrr", "normalised_rrr")


class Careless:
    """Calls the first cluster of every image spurious and the others relevant."""

    name = "careless"

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        return [self._answer(conversation[-1].text, choices) for conversation in conversations]

    def _answer(self, text: str, choices: tuple[str, ...]) -> Answer:
        if choices:
            critique = text.rsplit("Critic: ", 1)[1]
            p = 0.9 if "first" in critique else 0.1
            return Answer("spurious" if p > 0.5 else "relevant", {"spurious": p, "relevant": 1 - p})
        numbers = re.findall(r"(\d+) (?:blue|orange|purple|light blue|green|yellow)", text)
        return Answer("\n".join(f"{number}: {'first' if number == '1' else 'later'}" for number in numbers))


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lvlm, "load", lambda _: Careless())


@pytest.mark.usefixtures("careless")
def test_a_quick_run_has_every_figure_of_every_arm() -> None:
    found = {figure.name: figure.value for figure in decoymnist.measure(BenchmarkOptions(seeds=1, quick=True))}
    assert set(found) == {
        *(f"decoymnist.{arm}.{figure}" for arm in ARMS for figure in ("accuracy", "mu_align")),
        *(f"decoymnist.verdicts.{name}" for name in ("accuracy", "balanced", "always_core_relevant", "uncertain")),
        *(f"decoymnist.sampling.{name}" for name in decoymnist.STRATEGIES),
    }
    assert all(0 <= value <= 1 for value in found.values())


def test_without_the_embedded_lvlm_every_other_arm_is_measured_and_that_is_said(monkeypatch, capsys) -> None:
    def missing(spec: str) -> lvlm.LVLM:
        raise lvlm.LVLMError(f"There are no weights for {spec}.")

    monkeypatch.setattr(lvlm, "load", missing)
    found = {figure.name for figure in decoymnist.measure(BenchmarkOptions(seeds=1, quick=True))}
    assert {f"decoymnist.{arm}.accuracy" for arm in ARMS if arm != "lvlm"} < found
    assert not any("lvlm" in name or "verdicts" in name for name in found)
    assert "There are no weights for embedded." in capsys.readouterr().out


@pytest.mark.usefixtures("careless")
def test_verdicts_are_counted_over_the_clusters_that_are_shown() -> None:
    sizes = decoymnist._Sizes(training=300, aligned=12, sampled=10, tested=10, epochs=0.1)
    training, _ = decoymnist.digits(0, sizes)
    model = decoymnist._trained(training, 0, sizes)
    explained = decoymnist.explain(model, training.take(torch.arange(12)), training.images[:5])
    gone = explained.clustering.assignment[0] == 1  # a cluster without a pixel: the numbers after it stay
    explained.clustering.assignment[0][gone] = -1
    explained.shown[0, 1] = False
    said, figures = decoymnist.lvlm_verdicts(lvlm.load(lvlm.EMBEDDED), explained)
    right, shown = 0, 0
    for image in range(12):
        for j in range(decoymnist.COMPONENTS):
            if explained.shown[image, j]:
                shown += 1
                right += bool(explained.spurious[image, j]) == (j == 0)
                assert bool(said[image, j]) == (j == 0)
    assert figures["decoymnist.verdicts.accuracy"] == pytest.approx(right / shown)
    assert figures["decoymnist.verdicts.uncertain"] == 0
    # Only the first cluster is ever called spurious: right for spurious ones that come first and others that do not.
    first = (torch.arange(decoymnist.COMPONENTS) == 0).expand(12, -1)[explained.shown]
    spurious = explained.spurious[explained.shown]
    sides = float(first[spurious].float().mean()), float((~first[~spurious]).float().mean())
    assert figures["decoymnist.verdicts.balanced"] == pytest.approx(sum(sides) / 2)
    assert sides[0] != pytest.approx(sides[1])


def test_training_and_test_digits_do_not_meet() -> None:
    sizes = decoymnist._Sizes()
    training, test = decoymnist.digits(1, sizes)
    assert (len(training.labels), len(test.labels)) == (4000, 1000)
    # Decoys aside, no digit is in both: compared where no corner is.
    inner = [set(map(bytes, part.images[:, 0, 4:24, 4:24].mul(255).byte().numpy())) for part in (training, test)]
    assert len(inner[0] & inner[1]) == 0
