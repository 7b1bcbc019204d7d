"""Results in files: one for each set, a line for each seed and arm, with a name of the settings and code that made it.

Lines are only added. So that what was measured on one machine and in one week stands beside what another adds, the
files belong to the repository.
"""

import ast
import hashlib
import inspect
import json
import sys
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


# Lines from before this was kept, which all came from processors.
PROCESSOR = "cpu"


@dataclass(frozen=True)
class Kept:
    """One line of a file. device: what computed it, ``cpu`` or the name of a GPU."""

    seed: int
    arm: str
    made_with: str
    result: Result
    device: str = PROCESSOR


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
    return Kept(**{**held, "result": Result(**held["result"])})


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
    """A short name of what the modules do: it changes with their code, not with their comments and docstrings.

    The same from every Python that the project runs on.
    """
    trees = [ast.parse(inspect.getsource(module)) for module in modules]
    return digest([dumped(_WithoutDocstrings().visit(tree)) for tree in trees])


def dumped(tree: ast.AST) -> str:
    """As Python 3.11 writes it: 3.12 added type parameters, and 3.13 leaves empty fields out."""
    if sys.version_info >= (3, 13):
        return ast.dump(tree, show_empty=True).replace(", type_params=[]", "")
    return ast.dump(tree).replace(", type_params=[]", "")


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else node
