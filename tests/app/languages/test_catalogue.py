"""The catalogue is complete, in every language that we offer, and nothing stands beside it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import nodes

from app.languages.catalogue import ENGLISH, FOLDER, LANGUAGES, gettext, ngettext, reading_in
from app.templating import templates
from tests.marked import CLOSE, OPEN, bare_sentences

ROOT = FOLDER.parent
OTHERS = sorted(set(LANGUAGES) - {ENGLISH})
KEYWORDS = {"gettext": None, "_": None, "msgid": None, "Message": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
SAYS = {"gettext", "ngettext", "pgettext", "_"}
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
Key = tuple[str, str | tuple[str, ...]]  # context and message


@lru_cache(maxsize=1)
def said_in_the_code() -> set[Key]:
    """As ``make translations`` finds it."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(each["pattern"], each["method"]) for each in asked]
    options = {each["pattern"]: {name: value for name, value in each.items() if name != "method"} for each in asked}
    found = extract_from_dir(ROOT, methods, options, KEYWORDS)
    return {(context or "", message) for _, _, message, _, context in found}


def messages(language: str) -> dict[Key, Message]:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return {(each.context or "", each.id): each for each in read_po(file, locale=language) if each.id}


def forms(message: str | tuple[str, ...]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else message


def places(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)s|%%|%(?![(%])", text))


def tags(text: str) -> list[str]:
    return sorted(re.findall(r"<[^>]*>", text))


def test_the_sentences_of_the_code_are_found() -> None:
    assert len(said_in_the_code()) > 1000
    assert ("", "There is nothing at this address.") in said_in_the_code()  # of a module
    assert ("", "Go to the content") in said_in_the_code()  # of a template


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_said_in_every_language_and_none_is_left_over(language: str) -> None:
    known = messages(language)
    assert not said_in_the_code() - known.keys(), "run: make translations, and translate"
    assert not known.keys() - said_in_the_code(), "run: make translations"
    silent = [each.id for each in known.values() if each.fuzzy or not all(forms(each.string))]
    assert not silent


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_places_and_the_tags_of_its_sentence(language: str) -> None:
    for (_, message), known in messages(language).items():
        first, *rest = forms(message)
        for form in forms(known.string):
            assert tags(form) == tags(first), form
            # One of a thing may be said without its number.
            assert places(form) in [places(each) for each in (first, *rest)], form
            assert form[-1:].isspace() == first[-1:].isspace(), form


def test_the_template_of_the_catalogue_is_up_to_date() -> None:
    with (FOLDER / "messages.pot").open("rb") as file:
        listed: Catalog = read_po(file)
    assert {(each.context or "", each.id) for each in listed if each.id} == said_in_the_code()


def test_sentences_follow_the_reader_and_are_english_where_nobody_reads() -> None:
    assert gettext("Sign out") == "Sign out"
    with reading_in("de"):
        assert gettext("Sign out") == "Abmelden"
        assert gettext("Page %(number)s of %(pages)s", number=2, pages=3) == "Seite 2 von 3"
        assert [ngettext("region", "regions", number) for number in (1, 2)] == ["Region", "Regionen"]
        one, many = "1 picture.", "%(number)s pictures."
        assert [ngettext(one, many, number, number=number) for number in (1, 2)] == ["1 Bild.", "2 Bilder."]
        with reading_in(ENGLISH):
            assert gettext("Sign out") == "Sign out"
    assert ngettext("1 picture.", "%(number)s pictures.", 2, number=2) == "2 pictures."


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYS | {"msgid"}:
            yield node


@pytest.mark.parametrize("path", sorted((ROOT / "app").rglob("*.py")), ids=lambda path: path.stem)
def test_no_sentence_is_put_together_before_it_is_looked_up(path: Path) -> None:
    for call in calls(ast.parse(path.read_text())):
        assert not any(isinstance(each, ast.JoinedStr | ast.BinOp) for each in call.args), ast.unparse(call)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_what_a_template_says_is_in_the_catalogue(path: Path) -> None:
    """In every state of the page, those too that no other test brings about."""
    tree = templates.env.parse(path.read_text())
    assert not bare_sentences("".join(written(tree)), ())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_no_value_is_taken_for_a_sentence(path: Path) -> None:
    """Sentences may hold tags, so what is looked up by ``_`` is not escaped: it must not come from outside."""
    for call in templates.env.parse(path.read_text()).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in SAYS:
            assert isinstance(call.args[0], nodes.Const)


# Macros and blocks that write into a tag, not between two.
IN_TAGS = {"region_url", "outside_url", "told", "state"}


def written(node: nodes.Node) -> Iterator[str]:
    """The text of all branches one after the other; what is looked up stands in marks, and values are left out."""
    match node:
        case nodes.TemplateData(data=data):
            yield data
        case nodes.Const(value=str(text)):
            yield text
        case nodes.Call(node=nodes.Name(name=name)) if name in SAYS:
            yield OPEN + CLOSE
        case nodes.Macro(name=name) | nodes.Block(name=name) if name in IN_TAGS:
            return
        case nodes.Call() | nodes.CallBlock() | nodes.Compare() | nodes.Test() | nodes.Getattr():
            yield from (text for each in getattr(node, "body", ()) for text in written(each))
        case nodes.Getitem(node=nodes.Dict(items=pairs)):
            yield from (text for pair in pairs for text in written(pair.value))
        case nodes.Getitem() | nodes.Filter() | nodes.Assign() | nodes.Extends() | nodes.FromImport() | nodes.Include():
            return
        case nodes.CondExpr():
            yield from (text for each in (node.expr1, node.expr2) if each for text in written(each))
        case nodes.If() | nodes.For() | nodes.With():
            bodies = (*node.body, *getattr(node, "elif_", ()), *getattr(node, "else_", ()))
            yield from (text for each in bodies for text in written(each))
        case _:
            yield from (text for each in node.iter_child_nodes() for text in written(each))
