"""How does an operator end logins from outside: after a backup was restored, or after a theft?"""

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from accounts import lifecycle
from accounts.contract.errors import STORE_ERRORS, CredentialRevoked, StoreUnavailable
from accounts.models import User


class Command(BaseCommand):
    help = (
        "End every login of the named users, or of all, in both flows. Run it with --all after "
        "the database was restored from a backup: what was revoked since then is live in it again. "
        "An access token that is checked by its signature alone lives until it expires."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="*", help="whose logins to end")
        parser.add_argument("--all", action="store_true", help="end the logins of every user")

    def handle(self, *args: Any, **options: Any) -> None:
        users = self.chosen(options["username"], everybody=options["all"])
        ended = 0
        try:
            for user in users.iterator():
                with suppress(CredentialRevoked):  # deleted meanwhile: nothing is left to end
                    lifecycle.end_logins(None, user, detail="by an operator")
                    ended += 1
        except (*STORE_ERRORS, StoreUnavailable) as error:
            raise CommandError(
                f"A store could not be reached; the logins of {ended} users were ended. "
                "Run the command again: to end a login twice does no harm."
            ) from error
        self.stdout.write(f"Ended every login of {ended} user{'s' * (ended != 1)}.")

    def chosen(self, usernames: list[str], *, everybody: bool) -> QuerySet[User]:
        if bool(usernames) == everybody:
            raise CommandError("Name the users whose logins shall end, or say --all.")
        if everybody:
            return User.objects.all()
        named = User.objects.filter(username__in=usernames)
        missing = set(usernames) - set(named.values_list("username", flat=True))
        if missing:
            raise CommandError(f"There is no user named {', '.join(sorted(missing))}.")
        return named
