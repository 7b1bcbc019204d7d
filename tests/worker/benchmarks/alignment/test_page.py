from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.worker.benchmarks.alignment.results import of_knees
from worker.benchmarks.alignment.arms import DEFAULT, Arm
from worker.benchmarks.alignment.gathered import OfSet
from worker.benchmarks.alignment.kept import Result
from worker.benchmarks.alignment.page import write
from worker.benchmarks.alignment.plans import planned
from worker.benchmarks.alignment.plot import drawn
from worker.benchmarks.form import figure

COST = figure("alignment.step_cost", [1.5, 1.7])
SVG = "{http://www.w3.org/2000/svg}"


def written(folder: Path, *sets: OfSet) -> str:
    write(folder, sets, COST)
    return (folder / "results.md").read_text()


def test_the_page_shows_mean_spread_number_and_every_seed(tmp_path: Path) -> None:
    page = written(tmp_path, of_knees({"original": (0.2, 0.4), "consensus_25": (0.5, 0.75)}))
    row = next(line for line in page.splitlines() if line.startswith("| consensus_25 | 0.625"))
    assert row == (
        "| consensus_25 | 0.625 ± 0.177 | +0.325 ± 0.035 | +0.325 ± 0.035 | 0.825 ± 0.177 | 0.400 ± 0.000 "
        "| 0.100 ± 0.000 | 0.900 ± 0.000 | 0.200 ± 0.000 | 0.500 |  | 3 | 2 |"
    )
    assert "| consensus_25 | 0.500 | 0.750 |" in page
    assert "| original | 0.50 | 0.30 |" in page
    assert "takes 1.60 times as long" in page


def test_what_is_not_complete_is_said(tmp_path: Path) -> None:
    page = written(tmp_path, of_knees({"original": (0.2,) * 7, "control": (0.2,) * 7, "consistency": (0.5, 0.6)}))
    assert "**Incomplete**: fewer than 7 seeds of consistency (2); none of consensus, consensus_13," in page
    every = of_knees(dict.fromkeys(DEFAULT, (0.2,) * 7))
    assert "Every arm has 7 seeds or more." in written(tmp_path, every)
    assert "**Incomplete**: none of lvlm." in written(
        tmp_path, of_knees({name: (0.2,) * 7 for name in DEFAULT if name != "lvlm"})
    )


def test_it_is_said_what_every_seed_was_computed_on(tmp_path: Path) -> None:
    found = replace(of_knees({"original": (0.2, 0.4, 0.3)}), devices={0: "GPU 9000", 1: "cpu", 2: "cpu"})
    page = written(tmp_path, found)
    assert "Computed on a processor (seeds 1, 2); GPU 9000, with bfloat16 (seed 0).\n" in page


def test_a_set_that_is_missing_is_said_and_has_no_plot(tmp_path: Path) -> None:
    page = written(tmp_path, OfSet(planned("knees"), {}, "There is no manifest.csv."))
    assert "## knees\n\nLeft out on the machine that wrote this last: There is no manifest.csv.\n" in page
    assert [path.name for path in tmp_path.iterdir()] == ["results.md"]


def test_a_rival_is_marked_with_what_it_is_told_and_one_that_cannot_be_had_with_why(tmp_path: Path) -> None:
    found = of_knees({"original": (0.2,), "subg": (0.5,)})
    impossible = {Arm("decorrelated"): {0: Result(impossible="Every artefact is missing in some class.")}}
    page = written(tmp_path, replace(found, results={**found.results, **impossible}))
    assert "| subg (groups) | 0.500 |" in page
    assert "decorrelated is not possible here: Every artefact is missing in some class." in page
    assert "| decorrelated" not in page


def test_how_far_ours_are_ahead_stands_beside_every_rival_with_its_seeds(tmp_path: Path) -> None:
    results = {"original": (0.2, 0.2), "consistency": (0.7, 0.8), "subg": (0.6, 0.6), "jtt": (0.9,), "lvlm": (0.65,)}
    page = written(tmp_path, of_knees(results))
    assert "| subg (groups) | +0.150 ± 0.071 | +0.100 | 2 | +0.050 | +0.050 | 1 |\n" in page
    assert "| jtt | -0.200 | -0.200 | 1 | -0.250 | -0.250 | 1 |\n" in page
    assert "of each rival" not in written(tmp_path, of_knees({"original": (0.2,), "consistency": (0.7,)}))


def test_the_group_that_changes_for_the_worst_is_named(tmp_path: Path) -> None:
    page = written(tmp_path, of_knees({"original": (0.4, 0.4), "consistency": (0.3, 0.2)}))
    told = "serves best: healthy marker=present, -0.150 ± 0.071 (least seed -0.200, n = 2)."
    assert told in page


def test_the_best_rival_is_not_known_before_every_one_has_its_seeds(tmp_path: Path) -> None:
    def row(**rivals: tuple[float, ...]) -> str:
        found = replace(of_knees({"original": (0.2,) * 7, "consistency": (0.8,) * 7, **rivals}), plan=planned("knees"))
        page = written(tmp_path, found)
        return next(line for line in page.splitlines() if line.startswith("| knees | consistency.lead_groups"))

    assert row(subg=(0.7,) * 7, dfr=(0.7,) * 7).endswith("| 0.100 ± 0.000 | 7 | yes, so far |")
    assert row(subg=(0.7,) * 7, dfr=(0.7,) * 7, groupdro=(0.6,) * 6).endswith("| yes, so far |")
    assert row(subg=(0.7,) * 7, dfr=(0.7,) * 7, groupdro=(0.6,) * 7).endswith("| 0.100 ± 0.000 | 7 | yes |")


def test_the_plot_has_a_point_for_every_seed_and_a_line_for_every_mean(tmp_path: Path) -> None:
    found = of_knees({"original": (0.2, 0.4), "consistency": (0.5, 0.7), "subg": (0.6,)})
    written(tmp_path, found)
    svg = ET.fromstring((tmp_path / "alignment_synthetic_knees.svg").read_text())
    assert svg.find(f"{SVG}title").text == "Worst-group accuracy, synthetic_knees"
    points = [float(point.get("cx")) for point in svg.iter(f"{SVG}circle")]
    assert len(points) == 5
    means = [float(line.get("x1")) for line in svg.iter(f"{SVG}line") if line.get("stroke-width") == "2.5"]
    assert means == [sum(points[:2]) / 2, sum(points[2:4]) / 2, points[4]]
    names = [text.text for text in svg.iter(f"{SVG}text") if text.get("text-anchor") == "end"]
    assert names == ["original", "consistency", "subg"]


def test_a_plot_without_an_original_has_no_line_for_it() -> None:
    assert "dasharray" in drawn(of_knees({"original": (0.2,)}))
    assert "dasharray" not in drawn(of_knees({"control": (0.2,)}))


def test_what_was_to_be_reached_stands_beside_what_was(tmp_path: Path) -> None:
    found = of_knees({"original": (0.2,) * 7, "consistency": (0.7,) * 7, "consensus_25": (0.75,) * 2})
    page = written(tmp_path, found)
    assert "| synthetic_knees | consistency.dwga | at least 0.42 | 0.500 ± 0.000 | 7 | yes |" in page
    assert "| synthetic_knees | consensus_25.dwga | at least 0.4 | 0.550 ± 0.000 | 2 | yes, so far |" in page
    assert "| synthetic_knees | consensus_40.dwga | at least 0.35 | not measured | 0 |  |" in page
    assert "| synthetic_knees | consistency.p | at most 0.016 | 0.016 | 7 | yes |" in page
    assert "| any | step over a plain step | at most 2.2 | 1.60 | 2 | yes |" in page


def test_what_was_not_reached_is_said_and_so_is_the_least_of_all_seeds(tmp_path: Path) -> None:
    found = of_knees({"original": (0.2,) * 7, "control": (0.4,) * 7, "consistency": (0.5,) * 6 + (0.3,)})
    page = written(tmp_path, replace(found, plan=planned("knees")))
    assert "| knees | consistency.wga | at least 0.78 | 0.471 ± 0.076 | 7 | **no** |" in page
    assert "| knees | consistency.ahead_of_control | on every seed above 0 | least -0.100 | 7 | **no** |" in page
