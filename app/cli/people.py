"""Accounts and tokens, for the person who runs the server."""

from typing import Annotated

import typer
from sqlalchemy import select

from app.accounts import actions
from app.cli.finding import acting_user, ready_database
from app.cli.output import Json, show
from app.config import settings
from app.db import reading, transaction
from app.models import Role, User

people = typer.Typer(help="Add people, change passwords, make links and tokens.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name to sign in with.")]
Password = Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)]


@people.command("add")
def add(
    name: Name,
    password: Password,
    role: Annotated[Role, typer.Option(help="A clinician can't touch users or checkpoints.")] = Role.CLINICIAN,
    display_name: Annotated[str, typer.Option(help="As signatures show it.")] = "",
    as_json: Json = False,
) -> None:
    """Add an account."""
    ready_database()
    with transaction() as session:
        user = actions.create_user(session, name, display_name, role, password)
    show({"name": user.name, "role": user.role.value}, as_json, f"{user.name} can sign in now, as {user.role.value}.")


@people.command("password")
def password(name: Name, password: Password, as_json: Json = False) -> None:
    """Change a password; the account is signed out everywhere."""
    ready_database()
    with transaction() as session:
        actions.set_password(session, acting_user(session, name), password)
    show({"name": name}, as_json, f"The password of {name} is changed.")


@people.command("link")
def link(name: Name, as_json: Json = False) -> None:
    """Print a link that signs in once, within half an hour."""
    ready_database()
    with reading() as session:
        path = actions.sign_in_link(acting_user(session, name))
    url = f"http://{settings().host}:{settings().port}{path}"
    show({"url": url}, as_json, url)


@people.command("token")
def token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    as_json: Json = False,
) -> None:
    """Make a token for /api/v1; it is shown once."""
    ready_database()
    with transaction() as session:
        _, secret = actions.create_token(session, acting_user(session, name), label)
    show({"token": secret}, as_json, secret)


@people.command("list")
def list_people(as_json: Json = False) -> None:
    """List the accounts."""
    ready_database()
    with reading() as session:
        users = session.scalars(select(User).order_by(User.name)).all()
    found = [{"name": user.name, "role": user.role.value, "active": user.active} for user in users]
    show(found, as_json, *(f"{each['name']}: {each['role']}" for each in found))
