"""What becomes of a login when its refresh tokens are used, used twice, stolen or lost?

R0, R1, R2 are successive refresh tokens of one login. What happens when many present one
at the same moment stands in `test_races.py`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as site_settings
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.db.models import QuerySet
from django.test import Client
from django.urls import URLPattern, get_resolver
from pytest_django import Settings
from rest_framework_simplejwt import tokens as stock
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import AuthEvent, User
from jwt_api import store
from jwt_api.models import TokenFamily
from tests.accounts.racing import log_in, post
from tests.contract.clock import age_in_the_database
from tests.jwt_api.forging import Forge, visitor

pytestmark = pytest.mark.django_db

COOKIE = site_settings.REFRESH_COOKIE_NAME
DAY = 86_400
Ended = TokenFamily.Ended


class Login:
    """One login and every credential that it was ever given."""

    def __init__(self, username: str = "ada") -> None:
        self.client = visitor()
        self.access: list[str] = [log_in(self.client, "jwt", username)["credential"]["token"]]
        self.refresh: list[str] = [self.client.cookies[COOKIE].value]
        self.device = Forge(self.access[0]).claims["sid"]

    def renew(self, times: int = 1) -> None:
        for _ in range(times):
            answer = post(self.client, "/api/jwt/refresh/")
            assert answer.status_code == 200, answer.content
            self.access.append(answer.json()["credential"]["token"])
            self.refresh.append(self.client.cookies[COOKIE].value)

    def family(self) -> TokenFamily:
        return TokenFamily.objects.get(pk=self.device)

    def is_live(self) -> bool:
        return post(self.client, "/api/jwt/refresh/").status_code == 200


def present(token: str) -> Any:
    """Somebody presents a copy of a refresh token."""
    return post(visitor(**{COOKIE: token}), "/api/jwt/refresh/")


def assert_refused(answer: Any, *codes: str) -> None:
    assert answer.status_code == 401, answer.content
    assert answer.json()["code"] in codes
    # A refusal is no logout: who lost a race still holds the winner's cookie in the same jar.
    assert COOKIE not in answer.cookies
    assert b"eyJhbGci" not in answer.content


def reuses() -> int:
    return AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count()


def test_a_user_who_was_deactivated_behind_our_back_is_out(ada: User) -> None:
    """By plain SQL, which raises no epoch: a refresh reads the row all the same."""
    login = Login()
    QuerySet(User).filter(pk=ada.pk).update(is_active=False)
    assert_refused(present(login.refresh[0]), "credential_revoked")
    QuerySet(User).filter(pk=ada.pk).update(is_active=True)
    assert login.is_live()


@pytest.mark.parametrize("at", ["update_last_login", "store.end_family"])
def test_a_login_that_the_database_does_not_take_leaves_the_one_before(ada: User, at: str) -> None:
    """All of it or nothing: a 503 keeps the cookie, and what it holds has to go on."""
    login = Login()

    def locked(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"jwt_api.flow.{at}", locked)
        credentials = {"username": "ada", "password": "ada-demo-password"}
        answer = post(login.client, "/api/jwt/login/", credentials)
    assert answer.status_code == 503
    assert [family.pk for family in TokenFamily.objects.filter(ended=None)] == [login.device]
    assert login.is_live()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands, on a whole second as `iat` and `exp` do."""
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture
def after_grace(settings: Settings) -> Callable[[], None]:
    """The grace is measured by the database's clock."""
    return lambda: age_in_the_database(settings.GRACE_SECONDS)


# --- once -------------------------------------------------------------------------------------


def test_refresh_rotates(ada: User, after_grace: Callable[[], None]) -> None:
    """R33, R40: one family, named in every token of it."""
    login = Login()
    login.renew(2)
    assert len(set(login.refresh)) == 3
    assert {Forge(token).claims["sid"] for token in login.refresh} == {login.device}
    family = login.family()
    assert family.generation == 3
    assert family.current is not None
    assert family.current.jti == Forge(login.refresh[2]).claims["jti"]
    used = set(BlacklistedToken.objects.values_list("token__jti", flat=True))
    assert used == {Forge(token).claims["jti"] for token in login.refresh[:2]}


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def transactions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Surprise: Django reads this of the connection's settings, which overriding does not reach."""
    assert connections.settings["default"] is connection.settings_dict
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactions")
def test_reuse_ends_the_family_and_is_committed(ada: User, settings: Settings) -> None:
    """R35, R37, A24. DRF rolls back at a 401: a revocation inside of it would undo itself."""
    settings.GRACE_SECONDS = 0
    login = Login()
    login.renew()
    assert_refused(present(login.refresh[0]), "credential_reused")
    connection.close()  # what was not committed is lost here
    assert login.family().ended_because == Ended.REUSE
    assert reuses() == 1
    assert_refused(present(login.refresh[1]), "credential_revoked")
    assert_refused(present(login.refresh[0]), "credential_revoked")
    assert reuses() == 1, "R39: one event, however often it is tried"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("transactions")
@pytest.mark.parametrize("call", ["refresh", "logout", "password", "logout-all"])
def test_what_a_call_did_is_committed(ada: User, call: str) -> None:
    login = Login()
    headers = {"authorization": f"Bearer {login.access[0]}"}
    passwords = {"current_password": "ada-demo-password", "new_password": "seven-swallows-fly"}
    answer = post(login.client, f"/api/jwt/{call}/", passwords, **headers)
    assert answer.status_code in (200, 204)
    connection.close()
    family = login.family()
    assert (family.generation == 2) if call == "refresh" else (family.ended is not None)


def test_reuse_is_one_event_that_tells_who_and_where_and_no_token(
    ada: User,
    after_grace: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R39, R54"""
    caplog.set_level(logging.DEBUG)
    login = Login()
    login.renew()
    after_grace()
    thief = visitor(**{COOKIE: login.refresh[0]})
    agent = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
    post(thief, "/api/jwt/refresh/", None, **agent)
    event = AuthEvent.objects.get(kind=AuthEvent.Kind.REUSE)
    assert (event.user, event.device, event.flow) == (ada, login.device, "jwt")
    assert event.ip == "127.0.0.1"
    assert "Firefox" in event.user_agent
    told = [str(value) for value in vars(event).values()] + [caplog.text]
    for token in login.refresh:
        assert not [text for text in told if token in text or Forge(token).signature in text]
    assert "eyJhbGci" not in caplog.text


def test_reuse_leaves_every_other_login_alone(
    ada: User, grace: User, after_grace: Callable[[], None]
) -> None:
    """R38"""
    stolen, phone, hers = Login(), Login(), Login("grace")
    stolen.renew()
    after_grace()
    assert_refused(present(stolen.refresh[0]), "credential_reused")
    assert not stolen.is_live()
    assert phone.is_live()
    assert hers.is_live()


def test_access_tokens_of_a_reused_family_end_within_the_promised_time(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R36: nothing is looked up for them, so that their end is their `exp` and the leeway."""
    settings.GRACE_SECONDS = 0
    login = Login()
    login.renew()
    assert_refused(present(login.refresh[0]), "credential_reused")
    headers = {"authorization": f"Bearer {login.access[1]}"}
    assert visitor().get("/api/jwt/whoami/", headers=headers).status_code == 200
    clock.shift(settings.ACCESS_SECONDS + settings.LEEWAY_SECONDS)
    assert visitor().get("/api/jwt/whoami/", headers=headers).status_code == 401


# --- theft ------------------------------------------------------------------------------------


def test_thief_who_refreshes_first_is_out_when_the_victim_comes(
    ada: User, after_grace: Callable[[], None]
) -> None:
    """A25: otherwise the thief would stay in for ever, and the victim just log in again."""
    victim = Login()
    thief = visitor(**{COOKIE: victim.refresh[0]})
    assert post(thief, "/api/jwt/refresh/").status_code == 200
    after_grace()
    assert_refused(post(victim.client, "/api/jwt/refresh/"), "credential_reused")
    assert_refused(post(thief, "/api/jwt/refresh/"), "credential_revoked")


def test_thief_who_refreshes_second_is_out_and_the_victim_too(
    ada: User, after_grace: Callable[[], None]
) -> None:
    """A24"""
    victim = Login()
    thief = visitor(**{COOKIE: victim.refresh[0]})
    victim.renew()
    after_grace()
    assert_refused(post(thief, "/api/jwt/refresh/"), "credential_reused")
    assert_refused(post(victim.client, "/api/jwt/refresh/"), "credential_revoked")
    assert reuses() == 1


def test_thief_inside_the_grace_gains_no_second_branch(
    ada: User, after_grace: Callable[[], None]
) -> None:
    """Threat: the grace lets a quick thief in. Both hold one token, and the next use tells."""
    victim = Login()
    thief = visitor(**{COOKIE: victim.refresh[0]})
    victim.renew()
    assert post(thief, "/api/jwt/refresh/").status_code == 200
    assert post(thief, "/api/jwt/refresh/").status_code == 200
    after_grace()
    assert_refused(post(victim.client, "/api/jwt/refresh/"), "credential_reused")
    assert_refused(post(thief, "/api/jwt/refresh/"), "credential_revoked")


def test_refresh_answers_for_the_cookie_whatever_token_comes_along(ada: User, grace: User) -> None:
    """A33: mallory's own cookie and a victim's token are not to be mixed."""
    victim, attacker = Login("grace"), Login("ada")
    headers = {"authorization": f"Bearer {victim.access[0]}"}
    answer = post(attacker.client, "/api/jwt/refresh/", None, **headers)
    assert Forge(answer.json()["credential"]["token"]).claims["sub"] == str(ada.pk)


# --- the grace --------------------------------------------------------------------------------


def test_the_predecessor_gets_the_same_successor_inside_the_grace(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R49: two tabs converge; an answer that was lost is given again."""
    login = Login()
    login.renew()
    for _ in range(settings.GRACE_SECONDS // 2):
        clock.shift(1)
        age_in_the_database(1)
        client = visitor(**{COOKIE: login.refresh[0]})
        assert post(client, "/api/jwt/refresh/").status_code == 200
        again = client.cookies[COOKIE].value
        assert Forge(again).claims == Forge(login.refresh[1]).claims
        lasts = Forge(again).claims["exp"] - int(datetime.now(UTC).timestamp())
        assert client.cookies[COOKIE]["max-age"] == lasts
    assert login.family().generation == 2
    assert OutstandingToken.objects.count() == 2
    assert login.is_live()
    assert reuses() == 0


def test_the_grace_ends_when_it_says(ada: User, settings: Settings) -> None:
    """R50: using it does not make it longer, and the next late copy is a reuse all the same."""
    login = Login()
    login.renew()
    age_in_the_database(settings.GRACE_SECONDS - 1)
    assert present(login.refresh[0]).status_code == 200
    age_in_the_database(1)
    assert_refused(present(login.refresh[0]), "credential_reused")
    assert not login.is_live()


def test_what_a_request_waits_here_is_not_counted(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tab whose refresh stood in a queue of ours for longer than the grace is no thief."""
    settings.GRACE_SECONDS = 3
    login = Login()
    login.renew()
    read_family = store._family_of

    def read_late(token: Any) -> Any:
        time.sleep(1.1 * settings.GRACE_SECONDS)
        return read_family(token)

    monkeypatch.setattr(store, "_family_of", read_late)
    assert present(login.refresh[0]).status_code == 200
    assert reuses() == 0


@pytest.mark.parametrize("generations", [2, 3, 5])
def test_an_older_ancestor_inside_the_grace_is_a_reuse(
    ada: User, clock: time_machine.Traveller, generations: int
) -> None:
    """R47, A28: only the immediate predecessor can be another tab's."""
    login = Login()
    login.renew(generations)
    assert_refused(present(login.refresh[0]), "credential_reused")
    assert not login.is_live()


def test_without_grace_the_predecessor_is_a_reuse_at_once(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R49: 0 turns it off."""
    settings.GRACE_SECONDS = 0
    login = Login()
    login.renew()
    assert_refused(present(login.refresh[0]), "credential_reused")
    assert not login.is_live()


def call(client: Client, method: str, path: str, access: str, body: Any = None) -> None:
    headers = {"authorization": f"Bearer {access}"}
    send = getattr(client, method)
    answer = send(path, body or {}, content_type="application/json", headers=headers)
    assert answer.status_code in (200, 204), answer.content


def change_password(login: Login) -> None:
    passwords = {"current_password": "ada-demo-password", "new_password": "seven-swallows-fly"}
    call(login.client, "post", "/api/jwt/password/", login.access[-1], passwords)


def deactivate_and_reactivate(login: Login) -> None:
    for active in (False, True):
        user = User.objects.get(username="ada")
        user.is_active = active
        user.save()


def replay_an_ancestor(login: Login) -> None:
    login.renew()
    assert_refused(present(login.refresh[0]), "credential_reused")


ENDINGS: dict[str, Callable[[Login], object]] = {  # R48, R51; A29, A31, A34 to A36
    "logout": lambda login: post(login.client, "/api/jwt/logout/"),
    "logout with the predecessor": lambda login: post(
        visitor(**{COOKIE: login.refresh[0]}), "/api/jwt/logout/"
    ),
    "ended from another device": lambda login: call(
        visitor(), "delete", f"/api/jwt/devices/{login.device}/", Login().access[0]
    ),
    "logout-all": lambda login: call(visitor(), "post", "/api/jwt/logout-all/", Login().access[0]),
    "logout-all in the other flow": lambda login: User.objects.get().raise_epoch(),
    "its own password change": change_password,
    "password change elsewhere": lambda login: change_password(Login()),
    "ended by an admin": lambda login: store.end_family(login.device, Ended.REVOKED),
    "deactivated": lambda login: User.objects.update(is_active=False),
    # A console of the database raises no epoch.
    "deactivated by SQL": lambda login: QuerySet(User).update(is_active=False),
    "epoch raised by SQL": lambda login: QuerySet(User).update(epoch=2),
    "deactivated and reactivated": deactivate_and_reactivate,
    "user deleted": lambda login: User.objects.get().delete(),
    "another login in the same browser": lambda login: log_in(login.client, "jwt"),
    "a reuse": replay_an_ancestor,
}


@pytest.mark.parametrize("ending", [pytest.param(e, id=name) for name, e in ENDINGS.items()])
def test_the_grace_is_not_for_what_was_ended(
    ada: User, clock: time_machine.Traveller, ending: Callable[[Login], object]
) -> None:
    login = Login()
    login.renew()
    ending(login)
    before = reuses()
    for token in (*reversed(login.refresh), *login.refresh):
        assert_refused(present(token), "credential_revoked", "credential_invalid")
    assert reuses() == before, "it was over already"


@pytest.mark.parametrize("age", [0, 1, 2, 3])
def test_logout_with_an_ancestor_ends_the_family(
    ada: User, after_grace: Callable[[], None], age: int
) -> None:
    """R43, A32: an old tab that logs out means the login, not the one token that it holds."""
    login = Login()
    login.renew(3)
    after_grace()
    for _ in range(2):
        old_tab = visitor(**{COOKIE: login.refresh[age]})
        answer = post(old_tab, "/api/jwt/logout/")
        assert answer.status_code == 204
        assert answer.cookies[COOKIE].value == ""
    for token in login.refresh:
        assert_refused(present(token), "credential_revoked")
    assert login.family().ended_because == Ended.LOGOUT
    assert AuthEvent.objects.filter(kind=AuthEvent.Kind.LOGOUT).count() == 1
    assert reuses() == 0


def test_logout_with_an_expired_token_ends_a_family_that_lives_on(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R43: R0 is over, R2 is not."""
    login = Login()
    for _ in range(2):
        clock.shift(0.7 * settings.REFRESH_IDLE_SECONDS)
        login.renew()
    assert post(visitor(**{COOKIE: login.refresh[0]}), "/api/jwt/logout/").status_code == 204
    assert_refused(present(login.refresh[2]), "credential_revoked")


# --- time -------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_no_hundred_refreshes_pass_the_absolute_end(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R41, A30: neither by rotation nor by asking again inside the grace."""
    login = Login()
    end = int(datetime.now(UTC).timestamp()) + settings.ABSOLUTE_SECONDS
    step = (settings.ABSOLUTE_SECONDS - 1) / 100
    for _ in range(100):
        clock.shift(step)
        login.renew()
        assert present(login.refresh[-2]).status_code == 200, "inside the grace"
        for token in (login.refresh[-1], login.access[-1]):
            assert Forge(token).claims["exp"] <= end
    last = Forge(login.refresh[-1]).claims, Forge(login.access[-1]).claims
    assert [claims["exp"] for claims in last] == [end, end]
    clock.move_to(datetime.fromtimestamp(end, tz=UTC) + timedelta(seconds=1))
    assert_refused(present(login.refresh[-1]), "credential_expired")
    assert_refused(present(login.refresh[-2]), "credential_expired")


def test_tokens_and_cookie_are_cut_at_the_absolute_end(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    settings.ABSOLUTE_SECONDS = 3 * DAY
    login = Login()
    assert login.client.cookies[COOKIE]["max-age"] == 3 * DAY
    clock.shift(3 * DAY - 100)
    credential = post(login.client, "/api/jwt/refresh/").json()["credential"]
    access = Forge(credential["token"]).claims
    assert credential["expires_in"] == access["exp"] - access["iat"] == 100
    assert login.client.cookies[COOKIE]["max-age"] == 100


def test_an_unused_login_ends_and_a_used_one_goes_on(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    """R42"""
    unused, used = Login(), Login()
    clock.shift(settings.REFRESH_IDLE_SECONDS - 60)
    used.renew()
    clock.shift(60 + settings.LEEWAY_SECONDS)
    assert_refused(present(unused.refresh[0]), "credential_expired")
    assert used.is_live()


# --- what the server has lost -----------------------------------------------------------------


def empty(*models: Any) -> Callable[[], None]:
    def lose() -> None:
        for model in models:
            model.objects.all().delete()

    return lose


LOSSES = {  # R44
    "the outstanding tokens": empty(OutstandingToken),
    "the blacklist and the outstanding tokens": empty(BlacklistedToken, OutstandingToken),
    "the families": empty(TokenFamily),
    "all of them": empty(TokenFamily, BlacklistedToken, OutstandingToken),
}


@pytest.mark.parametrize("lose", [pytest.param(lose, id=name) for name, lose in LOSSES.items()])
@pytest.mark.parametrize("shown", [0, 1, 2])
def test_a_lost_table_makes_nothing_valid(
    ada: User, clock: time_machine.Traveller, shown: int, lose: Callable[[], None]
) -> None:
    """ "Not on the list" is not "valid": what is not there as the current one is refused."""
    login = Login()
    login.renew(2)
    lose()
    refused = ("credential_invalid", "credential_reused", "credential_expired")
    assert_refused(present(login.refresh[shown]), *refused)
    assert post(visitor(**{COOKIE: login.refresh[2]}), "/api/jwt/logout/").status_code == 204


def test_a_lost_blacklist_makes_no_used_token_good_again(
    ada: User, after_grace: Callable[[], None]
) -> None:
    login = Login()
    login.renew(2)
    BlacklistedToken.objects.all().delete()
    after_grace()
    assert_refused(present(login.refresh[1]), "credential_reused")


def test_a_lost_family_is_not_anothers(ada: User, grace: User) -> None:
    """Threat: a device id that is given out again would take over the old one's tokens."""
    login = Login()
    TokenFamily.objects.filter(pk=login.device).update(user=grace)
    assert_refused(present(login.refresh[0]), "credential_invalid")


def flush_just_after(clock: time_machine.Traveller, token: str) -> None:
    """Run SimpleJWT's purge one second after the end of a token: inside of the leeway."""
    clock.move_to(datetime.fromtimestamp(Forge(token).claims["exp"] + 1, tz=UTC))
    call_command("flushexpiredtokens")


def test_purge_inside_the_leeway_makes_no_used_token_good_again(
    ada: User, clock: time_machine.Traveller
) -> None:
    """R13: SimpleJWT's purge does not know the leeway, and stock tokens came back by it."""
    login = Login()
    clock.shift(60)
    login.renew()
    flush_just_after(clock, login.refresh[0])
    assert_refused(present(login.refresh[0]), "credential_reused")


def test_purge_inside_the_leeway_is_no_reuse(ada: User, clock: time_machine.Traveller) -> None:
    """The honest client comes within the leeway; no copy exists, so nobody must be alarmed."""
    login = Login()
    flush_just_after(clock, login.refresh[0])
    present(login.refresh[0])
    assert reuses() == 0


# --- where tokens are not ---------------------------------------------------------------------


def everything_stored() -> str:
    """Every column of every row of every table, as text."""
    rows: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows.extend(f"{table}: {row!r}" for row in cursor.fetchall())
    return "\n".join(rows)


def test_no_table_holds_the_text_of_a_token(ada: User, after_grace: Callable[[], None]) -> None:
    """R45, A46: who reads a dump of the database finds nothing to present."""
    logins = [Login(), Login(), Login()]
    for login in logins:
        login.renew(2)
        present(login.refresh[1])
    post(logins[0].client, "/api/jwt/logout/")
    after_grace()
    present(logins[1].refresh[0])
    visitor().post("/jwt/login/", {"username": "ada", "password": "ada-demo-password"})
    stored = everything_stored()
    assert Forge(logins[2].refresh[2]).claims["jti"] in stored, "the scan does see the tables"
    assert "eyJhbGci" not in stored
    for login in logins:
        for token in (*login.access, *login.refresh):
            assert Forge(token).signature not in stored


ELSEWHERE: dict[str, Callable[[str], Any]] = {  # R53, A53
    "the body": lambda token: post(
        visitor(), "/api/jwt/refresh/", {"refresh": token, "refresh_token": token, COOKIE: token}
    ),
    "the query": lambda token: post(
        visitor(), f"/api/jwt/refresh/?refresh={token}&{COOKIE}={token}&token={token}"
    ),
    "Authorization": lambda token: post(
        visitor(), "/api/jwt/refresh/", None, authorization=f"Bearer {token}"
    ),
    "headers": lambda token: post(
        visitor(), "/api/jwt/refresh/", None, **{"x-refresh-token": token, "refresh": token}
    ),
    "another cookie": lambda token: post(
        visitor(refresh=token, refresh_token=token, sessionid=token), "/api/jwt/refresh/"
    ),
}


@pytest.mark.parametrize("send", [pytest.param(send, id=name) for name, send in ELSEWHERE.items()])
def test_a_refresh_token_counts_in_its_cookie_only(ada: User, send: Callable[[str], Any]) -> None:
    login = Login()
    assert_refused(send(login.refresh[0]), "not_authenticated")
    assert login.family().generation == 1
    assert login.is_live()


def views(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.callback
        else:
            yield from views(pattern.url_patterns)


def test_nothing_of_stock_simplejwt_is_mounted() -> None:
    """Its views rotate without a claim, and forget a logout when an app is missing."""
    found = list(views(get_resolver().url_patterns))
    assert len(found) > 20
    for view in found:
        kind = getattr(view, "view_class", None) or getattr(view, "cls", view)
        assert not str(kind.__module__).startswith("rest_framework_simplejwt")
        for authenticator in getattr(kind, "authentication_classes", []):
            assert not authenticator.__module__.startswith("rest_framework_simplejwt")
    for path in ("token", "token/refresh", "token/verify", "token/blacklist", "jwt/token"):
        assert visitor().post(f"/api/{path}/").status_code == 404


@pytest.mark.parametrize("kind", [stock.RefreshToken, stock.AccessToken, stock.SlidingToken])
def test_stock_classes_have_no_key_and_leave_no_row(ada: User, kind: Any) -> None:
    """Whoever reaches for them out of habit gets an error, not a second kind of token."""
    with pytest.raises(Exception, match="PEM"):
        str(kind.for_user(ada))
    assert not OutstandingToken.objects.exists()


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_stock_classes_do_not_read_our_tokens(ada: User, kind: str) -> None:
    token = getattr(Login(), kind)[0]
    stock_class: Any = {"access": stock.AccessToken, "refresh": stock.RefreshToken}[kind]
    with pytest.raises(Exception, match="PEM"):
        stock_class(token)
