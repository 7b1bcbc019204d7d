"""The audit log from the command line: is its chain whole, and the log as a file."""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from app.audit import chain, export
from app.audit.actions import note_check, note_export
from app.cli.finding import ready_database
from app.cli.output import CommandError, Json, show
from app.db import reading

auditing = typer.Typer(help="The audit log: verify its chain, or export it.", no_args_is_help=True)
PORTION = 5000


@auditing.command("verify")
def verify(
    head: Annotated[str, typer.Option(help="A hash noted at an earlier check: is it in the log still?")] = "",
    as_json: Json = False,
) -> None:
    """Check every entry of the audit log; tells the first that is broken, and exits with 1 where one is."""
    ready_database()
    checked = checked_chain()
    note_check(checked)
    found: dict[str, str | int | None] = {"entries": checked.last.number, "head": checked.last.hash}
    if checked.broken:
        found["broken"] = checked.number
        raise CommandError(f"{checked.broken} The {checked.last.number:,} entries before are as written.", found)
    kept = head.strip().lower()
    if kept:
        with reading() as session:
            found["kept"] = chain.number_of(session, kept)
        if found["kept"] is None:
            told = "its end was cut off, or all of it was written anew, since the hash was noted"
            raise CommandError(f"No entry of the log has that hash: {told}; or the hash is not complete.", found)
    show(
        found,
        as_json,
        f"The chain is whole: each of the {checked.last.number:,} entries follows from the one before it.",
        *([f"The hash that was noted is that of entry {found['kept']:,}."] if kept else []),
        f"Its head is {checked.last.hash}",
        "Note it elsewhere: with --head it shows later whether the end was cut off.",
    )


def checked_chain() -> chain.Checked:
    """In portions with a session each, so that a long log fills no memory and holds up nobody."""
    checked = chain.Checked(chain.Link(), done=False)
    while not checked.done:
        with reading() as session:
            checked = chain.follow(session, checked.last, PORTION)
    return checked


@auditing.command("export")
def export_log(file: Annotated[Path, typer.Argument(help="One JSON document a line.")], as_json: Json = False) -> None:
    """Write the whole audit log into a file, the oldest entry first; the export is in the log, too."""
    ready_database()
    note_export("audit_entry", file=str(file))
    draft = file.with_name(f"{file.name}.{uuid4().hex}")
    count = 0
    try:
        with draft.open("w", encoding="ascii") as target:
            for line in export.lines():
                target.write(line)
                count += 1
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    show({"file": str(file), "entries": count}, as_json, f"{count:,} entries are in {file}.")
