"""Who calls the API: a bearer token stands for its owner, with the owner's role. Cookies count for nothing here."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.accounts.actions import hash_of
from app.audit.acting import Actor, become
from app.db import now, reading, transaction
from app.deps import at_least_engineer
from app.models import ActorKind, Token, User

NOTED_EVERY = timedelta(minutes=10)  # so that reading through the API seldom has to write
scheme = HTTPBearer(auto_error=False, description="A token from your account page, or `rightreasons user token`.")


def get_caller(given: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)]) -> User:
    """In a session of its own: the request's own transaction begins, and locks, only where the route needs it."""
    refused = HTTPException(401, "This needs a token that stands.", headers={"WWW-Authenticate": "Bearer"})
    if given is None:
        raise refused
    with reading() as session:
        token = session.scalar(
            select(Token).where(Token.hash == hash_of(given.credentials)).options(joinedload(Token.user))
        )
        if token is None or token.revoked_at is not None or not token.user.active:
            raise refused
        session.expunge_all()  # the rows outlive this session
    become(Actor(ActorKind.TOKEN, token.user.name, token.user.id, token.id))
    if token.last_used_at is None or now() - token.last_used_at > NOTED_EVERY:
        with transaction() as session:
            session.get_one(Token, token.id).last_used_at = now()
    return token.user


Caller = Annotated[User, Depends(get_caller)]


def get_engineer_caller(caller: Caller) -> User:
    return at_least_engineer(caller)


EngineerCaller = Annotated[User, Depends(get_engineer_caller)]
