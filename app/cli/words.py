"""The LVLM: which one a project uses, and training and measuring the one that is shipped."""

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app.cli.bringing import ProjectName
from app.cli.finding import project_named, ready_database
from app.cli.output import CommandError, Json, show
from app.config import settings
from app.db import transaction
from app.models import Project
from app.projects.lvlm import LVLMNameError, usable_lvlm

words = typer.Typer(
    help="The LVLM. A project's is none, embedded, transformers:FOLDER-OR-NAME or openai:MODEL@URL.",
    no_args_is_help=True,
)


@words.command("use")
def use(
    spec: Annotated[str, typer.Argument(help="none, embedded, transformers:... or openai:MODEL@URL")],
    project: ProjectName,
    as_json: Json = False,
) -> None:
    """Choose a project's critic and judge."""
    ready_database()
    try:
        name = usable_lvlm(spec)
    except LVLMNameError as error:
        raise CommandError(str(error)) from error
    with transaction() as session:
        session.get_one(Project, project_named(session, project).id).lvlm = name
    show({"project": project, "lvlm": name}, as_json, f"Project {project} now asks: {name}.")


@words.command("train")
def train(
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = Path("build/lvlm"),
    work: Annotated[Path | None, typer.Option(help="Folder for what a killed training goes on from.")] = None,
    minutes: Annotated[float, typer.Option(help="Length of the training once the pictures are drawn.")] = 75.0,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Train the small embedded LVLM from pictures of our own making; killed, the same command goes on."""
    from worker.lvlm.embedded.train import Plan
    from worker.lvlm.embedded.train import train as train_lvlm
    from worker.tasks.inputs import device

    on = device()
    loaders = 0 if on.type == "cpu" else max(1, (os.cpu_count() or 2) - 2)
    train_lvlm(out, Plan(minutes, seed, str(on), loaders=loaders), work=work)
    show({"folder": str(out)}, as_json, f"The weights are in {out}; measure them: rightreasons lvlm measure {out}.")


@words.command("measure")
def measure(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Weights, of one training or several; empty: the shipped ones.")
    ] = None,
    seeds: int = 3,
    card: Annotated[bool, typer.Option(help="Write the figures into the first folder's card.")] = False,
    work: Annotated[Path | None, typer.Option(help="Folder that keeps the pictures, for a second measurement.")] = None,
    as_json: Json = False,
) -> None:
    """Measure it on pictures, clusters and wordings that it has never seen; real pictures too if there are any."""
    from worker.benchmarks.form import Report, commit, machine
    from worker.benchmarks.form import show as show_report
    from worker.lvlm import WEIGHTS, LVLMError
    from worker.lvlm.embedded.card import write_card
    from worker.lvlm.embedded.measure import IMAGES
    from worker.lvlm.embedded.measure import measure as measure_lvlm
    from worker.lvlm.embedded.pool import real_sets

    began, sources = time.monotonic(), folders or [WEIGHTS]
    try:
        figures = measure_lvlm(sources, seeds, IMAGES, real_sets(settings().real_data), work)
    except LVLMError as error:
        raise CommandError(str(error)) from error
    written = [f"The card is {write_card(sources[0], figures, seeds, len(sources))}."] if card else []
    report = Report("lvlm", commit(), machine(), seeds, time.monotonic() - began, tuple(figures))
    if not as_json:
        show_report(report)
    show(asdict(report), as_json, *written)
