"""What a command says: a table or sentences for people, one JSON document for programs."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


class CommandError(Exception):
    """Why a command can't do what it was asked, as a sentence."""

    def __init__(self, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.details = details or {}


def show(data: Any, as_json: bool, *lines: str) -> None:  # noqa: ANN401  whatever JSON can hold
    """Prints the data, or the lines that say the same."""
    if as_json:
        print(json.dumps(data, indent=2, default=str, ensure_ascii=False), flush=True)
    else:
        for line in lines:
            print(line, flush=True)


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
