"""How does a strategy read an access token that comes in its own way, or of its own kind?"""

from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError

from accounts.contract.errors import CredentialExpired, CredentialInvalid
from accounts.contract.flow import Presented
from accounts.models import User
from jwt_api.tokens import AccessToken


def read(text: bytes, kind: type[AccessToken]) -> AccessToken:
    """A token of that kind, if every check passes; no other kind is taken, and none remembered.

    Raises `CredentialExpired` or `CredentialInvalid`. No SQL, no Redis.
    """
    try:
        return kind(text)  # type: ignore[arg-type]
    except ExpiredTokenError as error:
        raise CredentialExpired("access token") from error
    except TokenError as error:
        raise CredentialInvalid(f"access token: {error.__cause__ or error}") from error


def holder(token: AccessToken, *, flow: str) -> tuple[User, Presented]:
    """Whom a token that passed names."""
    presented = Presented(
        flow=flow,
        user_id=token.user_id,
        epoch=token["epoch"],
        device=token.device,
        roles=tuple(token.get("roles", [])),
    )
    user = User.from_known(
        id=presented.user_id,
        epoch=presented.epoch,
        is_active=True,
        is_staff="staff" in presented.roles,
        is_superuser="admin" in presented.roles,
    )
    return user, presented
