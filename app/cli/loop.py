"""The loop from the command line: analyse, specify, critique, realign, evaluate, compare."""

import json
from pathlib import Path
from typing import Annotated, Any, cast, get_args
from uuid import UUID

import typer
from sqlalchemy import select

from app.cli.bringing import ProjectName
from app.cli.finding import (
    acting_user,
    checkpoint_numbered,
    class_id_named,
    newest_analysis,
    newest_critique,
    newest_specification,
    project_named,
    ready_database,
)
from app.cli.output import CommandError, Json, percent, show, show_table
from app.cli.waiting import do, follow
from app.db import reading, transaction
from app.decisions.queries import Comparison
from app.decisions.queries import compare as compare_with_parent
from app.models import Kind, Project, Report, Run, Source, State, TargetClass, VerdictValue
from app.models.figures import Estimate, Figures
from app.models.summary import SHORT
from app.projects import queries
from app.review.standing import standings
from app.runs.parameters import (
    BAR,
    AcceptanceBar,
    AnalysisParameters,
    EntryText,
    EvaluationParameters,
    Loss,
    RealignmentParameters,
    Strategy,
)
from app.runs.queries import runs_on
from app.specifications.actions import PASSES, THRESHOLDS, save_version, start_critique
from app.trust.lock import LockedError

As = Annotated[str, typer.Option("--as", help="Account in whose name this is done; empty: the oldest admin.")]
Number = Annotated[int, typer.Option("--checkpoint", help="Its number in the project; 0: the current one.")]


def one_of(value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise CommandError(f"{value} is none of {', '.join(choices)}.")
    return value


def analyse(
    project: ProjectName,
    checkpoint: Number = 0,
    count: Annotated[int, typer.Option(help="Images to explain.")] = 200,
    strategy: Annotated[str, typer.Option(help=" | ".join(get_args(Strategy)))] = "low_entropy_per_class",
    components: Annotated[int, typer.Option(help="Clusters an image, 1 to 6.")] = 5,
    sharpening: Annotated[float, typer.Option(help="Above 1 small objects stand out more.")] = 1.0,
    support: Annotated[float, typer.Option(help="Share of a cluster's evidence that its pixels carry.")] = 0.95,
    choose: Annotated[bool, typer.Option("--choose", help="Let the system choose these three instead.")] = False,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Explain a checkpoint: what it looks at, per class, in sentences."""
    ready_database()
    with reading() as session:
        found = project_named(session, project)
        parameters = AnalysisParameters(
            checkpoint_id=checkpoint_numbered(session, found, checkpoint).id,
            count=count,
            strategy=cast("Strategy", one_of(strategy, get_args(Strategy))),
            components=None if choose else components,
            sharpening=None if choose else sharpening,
            support=None if choose else support,
            seed=seed,
        )
    run = do(found.id, parameters, quiet=as_json)
    whole = {name: part for name, part in run.result.items() if name != SHORT}
    show({"run": str(run.id), **whole}, as_json, *sentences(whole))


def sentences(result: dict[str, Any]) -> list[str]:
    """What stands on the Behaviour page, class by class."""
    return [text_of(sentence) for told in result.get("summaries", {}).values() for sentence in told["sentences"]]


def text_of(sentence: dict[str, Any]) -> str:
    return "".join(part["text"] for part in sentence["parts"])


def specify(
    project: ProjectName,
    file: Annotated[Path | None, typer.Option(help='JSON: {"class": {"ignore", "use", "notes"}}.')] = None,
    ignore: Annotated[str, typer.Option(help="For all classes: what the model should ignore.")] = "",
    use: Annotated[str, typer.Option(help="For all classes: what the model should use.")] = "",
    reason: Annotated[str, typer.Option(help="Why this version.")] = "",
    acting: As = "",
    as_json: Json = False,
) -> None:
    """Write the next version of the specification."""
    ready_database()
    with transaction() as session:
        found = project_named(session, project)
        user = acting_user(session, acting)
        if file is not None:
            entries = entries_in(file, {target.name: class_id_named(found, target.name) for target in found.classes})
        elif ignore or use:
            entries = [EntryText(class_id=target.id, spurious=ignore, relevant=use) for target in found.classes]
        else:
            raise CommandError("Say what to ignore or use: --ignore, --use, or --file.")
        version = save_version(session, found, user, entries, reason).version
    show({"project": project, "version": version}, as_json, f"Specification {version} of project {project} stands.")


def entries_in(file: Path, classes: dict[str, Any]) -> list[EntryText]:
    try:
        given: dict[str, dict[str, str]] = json.loads(file.read_text())
        unknown = set(given) - set(classes)
        if unknown:
            raise CommandError(f"The project has no class {', '.join(sorted(unknown))}.")
        return [
            EntryText(
                class_id=class_id,
                spurious=given.get(name, {}).get("ignore", ""),
                relevant=given.get(name, {}).get("use", ""),
                notes=given.get(name, {}).get("notes", ""),
            )
            for name, class_id in classes.items()
        ]
    except (OSError, ValueError, AttributeError) as error:
        raise CommandError(f"{file} can't be read as a specification: {error}.") from error


def critique(
    project: ProjectName,
    passes: Annotated[int, typer.Option(help="How often each image is asked about, 1 to 5.", min=1, max=5)] = PASSES,
    uncertain_from: Annotated[float, typer.Option(help="Up to this P(spurious): relevant.")] = THRESHOLDS[0],
    uncertain_to: Annotated[float, typer.Option(help="From this P(spurious) on: spurious.")] = THRESHOLDS[1],
    acting: As = "",
    as_json: Json = False,
) -> None:
    """Ask critic and judge about every cluster of the newest analysis under the newest specification."""
    if not 0 <= uncertain_from <= uncertain_to <= 1:
        raise CommandError("Verdicts are uncertain between two probabilities, the lower one first.")
    ready_database()
    with transaction() as session:
        found = project_named(session, project)
        analysis, version = newest_analysis(session, found), newest_specification(session, found)
        user, thresholds = acting_user(session, acting), (uncertain_from, uncertain_to)
        run_id = start_critique(session, found, user, analysis, version, passes=passes, thresholds=thresholds).id
    run = follow(run_id, quiet=as_json)
    follow_consensus(run.id, quiet=as_json)
    with reading() as session:
        found_standing = standings(session, run.id)
    values, sources = [each.value for each in found_standing], [each.source for each in found_standing]
    counted = {value.value: values.count(value) for value in VerdictValue}
    by_source = {source.value: sources.count(source) for source in Source}
    told = ", ".join(f"{count} {value}" for value, count in counted.items())
    whose = (
        f"{by_source['review']} by people, {by_source['probe']} by similar clusters, {by_source['judge']} by the judge"
    )
    document = {"run": str(run.id), "clusters": len(values), **counted, "by": by_source}
    show(document, as_json, f"{len(values)} clusters: {told}; {whose}.")


def follow_consensus(critique_id: UUID, quiet: bool, *, through_queue: bool = False) -> None:
    """Waits for the consensus that follows a critique by itself, so that what is done next goes by it."""
    with reading() as session:
        of_it = runs_on(critique_id, Kind.CONSENSUS).where(Run.state.in_([State.QUEUED, State.RUNNING]))
        under_way = session.scalar(of_it.with_only_columns(Run.id).limit(1))
    if under_way is not None:
        follow(under_way, quiet, through_queue=through_queue)


def realign(
    project: ProjectName,
    loss: Annotated[str, typer.Option(help=" | ".join(get_args(Loss)))] = "consistency",
    epochs: int = 10,
    learning_rate: Annotated[float | None, typer.Option(help="Empty: the method's default.")] = None,
    strength: Annotated[float | None, typer.Option(help="Lambda; empty: the method's default.")] = None,
    consistency: Annotated[float | None, typer.Option(help="Weight of equal logits; empty: the default.")] = None,
    balanced: Annotated[bool, typer.Option(help="Show every class equally often; draw the line so.")] = False,
    control: Annotated[bool, typer.Option(help="Train once more without correction, to compare with.")] = True,
    worst_group_rises: float = BAR.worst_group_rises,
    accuracy_falls_at_most: float = BAR.accuracy_falls_at_most,
    group_falls_at_most: float = BAR.group_falls_at_most,
    agreement_rises: Annotated[
        float | None, typer.Option(help="Of answers with and without the spurious clusters.")
    ] = BAR.agreement_rises,
    answers_flip_at_most: float = BAR.answers_flip_at_most,
    owed_at_most: Annotated[
        float | None, typer.Option(help="Of answers owed to the spurious clusters alone, so many may go besides.")
    ] = BAR.owed_at_most,
    seed: int = 0,
    override: Annotated[str, typer.Option(help="Why to realign under the project's trust bar; kept and shown.")] = "",
    acting: As = "",
    as_json: Json = False,
) -> None:
    """Fine-tune the checkpoint to answer without what stands as spurious."""
    ready_database()
    with reading() as session:
        found = project_named(session, project)
        user = acting_user(session, acting) if acting or override else None
        parameters = RealignmentParameters(
            critique_id=newest_critique(session, found).id,
            loss=cast("Loss", one_of(loss, get_args(Loss))),
            epochs=epochs,
            learning_rate=learning_rate,
            strength=strength,
            consistency=consistency,
            balanced=balanced,
            control=control,
            bar=AcceptanceBar(
                worst_group_rises=worst_group_rises,
                accuracy_falls_at_most=accuracy_falls_at_most,
                group_falls_at_most=group_falls_at_most,
                agreement_rises=agreement_rises,
                answers_flip_at_most=answers_flip_at_most,
                owed_at_most=owed_at_most,
            ),
            seed=seed,
            override=override.strip(),
        )
    try:
        run = do(found.id, parameters, quiet=as_json, user_id=user.id if user else None)
    except LockedError as error:
        raise CommandError(f"{error} See: rightreasons trust. An owner may say why: --override.") from error
    show({"run": str(run.id), **run.result}, as_json, "The realigned checkpoint stands; see: rightreasons compare.")


def evaluate(project: ProjectName, checkpoint: Number = 0, as_json: Json = False) -> None:
    """Measure a checkpoint anew on validation and test images."""
    ready_database()
    with reading() as session:
        found = project_named(session, project)
        chosen = checkpoint_numbered(session, found, checkpoint)
        newest = queries.newest_critique(session, found)
        parameters = EvaluationParameters(checkpoint_ids=(chosen.id,), critique_id=newest.id if newest else None)
    run = do(found.id, parameters, quiet=as_json)
    with reading() as session:
        reports = session.scalars(select(Report).where(Report.run_id == run.id).order_by(Report.split))
        figures = {report.split.value: report.figures for report in reports}
    show({"run": str(run.id), "checkpoint": chosen.number, "reports": figures}, as_json)
    if not as_json:
        for split, given in figures.items():
            show_table(f"Checkpoint {chosen.number}, {split}", ("figure", "value"), lines_of(Figures(**given)))


def compare(project: ProjectName, as_json: Json = False) -> None:
    """Before and after the newest realignment, with the control: on test images, without any on validation images."""
    ready_database()
    comparison = newest_comparison(project)
    show(as_document(comparison), as_json)
    if not as_json:
        show_comparison(project, comparison)


def newest_comparison(project: str) -> Comparison:
    with reading() as session:
        found = project_named(session, project)
        realignment = queries.newest_realignment(session, found)
        after = queries.realigned_checkpoint(session, realignment) if realignment else None
        if realignment is None or after is None or after.parent_id is None:
            raise CommandError("Nothing has been realigned yet: rightreasons realign.")
        comparison = compare_with_parent(session, after)
    if not comparison.is_measured:
        raise CommandError("The project has neither test nor validation images to compare on.")
    return comparison


def columns_of(comparison: Comparison) -> dict[str, Figures]:
    measured = {
        "before": comparison.measured_before,
        "control": comparison.measured_control,
        "after": comparison.measured_after,
    }
    return {name: each.figures for name, each in measured.items() if each is not None}


def as_document(comparison: Comparison) -> dict[str, Any]:
    columns = {name: figures.model_dump(mode="json") for name, figures in columns_of(comparison).items()}
    trust = {"trust": comparison.trust.model_dump(mode="json")} if comparison.trust else {}
    return {"split": comparison.split.value, **columns, **trust}


def show_comparison(project: str, comparison: Comparison) -> None:
    columns = columns_of(comparison)
    by_column = [dict(lines_of(figures)) for figures in columns.values()]
    rows = [(name, *(column.get(name, "–") for column in by_column)) for name in by_column[0]]
    show_table(f"{project}: {comparison.split.value} images", ("figure", *columns), rows)
    trust = comparison.trust
    if trust and trust.override:
        print(
            f"Started all the same by {trust.overridden_by}: {trust.override} "
            f"What was missing: {' '.join([trust.locked, *trust.doubts]).strip()}"
        )


def lines_of(figures: Figures) -> list[tuple[str, str]]:
    """Every figure with its interval and its n."""
    settled = [(f"answers that flip: {s.operation} ({s.regions})", told(s.flipped)) for s in figures.settling]
    return [
        ("accuracy", told(figures.accuracy)),
        ("worst group", told(figures.worst_group)),
        ("average of groups", told(figures.average_of_groups)),
        ("attribution off the true spurious mask", told(figures.mu_align)),
        ("evidence on spurious clusters", told(figures.evidence_on_spurious)),
        ("evidence on relevant clusters", told(figures.evidence_on_relevant)),
        ("evidence outside every cluster", told(figures.evidence_outside)),
        *settled,
    ]


def told(estimate: Estimate) -> str:
    if estimate.value is None:
        return estimate.missing or "–"
    interval = f" ({percent(estimate.low)} to {percent(estimate.high)})" if estimate.low is not None else ""
    return f"{percent(estimate.value)}{interval}, n {estimate.n}"


def list_projects(as_json: Json = False) -> None:
    """List the projects and where each stands in the loop."""
    ready_database()
    with reading() as session:
        found: list[dict[str, Any]] = []
        names = session.scalars(select(Project.name).where(Project.draft.is_(None)).order_by(Project.name)).all()
        for name in names:
            project = project_named(session, name)
            state = queries.loop_state(session, project)
            classes = session.scalars(select(TargetClass.name).where(TargetClass.project_id == project.id)).all()
            found.append({"name": name, "classes": list(classes), "step": state.current.value})
    show(found, as_json, *(f"{each['name']}: {each['step']}" for each in found))
