"""Does a revoked access token die at once where JWT_REVOCATION says so? By lookup, and by push."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.contract.errors import StoreUnavailable
from accounts.models import User
from jwt_api import denylist, revocation
from lab.benchmark.costs import measured
from tests.accounts.mirroring import eventually
from tests.accounts.racing import browser, copy_of, end_grace, log_in, post
from tests.jwt_api.forging import Forge
from tests.outages import needs_redis_server, no_redis, private_redis

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["lookup", "push"])
def how(request: pytest.FixtureRequest, settings: Settings) -> Iterator[str]:
    """A site that has kept its denylist for long."""
    settings.JWT_REVOCATION = request.param
    revocation._check_row_once.cache_clear()
    denylist.redis().set(denylist.SINCE, 1)
    if request.param == "push":
        eventually(lambda: listening().is_current and listening().known([denylist.SINCE]) == [b"1"])
    yield request.param
    denylist.redis().delete(denylist.SINCE)


def listening() -> Any:
    return denylist.mirror.of(denylist.redis())


class Login:
    """ada's browser, and the access token that somebody has copied from it."""

    def __init__(self) -> None:
        self.client = browser()
        self.token = log_in(self.client, "jwt")["credential"]["token"]
        self.device = Forge(self.token).claims["sid"]

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    def whoami(self) -> Any:
        return browser().get("/api/jwt/whoami/", headers=self.bearer)

    def roles(self) -> list[str]:
        return self.whoami().json()["roles"]

    def post(self, path: str, body: Any = None) -> Any:
        return post(self.client, f"/api/jwt/{path}", body, **self.bearer)


@pytest.fixture
def login(ada: User, how: str) -> Login:
    return Login()


def by_another_session(login: Login, method: str, path: str) -> None:
    client = browser()
    log_in(client, "sessions")
    assert client.generic(method, f"/api/sessions/{path}").status_code == 204


def reuse(login: Login) -> None:
    thief = copy_of(login.client)
    login.post("refresh/")
    end_grace()
    assert post(thief, "/api/jwt/refresh/").status_code == 401


def renew_and_log_out(login: Login) -> None:
    login.post("refresh/")
    login.post("logout/")


def change_password(login: Login) -> None:
    words = {"current_password": "ada-demo-password", "new_password": "another good password"}
    assert login.post("password/", words).status_code == 200


def ada_row() -> User:
    return User.objects.get(username="ada")


def deactivate(login: Login) -> None:
    user = ada_row()
    user.is_active = False
    user.save()


ENDINGS: dict[str, Callable[[Login], Any]] = {
    "logout": lambda login: login.post("logout/"),
    "logout in a login that was renewed": lambda login: [
        login.post("refresh/"),
        login.post("logout/"),
    ],
    "logout-all": lambda login: login.post("logout-all/"),
    "logout-all in the other flow": lambda login: by_another_session(login, "POST", "logout-all/"),
    "device ended from the other flow": lambda login: by_another_session(
        login, "DELETE", f"devices/{login.device}/"
    ),
    "refresh token reused": reuse,
    "password changed": change_password,
    "deactivated": deactivate,
    "deactivated in bulk": lambda login: User.objects.update(is_active=False),
    "deleted": lambda login: ada_row().delete(),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.django_db(transaction=True)
def test_an_access_token_is_ended_at_once(login: Login, ending: Callable[[Login], Any]) -> None:
    """R18, A20. Without the denylist it would live on for a quarter of an hour."""
    assert login.whoami().status_code == 200
    ending(login)
    answer = login.whoami()
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")


def test_entries_live_as_long_as_access_tokens(login: Login, settings: Settings) -> None:
    """F9: a quarter of an hour after the last logout the list is empty."""
    login.post("logout/")
    redis = denylist.redis()
    names = redis.keys("denied:{*")
    assert names
    longest = settings.ACCESS_SECONDS + 2 * settings.LEEWAY_SECONDS
    assert all(settings.ACCESS_SECONDS < redis.ttl(name) <= longest for name in names)


def test_the_new_login_of_the_same_user_is_good(login: Login) -> None:
    login.post("logout-all/")
    assert Login().whoami().status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_role_counts_from_the_next_request(login: Login) -> None:
    """F21: the token still says what its user was, and that counts no more."""
    user = ada_row()
    user.is_staff = True
    user.save()
    assert login.roles() == ["staff"]
    user.is_staff = False
    user.save()
    assert login.roles() == []


@pytest.mark.django_db(transaction=True)
def test_after_a_change_of_roles_the_list_says_what_they_are(login: Login) -> None:
    """Nobody asks for the row any more, for as long as older tokens live."""
    user = ada_row()
    user.is_staff = True
    user.save()
    eventually(lambda: queries_of(login.roles) == (["staff"], 0))


def queries_of(call: Callable[[], Any]) -> tuple[Any, int]:
    with CaptureQueriesContext(connection) as queries:
        return call(), len(queries)


@pytest.mark.django_db(transaction=True)
def test_between_a_change_and_its_commit_the_row_is_asked(login: Login) -> None:
    """Whether the transaction is committed, nobody knows; the row does."""
    user = ada_row()
    with transaction.atomic():
        user.is_staff = True
        user.save()
        assert denylist.redis().get(denylist.user_name(user.pk)) == b"changing"
        assert login.roles() == ["staff"]
        transaction.set_rollback(True)
    assert login.roles() == []


def test_a_check_costs_no_sql(login: Login, how: str) -> None:
    login.whoami()
    with measured(denylist.redis()) as cost:
        assert login.whoami().status_code == 200
    assert cost.sql == []
    assert cost.redis == ({"mget": 1} if how == "lookup" else {})


# --- a denylist that was lost -----------------------------------------------------------------


@pytest.mark.parametrize("revoked", [True, False], ids=["revoked", "live"])
def test_an_emptied_redis_brings_nothing_back(login: Login, revoked: bool) -> None:
    """R59: what it denied is told by the database, and what is live stays so."""
    if revoked:
        login.post("logout/")
    denylist.redis().flushdb()
    answer = login.whoami()
    assert answer.status_code == (401 if revoked else 200)
    assert denylist.redis().get(denylist.SINCE) is not None, "from here on it has no gap"


def test_what_ended_between_two_losses_of_redis_stays_ended(login: Login) -> None:
    """Threat: that its row was live when the list had no beginning is remembered."""
    denylist.redis().flushdb()
    assert login.whoami().status_code == 200
    login.post("logout/")
    denylist.redis().flushdb()
    answer = login.whoami()
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")


def test_an_emptied_redis_costs_one_look_up_for_each_login(login: Login, how: str) -> None:
    denylist.redis().flushdb()
    with CaptureQueriesContext(connection) as queries:
        assert login.whoami().status_code == 200
        eventually(lambda: how == "lookup" or listening().known([denylist.SINCE]))
        asked = len(queries)
        for _ in range(5):
            assert login.whoami().status_code == 200
    assert asked >= 1
    assert len(queries) - asked <= 1, "noted under the moment from which the list has no gap"


def test_nonsense_for_a_beginning_makes_the_database_decide(login: Login) -> None:
    denylist.redis().set(denylist.SINCE, "yesterday")
    assert login.whoami().status_code == 200
    login.post("logout/")
    assert login.whoami().status_code == 401


# --- a Redis that is away ---------------------------------------------------------------------


def test_while_redis_is_away_nobody_is_let_in(login: Login) -> None:
    with no_redis():
        answer = login.whoami()
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert login.whoami().status_code == 200


def test_while_redis_is_away_tokens_go_on_where_that_was_chosen(
    login: Login, settings: Settings
) -> None:
    settings.JWT_REVOCATION_OUTAGE = "accept"
    with no_redis():
        assert login.whoami().status_code == 200


@needs_redis_server
@pytest.mark.parametrize("outage", ["refuse", "accept"])
def test_a_redis_that_stalls_is_believed_no_longer_than_the_bound(
    ada: User, settings: Settings, outage: str
) -> None:
    """It is cut in the middle of use: from memory for a moment, and then as the policy says."""
    settings.JWT_REVOCATION, settings.JWT_REVOCATION_OUTAGE = "push", outage
    with private_redis(settings) as server:
        denylist.begin()
        login = Login()
        eventually(lambda: listening().is_current)
        assert login.whoami().status_code == 200
        mirror = listening()
        with server.waited_for():
            server.end()
            eventually(lambda: not mirror.is_current)
            expected = 503 if outage == "refuse" else 200
            assert login.whoami().status_code == expected


@pytest.mark.django_db(transaction=True)
def test_a_logout_that_redis_does_not_take_has_not_happened(login: Login) -> None:
    """No false success: 503, the login goes on, and the same logout is asked for again."""
    with no_redis():
        assert login.post("logout/").status_code == 503
    assert login.whoami().status_code == 200
    assert login.post("logout/").status_code == 204
    assert login.whoami().status_code == 401


@pytest.mark.parametrize("who", ["JWT_REVOCATION", "the caller"])
def test_whoever_relies_on_the_list_hears_that_it_was_not_reached(
    settings: Settings, who: str
) -> None:
    """A strategy of the lab that asks nobody ends logins of a site that does, too."""
    settings.JWT_REVOCATION = "push" if who == "JWT_REVOCATION" else "expiry"
    with no_redis(), pytest.raises(StoreUnavailable):
        denylist.add([(7, "device")], must=who == "the caller")


@pytest.mark.django_db(transaction=True)
def test_where_nobody_relies_on_it_a_logout_needs_no_redis(ada: User, settings: Settings) -> None:
    settings.JWT_REVOCATION = "expiry"
    login = Login()
    with no_redis():
        assert login.post("logout/").status_code == 204


def test_without_the_lab_nothing_is_kept_that_nobody_asks_for(
    ada: User, settings: Settings
) -> None:
    settings.JWT_REVOCATION, settings.LAB = "expiry", False
    Login().post("logout-all/")
    assert denylist.redis().keys("denied:{*") == []


# --- programs ---------------------------------------------------------------------------------


def test_an_ended_program_is_on_the_list_for_as_long_as_its_token_lives(login: Login) -> None:
    """Our own API looks its row up; a service that may reach Redis has nothing else."""
    wanted = {"name": "report bot", "scope": "profile:read", "expires_in": 86400}
    made = login.post("tokens/", wanted).json()
    device = Forge(made["token"]).claims["sid"]
    login.client.delete(f"/api/jwt/devices/{device}/", headers=login.bearer)
    name = denylist.device_name(ada_row().pk, device)
    assert 86000 < denylist.redis().ttl(name) <= 86400 + 60
