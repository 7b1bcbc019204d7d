"""Results in files: one for each set, seed and arm, with the settings and the code that made it."""

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


def load(path: Path, made_with: str) -> Result | None:
    """The result in the file, or None where there is none or other settings or other code made it."""
    if not path.exists():
        return None
    held = json.loads(path.read_text(encoding="utf-8"))
    return Result(**held["result"]) if held["made_with"] == made_with else None


def save(path: Path, made_with: str, result: Result) -> None:
    """Written whole or not at all, so that a killed command leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"made_with": made_with, "result": asdict(result)}, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


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
