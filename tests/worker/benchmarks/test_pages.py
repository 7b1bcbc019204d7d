import os
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import config
from app.db import reading
from app.main import create_app
from app.models import Cluster, Image
from worker.benchmarks import pages
from worker.benchmarks.form import BenchmarkOptions
from worker.benchmarks.large_project import CLUSTERS
from worker.benchmarks.own_database import at, counted


def test_settings_are_as_before_afterwards(sqlite: None, data_folder: Path) -> None:
    os.environ["RIGHTREASONS_LVLM"] = "embedded"
    with at(""):
        assert config.settings().data != data_folder
        assert config.settings().lvlm == "none"
    assert config.settings().data == data_folder
    assert config.settings().lvlm == os.environ.pop("RIGHTREASONS_LVLM")


def test_every_page_is_measured_on_both_databases(sqlite: None) -> None:
    found = {each.name: each.value for each in pages.measure(BenchmarkOptions(quick=True))}
    assert found["pages.images"] == 60
    assert found["pages.clusters"] == 60 * 2 * CLUSTERS
    timed = {name for name in found if name.endswith(".p95_ms") and ".postgres." not in name}
    assert len(timed) > 20
    assert all(name.replace("pages.", "pages.postgres.") in found for name in timed)
    assert found["pages.p95_ms_max"] == max(
        value for name, value in found.items() if name.endswith(".p95_ms") and "next_case" not in name
    )
    assert found["pages.sql_statements_max"] <= 12
    assert found["pages.first_visit_kb"] <= 150


def test_a_page_that_does_not_come_is_no_figure(sqlite: None) -> None:
    with at(""), TestClient(create_app()) as browser:
        large = pages.filled(20)
        pages.sign_in(browser, large)
        with pytest.raises(RuntimeError, match="answers 404"):
            pages.asked_for(browser, "/projects/none", 1)
        assert pages.asked_for(browser, pages.addresses(large)["projects"], 3).statements > 1
        with reading() as session, counted() as statements:
            assert session.query(Image).count() == 20
            assert session.query(Cluster).count() == large.clusters
        assert len(statements) == 2
