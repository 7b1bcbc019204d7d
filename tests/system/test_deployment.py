"""No container engine is needed here: the files are checked, the images are not built."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
EXAMPLE = ROOT / ".env.example"
SECRETS = ("RIGHTREASONS_SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD")
ONE_SHOT = {"migrate"}


def run(tool: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    command = [BIN / tool, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**plain, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def resolve(**environment: str) -> subprocess.CompletedProcess[str]:
    return run("docker-compose", "--env-file", EXAMPLE, "config", "--format", "json", **environment)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    answer = resolve(**dict.fromkeys(SECRETS, "made-up"))
    assert answer.stderr == ""
    resolved: dict[str, Any] = json.loads(answer.stdout)
    assert resolved["networks"]["inside"]["internal"]
    return dict(resolved["services"])


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    parts = re.split(r"^FROM (?:\S+) AS (\S+)$", DOCKERFILE.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_compose_file_follows_its_schema() -> None:
    answer = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert answer.returncode == 0, answer.stdout


def test_the_dockerfile_follows_the_rules_of_its_linter() -> None:
    answer = run("hadolint", DOCKERFILE)
    assert answer.returncode == 0, answer.stdout


def test_every_part_is_there(services: dict[str, Any]) -> None:
    assert set(services) == {"web", "worker-gpu", "worker-cpu", "migrate", "postgres", "redis"}


def test_only_the_web_server_publishes_a_port_and_that_on_this_machine(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert list(published) == ["web"]
    assert [port["host_ip"] for port in published["web"]] == ["127.0.0.1"]


def test_only_web_server_and_gpu_worker_reach_beyond_the_inner_network(services: dict[str, Any]) -> None:
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"web", "worker-gpu"}


def test_every_lasting_service_has_a_health_check(services: dict[str, Any]) -> None:
    for name in set(services) - ONE_SHOT:
        service = services[name]
        assert "healthcheck" in service or "HEALTHCHECK" in stages()[service["build"]["target"]], name


def test_everything_waits_for_the_migration(services: dict[str, Any]) -> None:
    for name in ("web", "worker-gpu", "worker-cpu"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_services_have_no_more_rights_than_they_need(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name == "postgres" or "cap_add" not in service


def test_the_gpu_worker_alone_asks_for_a_gpu_and_each_queue_has_its_worker(services: dict[str, Any]) -> None:
    with_gpu = [name for name, service in services.items() if "nvidia" in json.dumps(service.get("deploy", {}))]
    assert with_gpu == ["worker-gpu"]
    assert {services[f"worker-{queue}"]["command"][3] for queue in ("gpu", "cpu")} == {"gpu", "cpu"}


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_starts_without_its_secret(secret: str) -> None:
    others = {name: "made-up" for name in SECRETS if name != secret}
    assert f"required variable {secret} is missing a value" in resolve(**others).stderr


def test_the_example_gives_no_secret_away_and_names_every_variable() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert [example[name] for name in (*SECRETS, "RIGHTREASONS_LVLM_KEY")] == ["", "", "", ""]
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE.read_text()))
    assert set(example) == used


def test_every_setting_in_the_files_exists() -> None:
    text = COMPOSE.read_text() + DOCKERFILE.read_text() + EXAMPLE.read_text()
    named = {name.lower() for name in re.findall(r"RIGHTREASONS_([A-Z_]+)", text)}
    assert named <= set(Settings.model_fields)


def test_the_images_run_as_another_user_than_root_and_the_web_image_has_no_torch() -> None:
    for image in ("web", "worker"):
        assert re.search(r"^USER [1-9]\d*$", stages()[image], flags=re.MULTILINE)
    assert "[worker]" not in stages()["web-packages"]
    assert "COPY --from=web-packages" in stages()["web"]
    assert "worker-packages" not in stages()["web"]


def test_the_images_hold_what_the_code_needs_and_nothing_secret() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE.read_text(), flags=re.MULTILINE))
    assert {name for line in copied for name in line.split()} == allowed
    assert not [name for name in allowed if name.startswith(".") or "data" in name]
