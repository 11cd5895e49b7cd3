"""How does a password become a user? Django's way, behind the login limits.

Every login of the site comes through here: both flows, their pages, the admin and
the browsable API. One place to count means that hopping between them buys nothing.
"""

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.contract.checking import check
from accounts.models import User
from accounts.throttling import claim_attempt, give_back_attempt


def user_called(name: str) -> User | None:
    """The user of that name, however an address is written that is one (`accounts.by_mail`).

    Who has signed up as Noor@Example.org is noor@example.org. All other names are taken as they
    are: "Ada" and "ada" may be two users.
    """
    names = {name, name.strip().lower()} if "@" in name else {name}
    found = User.objects.filter(username__in=sorted(names))
    return max(found, key=lambda user: user.username == name, default=None)


class ThrottledBackend(ModelBackend):
    """Django's `ModelBackend`, with each attempt counted before the password is hashed."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Raises `Throttled` (429) over the limit, `StoreUnavailable` (503) without Redis."""
        if username is None or password is None:
            return None
        claims = claim_attempt(request, username)
        user = user_called(username)
        if not self.proves(user, password):
            return None
        give_back_attempt(claims)
        return user

    @check("password", "The account may log in, and this is its password.")
    def proves(self, user: User | None, password: str) -> bool:
        if user is None or not self.user_can_authenticate(user):
            # Hashed all the same, or the time would tell who has an account. Threat: Django checks
            # an inactive user's password as well, and renews an old hash if it is right: the time
            # would tell that it is.
            User().set_password(password)
            return False
        return user.check_password(password)

    # Surprise: Django's own does not call `authenticate`, and so would not count.
    aauthenticate = sync_to_async(authenticate)
