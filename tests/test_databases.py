"""The tests' databases are used again, as if they were new."""

import pytest
from sqlalchemy import NullPool, create_engine, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.models import User
from tests.databases import EmptyDatabases
from tests.factories import add_user


def session_on(url: str) -> Session:
    return Session(create_engine(url, poolclass=NullPool))


def test_a_database_comes_back_empty_and_without_anybody_in_it(empty_postgres: EmptyDatabases) -> None:
    with empty_postgres.lent() as url:
        forgotten = session_on(url)
        add_user(forgotten)
        forgotten.commit()
        forgotten.execute(text("LOCK TABLE user_account"))
    with empty_postgres.lent() as again, session_on(again) as session:
        assert again == url
        assert session.scalar(select(func.count()).select_from(User)) == 0
    with pytest.raises(OperationalError):
        forgotten.scalar(select(User))
    forgotten.close()


def test_one_whose_schema_was_changed_is_not_used_again(empty_postgres: EmptyDatabases) -> None:
    with empty_postgres.lent() as url:
        with session_on(url) as session:
            session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_is_kept"))
            session.commit()
        with empty_postgres.lent() as beside:
            assert beside != url
    with empty_postgres.lent() as after:
        assert after != url
