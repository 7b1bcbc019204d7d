"""Checking an LVLM on planted cases: of any that can be named, or of a project's own, which keeps what was found."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, cast

import typer
from sqlalchemy import select

from app.cli.finding import project_named, ready_database
from app.cli.output import CommandError, show_table
from app.cli.waiting import do
from app.db import reading
from app.languages.figures import estimate_in_words
from app.models import LVLMCheck
from app.models.check_figures import CheckFigures, DomainCheck
from app.projects.lvlm import EMBEDDED, LVLMNameError, usable_lvlm
from app.runs.parameters import CHECK_DOMAINS, CheckDomain, CheckParameters

MILLION = 1e6
AT_ONCE = 4  # planted pictures


def check(
    name: Annotated[str, typer.Argument(help="As for `lvlm use`; empty: the shipped one, or the project's.")] = "",
    project: Annotated[str, typer.Option(help="Check this project's LVLM, and keep what was found.")] = "",
    domain: Annotated[list[str] | None, typer.Option(help=" | ".join(CHECK_DOMAINS) + "; again for another.")] = None,
    cases: Annotated[int, typer.Option(help="Drawn pictures of each domain, each asked about in ten ways.")] = 12,
    seed: Annotated[int, typer.Option(help="Other pictures.")] = 0,
    price_in: Annotated[float, typer.Option(help="Of a million tokens read; for the cost.")] = 0.0,
    price_out: Annotated[float, typer.Option(help="Of a million tokens written.")] = 0.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Ask an LVLM about planted cases: does it look, does it listen, how right is it. Exits with 1 if it fails."""
    if unknown := set(domain or []) - set(CHECK_DOMAINS):
        raise CommandError(f"{', '.join(sorted(unknown))} is none of {', '.join(CHECK_DOMAINS)}.")
    if name and project:
        raise CommandError("Name an LVLM or a project, not both: a project's own LVLM is checked.")
    asked = cast("tuple[CheckDomain, ...]", tuple(domain or CHECK_DOMAINS))
    parameters = CheckParameters(domains=asked, cases=cases, seed=seed)
    figures, told = of_project(project, parameters) if project else of_lvlm(name or EMBEDDED, parameters)
    tell(figures, told, price_in, price_out)
    if json_file is not None:
        json_file.write_text(json.dumps({"lvlm": told, **figures.model_dump(mode="json")}, indent=2) + "\n")
    if not all(each.passed for each in figures.domains):
        raise typer.Exit(1)


def of_project(name: str, parameters: CheckParameters) -> tuple[CheckFigures, str]:
    ready_database()
    with reading() as session:
        found = project_named(session, name)
    run = do(found.id, parameters, quiet=False)
    with reading() as session:
        kept = session.scalars(select(LVLMCheck).where(LVLMCheck.run_id == run.id)).one()
    return CheckFigures.model_validate(kept.figures), kept.lvlm


def of_lvlm(name: str, parameters: CheckParameters) -> tuple[CheckFigures, str]:
    """Without a project nothing is stored, and only pictures of our own drawing are shown to anybody."""
    from worker.lvlm import LVLMError
    from worker.tasks.cases import loaded_lvlm
    from worker.tasks.check import checked

    try:
        spec = usable_lvlm(name)
        model = loaded_lvlm(spec)
        return checked(model, parameters, AT_ONCE, lambda done, total: typer.echo(f"{done} of {total}", err=True)), spec
    except (LVLMError, LVLMNameError) as error:
        raise CommandError(str(error)) from error


def tell(figures: CheckFigures, name: str, price_in: float, price_out: float) -> None:
    for each in figures.domains:
        show_table(f"{name}: {each.domain}", ("", "found", "enough is", ""), rows_of(each))
    took = f"{figures.images} images, {figures.seconds_an_image:.2f} seconds an image, judge included"
    print(f"{took}; {cost(figures, price_in, price_out)}.")
    for each in figures.domains:
        print(f"{each.domain}: {verdict_on(each)}")


def rows_of(each: DomainCheck) -> Sequence[tuple[str, str, str, str]]:
    signs = {None: "", True: "enough", False: "NOT ENOUGH"}
    return [(line.asks, estimate_in_words(line.figure), line.bar, signs[line.met]) for line in each.lines]


def verdict_on(each: DomainCheck) -> str:
    if each.passed:
        return "passed"
    return "NOT PASSED. " + "; ".join(line.asks for line in each.lines if line.met is False) + "."


def cost(figures: CheckFigures, price_in: float, price_out: float) -> str:
    if figures.tokens_read is None or figures.tokens_written is None:
        return "the LVLM does not tell how many tokens it took"
    told = f"{figures.tokens_read:,} tokens read, {figures.tokens_written:,} written"
    money = (figures.tokens_read * price_in + figures.tokens_written * price_out) / MILLION
    return f"{told}, {money:.4f} at your price" if price_in or price_out else told
