"""Which rows of the jwt flow can decide nothing any more, and how do they go unnoticed?

A refresh token is refused by its own `exp` before a row is looked at, and a row is never
what makes one valid (`jwt_api.store`). So a token's row may go when no server can take the
token for unexpired any more, and with it the family that has no later one: it cannot be
refreshed again. The sessions flow has no such file, since all its keys in Redis have a TTL.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.purge import delete_oldest_first, lock_free
from jwt_api.models import ProgramToken, TokenFamily

# Why: the servers' clocks and this one differ, by the leeway if all is well and by an hour where a
# time zone was set wrongly; and a request that was let in at the last moment may wait for the
# database. An hour more of rows costs nothing; a row too few is a login lost or a reuse not told.
MARGIN_SECONDS = 3600


def purge(*, batch: int, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete by batches; see `accounts.contract.flow.Flow.purge`.

    A family goes with its last token. One that lives on loses its old tokens, used or not.
    """
    cutoff = timezone.now() - timedelta(seconds=settings.LEEWAY_SECONDS + MARGIN_SECONDS)
    if dry_run:
        yield _count(cutoff)
        return
    yield from _purge_orphans(cutoff, batch)
    yield from delete_oldest_first(expired_tokens(cutoff), "expires_at", _delete, batch=batch)
    programs = expired_programs(cutoff)
    yield from delete_oldest_first(programs, "expires", _delete_programs, batch=batch)


def orphans(cutoff: datetime) -> QuerySet[TokenFamily]:
    """Families whose current token's row is lost; SimpleJWT's `flushexpiredtokens` leaves such.

    Nothing says when that token expired, only that it could not outlive the family.
    """
    return TokenFamily.objects.filter(current=None, absolute_end__lte=cutoff).order_by()


def expired_tokens(cutoff: datetime) -> QuerySet[OutstandingToken]:
    """Tokens that no server takes for unexpired any more."""
    return OutstandingToken.objects.filter(expires_at__lte=cutoff)


def expired_programs(cutoff: datetime) -> QuerySet[ProgramToken]:
    """Tokens for outside programs that expired; those that were ended are gone already."""
    return ProgramToken.objects.filter(expires__lte=cutoff).order_by()


def _delete_programs(expired: list[str]) -> Counter[str]:
    with transaction.atomic():
        free = lock_free(ProgramToken.objects.filter(pk__in=expired))
        ProgramToken.objects.filter(pk__in=free).delete()
    return Counter({"program tokens": len(free)})


def _count(cutoff: datetime) -> Counter[str]:
    families = TokenFamily.objects.filter(current__expires_at__lte=cutoff)
    counts = Counter(
        {
            "refresh tokens": expired_tokens(cutoff).count(),
            "token families": families.count() + orphans(cutoff).count(),
        }
    )
    if programs := expired_programs(cutoff).count():
        counts["program tokens"] = programs
    return counts


def _purge_orphans(cutoff: datetime, batch: int) -> Iterator[Counter[str]]:
    found = list(orphans(cutoff).values_list("pk", flat=True))
    for start in range(0, len(found), batch):
        with transaction.atomic():
            free = lock_free(TokenFamily.objects.filter(pk__in=found[start : start + batch]))
            TokenFamily.objects.filter(pk__in=free).delete()
        yield Counter({"token families": len(free)})


def _delete(expired: list[int]) -> Counter[str]:
    """Delete tokens, and the families that have no later one, in one transaction."""
    families = TokenFamily.objects.order_by()
    with transaction.atomic():
        tokens = lock_free(OutstandingToken.objects.filter(pk__in=expired))
        # Surprise: no join may stand in these filters; see `store._claim`.
        dead = lock_free(families.filter(current__in=tokens))
        living = lock_free(families.filter(previous__in=tokens).exclude(pk__in=dead))
        families.filter(pk__in=dead).delete()
        families.filter(pk__in=living).update(previous=None)
        # What somebody else has locked still names its tokens.
        named = {*families.filter(current__in=tokens).values_list("current", flat=True)}
        named |= {*families.filter(previous__in=tokens).values_list("previous", flat=True)}
        free = [token for token in tokens if token not in named]
        BlacklistedToken.objects.filter(token__in=free).delete()
        # Threat: where a family should name one all the same, `delete()` would set its column to
        # NULL, and so end a live login. This leaves it to the foreign key to refuse.
        OutstandingToken.objects.filter(pk__in=free)._raw_delete("default")
    return Counter({"token families": len(dead), "refresh tokens": len(free)})
