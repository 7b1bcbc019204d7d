from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from worker.benchmarks.form import over_seeds
from worker.lvlm import Answer
from worker.lvlm.embedded import wording
from worker.lvlm.embedded.calibration import Judged, calibrate, echoing
from worker.lvlm.embedded.card import ROWS, write_card
from worker.lvlm.embedded.measure import HANDWRITTEN, Found, calibration_error, real_scenes, scores
from worker.method.judge import Verdict


def found(truth: str, said: str, p: float = 0.5) -> Found:
    return Found(truth, Verdict(said, p, ""))


def test_scores_count_an_uncertain_verdict_as_wrong_and_balance_the_two_truths() -> None:
    every = [found("spurious", "spurious"), found("spurious", "uncertain")]
    every += [found("relevant", "relevant")] * 7 + [found("relevant", "spurious")]
    assert scores(every) == pytest.approx(
        {
            "accuracy": 8 / 10,
            "balanced": (1 / 2 + 7 / 8) / 2,
            "accuracy_where_decided": 8 / 9,
            "uncertain": 1 / 10,
            "none_spurious": 8 / 10,
        }
    )


def test_the_calibration_error_is_the_mean_gap_over_bins_as_by_hand() -> None:
    every = [
        found("spurious", "spurious", 0.95),
        found("relevant", "spurious", 0.93),
        found("relevant", "relevant", 0.1),
    ]
    # In the last bin the mean probability is 0.94 and the share 0.5, for two of three; in the other they are 0.1 and 0.
    assert calibration_error(every) == pytest.approx((2 * abs(0.94 - 0.5) + abs(0.1 - 0)) / 3)


def test_real_scenes_are_real_digits_with_the_clusters_that_an_analysis_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.lvlm.embedded.measure.EPOCHS", 2)
    scenes = real_scenes(20, seed=0)
    assert sorted(scene.label for scene in scenes) == sorted([*range(10)] * 2)
    assert all(len(scene.square) == 5 and scene.square_pixels.sum() == 16 for scene in scenes)
    assert any(max(scene.square) >= 0.5 for scene in scenes)


def test_the_handwritten_specifications_hold_both_polarities_and_none_was_made_by_the_generator() -> None:
    square = [status["square"] for _, _, status in HANDWRITTEN]
    assert 0.3 <= square.count("spurious") / len(square) <= 0.7
    generator = np.random.default_rng(0)
    made = {wording.specify(3, generator).specification.relevant for _ in range(2000)}
    assert not made & {relevant for relevant, _, _ in HANDWRITTEN}


class Overconfident:
    """Says spurious at 0.99 every time; three of four times that is true."""

    name = "overconfident"

    def ask(self, conversations: list, *, max_tokens: int = 256, choices: tuple[str, ...] = ()) -> list[Answer]:
        return [Answer("spurious", {"spurious": 0.99, "relevant": 0.01}) for _ in conversations]


def test_the_temperature_brings_the_probability_to_the_share_that_is_right() -> None:
    rows = [Judged((), "spurious")] * 75 + [Judged((), "relevant")] * 25
    temperature = calibrate(Overconfident(), rows)
    odds = np.log(0.99 / 0.01) / temperature
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(0.75, abs=0.01)
    assert calibrate(Overconfident(), []) == 1.0


def test_echoing_teaches_the_truth_on_the_critics_own_words() -> None:
    lesson = echoing([Judged((), "relevant")])(None, 0, np.random.default_rng(0))
    assert ([piece.text for piece in lesson.answer], lesson.scene) == (["relevant"], None)


def test_the_card_tells_every_figure_with_its_range_and_the_size_of_the_model(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000, 2000), "b": torch.zeros(500_000)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"choice_temperature": 1.25}')
    names = [*ROWS, "images", "clusters"]
    figures = over_seeds([dict.fromkeys(names, 10.0 + seed) for seed in range(3)])
    text = " ".join(write_card(tmp_path, figures).read_text().split())
    assert "2.5 million parameters" in text
    assert "1.25" in text
    assert "33 images and 33 clusters" in text
    assert all(f"| {words} | 11.000 | 10.000 to 12.000 |" in text for words in ROWS.values())
