"""Accounts and tokens, for the person who runs the server."""

from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts import actions
from app.cli.finding import acting_user, ready_database
from app.cli.output import CommandError, Json, show
from app.config import settings
from app.db import reading, transaction
from app.models import Role, User

people = typer.Typer(help="Add people, change passwords, make links and tokens.", no_args_is_help=True)
ROLE = "A clinician can't touch users or checkpoints."
Name = Annotated[str, typer.Argument(help="The name to sign in with.")]
Password = Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True)]


@people.command("add")
def add(
    name: Name,
    password: Password,
    role: Annotated[Role, typer.Option(help=ROLE)] = Role.CLINICIAN,
    display_name: Annotated[str, typer.Option(help="As signatures show it.")] = "",
    as_json: Json = False,
) -> None:
    """Add an account."""
    ready_database()
    with transaction() as session:
        user = actions.create_user(session, name, display_name, role, password)
    show({"name": user.name, "role": user.role.value}, as_json, f"{user.name} can sign in now, as {user.role.value}.")


@people.command("role")
def change_role(name: Name, role: Annotated[Role, typer.Argument(help=ROLE)], as_json: Json = False) -> None:
    """Give an account another role."""
    ready_database()
    with transaction() as session:
        actions.set_role(session, account_named(session, name), role)
    show({"name": name, "role": role.value}, as_json, f"{name} has the role {role.value} from now on.")


@people.command("off")
def switch_off(name: Name, as_json: Json = False) -> None:
    """Switch an account off: it is signed out everywhere, and its tokens are void. What it did stays."""
    ready_database()
    with transaction() as session:
        actions.switch_off(session, account_named(session, name))
    show({"name": name, "active": False}, as_json, f"{name} is switched off. On again: rightreasons user on {name}.")


@people.command("on")
def switch_on(name: Name, as_json: Json = False) -> None:
    """Let an account that was switched off sign in again."""
    ready_database()
    with transaction() as session:
        actions.switch_on(session, account_named(session, name))
    show({"name": name, "active": True}, as_json, f"{name} can sign in again, and makes new tokens.")


def account_named(session: Session, name: str) -> User:
    """Switched off or not."""
    user = session.scalar(select(User).where(User.name == name.lower()))
    if user is None:
        raise CommandError(f"There is no account {name}. See: rightreasons user list.")
    return user


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
    show(
        found,
        as_json,
        *(f"{each['name']}: {each['role']}{'' if each['active'] else ', switched off'}" for each in found),
    )
