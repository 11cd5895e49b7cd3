"""When is the epoch raised, and can it ever be lowered? (R68, R70, and fact "one mechanism")"""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import PBKDF2PasswordHasher, make_password
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.audit import record
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from accounts.snapshots import GONE, Snapshot
from sessions_api.records import snapshot_name
from sessions_api.store import redis, refresh_snapshot
from tests.accounts.people import make
from tests.accounts.racing import log_in

Change = Callable[[User], Any]


def epoch_of(user: User) -> int:
    return User.objects.values_list("epoch", flat=True).get(pk=user.pk)


def saved(**values: Any) -> Change:
    """Assign and save, as a form does."""

    def change(user: User) -> None:
        for name, value in values.items():
            setattr(user, name, value)
        user.save()

    return change


def with_new_password(user: User) -> None:
    user.set_password("seven-swallows-over-the-mill")
    user.save()


def with_new_password_only(user: User) -> None:
    user.set_password("seven-swallows-over-the-mill")
    user.save(update_fields=["password"])


def without_a_usable_password(user: User) -> None:
    """What the admin's form does for "password-based authentication: disabled"."""
    user.set_unusable_password()
    user.save()


def without_a_password(user: User) -> None:
    user.set_password(None)
    user.save()


def bulk_deactivated(user: User) -> None:
    user.is_active = False
    User.objects.bulk_update([user], ["is_active"])


def epoch_named_to_save(user: User) -> None:
    user.epoch = 0
    user.save(update_fields=["epoch"])


def in_bulk(**values: Any) -> Change:
    return lambda user: User.objects.filter(pk=user.pk).update(**values)


RAISES: dict[str, Change] = {
    "set_password and save": with_new_password,
    "set_password and save of that column": with_new_password_only,
    "set_unusable_password": without_a_usable_password,
    "set_password to none": without_a_password,
    "a hash put into the column": saved(password=make_password("seven-swallows-over-the-mill")),
    "deactivation": saved(is_active=False),
    "deactivation in bulk": in_bulk(is_active=False),
    "deactivation in bulk, as 0": in_bulk(is_active=0),
    "deactivation by an expression": in_bulk(is_active=Value(False)),
    "deactivation by a condition": in_bulk(
        is_active=Case(When(is_staff=True, then=True), default=False)
    ),
    "deactivation by another column": in_bulk(is_active=F("is_staff")),
    "deactivation by bulk_update": bulk_deactivated,
    "password in bulk": in_bulk(password=make_password("seven-swallows-over-the-mill")),
    "raise_epoch": User.raise_epoch,
}
LEAVES: dict[str, Change] = {
    "save without a change": User.save,
    "another name": saved(display_name="Countess"),
    "promotion": saved(is_staff=True, is_superuser=True),
    "promotion in bulk": in_bulk(is_staff=True),
    "another name in bulk": in_bulk(display_name="Countess"),
    "activation in bulk": in_bulk(is_active=True),
    "an instance that says otherwise": saved(epoch=0),
    "the column named to save": epoch_named_to_save,
    "the password checked": lambda user: user.check_password("ada-demo-password"),
}


@pytest.mark.parametrize("change", RAISES.values(), ids=RAISES)
def test_epoch_is_raised_by(ada: User, change: Change) -> None:
    before = epoch_of(ada)
    change(ada)
    assert epoch_of(ada) > before


@pytest.mark.parametrize("change", LEAVES.values(), ids=LEAVES)
def test_epoch_is_left_alone_by(ada: User, change: Change) -> None:
    before = epoch_of(ada)
    change(ada)
    assert epoch_of(ada) == before


def test_stale_save_does_not_lower_the_epoch(ada: User) -> None:
    """Threat: a slow request that read the row before a logout-all would revive every login."""
    stale = User.objects.get(pk=ada.pk)
    ada.raise_epoch()
    stale.display_name = "Countess"
    stale.save()
    assert epoch_of(ada) == ada.epoch


MEANWHILE: dict[str, Change] = {
    "deactivated": in_bulk(is_active=False),
    "demoted": in_bulk(is_staff=False),
    "another password": with_new_password,
    "no password any more": without_a_usable_password,
    "another address": in_bulk(email="countess@example.org"),
}


@pytest.mark.parametrize("change", MEANWHILE.values(), ids=MEANWHILE)
@pytest.mark.parametrize("write", [saved(display_name="Countess"), with_new_password])
def test_stale_save_puts_nothing_back(ada: User, change: Change, write: Change) -> None:
    """Threat: a form of the admin that was under way reactivates who was just deactivated, or makes
    the password good again that was just replaced.
    """
    in_bulk(is_staff=True, email="ada@example.org")(ada)
    stale = User.objects.get(pk=ada.pk)
    change(User.objects.get(pk=ada.pk))
    before: dict[str, Any] = dict(User.objects.values().get(pk=ada.pk))
    write(stale)
    after: dict[str, Any] = dict(User.objects.values().get(pk=ada.pk))
    written = {"display_name"} if write is not with_new_password else {"password", "epoch"}
    assert {name for name in after if after[name] != before[name]} == written


def test_a_refreshed_instance_writes_what_was_changed_since(ada: User) -> None:
    in_bulk(password=make_password("seven-swallows-over-the-mill"))(ada)
    ada.refresh_from_db()
    before = epoch_of(ada)
    with_other_name = saved(display_name="Countess")
    with_other_name(ada)
    row = User.objects.get(pk=ada.pk)
    assert (row.display_name, row.epoch) == ("Countess", before)


def test_a_deferred_column_that_was_read_is_not_written(ada: User) -> None:
    stale = User.objects.only("username").get(pk=ada.pk)
    assert stale.is_active
    in_bulk(is_active=False)(ada)
    saved(display_name="Countess")(stale)
    row = User.objects.get(pk=ada.pk)
    assert (row.display_name, row.is_active) == ("Countess", False)


def test_a_form_of_the_admin_leaves_a_deactivation_that_came_meanwhile(
    ada: User, admin: User, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is hashed for a while, after the row was read and before it is written."""

    def slow(*args: Any) -> str:
        in_bulk(is_active=False)(ada)
        return make_password(*args)

    client.force_login(admin)
    monkeypatch.setattr("django.contrib.auth.base_user.make_password", slow)
    fields = {"usable_password": "true", "set-password": "1"}
    new = dict.fromkeys(("password1", "password2"), "seven-swallows-over-the-mill")
    answer = client.post(f"/admin/accounts/user/{ada.pk}/password/", {**fields, **new})
    assert answer.status_code == 302
    row = User.objects.get(pk=ada.pk)
    assert (row.is_active, row.check_password(new["password1"])) == (False, True)


@pytest.mark.parametrize("columns", [None, ["password"]])
@pytest.mark.django_db(transaction=True)
def test_a_password_that_was_undone_with_its_transaction_is_set_again(
    ada: User, columns: list[str] | None
) -> None:
    before = ada.epoch
    with transaction.atomic():
        with_new_password(ada)
        transaction.set_rollback(True)
    assert epoch_of(ada) == before
    ada.save(update_fields=columns)
    row = User.objects.get(pk=ada.pk)
    assert (row.epoch > before, row.check_password("seven-swallows-over-the-mill")) == (True, True)


@pytest.mark.parametrize("in_transaction", [False, True])
@pytest.mark.django_db(transaction=True)
def test_a_change_and_its_opposite_are_both_written(ada: User, in_transaction: bool) -> None:
    with transaction.atomic() if in_transaction else nullcontext():
        saved(is_staff=True)(ada)
        saved(is_staff=False)(ada)
    assert User.objects.get(pk=ada.pk).is_staff is False


def test_raise_of_a_stale_instance_counts_on(ada: User) -> None:
    """Raised in the database, not from the instance: two raises are two."""
    one, other = User.objects.get(pk=ada.pk), User.objects.get(pk=ada.pk)
    one.raise_epoch()
    other.raise_epoch()
    assert ada.epoch < one.epoch < other.epoch == epoch_of(ada)


def test_reactivation_does_not_lower_the_epoch(ada: User) -> None:  # R70
    before = ada.epoch
    saved(is_active=False)(ada)
    saved(is_active=True)(ada)
    assert epoch_of(ada) > before


def test_deactivation_by_an_instance_that_was_read_before_an_activation(ada: User) -> None:
    """Two admins: the form of the first was loaded while ada was inactive still."""
    in_bulk(is_active=False)(ada)
    stale = User.objects.get(pk=ada.pk)
    in_bulk(is_active=True)(ada)
    before = epoch_of(ada)
    saved(is_active=False)(stale)
    assert epoch_of(ada) > before


def test_password_set_and_another_column_saved_first(ada: User) -> None:
    """The password reaches the row with the second save; so must the new epoch."""
    before = ada.epoch
    ada.set_password("seven-swallows-over-the-mill")
    ada.save(update_fields=["display_name"])
    ada.save(update_fields=["password"])
    assert epoch_of(ada) > before


def log_in_again(user: User) -> None:
    assert authenticate(None, username="ada", password="ada-demo-password") == user


def check_asynchronously(user: User) -> None:
    assert async_to_sync(user.acheck_password)("ada-demo-password")


@pytest.mark.parametrize("prove", [log_in_again, check_asynchronously])
def test_hash_upgraded_at_login_logs_nobody_out(
    ada: User, client: Client, settings: Settings, prove: Change
) -> None:
    """Django rewrites the hash when the hasher changed; that is no password change.

    Surprise: Django makes its sessions' hash of the password's, and so ends all others by it.
    """
    log_in(client, "sessions")
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PBKDF2PasswordHasher, "iterations", 1)
        prove(ada)
    assert User.objects.get(pk=ada.pk).password.startswith("pbkdf2_sha256$")
    assert epoch_of(ada) == ada.epoch
    client.get("/admin/")  # here Django compares it
    assert client.get("/api/sessions/me/").status_code == 200


def test_row_made_again_starts_above_all_it_was_before(ada: User) -> None:
    """Threat: counted from 1, a row with the same id would come to numbers it has had before."""
    user_id, before = ada.pk, ada.epoch
    ada.delete()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=1)):
        again = make("ada", pk=user_id)
    assert again.epoch > before


def test_restored_row_is_raised_above_all_it_was_before(ada: User) -> None:
    """A backup brings an old epoch back. Raised once, it is higher than any since the backup."""
    backup = ada.epoch
    for _ in range(3):
        ada.raise_epoch()
    highest = epoch_of(ada)
    QuerySet(User).filter(pk=ada.pk).update(epoch=backup)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=4)):
        ada.raise_epoch()
    assert epoch_of(ada) > highest


def test_clock_that_went_back_raises_all_the_same(ada: User) -> None:
    before = ada.epoch
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1)):
        ada.raise_epoch()
    assert epoch_of(ada) > before


# --- users made from what a credential tells --------------------------------------------------


def test_known_columns_may_come_in_any_order(
    ada: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Regression: in another order than the columns', the epoch was put into `is_superuser`."""
    known = {"epoch": 7, "is_superuser": False, "is_staff": True, "id": ada.pk, "is_active": True}
    with django_assert_num_queries(0):
        for names in (known, reversed(known)):
            user = User.from_known(**{name: known[name] for name in names})
            assert {name: getattr(user, name) for name in known} == known
            assert user.roles == ["staff"]
    with django_assert_num_queries(1):
        assert user.username == "ada"


def test_a_known_user_is_what_django_makes_of_the_same_columns(ada: User) -> None:
    """It is made by hand, for speed: a Django that keeps more in a model turns this red."""
    by_django = User.objects.only("id", "is_superuser", "is_staff", "is_active", "epoch").get()
    user = User.from_known(**by_django._as_read)
    assert {**vars(user), "_state": None} == {**vars(by_django), "_state": None}
    assert vars(user._state) == vars(by_django._state)
    assert type(user._state) is type(by_django._state)
    assert user.get_deferred_fields() == by_django.get_deferred_fields()
    assert user == by_django


def test_what_is_no_column_is_not_known() -> None:
    with pytest.raises(TypeError, match="is_admin"):
        User.from_known(id=1, is_admin=True)


def test_user_made_from_a_credential_can_be_saved_without_harm(ada: User) -> None:
    """Deferred columns are not written: a save writes what it knows, and never the epoch."""
    user = User.from_known(id=ada.pk, epoch=99, is_active=True)
    user.save()
    row = User.objects.get(pk=ada.pk)
    assert (row.username, row.epoch, row.password) == ("ada", ada.epoch, ada.password)


def test_roles_are_the_words_that_credentials_carry(db: None) -> None:
    rows = {"grace": {}, "mallory": {"is_staff": True}, "admin": {"is_superuser": True}}
    assert [make(name, **fields).roles for name, fields in rows.items()] == [
        [],
        ["staff"],
        ["admin"],
    ]


# --- the session auth hash --------------------------------------------------------------------


def test_session_hash_leads_with_the_epoch_and_ends_in_a_mac(ada: User) -> None:
    epoch, _, mac = ada.get_session_auth_hash().partition(".")
    assert (epoch, len(mac)) == (str(ada.epoch), 22)


def test_session_hash_changes_with_user_epoch_and_secret(
    ada: User, grace: User, settings: Settings
) -> None:
    grace.epoch = ada.epoch
    seen = [ada.get_session_auth_hash(), grace.get_session_auth_hash()]
    with_new_password(ada)
    seen.append(ada.get_session_auth_hash())
    ada.epoch += 1
    seen.append(ada.get_session_auth_hash())
    settings.SECRET_KEY = "x" * 60
    seen.append(ada.get_session_auth_hash())
    assert len(set(seen)) == 5
    assert ada.password not in "".join(seen)


# --- what flows are told ----------------------------------------------------------------------


TOLD: dict[str, Change] = {
    "promotion": saved(is_staff=True),
    "promotion in bulk": in_bulk(is_staff=True),
    "deactivation": saved(is_active=False),
    "deactivation in bulk": in_bulk(is_active=False),
    "deactivation by bulk_update": bulk_deactivated,
    "a raised epoch": User.raise_epoch,
    "a new password": with_new_password,
    "deletion": lambda user: user.delete(),
    "deletion in bulk": lambda user: User.objects.filter(pk=user.pk).delete(),
}


@pytest.mark.parametrize("change", TOLD.values(), ids=TOLD)
def test_flows_are_told_of(
    ada: User,
    change: Change,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    """R51, R52: whoever keeps a copy of the row brings it up to date at commit, not before."""
    before, user_id = refresh_snapshot(ada.pk), ada.pk
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        change(ada)
        # The old copy, or none that anybody trusts; the new one comes with the commit.
        assert Snapshot.decode(redis().get(snapshot_name(user_id))) in (before, None)
    assert len(callbacks) >= len(flows())
    row = User.objects.filter(pk=user_id).values(*Snapshot.__annotations__).first()
    expected = Snapshot(**row) if row else GONE
    assert Snapshot.decode(redis().get(snapshot_name(user_id))) == expected


def test_deletion_reaches_whom_the_query_found_before_their_logins_were_ended(
    ada: User, client: Client
) -> None:
    """Surprise: a filter on what the deletion itself ends would find nobody left to delete."""
    log_in(client, "jwt")
    User.objects.filter(token_families__ended=None, username="ada").delete()
    assert not User.objects.filter(username="ada").exists()


def test_a_bulk_change_changes_nobody_whom_no_flow_is_told_of(ada: User, grace: User) -> None:
    """Threat: who comes to fit the query after its rows were listed is deactivated in the database,
    and let in by the copy of the row.
    """
    in_bulk(is_staff=True)(grace)

    def demote_first(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and '"is_active" =' in sql:
            in_bulk(is_staff=False)(grace)
        return execute(sql, *args)

    with connection.execute_wrapper(demote_first):
        assert User.objects.filter(is_staff=False).update(is_active=False) == 1
    assert not User.objects.get(pk=ada.pk).is_active
    assert User.objects.get(pk=grace.pk).is_active


def test_a_bulk_change_reaches_more_rows_than_one_statement_names(
    ada: User, grace: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.models.MOST_AT_ONCE", 1)
    assert User.objects.filter(pk__in=[ada.pk, grace.pk]).update(is_active=False) == 2
    assert not User.objects.filter(pk__in=[ada.pk, grace.pk], is_active=True).exists()


def test_flows_are_not_told_of_what_they_do_not_copy(
    ada: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        ada.display_name = "Countess"
        ada.save(update_fields=["display_name"])
        in_bulk(display_name="Lady")(ada)
    assert callbacks == []


def test_admin_form_that_deactivates_raises_the_epoch(
    ada: User, admin: User, client: Client
) -> None:
    client.force_login(admin)
    page = f"/admin/accounts/user/{ada.pk}/change/"
    assert client.get(page).status_code == 200
    form = {
        "username": "ada",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "display_name": "Ada",
    }
    answer = client.post(page, form)
    assert answer.status_code == 302, answer.context["errors"]
    row = User.objects.get(pk=ada.pk)
    assert (row.is_active, row.epoch > ada.epoch) == (False, True)


def test_event_with_much_to_tell_is_written_all_the_same(ada: User) -> None:
    """Threat: an administrator with a long name ends every login, and PostgreSQL undoes it."""
    with transaction.atomic():
        record(AuthEvent.Kind.LOGOUT_ALL, None, user_id=ada.pk, detail=f"by {'x' * 150}")
    assert ada.auth_events.get().detail == f"by {'x' * 117}"


def test_event_outlives_its_user(ada: User) -> None:
    event = AuthEvent.objects.create(kind=AuthEvent.Kind.LOGIN, flow="jwt", user=ada)
    ada.delete()
    event.refresh_from_db()
    assert event.user is None
    assert str(event) == "logged in (jwt)"


def test_two_users_cannot_share_an_address_in_another_case(ada: User) -> None:
    twin = User(username="twin", email="ADA@example.org", password="!")
    with pytest.raises(ValidationError, match="already exists"):
        twin.full_clean()
