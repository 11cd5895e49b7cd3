"""How long does the audit trail stay in the database? `AUDIT_DAYS`, and then it goes in batches."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

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
    since = datetime.fromtimestamp(0, UTC)
    if dry_run:
        yield Counter({"events": old_events(since, cutoff).count()})
        return
    while found := list(old_events(since, cutoff).values_list("pk", "created")[:batch]):
        events = AuthEvent.objects.filter(pk__in=[pk for pk, _ in found]).order_by()
        with transaction.atomic():
            # Waits for nobody, so that it can be part of no deadlock: the deletion of a user
            # locks his events too.
            free = list(events.select_for_update(skip_locked=True).values_list("pk", flat=True))
            AuthEvent.objects.filter(pk__in=free).delete()
        yield Counter({"events": len(free)})
        if len(found) < batch or not free:
            return
        since = found[-1][1]


def old_events(since: datetime, cutoff: datetime) -> QuerySet[AuthEvent]:
    """Events from `since` (where the batch before ended) to `cutoff`, oldest first."""
    return AuthEvent.objects.filter(created__gte=since, created__lt=cutoff).order_by("created")
