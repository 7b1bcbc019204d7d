"""Making accounts, passwords, one-time links and API tokens; the command line and the pages use the same."""

import secrets
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from itsdangerous import BadSignature
from pwdlib import PasswordHash
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.accounts.cookies import serializer
from app.audit.acting import Actor, become
from app.db import now
from app.languages.catalogue import gettext
from app.models import ActorKind, Role, Token, User

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1000  # argon2 reads every byte; a novel as a password would only cost time
LONGEST_NAME = 200
LINK_MINUTES = 30
TOKEN_PREFIX = "rr_"  # noqa: S105  the visible start of every API token, so that scanners of leaked secrets know it


class AccountError(Exception):
    """The account can't be made or changed so; the message is a sentence for a person."""


@lru_cache
def hasher() -> PasswordHash:
    return PasswordHash.recommended()  # argon2id


@lru_cache
def nobodys_hash() -> str:
    return hasher().hash(secrets.token_urlsafe(16))


def new_key() -> str:
    return secrets.token_urlsafe(32)


def check_password(password: str) -> None:
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AccountError(
            gettext("A password has at least %(least)s characters; a few plain words do well.", least=SHORTEST_PASSWORD)
        )


def create_user(session: Session, name: str, display_name: str, role: Role, password: str) -> User:
    """Raises AccountError where the name is taken or empty, or the password too short."""
    name = name.strip().lower()
    if not name or len(name) > LONGEST_NAME or any(letter.isspace() for letter in name):
        raise AccountError(
            gettext("A name to sign in with has 1 to %(most)s characters and no spaces.", most=LONGEST_NAME)
        )
    check_password(password)
    if session.scalar(select(User).where(User.name == name)) is not None:
        raise AccountError(gettext("There is already an account with the name %(name)s.", name=name))
    user = User(
        name=name,
        display_name=display_name.strip() or name,
        role=role,
        password_hash=hasher().hash(password),
        session_key=new_key(),
    )
    session.add(user)
    session.flush()
    return user


def set_password(session: Session, user: User, password: str) -> None:
    """Signs the user out everywhere too. Raises AccountError where the password is too short."""
    check_password(password)
    user.password_hash = hasher().hash(password)
    user.session_key = new_key()
    session.flush()


def sign_out_everywhere(session: Session, user: User) -> None:
    user.session_key = new_key()
    session.flush()


def set_role(session: Session, user: User, role: Role) -> None:
    """Raises AccountError where no administrator would be left."""
    if role is not Role.ADMIN:
        need_another_admin(session, user)
    user.role = role
    session.flush()


def switch_off(session: Session, user: User) -> None:
    """Ends the account's sessions and takes its tokens back: switched on again, it begins anew.

    Raises AccountError where no administrator would be left.
    """
    need_another_admin(session, user)
    user.active = False
    sign_out_everywhere(session, user)
    for token in session.scalars(select(Token).where(Token.user_id == user.id, Token.revoked_at.is_(None))):
        revoke_token(session, token)


def switch_on(session: Session, user: User) -> None:
    user.active = True
    session.flush()


def need_another_admin(session: Session, user: User) -> None:
    """Locks the administrators, so that two who take each other's role at once don't both succeed."""
    admins = session.scalars(select(User.id).where(User.active, User.role == Role.ADMIN).with_for_update()).all()
    if list(admins) == [user.id]:
        raise AccountError(gettext("%(name)s is the only administrator. Make somebody else one first.", name=user.name))


def find_by_password(session: Session, name: str, password: str) -> User | None:
    """The active user of that name and password.

    An unknown name costs as much time as a wrong password, so that the answer's delay doesn't tell which names exist.
    """
    user = session.scalar(select(User).where(User.name == name.strip().lower()))
    if len(password) > LONGEST_PASSWORD:
        return None
    matches, better_hash = hasher().verify_and_update(password, user.password_hash if user else nobodys_hash())
    if not matches or user is None or not user.active:
        return None
    if better_hash is not None:  # argon2's recommended cost rose since
        user.password_hash = better_hash
    return user


def any_user(session: Session) -> bool:
    return bool(session.scalar(select(func.count()).select_from(User)))


def sign_in_link(user: User) -> str:
    """The path of a link that signs the user in once, within half an hour.

    It carries the moment the user was last seen: signing in moves that moment on, so the link is void after its use
    without anything being stored for it.
    """
    seen = user.last_seen_at.isoformat() if user.last_seen_at else ""
    return f"/sign-in/link?token={serializer('link').dumps([str(user.id), user.session_key, seen])}"


def use_link(session: Session, token: str) -> User:
    """Raises AccountError where the link is too old, was used already, or is no link of ours."""
    try:
        user_id, session_key, seen = serializer("link").loads(token, max_age=LINK_MINUTES * 60)
        user = session.get(User, UUID(user_id), with_for_update=True)
    except (BadSignature, ValueError, TypeError) as error:
        raise AccountError(gettext("This link is too old or not complete.")) from error
    last_seen = user.last_seen_at.isoformat() if user is not None and user.last_seen_at else ""
    if user is None or not user.active or user.session_key != session_key or last_seen != seen:
        raise AccountError(gettext("This link was used already, or something changed in the account since."))
    note_sign_in(session, user)
    return user


def note_sign_in(session: Session, user: User) -> None:
    become(Actor(ActorKind.PERSON, user.name, user.id))
    user.last_seen_at = now()
    session.flush()


def create_token(session: Session, user: User, name: str) -> tuple[Token, str]:
    """The row and the token itself, which is shown once and kept only as its hash."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = Token(user_id=user.id, name=name.strip() or "token", hash=hash_of(secret))
    session.add(token)
    session.flush()
    return token, secret


def revoke_token(session: Session, token: Token) -> None:
    token.revoked_at = token.revoked_at or now()
    session.flush()


def hash_of(secret: str) -> str:
    """A plain hash will do: the token is 256 random bits, nobody guesses it from a list."""
    return sha256(secret.encode()).hexdigest()
