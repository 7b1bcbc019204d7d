"""The embedded LVLM that the repository ships."""

import socket

import pytest

from worker.lvlm import EMBEDDED, WEIGHTS, load
from worker.lvlm.embedded.measure import Question, described, judged, scores
from worker.lvlm.embedded.pool import new_digits
from worker.lvlm.embedded.wording import Status, Thing, Wording
from worker.method.critic import ClassSpecification

STROKES: dict[Thing, Status] = {"artefact": "spurious", "core": "relevant", "background": "unnamed"}
SQUARE: dict[Thing, Status] = {"artefact": "relevant", "core": "spurious", "background": "spurious"}
EITHER_WAY = (
    ("the strokes of the digit", "the small grey square in the corner", STROKES),
    ("the small grey square in the corner", "the strokes of the digit and the background around it", SQUARE),
)


def test_it_is_small_holds_no_pickle_and_has_its_card() -> None:
    files = {file.name: file for file in WEIGHTS.iterdir()}
    assert sum(file.stat().st_size for file in files.values()) <= 60e6
    assert {file.suffix for file in files.values()} <= {".safetensors", ".json", ".jinja", ".md"}
    assert "verdict accuracy" in files["README.md"].read_text(encoding="utf-8")


def test_without_a_network_it_reads_real_clusters_and_follows_the_specification_either_way_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("The embedded LVLM asked for the network.")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    lvlm = load(EMBEDDED)
    scenes = new_digits(40, seed=20)
    for relevant, spurious, status in EITHER_WAY:
        questions = [
            Question(scene, Wording(ClassSpecification(str(scene.label), relevant, spurious), status, "relevant"))
            for scene in scenes
        ]
        figures = scores([one for of in judged(lvlm, questions) for one in of])
        assert figures["accuracy"] > max(figures["none_spurious"], 1 - figures["none_spurious"])
        assert figures["balanced"] > 0.8
    words = described(lvlm, scenes)
    assert words["words.exact_thing"] > words["words.always_core"]
