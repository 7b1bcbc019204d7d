"""Results in files: one for each set, a line for each seed and arm, with a name of the settings and code that made it.

Lines are only added. So that what was measured on one machine and in one week stands beside what another adds, the
files belong to the repository.
"""

import ast
import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType


@dataclass(frozen=True)
class Result:
    """What one arm reached on one seed.

    groups: the accuracy of every test group; chosen: the settings it was tuned to, or which model was delivered and
    why; seconds: of its training, by the clock; impossible: why the arm cannot be had on this set, and then there are
    no figures.
    """

    figures: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, float] = field(default_factory=dict)
    chosen: str = ""
    seconds: float = 0.0
    impossible: str = ""


@dataclass(frozen=True)
class Kept:
    """One line of a file."""

    seed: int
    arm: str
    made_with: str
    result: Result


def load(path: Path) -> list[Kept]:
    """Every line of the file, oldest first; none where there is no file. What a killed write left is passed over."""
    if not path.exists():
        return []
    return [one for line in path.read_text(encoding="utf-8").splitlines() if (one := _parsed(line)) is not None]


def _parsed(line: str) -> Kept | None:
    try:
        held = json.loads(line)
    except json.JSONDecodeError:
        return None
    return Kept(held["seed"], held["arm"], held["made_with"], Result(**held["result"]))


def add(path: Path, one: Kept) -> None:
    """A line at the end, written at once, so that commands that run side by side do not mix theirs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(one)).encode() + b"\n"
    with path.open("ab", buffering=0) as file:
        file.write(line if _ends_a_line(path) else b"\n" + line)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, 2):
            return True
        file.seek(-1, 2)
        return file.read() == b"\n"


def digest(settings: object) -> str:
    """A short name of settings that JSON can hold."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def code_of(*modules: ModuleType) -> str:
    """A short name of what the modules do: it changes with their code, not with their comments and docstrings."""
    trees = [ast.parse(inspect.getsource(module)) for module in modules]
    return digest([ast.dump(_WithoutDocstrings().visit(tree)) for tree in trees])


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node
