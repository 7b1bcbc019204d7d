"""The signed session cookie, and the token that shows a change was asked for from one of our own pages.

Neither is kept on the server: the cookie names the user and the user's session key, so that a new key (password
changed, signed out everywhere) voids every cookie before it.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.config import settings
from app.models import User

SESSION = "rightreasons_session"
VISITOR = "rightreasons_visitor"  # a random word, so that the sign-in form has a CSRF token too


@dataclass(frozen=True)
class SessionCookie:
    user_id: UUID
    session_key: str


def serializer(salt: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings().signing_key(), salt=salt, signer_kwargs={"digest_method": sha256})


def start_session(response: Response, user: User) -> None:
    # The random word makes every session's cookie, and with it every CSRF token, another one.
    value = serializer("session").dumps([str(user.id), user.session_key, secrets.token_urlsafe(12)])
    set_cookie(response, SESSION, value, int(settings().session_hours * 3600))
    response.delete_cookie(VISITOR)


def end_session(response: Response) -> None:
    response.delete_cookie(SESSION)


def set_cookie(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    response.set_cookie(
        name, value, max_age=seconds, httponly=True, samesite="lax", secure=settings().secure_cookies, path="/"
    )


def read_session(request: Request) -> SessionCookie | None:
    """The session that the request's cookie speaks of; None where there is none, or it is too old or forged."""
    value = request.cookies.get(SESSION, "")
    try:
        user_id, session_key, _ = serializer("session").loads(value, max_age=int(settings().session_hours * 3600))
        return SessionCookie(UUID(user_id), session_key)
    except (BadSignature, ValueError, TypeError):
        return None


def csrf_token(request: Request) -> str:
    """Bound to the browser's cookie: another site can make a browser send the cookie, but can't know the token."""
    seed = request.cookies.get(SESSION) or request.cookies.get(VISITOR) or request.scope.get("visitor", "")
    return csrf_token_of(seed) if seed else ""


def csrf_token_of(seed: str) -> str:
    return hmac.new(settings().signing_key().encode(), f"csrf:{seed}".encode(), sha256).hexdigest()
