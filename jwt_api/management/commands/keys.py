"""How does an operator see and renew the signing keys? docs/keys.md tells when to do which."""

import time
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from jwt_api import rotation
from jwt_api.key_files import VARIABLE
from jwt_api.keys import Key, KeyRing, State, ring
from jwt_api.rotation import Refused, TooEarly, known_everywhere
from jwt_api.signers import ALGORITHMS

TOO_EARLY = 3


class Command(BaseCommand):
    help = (
        "See and renew the keys that sign tokens. Every running process notices at once. "
        f"Exits with 1 where a step was refused, with {TOO_EARLY} where it is only too early."
    )
    # Threat: a check that complains of something else must not hold up `distrust`.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
        steps.add_parser("list", help="every key, what it does, and what comes next")
        prepare = steps.add_parser("prepare", help="make the next key and publish it")
        prepare.add_argument("--algorithm", choices=ALGORITHMS, help="default: JWT_ALGORITHM")
        prepare.add_argument(
            "--hsm", action="store_true", help="make it in the token HSM_TOKEN (ES256)"
        )
        rotate = steps.add_parser("rotate", help="have the next key sign")
        rotate.add_argument(
            "--force", action="store_true", help="even while verifiers may not know it yet"
        )
        steps.add_parser("retire", help="drop the keys whose last token is over")
        # Surprise: one kid in 64 begins with "-", and argparse would take it for an option.
        distrust = steps.add_parser(
            "distrust",
            help="a key was stolen: believe it no more",
            prefix_chars="+",
            add_help=False,
        )
        distrust.add_argument("kid", help="as `keys list` shows it")

    def handle(self, *, step: str, **options: Any) -> None:
        try:
            getattr(self, step)(**options)
        except TooEarly as error:
            text = f"{error} Not before {clock(error.at)}."
            raise CommandError(text, returncode=TOO_EARLY) from error
        except (Refused, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error

    def list(self, **options: Any) -> None:
        found = ring()
        table = Table(box=None, pad_edge=False)
        for column in ("kid", "state", "algorithm", "from", ""):
            table.add_column(column, no_wrap=True)
        for key in found.keys.values():
            table.add_row(
                key.kid, str(key.state), key.signer.algorithm, key.source, what_it_does(key)
            )
        for kid, since in found.distrusted.items():
            table.add_row(kid, str(State.DISTRUSTED), "", "", f"refused since {clock(since)}")
        # As wide as it must be: a table that is cut at 80 columns hides what it is for.
        Console(file=self.stdout, width=200, highlight=False).print(table)  # type: ignore[arg-type]

    def prepare(self, *, algorithm: str | None, hsm: bool, **options: Any) -> None:
        if hsm and algorithm not in (None, "ES256"):
            raise CommandError("Of an HSM, only ES256 is used here. Leave out --algorithm.")
        chosen = algorithm or settings.SIMPLE_JWT["ALGORITHM"]
        key = rotation.prepare(chosen, in_hsm=hsm)
        if ring().signing.source == VARIABLE:
            what = f"Put it into {VARIABLE} as docs/keys.md tells, not before"
        else:
            what = "Run `keys rotate` after"
        self.stdout.write(
            f"Published {key.kid} ({key.signer.algorithm}, {key.source}). "
            f"{what} {clock(known_everywhere(key))}."
        )

    def rotate(self, *, force: bool, **options: Any) -> None:
        try:
            before, key = rotation.rotate(force=force)
        except TooEarly as error:
            raise TooEarly(
                f"{error} Services that hold an older JWKS would refuse its tokens; "
                "--force has them do so.",
                error.at,
            ) from error
        if force and (at := known_everywhere(key)) > time.time():
            self.stdout.write(
                f"Until {clock(at)}, services that hold an older JWKS refuse new tokens."
            )
        until = ring().keys[before.kid].until
        self.stdout.write(
            f"{key.kid} signs from now on. {before.kid} still verifies; "
            f"run `keys retire` after {clock(until)}."
        )

    def retire(self, **options: Any) -> None:
        gone = rotation.retire()
        for key in gone:
            self.stdout.write(f"Dropped {key.kid}: every token that it signed is over.")
        if not gone:
            self.stdout.write("There is no retired key.")

    def distrust(self, *, kid: str, **options: Any) -> None:
        before = ring()
        found = rotation.distrust(kid)
        self.stdout.write(
            f"{kid} is distrusted: refused here from now on, and within "
            f"{settings.JWKS_MAX_AGE_SECONDS} seconds by services that verify on their own."
        )
        if found.signing.kid != before.signing.kid:
            self.stdout.write(
                f"{found.signing.kid} signs from now on. Services may refuse its tokens "
                f"until {clock(known_everywhere(found.signing))}."
            )
        self.stdout.write(after_distrust(before, kid))


def what_it_does(key: Key) -> str:
    now = time.time()
    if key.state == State.ACTIVE:
        return "signs"
    if key.state == State.NEXT:
        at = known_everywhere(key)
        return f"verifies; may sign after {clock(at)}" if at > now else "verifies; may sign"
    if key.until > now:
        until = "" if key.until == float("inf") else f"; needed until {clock(key.until)}"
        return f"verifies{until}"
    return "verifies; may be retired"


def after_distrust(before: KeyRing, kid: str) -> str:
    key = before.find(kid)
    if key is not None and key.source == VARIABLE:
        return "Take it out of JWT_SIGNING_KEY too, before the next restart."
    return "Whoever held a login that it signed has to log in again."


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
