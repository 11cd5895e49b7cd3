"""What comes back with a backup? Nothing that was ended, in no part that can be restored.

Rows of the database, whole tables, all of it; a Redis that forgot, and one that remembers what
was long over. R44, R70, R71. Where only an operator can know that a backup was restored,
`manage.py end_logins --all` says so to the site.
"""

from __future__ import annotations

import copy
import io
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from django.core.management import call_command
from django.db.models import Model
from django_redis.pool import ConnectionFactory
from pytest_django import Settings
from redis import Redis
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.client import FlowClient
from accounts.models import AuthEvent, User
from authdemo.embedded_redis import answers, find_binary
from jwt_api.models import TokenFamily
from lab.differences import difference
from tests.accounts.backup import Backup
from tests.accounts.racing import atomic_requests_in_ci
from tests.contract.answers import assert_logged_in, set_cookies, steal
from tests.contract.calls import PERSONAL
from tests.contract.clock import Clock
from tests.contract.people import NEW_PASSWORD, Enter, Person, Visit

pytestmark = [
    pytest.mark.inside("restores backups"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("atomic_requests"),
    atomic_requests_in_ci,
]

MINUTE = 60
"""Epochs are times in seconds, and no restore is done within one."""


# --- what happened since the backup -----------------------------------------------------------


def deactivate(client: FlowClient, person: Person) -> None:
    set_active(person, False)


def deactivate_and_reactivate(client: FlowClient, person: Person) -> None:
    set_active(person, False)
    set_active(person, True)


def set_active(person: Person, active: bool) -> None:
    user = User.objects.get(username=person.username)
    user.is_active = active
    user.save()


def refresh_twice(client: FlowClient, person: Person) -> None:
    client.refresh()
    client.refresh()


Since = Callable[[FlowClient, Person], object]
ENDS_THE_DEVICE: dict[str, Since] = {
    "refreshed twice": refresh_twice,
    "logged out": lambda client, person: client.logout(),
}
ENDS_THE_STATE: dict[str, Since] = {
    "logged out everywhere": lambda client, person: client.logout_all(),
    "password changed": lambda client, person: client.change_password(
        person.password, NEW_PASSWORD
    ),
    "deactivated": deactivate,
    "deactivated and reactivated": deactivate_and_reactivate,
    "deleted": lambda client, person: User.objects.get(username=person.username).delete(),
}
SINCE = ENDS_THE_DEVICE | ENDS_THE_STATE


def is_refused(client: FlowClient) -> bool:
    """Whether the secret is refused in the contract's words; anything but 200 or 401 is a bug."""
    answer = client.send("POST", "refresh/")
    assert answer.status_code in (200, 401), answer.text
    if answer.status_code == 401:
        assert answer.json()["code"].startswith("credential_")
        assert str(difference("cookie_name", client.flow)) not in set_cookies(answer)
    return answer.status_code == 401


def assert_nothing_works(held: FlowClient, person: Person) -> None:
    """No call that looks anything up; what looks nothing up may answer until its bound."""
    assert is_refused(held)
    for call in PERSONAL:
        answer = call.send(held, person, device="a-device")
        if call.name == "whoami":
            assert answer.status_code == difference("whoami_after_logout", held.flow)
        else:
            assert answer.status_code == 401, f"{call}: {answer.text}"
    assert held.send("POST", "logout/").status_code == 204


def end_all_logins() -> None:
    call_command("end_logins", all=True, stdout=io.StringIO())


# --- the database -----------------------------------------------------------------------------


TOKENS = (OutstandingToken, BlacklistedToken, TokenFamily)
EVERYTHING = (User, *TOKENS, AuthEvent)
BUT_DELETED = [name for name in SINCE if name != "deleted"]


Hold: TypeAlias = Callable[..., FlowClient]


@pytest.fixture
def hold_over_a_restore(enter: Enter, visit: Visit, ada: Person) -> Hold:
    """What somebody holds from before a backup of some tables that came back after `since`."""

    def hold(since: str, *models: type[Model]) -> FlowClient:
        client = enter(ada)
        backup = Backup(*models)
        held = steal(client, visit(client.flow))
        SINCE[since](client, ada)
        backup.restore()
        return held

    return hold


@pytest.mark.parametrize("since", SINCE)
def test_restored_user_revives_nothing(
    enter: Enter, ada: Person, hold_over_a_restore: Hold, clock: Clock, since: str
) -> None:
    """R70, R71: the row comes back with its old epoch and password; what it opened is gone."""
    held = hold_over_a_restore(since, User)
    assert is_refused(held)
    clock.advance(MINUTE)
    end_all_logins()
    assert_nothing_works(held, ada)
    assert_logged_in(enter(ada))


@pytest.mark.thorough
@pytest.mark.parametrize("since", BUT_DELETED)
@pytest.mark.parametrize("table", [BlacklistedToken, TokenFamily])
def test_one_restored_table_revives_nothing(
    hold_over_a_restore: Hold, table: type[Model], since: str
) -> None:
    """R44: "not on the list" is not "valid", and a family's current token may have been used."""
    held = hold_over_a_restore(since, table)
    assert is_refused(held)
    assert is_refused(held)


@pytest.mark.parametrize("since", BUT_DELETED)
def test_restored_token_tables_revive_what_only_they_knew(
    hold_over_a_restore: Hold, flow: str, ada: Person, clock: Clock, since: str
) -> None:
    """The honest limit: a logout that no table remembers is one that never was, until told."""
    held = hold_over_a_restore(since, *TOKENS)
    revived = since in ENDS_THE_DEVICE and difference("revived_by_old_tables", flow)
    assert is_refused(held) == (not revived)
    clock.advance(MINUTE)
    end_all_logins()
    assert_nothing_works(held, ada)


@pytest.mark.thorough
@pytest.mark.parametrize("since", SINCE)
def test_restored_database_revives_nothing_after_end_logins(
    enter: Enter, ada: Person, hold_over_a_restore: Hold, clock: Clock, since: str
) -> None:
    """The site cannot tell that it was restored; who restored it can, and says it."""
    held = hold_over_a_restore(since, *EVERYTHING)
    clock.advance(MINUTE)
    end_all_logins()
    assert_nothing_works(held, ada)
    assert_logged_in(enter(ada))


def test_login_made_since_the_backup_is_ended_as_well(
    enter: Enter, visit: Visit, flow: str, ada: Person, clock: Clock
) -> None:
    """Threat: an epoch counted from 1 would come to the number of that login once more."""
    backup = Backup(*EVERYTHING)
    enter(ada).logout_all()
    client = enter(ada)
    held = steal(client, visit(flow))
    clock.advance(MINUTE)
    backup.restore()
    end_all_logins()
    assert_nothing_works(held, ada)


def test_restored_row_is_noticed_without_being_told(
    enter: Enter, visit: Visit, flow: str, ada: Person, clock: Clock
) -> None:
    """A login of an epoch that the row no longer has: as soon as any copy of the row is old."""
    backup = Backup(User)
    enter(ada).logout_all()
    held = steal(enter(ada), visit(flow))
    backup.restore()
    assert held.send("GET", "me/").status_code == 401
    clock.advance(5 * MINUTE)
    assert is_refused(held)


def test_user_made_again_with_the_same_id_gets_nothing_of_the_deleted_one(
    enter: Enter, visit: Visit, flow: str, ada: Person, clock: Clock
) -> None:
    """R71, with the id chosen by hand, as a fixture or an import does."""
    held = steal(enter(ada), visit(flow))
    pk = User.objects.get().pk
    User.objects.get().delete()
    clock.advance(MINUTE)
    User.objects.create_user(ada.username, password=ada.password, pk=pk)
    assert is_refused(held)
    assert_nothing_works(held, ada)


# --- Redis ------------------------------------------------------------------------------------


class DumpedRedis:
    """A Redis of the test's own, that can be put back to what it once wrote to disk."""

    def __init__(self) -> None:
        # Not pytest's folder: the kernel takes 104 bytes of a socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="authdemo-dump-", dir="/tmp"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"

    def start(self) -> None:
        binary = find_binary()
        assert binary is not None
        self.process = subprocess.Popen(
            [binary.path, "--port", "0", "--unixsocket", self.socket, "--save", ""],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not (self.socket.exists() and answers(self.socket)):
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.005)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)
        self.socket.unlink()

    def dump(self) -> None:
        with Redis(unix_socket_path=str(self.socket)) as client:
            client.save()

    def restart(self, *, empty: bool) -> None:
        self.end()
        if empty:
            (self.folder / "dump.rdb").unlink()
        self.start()


@pytest.fixture
def redis(settings: Settings) -> Iterator[DumpedRedis]:
    server = DumpedRedis()
    server.start()
    changed = copy.deepcopy(settings.CACHES)
    changed["auth"]["LOCATION"] = server.url
    settings.CACHES = changed
    yield server
    pool = ConnectionFactory._pools.pop(server.url, None)
    if pool is not None:
        pool.disconnect()
    server.end()
    shutil.rmtree(server.folder)


def test_redis_that_restarted_empty_knows_nobody(
    enter: Enter, visit: Visit, flow: str, ada: Person, redis: DumpedRedis
) -> None:
    """401, never 5xx, where everything stood in Redis; the others do not notice."""
    client = enter(ada)
    held = steal(client, visit(flow))
    redis.dump()
    redis.restart(empty=True)
    if difference("lives_on_with_an_empty_redis", flow):
        assert_logged_in(held)
        held.refresh()
    else:
        assert is_refused(held)
        assert_nothing_works(held, ada)
    assert_logged_in(enter(ada))


@pytest.mark.once
@pytest.mark.parametrize("since", SINCE)
def test_redis_put_back_revives_nothing_after_end_logins(
    enter: Enter, visit: Visit, flow: str, ada: Person, redis: DumpedRedis, since: str
) -> None:
    client = enter(ada)
    held = steal(client, visit(flow))
    redis.dump()
    SINCE[since](client, ada)
    redis.restart(empty=False)
    end_all_logins()
    assert_nothing_works(held, ada)


@pytest.mark.once
@pytest.mark.parametrize("since", SINCE)
def test_redis_put_back_revives_what_only_it_knew(
    enter: Enter, visit: Visit, flow: str, ada: Person, redis: DumpedRedis, since: str
) -> None:
    """The honest limit: a logout that Redis forgot is one that never was, until told."""
    client = enter(ada)
    held = steal(client, visit(flow))
    redis.dump()
    SINCE[since](client, ada)
    redis.restart(empty=False)
    revived = since in ENDS_THE_DEVICE and difference("revived_by_an_old_redis", flow)
    assert is_refused(held) == (not revived)
    assert (held.send("GET", "me/").status_code == 401) == (since in ENDS_THE_STATE)
