"""How long does the audit trail stay in the database? `AUDIT_DAYS`, and then it goes in batches."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import AuthEvent


def purge_events(*, batch: int, dry_run: bool = False) -> Iterator[Counter[str]]:
    """Delete events that are older than AUDIT_DAYS, as `Flow.purge` does; 0 keeps them all."""
    if settings.AUDIT_DAYS <= 0:
        return
    cutoff = timezone.now() - timedelta(days=settings.AUDIT_DAYS)
    old = AuthEvent.objects.filter(created__lt=cutoff)
    if dry_run:
        yield Counter({"events": old.count()})
        return
    yield from delete_oldest_first(old, "created", _delete_events, batch=batch)


def _delete_events(found: list[int]) -> Counter[str]:
    with transaction.atomic():
        free = lock_free(AuthEvent.objects.filter(pk__in=found))
        AuthEvent.objects.filter(pk__in=free).delete()
    return Counter({"events": len(free)})


def delete_oldest_first(
    rows: QuerySet[Any], moment: str, delete: Callable[[list[Any]], Counter[str]], *, batch: int
) -> Iterator[Counter[str]]:
    """Give `delete` the keys of `rows` by batches, and yield what it says is gone.

    `moment` names the indexed column that makes a row old. A `delete` that gets nothing ends
    it: others hold the rest.
    """
    since = datetime.fromtimestamp(0, UTC)
    while True:
        # Surprise: without `since`, each batch would wade through what the ones before it left in
        # the index. PostgreSQL keeps deleted rows there until a vacuum.
        oldest = rows.filter(**{f"{moment}__gte": since}).order_by(moment)
        # Read before the transaction begins: on SQLite everybody else's writing waits for that.
        found = list(oldest.values_list("pk", moment)[:batch])
        if not found:
            return
        gone = delete([pk for pk, _ in found])
        yield gone
        if len(found) < batch or not gone.total():
            return
        since = found[-1][1]


def lock_free(rows: QuerySet[Any]) -> list[Any]:
    """The keys of those rows that nobody else has locked, locked.

    A purge and a logout-all, or a deletion, that wait for each other's rows would be a deadlock,
    and for one of them a 503. So the purge waits for nobody: what it does not get is left to the
    next one.
    """
    free = rows.order_by().select_for_update(skip_locked=True)
    return list(free.values_list("pk", flat=True))
