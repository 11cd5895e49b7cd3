"""Is a refresh token used once, when many present it at the same moment? (R34, A26, A27)

RACE_TRIALS=100 pytest tests/jwt_api/test_races.py              # the full count, on SQLite
RACE_TRIALS=100 pytest --postgres tests/jwt_api/test_races.py   # and on PostgreSQL
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.test import Client
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.contract.errors import ContractError
from accounts.models import AuthEvent, User
from jwt_api import store
from jwt_api.models import TokenFamily
from jwt_api.tokens import RefreshToken
from tests.accounts.people import make
from tests.accounts.racing import at_once, browser, log_in, post, trials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

PARALLEL = 32


@pytest.fixture
def ada() -> User:
    return make("ada")


def refresh_token_of(client: Client) -> str:
    return client.cookies[settings.REFRESH_COOKIE_NAME].value


def jti_of(token: str) -> str:
    return jwt.decode(token, options={"verify_signature": False})["jti"]


def holders(token: str, count: int = PARALLEL) -> list[Client]:
    """Browsers that hold the same refresh token."""
    return [browser(**{settings.REFRESH_COOKIE_NAME: token}) for _ in range(count)]


def refresh(client: Client) -> Any:
    return post(client, "/api/jwt/refresh/")


def refresh_at_once(clients: list[Client]) -> list[Any]:
    return at_once([partial(refresh, client) for client in clients])


def live_tokens() -> int:
    """How many refresh tokens could still be exchanged."""
    live = TokenFamily.objects.filter(ended=None, epoch=F("user__epoch"))
    unlisted = OutstandingToken.objects.filter(blacklistedtoken=None)
    return unlisted.filter(family__in=live).count()


def test_parallel_refreshes_leave_one_live_successor(ada: User) -> None:
    """R34: the losers are the winner's own other tabs, and get the same successor."""
    bad = []
    for _ in range(trials(12)):
        client = browser()
        log_in(client, "jwt")
        first = refresh_token_of(client)
        clients = holders(first)
        statuses = {answer.status_code for answer in refresh_at_once(clients)}
        successors = {jti_of(refresh_token_of(client)) for client in clients}
        family = TokenFamily.objects.get(ended=None)
        outcome = (statuses, len(successors), family.generation, live_tokens())
        if outcome != ({200}, 1, 2, 1) or successors == {jti_of(first)}:
            bad.append(outcome)
        store.end_family(family.pk, TokenFamily.Ended.LOGOUT)
    assert bad == []
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


def test_without_grace_a_parallel_refresh_is_a_reuse(ada: User, settings: Settings) -> None:
    """Without a grace nobody can tell a second tab from a thief: one wins, and the family ends."""
    settings.GRACE_SECONDS = 0
    bad = []
    for trial in range(1, trials(6) + 1):
        client = browser()
        log_in(client, "jwt")
        answers = refresh_at_once(holders(refresh_token_of(client)))
        statuses = sorted(answer.status_code for answer in answers)
        reuses = AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count()
        if statuses != [200] + [401] * (PARALLEL - 1) or (reuses, live_tokens()) != (trial, 0):
            bad.append((statuses, reuses, live_tokens()))
    assert bad == []


def test_replays_of_an_old_token_racing_each_other_are_one_event(
    ada: User, settings: Settings
) -> None:
    """R39, R50: however many copies come back late, the family ends once."""
    settings.GRACE_SECONDS = 0
    client = browser()
    log_in(client, "jwt")
    old = refresh_token_of(client)
    assert refresh(client).status_code == 200
    answers = refresh_at_once(holders(old))
    codes = sorted(answer.json()["code"] for answer in answers)
    assert codes == ["credential_reused"] + ["credential_revoked"] * (PARALLEL - 1)
    assert AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count() == 1
    assert live_tokens() == 0


def test_refresh_racing_its_reuse_leaves_nothing_alive(ada: User, settings: Settings) -> None:
    """The victim refreshes while the thief's replay ends the family."""
    settings.GRACE_SECONDS = 0
    for _ in range(trials(8)):
        client = browser()
        log_in(client, "jwt")
        stolen = refresh_token_of(client)
        refresh(client)
        thieves = holders(stolen, 4)
        answers = at_once([partial(refresh, c) for c in [client, *thieves]])
        assert {answer.status_code for answer in answers} <= {200, 401}
        assert live_tokens() == 0
        assert refresh(client).status_code == 401


def log_in_with_bearer(client: Client) -> None:
    """Log ada in; the client sends its access token from then on."""
    token = log_in(client, "jwt")["credential"]["token"]
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"


ENDINGS: dict[str, Callable[[Client], Any]] = {
    "logout": lambda client: post(client, "/api/jwt/logout/"),
    "logout-all": lambda client: post(client, "/api/jwt/logout-all/"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_refresh_racing_an_ending_leaves_nothing_alive(ada: User, ending: str) -> None:
    """A37: what a refresh made while the login was being ended is dead on arrival."""
    for _ in range(trials(8)):
        client = browser()
        log_in_with_bearer(client)
        refreshing = holders(refresh_token_of(client), 4)
        calls: list[Callable[[], Any]] = [partial(refresh, c) for c in refreshing]
        end: Callable[[], Any] = partial(ENDINGS[ending], client)
        ended, *answers = at_once([end, *calls])
        assert ended.status_code == 204
        assert {answer.status_code for answer in answers} <= {200, 401}
        assert live_tokens() == 0
        assert {refresh(c).status_code for c in refreshing} == {401}


def test_login_racing_logout_all_is_of_one_epoch_or_the_other(ada: User) -> None:
    """A login that proved the old epoch's password must not survive the raised epoch."""
    for _ in range(trials(8)):
        client = browser()
        log_in_with_bearer(client)
        arriving = [browser() for _ in range(4)]
        logins: list[Callable[[], Any]] = [partial(log_in, c, "jwt") for c in arriving]
        end: Callable[[], Any] = partial(ENDINGS["logout-all"], client)
        ended, *_ = at_once([end, *logins])
        assert ended.status_code == 204
        epoch = User.objects.get().epoch
        for newcomer in arriving:
            claims = jwt.decode(refresh_token_of(newcomer), options={"verify_signature": False})
            alive = refresh(newcomer).status_code == 200
            assert alive == (claims["epoch"] == epoch)


# --- the same interleavings, one step at a time -----------------------------------------------


def test_claim_that_comes_second_takes_nothing(ada: User) -> None:
    """Both have read "not used yet"; the conditional UPDATE lets one of them through."""
    _, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    one, other = store._family_of(token), store._family_of(token)
    store._claim(one)
    with pytest.raises(store._Overtaken):
        store._claim(other)
    assert OutstandingToken.objects.count() == 2, "the loser's successor is taken back"
    assert BlacklistedToken.objects.count() == 1


def test_claim_after_the_family_ended_takes_nothing(ada: User) -> None:
    family, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    read_before = store._family_of(token)
    store.end_family(family.pk, TokenFamily.Ended.LOGOUT)
    with pytest.raises(store._Overtaken):
        store._claim(read_before)
    assert live_tokens() == 0


def test_successor_of_a_refresh_overtaken_by_logout_all_is_dead(ada: User) -> None:
    """A37, one step at a time: the epoch is raised between the claim and the answer."""
    _, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    _, successor = store.rotate(token)
    ada.raise_epoch()
    with pytest.raises(ContractError) as refused:
        store.rotate(RefreshToken(str(successor)))  # type: ignore[arg-type]
    assert refused.value.default_code == "credential_revoked"


def test_database_of_this_run_can_race() -> None:
    """Not in memory: threads would share one connection, and no race could be seen."""
    assert "memory" not in str(connection.settings_dict["NAME"])
