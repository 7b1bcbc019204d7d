"""The command `rightreasons`: errors are sentences, exit codes are right, every command has --json."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from app.accounts.actions import AccountError
from app.cli import (
    auditing,
    bringing,
    calls,
    checking,
    demo,
    doctor,
    loop,
    people,
    reliability,
    repeating,
    servers,
    trust,
    words,
)
from app.cli.output import CommandError, Json, show
from app.config import Settings
from app.projects.actions import ProjectError
from app.projects.lvlm import LVLMNameError
from app.storage import BlobMissingError

cli = typer.Typer(
    name="rightreasons",
    help="Make small vision models right for the right reasons. Research use; no medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli.command()(demo.demo)
cli.command()(servers.serve)
cli.command()(servers.web)
cli.command()(servers.worker)
cli.command()(servers.migrate)
cli.command()(doctor.doctor)
cli.command("projects")(loop.list_projects)
cli.command()(bringing.train)
cli.command()(loop.analyse)
cli.command()(loop.specify)
cli.command()(loop.critique)
cli.command()(reliability.reliability)
cli.command()(trust.trust)
cli.command()(loop.realign)
cli.command()(repeating.repeat)
cli.command()(loop.evaluate)
cli.command()(loop.compare)
cli.add_typer(bringing.brought, name="import")
cli.add_typer(people.people, name="user")
cli.add_typer(auditing.auditing, name="audit")
words.words.command("calls")(calls.calls)
words.words.command("check")(checking.check)
cli.add_typer(words.words, name="lvlm")


@cli.command()
def benchmark(
    name: Annotated[
        str, typer.Argument(help="alignment, artefacts, clustering, consensus, decoymnist, doubts, lvlm, pages.")
    ],
    seeds: Annotated[int, typer.Option(help="How many, from 0.")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
    sets: Annotated[str, typer.Option(help="alignment, artefacts, doubts: only these, with commas between.")] = "",
    arms: Annotated[str, typer.Option(help="alignment: only these, with commas between.")] = "",
    size: Annotated[int | None, typer.Option(help="alignment: of real pictures, in pixels a side.")] = None,
    work: Annotated[
        Path | None, typer.Option(help="alignment: folder for models and the LVLM's words; else build/alignment.")
    ] = None,
) -> None:
    """Measure the method or the pages; prints a table and writes the figures as JSON."""
    from worker.benchmarks import catalogue
    from worker.benchmarks.alignment.arms import UnknownArmError
    from worker.benchmarks.form import BenchmarkOptions

    options = BenchmarkOptions(seeds, sets=_listed(sets), arms=_listed(arms), size=size, work=work)
    try:
        catalogue.run(name, options, json_file)
    except (catalogue.UnknownBenchmarkError, catalogue.UnknownSetError, UnknownArmError) as error:
        raise CommandError(str(error)) from error


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


@cli.command()
def version(as_json: Json = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    show({"version": installed("rightreasons")}, as_json, installed("rightreasons"))


# Ours are sentences already; the others come from outside and are told as one.
TOLD = (
    CommandError,
    AccountError,
    ProjectError,
    LVLMNameError,
    BlobMissingError,
    ValidationError,
    SQLAlchemyError,
    OSError,
    ImportError,
)


def main() -> None:
    try:
        cli(standalone_mode=True)
    except TOLD as error:
        tell(error)
        sys.exit(2 if isinstance(error, ValidationError) else 1)  # 2 is also typer's: what was given can't be so


def tell(error: Exception) -> None:
    """A sentence on stderr, or with --json a document on stdout."""
    if "--json" in sys.argv:
        print(json.dumps({"error": sentence(error), **getattr(error, "details", {})}, indent=2, default=str))
    else:
        print(sentence(error), file=sys.stderr)


def sentence(error: Exception) -> str:
    match error:
        case ValidationError():
            return " ".join(mistakes(error))
        case SQLAlchemyError():
            return f"The database can't do this: {doctor.first_line(error)}. See: rightreasons doctor."
        case ImportError(name=str(name)):
            package = name.partition(".")[0]
            return f"This needs the package {package}; pip install '.[worker,lvlm,dev]' brings all that commands need."
        case OSError():
            return f"The system refused: {error}."
        case _:
            return str(error)


def mistakes(error: ValidationError) -> Iterator[str]:
    """Each with the option that it is about, or with the variable of the environment."""
    of_environment = error.title == Settings.__name__
    for each in error.errors():
        name = str(each["loc"][0]) if each["loc"] else ""
        option = f"RIGHTREASONS_{name.upper()}" if of_environment else f"--{name.replace('_', '-')}"
        yield (f"{option} {each['input']}: " if name else "") + f"{each['msg'].rstrip('.')}."
