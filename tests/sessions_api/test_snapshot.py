"""Is what requests are told about a user ever older than the row? (R51, R60, R70, R71, A35, A36)

Requests do not read the user's row: they read its copy in Redis, the snapshot. Here
every way to change a row is followed by one request that must know of it.
"""

from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core import serializers
from django.db import OperationalError, connection, connections, transaction
from django.test import Client, RequestFactory

from accounts import lifecycle
from accounts.contract.errors import StoreUnavailable
from accounts.models import User
from accounts.snapshots import GONE, Snapshot
from sessions_api import store
from sessions_api.engine import SessionStore
from sessions_api.flow import flow
from sessions_api.records import index_name, snapshot_name
from tests.accounts.people import make
from tests.accounts.racing import browser, log_in, post

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., SessionStore]
NEW_PASSWORD = "seven-swallows-over-the-mill"


@pytest.fixture
def adas(ada: User) -> Client:
    """A browser in which ada is logged in, and whose snapshot stands in Redis."""
    client = browser()
    log_in(client, "sessions")
    assert whoami(client).status_code == 200
    return client


def whoami(client: Client) -> Any:
    return client.get("/api/sessions/whoami/")


def row_of(user: User) -> User:
    """The user as somebody else loads it."""
    return User.objects.get(pk=user.pk)


def run_sql(statement: str, *values: Any) -> None:
    """Change the row behind Django's back."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def change_in_admin(user: User, **changes: Any) -> None:
    """Send the form that the admin shows for this user, with other values."""
    make("admin", is_staff=True, is_superuser=True)
    client = browser()
    log_in(client, "sessions", "admin")
    url = f"/admin/accounts/user/{user.pk}/change/"
    form = client.get(url).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value not in (None, False)}
    values |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **changes}
    values = {name: value for name, value in values.items() if value is not None}
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["errors"]


# --- every change is seen by the next request -----------------------------------------------------


def deactivate_by_save(user: User) -> None:
    user.is_active = False
    user.save()


def deactivate_by_saving_one_column(user: User) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])


def deactivate_a_row_with_deferred_columns(user: User) -> None:
    partly = User.objects.only("username").get(pk=user.pk)
    partly.is_active = False
    partly.save()


def deactivate_in_bulk(user: User) -> None:
    user.is_active = False
    User.objects.bulk_update([user], ["is_active"])


def set_password(user: User) -> None:
    user.set_password(NEW_PASSWORD)
    user.save()


ENDINGS: dict[str, Callable[[User], Any]] = {
    "save": deactivate_by_save,
    "save of one column": deactivate_by_saving_one_column,
    "save with deferred columns": deactivate_a_row_with_deferred_columns,
    "bulk_update": deactivate_in_bulk,
    "queryset.update": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    "queryset.update with 0": lambda user: User.objects.filter(pk=user.pk).update(is_active=0),
    "manager's update": lambda user: User.objects.update(is_active=False),
    "update over a relation": lambda user: group_of(user).user_set.update(is_active=False),
    "update_or_create": lambda user: User.objects.update_or_create(
        pk=user.pk, defaults={"is_active": False}
    ),
    "the admin's form": lambda user: change_in_admin(user, is_active=None),
    "epoch": lambda user: user.raise_epoch(),
    "epoch in the database": lambda user: User.objects.filter(pk=user.pk).update(epoch=7),
    "password by save": set_password,
    "password by update": lambda user: User.objects.filter(pk=user.pk).update(password="!"),
    "delete": lambda user: user.delete(),
    "queryset.delete": lambda user: User.objects.filter(pk=user.pk).delete(),
    "delete over a relation": lambda user: group_of(user).user_set.all().delete(),
}


def group_of(user: User) -> Any:
    group = Group.objects.create(name="analysts")
    user.groups.add(group)
    return group


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_what_ends_a_login_is_seen_by_the_next_request(
    end: Callable[[User], Any], ada: User, adas: Client
) -> None:
    end(row_of(ada))
    response = whoami(adas)
    assert response.status_code == 401
    assert response.json()["code"] in ("credential_revoked", "credential_invalid")
    assert post(adas, "/api/sessions/refresh/").status_code == 401
    assert adas.get("/sessions/profile/").status_code == 302


DEACTIVATIONS = [
    "save",
    "save of one column",
    "save with deferred columns",
    "queryset.update",
    "update over a relation",
    "update_or_create",
    "the admin's form",
    "bulk_update",
    "queryset.update with 0",
]


@pytest.mark.parametrize("how", DEACTIVATIONS)
def test_reactivation_does_not_revive(how: str, ada: User, adas: Client) -> None:
    """R70, A35: in both stock flows the old credentials work again."""
    ENDINGS[how](row_of(ada))
    User.objects.filter(pk=ada.pk).update(is_active=True)
    assert whoami(adas).status_code == 401
    log_in(adas, "sessions")
    assert whoami(adas).status_code == 200


PROMOTIONS: dict[str, Callable[[User], Any]] = {
    "queryset.update": lambda user: User.objects.filter(pk=user.pk).update(is_staff=True),
    "the admin's form": lambda user: change_in_admin(user, is_staff="on"),
}


@pytest.mark.parametrize("promote", PROMOTIONS.values(), ids=PROMOTIONS.keys())
def test_role_is_seen_by_the_next_request(
    promote: Callable[[User], Any], ada: User, adas: Client
) -> None:
    promote(row_of(ada))
    assert whoami(adas).json()["roles"] == ["staff"]
    promoted = row_of(ada)
    promoted.is_staff = False
    promoted.save()
    assert whoami(adas).json()["roles"] == []


def test_instance_that_is_older_than_the_epoch_does_not_lower_it(ada: User, adas: Client) -> None:
    """Threat: a request under way would save the epoch that it once read, and revive everything."""
    older = row_of(ada)
    row_of(ada).raise_epoch()
    older.display_name = "Ada"
    older.save()
    assert whoami(adas).status_code == 401


def test_deleted_user_leaves_no_session_behind(ada: User, adas: Client, redis: Any) -> None:
    """R71, A36."""
    row_of(ada).delete()
    assert whoami(adas).status_code == 401
    assert redis.keys("session:*") == []
    assert redis.exists(index_name(ada.pk)) == 0


def test_row_that_is_gone_is_remembered_as_gone(ada: User, adas: Client, redis: Any) -> None:
    """Deleted by plain SQL; a session of nobody is no 5xx."""
    redis.delete(snapshot_name(ada.pk))
    run_sql("DELETE FROM accounts_authevent WHERE user_id = %s", ada.pk)
    run_sql("DELETE FROM accounts_user WHERE id = %s", ada.pk)
    assert whoami(adas).status_code == 401
    assert adas.get("/sessions/profile/").status_code == 302
    assert Snapshot.decode(redis.get(snapshot_name(ada.pk))) == GONE


def test_plain_sql_is_seen_when_the_snapshot_has_expired(
    ada: User, adas: Client, redis: Any
) -> None:
    """The one change that nobody tells us of. Its bound is the snapshot's TTL.

    Five minutes are not waited for: the key is deleted, as Redis would do.
    """
    run_sql("UPDATE accounts_user SET is_active = %s WHERE id = %s", False, ada.pk)
    assert whoami(adas).status_code == 200
    assert 0 < redis.ttl(snapshot_name(ada.pk)) <= store.SNAPSHOT_SECONDS
    redis.delete(snapshot_name(ada.pk))
    assert whoami(adas).status_code == 401


def test_use_does_not_prolong_the_snapshot(ada: User, adas: Client, redis: Any) -> None:
    """Else a busy session would never hear of plain SQL. (A refresh reads the row itself.)"""
    redis.expire(snapshot_name(ada.pk), 5)
    whoami(adas)
    adas.get("/api/sessions/me/")
    assert redis.ttl(snapshot_name(ada.pk)) <= 5


def test_row_restored_from_a_backup_revives_nothing(ada: User, adas: Client, redis: Any) -> None:
    """Design 5.2: the backup was made before ada was deactivated."""
    backup = serializers.serialize("json", [row_of(ada)])
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert whoami(adas).status_code == 401
    for restored in serializers.deserialize("json", backup):
        restored.save()
    redis.delete(snapshot_name(ada.pk))
    assert whoami(adas).status_code == 401


# --- an older row never wins over a newer one -----------------------------------------------------


class Pause:
    """Stops whoever comes by first, until it is told to go on."""

    def __init__(self) -> None:
        self.reached, self.released, self.taken = Event(), Event(), False

    def wait(self) -> None:
        if not self.taken:
            self.taken = True
            self.reached.set()
            assert self.released.wait(timeout=10)


def in_thread(call: Callable[[], Any]) -> Thread:
    """Start a call with connections of its own."""

    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    thread = Thread(target=run, daemon=True)
    thread.start()
    return thread


WRITERS: dict[str, Callable[[User], Any]] = {
    "update": ENDINGS["queryset.update"],
    "save": deactivate_by_save,
    "delete": lambda user: user.delete(),
    "epoch": lambda user: user.raise_epoch(),
    "logout-all": lambda user: logout_all(user),
}


def logout_all(user: User) -> None:
    client = browser()
    log_in(client, "sessions")
    assert post(client, "/api/sessions/logout-all/").status_code == 204


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_reader_that_was_overtaken_by_a_commit_reads_again(
    write: Callable[[User], Any],
    ada: User,
    adas: Client,
    redis: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reader has read the row, a writer commits and tells Redis, then the reader's EXEC comes."""
    redis.delete(snapshot_name(ada.pk))
    pause, encode, statuses = Pause(), Snapshot.encode, []

    def encode_and_wait(snapshot: Snapshot) -> str:
        pause.wait()
        return encode(snapshot)

    monkeypatch.setattr(Snapshot, "encode", encode_and_wait)
    reader = in_thread(lambda: statuses.append(whoami(adas).status_code))
    assert pause.reached.wait(timeout=10)
    write(row_of(ada))
    pause.released.set()
    reader.join(timeout=10)
    assert statuses == [401], "the reader itself learned of it"
    assert whoami(adas).status_code == 401


def test_row_that_is_changing_is_read_and_not_copied(ada: User, adas: Client, redis: Any) -> None:
    """A copy that a reader makes while the transaction is open would be old when it commits."""
    seen: list[Snapshot] = []
    with transaction.atomic():
        User.objects.filter(pk=ada.pk).update(is_active=False)
        reader = in_thread(lambda: seen.append(store.refresh_snapshot(ada.pk)))
        reader.join(timeout=10)
        assert [snapshot.is_active for snapshot in seen] == [True], "nothing is committed yet"
        assert Snapshot.decode(redis.get(snapshot_name(ada.pk))) is None
    assert whoami(adas).status_code == 401


def test_change_whose_end_redis_does_not_hear_of_is_seen_all_the_same(
    ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, and then Redis or the process dies: nobody is answered from an older copy."""
    with monkeypatch.context() as patch, suppress(StoreUnavailable):
        patch.setattr(store, "refresh_snapshot", fail_in_redis)
        deactivate_by_save(row_of(ada))
    assert not row_of(ada).is_active
    assert whoami(adas).status_code == 401


def test_change_that_redis_does_not_hear_of_is_not_made(
    ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a deactivation would count as done, and the old copy would be believed."""
    with monkeypatch.context() as patch:
        patch.setattr(store, "distrust_snapshot", fail_in_redis)
        with pytest.raises(StoreUnavailable):
            deactivate_by_save(row_of(ada))
    assert row_of(ada).is_active
    assert whoami(adas).status_code == 200


def test_writers_snapshots_do_not_overtake_each_other(
    ada: User, adas: Client, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two writers tells Redis last: it tells what the row says then."""
    pause, copy = Pause(), store.refresh_snapshot

    def wait_and_copy(user_id: int, **options: bool) -> Snapshot:
        pause.wait()
        return copy(user_id, **options)

    monkeypatch.setattr(store, "refresh_snapshot", wait_and_copy)
    first = in_thread(lambda: User.objects.filter(pk=ada.pk).update(is_staff=True))
    assert pause.reached.wait(timeout=10)
    User.objects.filter(pk=ada.pk).update(is_active=False)
    pause.released.set()
    first.join(timeout=10)
    held = Snapshot.decode(redis.get(snapshot_name(ada.pk)))
    assert held is not None
    assert (held.is_staff, held.is_active) == (True, False)
    assert whoami(adas).status_code == 401


def test_login_does_not_overwrite_a_newer_snapshot(ada: User, redis: Any) -> None:
    """A login holds the row as it was when the password was proven."""
    stale = row_of(ada)
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    request = RequestFactory().post("/api/sessions/login/")
    request.session = SessionStore()
    flow.issue(request, stale)
    held = Snapshot.decode(redis.get(snapshot_name(ada.pk)))
    assert held is not None
    assert held.is_staff


# --- a transaction that does not commit -----------------------------------------------------------


def fail_in_the_database(*args: Any, **kwargs: Any) -> None:
    raise OperationalError("server closed the connection unexpectedly")


def fail_in_redis(*args: Any, **kwargs: Any) -> None:
    raise StoreUnavailable("redis: TimeoutError")


FAILURES: dict[str, tuple[Any, str, Callable[..., None]]] = {
    "the audit row cannot be written": (lifecycle, "record", fail_in_the_database),
    "Redis cannot be told": (store, "distrust_snapshot", fail_in_redis),
}
CHANGES: dict[str, tuple[str, dict[str, str]]] = {
    "password": (
        "password/",
        {"current_password": "ada-demo-password", "new_password": NEW_PASSWORD},
    ),
    "logout-all": ("logout-all/", {}),
}


def fail_half_way(
    client: Client, change: str, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Have a call fail inside of its transaction."""
    where, name, fail = FAILURES[failure]
    path, body = CHANGES[change]
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        response = post(client, f"/api/sessions/{path}", body)
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert settings.SESSION_COOKIE_NAME not in response.cookies


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("failure", FAILURES)
def test_change_that_failed_half_way_has_changed_no_row(
    failure: str, change: str, ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = row_of(ada)
    fail_half_way(adas, change, failure, monkeypatch)
    after = row_of(ada)
    assert (after.epoch, after.password) == (before.epoch, before.password)
    assert after.check_password("ada-demo-password")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("failure", FAILURES)
def test_after_a_change_that_failed_half_way_one_can_log_in(
    failure: str, change: str, ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row has the old epoch again, and so must what the requests are told."""
    fail_half_way(adas, change, failure, monkeypatch)
    client = browser()
    log_in(client, "sessions")
    assert whoami(client).status_code == 200


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("failure", FAILURES)
def test_change_that_failed_half_way_can_be_made_once_more(
    failure: str, change: str, ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser was told to keep its cookie and to try again: so that must work."""
    other = browser()
    log_in(other, "sessions")
    fail_half_way(adas, change, failure, monkeypatch)
    assert [whoami(client).status_code for client in (adas, other)] == [200, 200]
    path, body = CHANGES[change]
    assert post(adas, f"/api/sessions/{path}", body).status_code in (200, 204)
    assert row_of(ada).epoch > ada.epoch
    assert whoami(other).status_code == 401


def test_logout_all_that_is_committed_is_not_answered_as_if_it_were_not(
    ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left to do after the commit is tidying; 503 would say that nothing was decided."""
    path, body = CHANGES["logout-all"]
    with monkeypatch.context() as patch:
        patch.setattr(store, "end_sessions", fail_in_redis)
        assert post(adas, f"/api/sessions/{path}", body).status_code == 204
    assert row_of(ada).epoch > ada.epoch
    assert whoami(adas).status_code == 401


def test_login_after_a_committed_change_that_redis_missed_works(
    ada: User, adas: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = SessionStore(adas.cookies[settings.SESSION_COOKIE_NAME].value)
    with monkeypatch.context() as patch:
        patch.setattr(store, "end_sessions", fail_in_redis)
        post(adas, "/api/sessions/logout-all/")
    assert before.why_refused() is not None, "the epoch is raised"
    client = browser()
    log_in(client, "sessions")
    assert whoami(client).status_code == 200
