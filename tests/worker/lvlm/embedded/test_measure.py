from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from worker.benchmarks.form import over_seeds
from worker.lvlm import Answer
from worker.lvlm.embedded import measure
from worker.lvlm.embedded.calibration import Judged, calibrate, echoing
from worker.lvlm.embedded.card import ROWS, write_card
from worker.lvlm.embedded.measure import FIRST_SEED, Found, Question, judged, new_scenes, scores, unsure_by
from worker.lvlm.embedded.pool import RealSet, read_real, real_sets
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.embedded.wording import specify, thing_of, verdict
from worker.method.critic import specification_text
from worker.method.judge import Verdict


def found(truth: str, said: str, p: float = 0.5, core: str = "relevant") -> Found:
    return Found(truth, Verdict(said, p, ""), core)


def test_scores_count_an_uncertain_verdict_as_wrong_and_balance_the_two_truths() -> None:
    every = [found("spurious", "spurious"), found("spurious", "uncertain")]
    every += [found("relevant", "relevant")] * 7 + [found("relevant", "spurious")]
    assert scores(every) == pytest.approx(
        {
            "accuracy": 8 / 10,
            "clusters": 10,
            "balanced": (1 / 2 + 7 / 8) / 2,
            "accuracy_where_decided": 8 / 9,
            "uncertain": 1 / 10,
            "none_spurious": 8 / 10,
            "core_is_relevant": 8 / 10,
        }
    )


def test_the_calibration_error_is_the_gap_between_what_was_said_and_what_is_true() -> None:
    """Half of those of which .9 is said are spurious."""
    every = [found("spurious", "spurious", 0.9), found("relevant", "spurious", 0.9)] * 50
    assert unsure_by(every) == pytest.approx(0.4)
    assert unsure_by([found("spurious", "spurious", 1.0)] * 50) == 0


@pytest.fixture(scope="module")
def scenes() -> list:
    return new_scenes(8, seed=3)


def test_the_pool_holds_every_domain_with_clusters_on_the_artefact(scenes: list) -> None:
    for domain in ("digits", "radiograph", "skin"):
        mine = [scene for scene in scenes if scene.domain == domain]
        assert len(mine) == 8
    assert any(max(scene.artefact) >= 0.5 for scene in scenes if scene.domain == "digits")


class Scripted:
    """A critic that repeats what it is told to say of each cluster, and a judge that reads the last word of it."""

    name = "scripted"

    def __init__(self, said: dict[str, list[str]]) -> None:
        self.said = said

    def ask(self, conversations: list, *, max_tokens: int = 256, choices: tuple[str, ...] = ()) -> list[Answer]:
        if choices:
            words = [
                talk[-1].text.split("Critic: ")[-1].split(". Verdict")[0].split("; ")[-1] for talk in conversations
            ]
            return [
                Answer(
                    word,
                    {"spurious": 1.0, "relevant": 0.0} if word == "spurious" else {"spurious": 0.0, "relevant": 1.0},
                )
                for word in words
            ]
        return [
            Answer("\n".join(self.said[talk[0].text.split("Specification.")[1].split("Steps")[0].strip()]))
            for talk in conversations
        ]


def test_verdicts_are_counted_against_where_the_evidence_lies(scenes: list) -> None:
    generator = np.random.default_rng(0)
    questions = [Question(scene, specify(scene.domain, scene.label, generator, "", ("both",))) for scene in scenes[:12]]
    said = {}
    for one in questions:
        text = specification_text(one.words.specification).removeprefix("Specification.").strip()
        numbers = [int(number) + 1 for number in np.unique(one.scene.assignment[one.scene.assignment >= 0])]
        said[text] = [f"{number}: x; {verdict(thing_of(one.scene, number), one.words)}" for number in numbers]
    every = [one for of in judged(Scripted(said), questions) for one in of]
    assert scores(every)["accuracy"] == 1.0
    turned = {
        text: [
            line.replace("relevant", "s").replace("spurious", "relevant").replace("; s", "; spurious") for line in lines
        ]
        for text, lines in said.items()
    }
    assert scores([one for of in judged(Scripted(turned), questions) for one in of])["accuracy"] == 0.0


def test_real_pictures_are_read_with_their_masks(tmp_path: Path) -> None:
    for name, value in (("a", 10), ("b", 200)):
        Image.fromarray(np.full((30, 20, 3), value, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    mask = np.zeros((30, 20), dtype=np.uint8)
    mask[:15] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    rows = [
        "path,label,split,spurious_mask",
        "a.png,benign,train,",
        "b.png,malignant,train,mask.png",
        "a.png,benign,test,",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    pictures = read_real(RealSet("lesions", "skin", tmp_path), 10)
    assert pictures.labels.tolist() == [0, 1]
    assert pictures.images.shape == (2, 10, 10, 3)
    assert pictures.artefact.sum(axis=(1, 2)).tolist() == [0, 50]
    assert (pictures.core == ~pictures.artefact).all()


def made(domain: str, label: int) -> Scene:
    pixels = np.arange(16).reshape(4, 4)
    return Scene(
        domain,
        pixels.astype(np.uint8),
        label,
        (pixels % 2).astype(np.int8),
        pixels < 2,
        pixels > 5,
        (1.0, 0.0),
        (0.0, 1.0),
    )


def test_real_sets_are_those_that_are_in_the_folder(tmp_path: Path) -> None:
    assert real_sets(tmp_path) == []
    (tmp_path / "knees").mkdir()
    (tmp_path / "knees" / "manifest.csv").touch()
    assert real_sets(tmp_path) == [RealSet("knees", "radiograph", tmp_path / "knees")]


def test_a_pool_is_drawn_once_and_then_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(domain: str, images: int, seed: int) -> list[Scene]:
        drawn.append(domain)
        return [made(domain, seed)] * images

    monkeypatch.setattr(measure, "new_photographs", draw)
    monkeypatch.setattr(measure, "new_digits", lambda images, seed: draw("digits", images, seed))
    first, again = (measure.pool(2, 5, (), tmp_path) for _ in range(2))
    assert sorted(drawn) == ["digits", "radiograph", "skin"]
    assert {name: [scene.label for scene in of_set] for name, of_set in again.items()} == {
        "digits": [5, 5],
        "radiograph": [5, 5],
        "skin": [5, 5],
    }
    assert (again["skin"][0].image == first["skin"][0].image).all()


class Overconfident:
    """Says spurious at 0.99 every time; three of four times that is true."""

    name = "overconfident"

    def ask(self, conversations: list, *, max_tokens: int = 256, choices: tuple[str, ...] = ()) -> list[Answer]:
        return [Answer("spurious", {"spurious": 0.99, "relevant": 0.01}) for _ in conversations]


def test_the_temperature_brings_the_probability_to_the_share_that_is_right() -> None:
    rows = [Judged((), 0.9, "spurious")] * 75 + [Judged((), 0.5, "relevant")] * 25
    open_ones = [Judged((), 0.5, "uncertain")] * 100
    temperature = calibrate(Overconfident(), [*rows, *open_ones])
    odds = np.log(0.99 / 0.01) / temperature
    assert 1 / (1 + np.exp(-odds)) == pytest.approx(0.75, abs=0.01)
    assert calibrate(Overconfident(), open_ones) == 1.0


def test_echoing_teaches_the_truth_on_the_critics_own_words() -> None:
    lesson = echoing([Judged((), 0.0, "relevant")])(None, 0, np.random.default_rng(0))
    assert ([piece.text for piece in lesson.answer], lesson.scene) == (["relevant"], None)


def test_the_card_tells_every_figure_with_its_range_and_the_size_of_the_model(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(1000, 2000), "b": torch.zeros(500_000)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"choice_temperature": 1.25, "trained_with": "--seed 3 --minutes 92"}')
    names = [*ROWS, "images", "clusters"]
    figures = over_seeds([dict.fromkeys(names, 10.0 + seed) for seed in range(3)])
    text = " ".join(write_card(tmp_path, figures, seeds=3).read_text().split())
    assert "2.5 million parameters" in text
    assert "1.25" in text
    assert "`rightreasons lvlm train --seed 3 --minutes 92 --out FOLDER`" in text
    assert "33 pictures (real MNIST" in text
    assert "and 33 clusters in 3 parts" in text
    assert "trained once; the range is over the 3 parts." in text
    assert all(f"| {words} | 11.000 | 10.000 to 12.000 |" in text for words in ROWS.values())


def test_the_card_of_one_measurement_shows_no_range(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(10)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"choice_temperature": 1.0}')
    figures = over_seeds([dict.fromkeys([*ROWS, "images", "clusters"], 10.0)])
    text = " ".join(write_card(tmp_path, figures, seeds=1).read_text().split())
    assert "10 clusters in one part, with networks" in text
    assert "measured on one part: there is no range." in text
    assert all(f"| {words} | 10.000 |" in text for words in ROWS.values())
    assert "10.000 to" not in text


def test_the_card_of_several_trainings_says_whose_range_it_shows(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(10)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"choice_temperature": 1.0}')
    figures = over_seeds([dict.fromkeys([*ROWS, "images", "clusters"], 10.0 + training) for training in range(3)])
    text = " ".join(write_card(tmp_path, figures, seeds=2, trainings=3).read_text().split())
    assert "22 pictures" in text
    assert "in 2 parts" in text
    assert "trained 3 times" in text


def test_several_trainings_are_measured_on_the_same_parts_and_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(measure, "load_transformers", lambda folder: SimpleNamespace(name=folder))
    monkeypatch.setattr(measure, "pool", lambda _, seed, *__: drawn.append(seed) or {})
    right = {("a", FIRST_SEED): 0.5, ("a", FIRST_SEED + 1): 0.7, ("b", FIRST_SEED): 0.8, ("b", FIRST_SEED + 1): 1.0}
    monkeypatch.setattr(measure, "measured", lambda lvlm, _, seed, __: {"new_images": right[lvlm.name, seed]})
    (several,) = measure.measure([Path("a"), Path("b")], seeds=2, report=lambda _: None)
    assert drawn == [FIRST_SEED, FIRST_SEED + 1]
    assert several.values == pytest.approx((0.6, 0.9))
    (once,) = measure.measure([Path("a")], seeds=2, report=lambda _: None)
    assert once.values == pytest.approx((0.5, 0.7))
