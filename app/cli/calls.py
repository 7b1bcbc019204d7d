"""The log of what left this machine for an LVLM."""

from typing import Annotated

import typer
from sqlalchemy import select

from app.cli.bringing import ProjectName
from app.cli.finding import project_named, ready_database
from app.cli.output import Json, show, show_table
from app.db import reading
from app.models import LVLMCall, Run


def calls(
    project: ProjectName,
    last: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    as_json: Json = False,
) -> None:
    """List the calls of a project's LVLM that left this machine: when, to which host, for which run, how much."""
    ready_database()
    with reading() as session:
        mine = Run.project_id == project_named(session, project).id
        newest = select(LVLMCall, Run.kind).join(Run, Run.id == LVLMCall.run_id).where(mine)
        rows = session.execute(newest.order_by(LVLMCall.created_at.desc()).limit(last)).all()
    found = [
        {
            "at": call.created_at.isoformat(timespec="seconds"),
            "host": call.host,
            "run": str(call.run_id),
            "kind": kind.value,
            "images": call.images,
            "bytes": call.bytes,
        }
        for call, kind in rows
    ]
    nothing = [] if found else [f"No call of project {project} has left this machine."]
    show(found, as_json, *nothing)
    if found and not as_json:
        values = [tuple(map(str, row.values())) for row in found]
        show_table(f"{project}: calls, the newest first", tuple(found[0]), values)
