from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from app.accounts.actions import create_token, revoke_token
from app.api.bearer import Caller
from app.api.shapes import CallerOut, NewTokenOut, TokenIn, TokenOut
from app.deps import DBSession
from app.models import Token, User

router = APIRouter(tags=["tokens"])


@router.get("/me", response_model=CallerOut)
def get_me(caller: Caller) -> User:
    """Whose token this is."""
    return caller


@router.get("/tokens", response_model=list[TokenOut])
def list_tokens(session: DBSession, caller: Caller) -> Sequence[Token]:
    """Your own, those taken back too."""
    return session.scalars(select(Token).where(Token.user_id == caller.id).order_by(Token.created_at)).all()


@router.post("/tokens", status_code=201)
def make_token(session: DBSession, caller: Caller, asked: TokenIn) -> NewTokenOut:
    """The first token is made on the account page or on the command line."""
    token, secret = create_token(session, caller, asked.name)
    return NewTokenOut(**TokenOut.model_validate(token).model_dump(), token=secret)


@router.delete("/tokens/{token_id}", status_code=204)
def take_token_back(session: DBSession, caller: Caller, token_id: UUID) -> None:
    token = session.get(Token, token_id)
    if token is None or token.user_id != caller.id:
        raise HTTPException(404, "You have no such token.")
    revoke_token(session, token)
