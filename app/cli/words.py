"""The LVLM: which one a project uses, and training and measuring the one that is shipped."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.bringing import ProjectName
from app.cli.finding import project_named, ready_database
from app.cli.output import CommandError, Json, show
from app.config import settings
from app.db import transaction
from app.models import Project

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
    from worker.lvlm import leaves_this_machine

    ready_database()
    host = leaves_this_machine(spec)
    if host and host not in settings().allowed_hosts:
        raise CommandError(
            f"Images would leave this machine for {host}, which is not allowed. "
            "The person who runs the server may add it to RIGHTREASONS_LVLM_HOSTS."
        )
    if spec not in {"none", "embedded"} and not spec.startswith(("transformers:", "openai:")):
        raise CommandError(f"{spec} is none of: none, embedded, transformers:FOLDER-OR-NAME, openai:MODEL@URL.")
    with transaction() as session:
        session.get_one(Project, project_named(session, project).id).lvlm = spec
    show({"project": project, "lvlm": spec}, as_json, f"Project {project} now asks: {spec}.")


@words.command("train")
def train(
    out: Annotated[Path, typer.Option(help="Folder for the weights.")] = Path("build/lvlm"),
    minutes: Annotated[float, typer.Option(help="Length of the training, about 60 at most.")] = 50.0,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Train the small embedded LVLM for the digits, from pictures of our own making."""
    from worker.lvlm.embedded.train import train as train_lvlm

    train_lvlm(out, minutes, seed)
    show({"folder": str(out)}, as_json, f"The weights are in {out}; measure them: rightreasons lvlm measure {out}.")


@words.command("measure")
def measure(
    folder: Annotated[Path | None, typer.Argument(help="Weights; empty: the shipped ones.")] = None,
    seeds: int = 3,
    as_json: Json = False,
) -> None:
    """Measure it on real clusters of real digits that it has never seen."""
    from worker.lvlm import WEIGHTS
    from worker.lvlm.embedded.measure import measure as measure_lvlm

    figures = measure_lvlm(folder or WEIGHTS, seeds)
    show(figures, as_json, *(f"{name}: {value}" for name, value in figures.items()))
