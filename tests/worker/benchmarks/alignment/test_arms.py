import pytest

from worker.benchmarks.alignment.arms import ALL, BASES, DEFAULT, Arm, UnknownArmError, in_order, parsed


@pytest.mark.parametrize(
    ("name", "arm"),
    [
        ("consensus_25", Arm("consensus", "25")),
        ("plain_rrr", Arm("plain_rrr")),
        ("normalised_rrr_13", Arm("normalised_rrr", "13")),
        ("self_guided", Arm("self_guided")),
        ("consistency_class", Arm("consistency", "class")),
        ("delivered_50", Arm("delivered", "50")),
    ],
)
def test_a_name_says_the_arm_and_the_error(name: str, arm: Arm) -> None:
    assert parsed(name) == arm
    assert arm.name == name


@pytest.mark.parametrize("name", ["", "consensus_26", "control_25", "true_masks_13", "_25", "subg_25"])
def test_a_name_that_means_nothing_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UnknownArmError, match=r"self_explaining.*_class"):
        parsed(name)


def test_every_name_there_is_means_an_arm_of_its_own() -> None:
    assert len({parsed(name) for name in ALL}) == len(ALL)
    assert set(BASES) <= set(ALL)
    assert set(DEFAULT) <= set(ALL)


def test_arms_come_once_and_in_the_order_of_the_page() -> None:
    asked = ["subg", "consensus_40", "consensus_13", "original", "consensus", "subg"]
    assert [arm.name for arm in in_order(asked)] == ["original", "consensus", "consensus_13", "consensus_40", "subg"]


def test_rivals_say_what_they_are_told_and_our_arms_are_told_nothing_more() -> None:
    told = {arm.name: arm.told for arm in in_order(BASES) if arm.told}
    assert told == {
        "decorrelated": "groups",
        "subg": "groups",
        "dfr": "groups",
        "groupdro": "groups",
        "caipi": "masks",
    }
    assert [arm.name for arm in in_order(ALL) if arm.reviewed] == [
        *(f"{base}_{error}" for base in ("plain_rrr", "normalised_rrr", "consistency") for error in ("class", "all")),
        "consensus_class",
        "consensus_all",
        "delivered_class",
        "delivered_all",
        "lvlm",
        "caipi_class",
        "caipi_all",
    ]
