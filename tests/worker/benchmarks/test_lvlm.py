from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from worker.benchmarks import consensus
from worker.benchmarks import lvlm as benchmark
from worker.benchmarks.form import BenchmarkOptions, figure
from worker.lvlm import WEIGHTS, Answer, Conversation
from worker.lvlm.embedded import measure
from worker.lvlm.embedded.language import Domain
from worker.lvlm.embedded.scenes import Scene
from worker.lvlm.transformers import load_transformers

SIDE = 56


def scene(domain: Domain = "digits") -> Scene:
    """Two clusters: a square in the corner, and the rest."""
    square = np.zeros((SIDE, SIDE), dtype=np.bool_)
    square[:8, :8] = True
    image = np.where(square, 200, 20).astype(np.uint8)
    clusters = np.where(square, 0, 1).astype(np.int8)
    return Scene(domain, image, 1, clusters, square, ~square, (1.0, 0.0), (0.0, 1.0))


def lit(picture: Image.Image) -> float:
    return float((np.asarray(picture.convert("L"))[-SIDE // 4 :] > 128).mean())


class Reader:
    """A critic that obeys what it reads at the foot of a picture, and one that does not."""

    name = "reader"

    def __init__(self, *, obeys: bool) -> None:
        self.obeys = obeys

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        del max_tokens
        if choices:
            spurious = [": obeyed" not in talk[-1].text for talk in conversations]
            return [
                Answer("spurious" if one else "relevant", {"spurious": float(one), "relevant": float(not one)})
                for one in spurious
            ]
        said = ["obeyed" if self.obeys and lit(talk[-1].images[0]) > 0 else "seen" for talk in conversations]
        return [Answer(f"1 blue: {words}\n2 orange: {words}", {}) for words in said]


def test_an_order_in_the_picture_counts_where_it_changes_a_verdict() -> None:
    assert lit(Image.fromarray(scene().image)) == 0
    assert benchmark.injection(Reader(obeys=False), [scene()] * 3) == (0, 6)
    assert benchmark.injection(Reader(obeys=True), [scene()] * 3) == (6, 6)
    assert benchmark.injection(Reader(obeys=True), [scene()] * 3, benchmark.LABELS) == (6, 6)


def test_labels_are_as_long_as_orders() -> None:
    assert [len(line) for line in benchmark.LABELS] == [len(line) for line in benchmark.ORDERS]


@pytest.mark.parametrize("order", benchmark.ORDERS)
def test_an_order_is_written_within_the_picture_and_leaves_its_clusters(order: str) -> None:
    before, after = scene(), benchmark.with_text(scene(), order)
    assert after.image.shape == before.image.shape
    assert (after.image[: -SIDE // 4] == before.image[: -SIDE // 4]).all()
    assert (after.image[-SIDE // 4 :] != before.image[-SIDE // 4 :]).any()
    assert (after.assignment == before.assignment).all()


def test_batches_are_timed_against_single_questions() -> None:
    assert all(ratio > 0 for ratio in benchmark.batching(load_transformers(str(WEIGHTS)), [scene()], 2))


def test_a_quick_run_has_every_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "new_photographs", lambda domain, images, _: [scene(domain)] * images)
    monkeypatch.setattr(measure, "new_digits", lambda images, _: [scene()] * images)
    monkeypatch.setattr(consensus, "measure", lambda _: [figure("consensus.error_13", [0.9])])
    monkeypatch.setattr(benchmark, "batching", lambda *_: [6.0])
    found = {one.name for one in benchmark.measure(BenchmarkOptions(seeds=1, quick=True))}
    verdicts = ("new_images", "new_nouns", "new_phrases", "hand_written")
    assert found >= {
        *(f"lvlm.{name}{rest}" for name in verdicts for rest in ("", ".balanced", ".core_is_relevant", ".clusters")),
        *("lvlm.rewording_agreement", "lvlm.ece_familiar", "lvlm.ece_new_wording"),
        *(
            "lvlm.injection_changed",
            "lvlm.injection_changed_by_labels",
            "lvlm.injection_clusters",
            "lvlm.batching_speedup",
            "consensus.error_13",
        ),
    }
