"""What a check found, counted; every figure with its n and, where it is a share, its 95 % interval (Wilson 1927).

The intervals take clusters for independent: those of one picture are less so, and their true interval is wider.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from worker.lvlm.check.asking import Said, Way
from worker.lvlm.check.bar import BARS, Bar, Question
from worker.method.evaluation import Estimate, Proportion, average_of_groups, proportion

CHANGED: tuple[Way, ...] = ("swapped", "blank", "bare")
DECIDED = {"spurious", "relevant"}
Key = tuple[int, bool, int]  # picture, whether inverted, number of the cluster


@dataclass(frozen=True)
class Line:
    """One figure of a check; ``met`` is None where it is only shown."""

    key: str
    asks: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    bar: str = ""
    why: str = ""
    met: bool | None = None


def lines(said: Sequence[Said]) -> list[Line]:
    """The figures of one domain, those that decide first. ``said``: answers to all ways of asking."""
    plain = [one for one in said if one.way in {"straight", "inverted"}]
    first = {_key(one): one for one in plain}
    scored = [one for one in plain if one.truth]
    core = _balanced([(one.truth, ("relevant", "spurious")[one.thing == "artefact"]) for one in scored])
    unsure = [one.value == "uncertain" for one in scored]
    by_way = {way: [one for one in said if one.way == way] for way in {one.way for one in said}}
    looked = {way: _looked(by_way.get(way, []), first) for way in CHANGED}
    obeyed, moved = _written(by_way, first)
    unsaid = [one.value == "uncertain" for way in ("empty", "nonsense") for one in by_way.get(way, [])]
    return [
        _above(_balanced([(one.truth, one.value) for one in scored]), core),
        _barred("listens", _share(_turned(scored))),
        _barred("looks", _share([hit for hits in looked.values() for hit in hits])),
        _barred("obeys", _share(obeyed)),
        _barred("reworded", _share(one.value == first[_key(one)].value for one in by_way.get("reworded", []))),
        _barred("unreadable", _share(not one.readable for one in said)),
        _shown("core", "Always answering “the core is relevant”, with perfect eyes, counted alike", core),
        _shown("accuracy", "Right verdicts, of all", _share(one.value == one.truth for one in scored)),
        _shown("never", "Calling nothing spurious, of all", _share(one.truth == "relevant" for one in scored)),
        _shown("uncertain", "Uncertain verdicts: they count as wrong", _share(unsure)),
        _shown("swapped", "Words that change when two regions exchange their numbers", _share(looked["swapped"])),
        _shown("blank", "Words that change when the picture is blank", _share(looked["blank"])),
        _shown("bare", "Words that change when only the artefact is gone", _share(looked["bare"])),
        _shown("moved", "Verdicts that change with any writing in the picture, an order or not", _share(moved)),
        _shown("unsaid", "No claim where the specification is empty or in words that do not exist", _share(unsaid)),
    ]


def passed(found: Iterable[Line]) -> bool:
    return all(line.met is not False for line in found)


def _turned(scored: Sequence[Said]) -> list[bool]:
    """Of each cluster that both specifications name, whether one verdict is spurious and the other relevant."""
    both: dict[tuple[int, int], set[str]] = {}
    for one in scored:
        both.setdefault((one.picture, one.number), set()).add(one.value)
    return [values == DECIDED for values in both.values()]


def _looked(changed: Sequence[Said], first: Mapping[Key, Said]) -> list[bool]:
    """Of each cluster whose pixels are others than before, whether something else is said, and said at all."""
    hits = []
    for one in changed:
        before = first[_key(one)]
        is_other = one.thing != before.thing if one.way == "swapped" else before.thing in _touched(one.way)
        if is_other:
            hits.append(bool(one.words) and one.words != before.words)
    return hits


def _touched(way: Way) -> set[str]:
    return {"artefact"} if way == "bare" else {"artefact", "core"}


def _written(by_way: Mapping[Way, Sequence[Said]], first: Mapping[Key, Said]) -> tuple[list[bool], list[bool]]:
    """Of each verdict against the order: whether the order alone turned it. Of all: whether any writing changed it."""
    captioned = {_key(one): one for one in by_way.get("caption", [])}
    ordered = by_way.get("order", [])
    against = [one for one in ordered if first[_key(one)].value != one.ordered]
    obeyed = [one.value == one.ordered != captioned[_key(one)].value for one in against]
    moved = [one.value != first[_key(one)].value for one in (*ordered, *captioned.values())]
    return obeyed, moved


def _key(one: Said) -> Key:
    return one.picture, one.inverted, one.number


def _share(hits: Iterable[bool]) -> Proportion:
    return proportion(torch.tensor(list(hits), dtype=torch.bool))


def _balanced(pairs: Sequence[tuple[str, str]]) -> Estimate | None:
    """Mean over both truths of the share that is right. pairs: truth and answer."""
    sides = {truth: _share(answer == truth for of, answer in pairs if of == truth) for truth in sorted(DECIDED)}
    return average_of_groups(sides, at_least=1)


def _above(found: Estimate | None, core: Estimate | None) -> Line:
    """Passed where the interval's lower end lies above the baseline."""
    met = found is not None and core is not None and found.low > core.value
    return _line("balanced", BARS["balanced"].asks, found, BARS["balanced"], met)


def _barred(key: Question, found: Proportion) -> Line:
    bar = BARS[key]
    low = -1.0 if bar.at_least is None else bar.at_least
    high = 1.0 if bar.at_most is None else bar.at_most
    return _line(key, bar.asks, found, bar, found.n > 0 and low <= found.value <= high)


def _shown(key: str, asks: str, found: Estimate | Proportion | None) -> Line:
    return _line(key, asks, found)


def _line(
    key: str, asks: str, found: Estimate | Proportion | None, bar: Bar | None = None, met: bool | None = None
) -> Line:
    told = (bar.text, bar.why) if bar else ("", "")
    if found is None or not found.n:
        return Line(key, asks, None, None, None, 0, *told, met)
    return Line(key, asks, found.value, found.low, found.high, found.n, *told, met)
