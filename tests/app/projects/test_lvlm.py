import pytest

from app.db import reading, transaction
from app.models import Project
from app.projects.actions import create_project
from app.projects.lvlm import LVLMNameError, speaker_of, usable_lvlm
from worker.benchmarks.own_database import forget_settings

pytestmark = pytest.mark.usefixtures("sqlite")
ALLOWED = "openai:qwen@2@http://gpu.local:8000/v1"


@pytest.fixture
def by_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIGHTREASONS_LVLM", ALLOWED)
    monkeypatch.setenv("RIGHTREASONS_LVLM_HOSTS", "gpu.local")
    forget_settings()


def new_project(lvlm: str = "") -> str:
    with transaction() as session:
        create_project(session, "Knees", "", ["healthy", "ill"], lvlm=lvlm)
    with reading() as session:
        return session.query(Project).one().lvlm


def test_a_new_project_has_no_lvlm_unless_somebody_says_so() -> None:
    assert new_project() == "none"


def test_a_new_project_gets_the_lvlm_of_the_settings(by_settings: None) -> None:
    assert new_project() == ALLOWED


def test_a_project_may_be_made_with_another_than_that_of_the_settings(by_settings: None) -> None:
    assert new_project("none") == "none"


@pytest.mark.parametrize("name", ["none", "embedded", "transformers:/models/llava", "transformers:org/name", ALLOWED])
def test_a_usable_name_stays_as_it_is(by_settings: None, name: str) -> None:
    assert usable_lvlm(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "llava",
        "transformers:",
        "openai:",
        "openai:m@",
        "openai:@http://gpu.local",
        "openai:m@ftp://gpu.local",
        "openai:m@http://[gpu.local",
        "transformers:" + 400 * "m",
    ],
)
def test_a_name_of_no_lvlm_is_refused(by_settings: None, name: str) -> None:
    with pytest.raises(LVLMNameError, match="none of: none, embedded"):
        usable_lvlm(name)


def test_a_host_that_nobody_allowed_is_refused(by_settings: None) -> None:
    with pytest.raises(LVLMNameError, match=r"leave this machine for elsewhere\.example, which is not allowed"):
        usable_lvlm("openai:m@https://elsewhere.example/v1")


def test_a_page_names_the_model_and_the_host_that_is_asked() -> None:
    speaker = speaker_of(ALLOWED)
    assert speaker is not None
    assert (speaker.name, speaker.leaves) == ("qwen@2", True)
    assert "gpu.local:8000" in speaker.knows
    assert speaker_of("none") is None
