"""What can an outside program do with the token that a user made for it? What it names. (F20)"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as site_settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.contract.permissions import HasScope
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from jwt_api import programs, purge
from jwt_api.models import ProgramToken
from tests.accounts.racing import log_in, post
from tests.contract.calls import CALLS, Call
from tests.contract.people import Person
from tests.contract.probes import site_with_probes
from tests.jwt_api.forging import ABSENT, Forge, visitor
from tests.outages import no_database, no_redis
from tests.test_architecture import views

pytestmark = pytest.mark.django_db

LEEWAY = site_settings.LEEWAY_SECONDS
ADA = Person("ada", "ada-demo-password")
OPENED = {"profile:read": {"me"}, "devices:read": {"devices"}, "notes:read": set()}
ADMITTED = 200


class Owner:
    """ada, logged in: she makes tokens, and ends them."""

    def __init__(self) -> None:
        self.client = visitor()
        self.bearer = {
            "authorization": f"Bearer {log_in(self.client, 'jwt')['credential']['token']}"
        }

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/jwt/{path}", headers=self.bearer)

    def post(self, path: str, body: Any = None) -> Any:
        return post(self.client, f"/api/jwt/{path}", body, **self.bearer)

    def delete(self, path: str) -> Any:
        return self.client.delete(f"/api/jwt/{path}", headers=self.bearer)

    def make(self, scope: str = "profile:read", **values: Any) -> dict[str, Any]:
        wanted = {"name": "report bot", "scope": scope, "expires_in": 86400, **values}
        answer = self.post("tokens/", wanted)
        assert answer.status_code == 201, answer.content
        return answer.json()


@pytest.fixture
def owner(ada: User) -> Owner:
    return Owner()


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield traveller


def use(token: str, path: str = "/api/jwt/me/", method: str = "GET", body: Any = None) -> Any:
    """A request of the program: no cookie, one header."""
    headers = {"authorization": f"Bearer {token}"}
    content = "" if body is None else json.dumps(body)
    return visitor().generic(
        method, path, content, content_type="application/json", headers=headers
    )


def assert_refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# --- making one --------------------------------------------------------------------------------


def test_its_text_is_shown_once(owner: Owner) -> None:
    made = owner.make("profile:read devices:read")
    described = {name: value for name, value in made.items() if name != "token"}
    assert described.keys() == {"id", "name", "scope", "created", "expires", "last_used"}
    assert owner.get("tokens/").json() == [described]
    assert described["last_used"] is None


def test_a_login_that_was_ended_makes_none(owner: Owner) -> None:
    """Threat: an access token is taken for minutes more, and would be turned into one for days."""
    owner.post("logout/")
    answer = owner.post(
        "tokens/", {"name": "report bot", "scope": "profile:read", "expires_in": 86400}
    )
    assert_refused(answer, 401, "credential_revoked")
    assert not ProgramToken.objects.exists()


def test_its_text_stands_in_no_row_and_no_line(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:  # R94
    token = owner.make()["token"]
    use(token)
    use(token, method="PATCH", body={"display_name": "x"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM jwt_api_programtoken")
        stored = str(cursor.fetchall())
    written = stored + caplog.text + str(list(AuthEvent.objects.values()))
    for part in token.split("."):
        assert part not in written


def test_it_is_a_token_that_a_standard_reader_understands(owner: Owner) -> None:
    """RFC 9068: `typ: at+jwt`, and the claims that a resource server asks for. R16"""
    made = owner.make("notes:read")
    forge = Forge(made["token"])
    assert forge.header["typ"] == "at+jwt"
    assert forge.claims["aud"] == site_settings.JWT_PROGRAM_AUDIENCE
    assert forge.claims["iss"] == site_settings.SIMPLE_JWT["ISSUER"]
    assert forge.claims["scope"] == "notes:read"
    assert forge.claims["client_id"] == forge.claims["sid"] == made["id"]
    assert forge.claims["exp"] - forge.claims["iat"] == 86400
    assert "roles" not in forge.claims


NOT_TAKEN: dict[str, dict[str, Any]] = {
    "no name": {"name": ""},
    "a long name": {"name": "x" * 81},
    "a number as name": {"name": 7},
    "no scope": {"scope": ""},
    "an unknown scope": {"scope": "profile:write"},
    "one of two unknown": {"scope": "profile:read admin"},
    "everything": {"scope": "*"},
    "a list": {"scope": ["profile:read"]},
    "a line feed": {"scope": "profile:read\n"},
    "a comma": {"scope": "profile:read,devices:read"},
    "for ever": {"expires_in": 10**12},
    "longer than allowed": {"expires_in": site_settings.PROGRAM_TOKEN_SECONDS + 1},
    "no time": {"expires_in": 0},
    "the past": {"expires_in": -60},
    "text as time": {"expires_in": "3600"},
    "truth as time": {"expires_in": True},
    "null": {"expires_in": None},
}


@pytest.mark.once
@pytest.mark.parametrize("row", NOT_TAKEN)
def test_what_no_token_is_made_of(owner: Owner, row: str) -> None:
    wanted = {"name": "bot", "scope": "profile:read", "expires_in": 3600, **NOT_TAKEN[row]}
    answer = owner.post("tokens/", wanted)
    assert_refused(answer, 400, "invalid")
    assert answer.json()["errors"].keys() == NOT_TAKEN[row].keys()
    assert not ProgramToken.objects.exists()


def test_a_user_has_a_bounded_number(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "MOST_TOKENS", 2)
    first = owner.make()
    owner.make()
    wanted = {"name": "bot", "scope": "profile:read", "expires_in": 3600}
    assert_refused(owner.post("tokens/", wanted), 400, "invalid")
    owner.delete(f"tokens/{first['id']}/")
    owner.make()


def test_its_making_and_its_end_are_recorded(owner: Owner, ada: User) -> None:
    made = owner.make()
    owner.delete(f"tokens/{made['id']}/")
    found = AuthEvent.objects.filter(user=ada, device=made["id"]).order_by("pk")
    assert list(found.values_list("kind", "detail")) == [("token", "report bot"), ("revoke", "")]


# --- what it opens -----------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize("scope", OPENED)
@pytest.mark.parametrize("call", [call for call in CALLS if not call.by_cookie], ids=str)
def test_a_scope_opens_what_it_names_and_nothing_else(
    owner: Owner, call: Call, scope: str, ada: User
) -> None:
    """R74: closed is what a call is unless it says otherwise."""
    made, epoch = owner.make(scope), ada.epoch
    path = "/api/jwt/" + call.path.format(device=made["id"])
    answer = use(made["token"], path, call.method, call.body(ADA))
    if call.name in OPENED[scope]:
        assert answer.status_code == ADMITTED
        return
    assert_refused(answer, 403, "permission_denied")
    assert 'error="insufficient_scope"' in answer["WWW-Authenticate"]
    assert answer["WWW-Authenticate"].startswith("Bearer ")
    ada.refresh_from_db()
    assert (ada.epoch, ada.display_name) == (epoch, "")
    assert ProgramToken.objects.filter(pk=made["id"]).exists()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_makes_no_other_and_lists_none(owner: Owner, method: str) -> None:
    """Threat: a token that makes tokens would outlive itself, and widen itself."""
    made = owner.make(" ".join(OPENED))
    wanted = {"name": "heir", "scope": " ".join(OPENED), "expires_in": 86400}
    assert_refused(use(made["token"], "/api/jwt/tokens/", method, wanted), 403, "permission_denied")
    assert_refused(
        use(made["token"], f"/api/jwt/tokens/{made['id']}/", "DELETE"), 403, "permission_denied"
    )
    assert ProgramToken.objects.count() == 1


def test_the_refusal_names_the_scope_that_is_missing(owner: Owner) -> None:
    """RFC 6750, section 3."""
    answer = use(owner.make("devices:read")["token"])
    assert 'scope="profile:read"' in answer["WWW-Authenticate"]


def test_it_cannot_refresh_and_cannot_log_its_owner_out(owner: Owner) -> None:
    token = owner.make(" ".join(OPENED))["token"]
    assert_refused(use(token, "/api/jwt/refresh/", "POST", {}), 401, "not_authenticated")
    assert use(token, "/api/jwt/logout/", "POST", {}).status_code == 204
    assert use(token).status_code == ADMITTED
    assert post(owner.client, "/api/jwt/refresh/").status_code == 200
    thief = visitor(**{site_settings.REFRESH_COOKIE_NAME: token})
    assert_refused(post(thief, "/api/jwt/refresh/"), 401, "credential_invalid")


@pytest.mark.parametrize("flow", [flow.key for flow in flows() if flow.key != "jwt"])
def test_it_means_nothing_in_another_flow(owner: Owner, flow: str) -> None:  # R72
    assert_refused(use(owner.make()["token"], f"/api/{flow}/me/"), 401, "not_authenticated")


@pytest.mark.parametrize("page", ["profile", "devices"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_opens_no_page(owner: Owner, page: str, method: str) -> None:
    """Threat: a page offers every change, and asks for no scope."""
    answer = use(owner.make(" ".join(OPENED))["token"], f"/jwt/{page}/", method)
    assert answer.status_code == 401
    assert re.search(rb"\bada\b", answer.content) is None


def test_it_carries_no_role(owner: Owner, ada: User, settings: Settings) -> None:
    ada.is_staff = ada.is_superuser = True
    ada.save()
    settings.ROOT_URLCONF = site_with_probes()
    token = owner.make()["token"]
    for probe in ("staff", "staff-or-admin", "forgotten"):
        assert_refused(use(token, f"/api/jwt/probe/{probe}/"), 403, "permission_denied")
    assert use(token, "/api/jwt/probe/scoped/").status_code == ADMITTED
    assert_refused(use(token, "/api/jwt/probe/scoped/", "POST"), 403, "permission_denied")


def test_every_scope_that_opens_a_call_can_be_given() -> None:
    from django.urls import get_resolver

    named = {
        scope
        for _, view in views(get_resolver().url_patterns)
        for permission in view.permission_classes
        if isinstance(permission, HasScope)
        for scope in permission.scopes.values()
    }
    assert named == programs.SCOPES.keys() - programs.ELSEWHERE.keys()


# --- which are refused --------------------------------------------------------------------------

FORGED: dict[str, Callable[[Forge, Forge], str]] = {
    "a login's token, for programs": lambda program, login: login.ours(
        claims={"aud": site_settings.JWT_PROGRAM_AUDIENCE}
    ),
    "a program's token, for the API": lambda program, login: program.ours(
        claims={"aud": site_settings.SIMPLE_JWT["AUDIENCE"]}
    ),
    "for both": lambda program, login: program.ours(
        claims={"aud": [site_settings.JWT_PROGRAM_AUDIENCE, site_settings.SIMPLE_JWT["AUDIENCE"]]}
    ),
    "for nobody": lambda program, login: program.ours(claims={"aud": ABSENT}),
    "for another service": lambda program, login: program.ours(claims={"aud": "billing"}),
    "with a role": lambda program, login: program.ours(claims={"roles": ["admin"]}),
    "without a scope": lambda program, login: program.ours(claims={"scope": ABSENT}),
    "a list as scope": lambda program, login: program.ours(claims={"scope": ["profile:read"]}),
    "an empty scope": lambda program, login: program.ours(claims={"scope": ""}),
    "of another program": lambda program, login: program.ours(claims={"client_id": "AAAAAAAAAAA"}),
    "of the web client": lambda program, login: program.ours(
        claims={"client_id": site_settings.JWT_CLIENT_ID}
    ),
    "tampered": lambda program, login: program.with_signature(b"x" * 64),
}


@pytest.mark.once
@pytest.mark.parametrize("row", FORGED)
def test_what_is_no_token_of_a_program(owner: Owner, row: str) -> None:  # A17
    login = Forge(owner.bearer["authorization"].removeprefix("Bearer "))
    token = FORGED[row](Forge(owner.make()["token"]), login)
    assert_refused(use(token), 401, "credential_invalid")


REVOKED: dict[str, dict[str, Any]] = {
    "another jti": {"jti": "A" * 22},
    "another device": {"sid": "AAAAAAAAAAA", "client_id": "AAAAAAAAAAA"},
    "another epoch": {"epoch": 1},
    "another user": {"sub": "999999"},
}


@pytest.mark.parametrize("row", REVOKED)
def test_a_token_without_its_row_opens_nothing(owner: Owner, row: str) -> None:
    token = Forge(owner.make()["token"]).ours(claims=REVOKED[row])
    assert_refused(use(token), 401, "credential_revoked")


def test_it_expires(owner: Owner, clock: time_machine.Traveller) -> None:
    token = owner.make(expires_in=3600)["token"]
    clock.shift(3600 + LEEWAY - 2)
    assert use(token).status_code == ADMITTED
    clock.shift(3)
    assert_refused(use(token), 401, "credential_expired")


# --- how it ends ---------------------------------------------------------------------------------


def deactivate(owner: Owner, device: str) -> None:
    user = User.objects.get(username="ada")
    user.is_active = False
    user.save()


def change_password(owner: Owner, device: str) -> None:
    body = {"current_password": ADA.password, "new_password": "seven-swallows-over-the-mill"}
    assert owner.post("password/", body).status_code == 200


def log_out_everywhere_by_a_session(owner: Owner, device: str) -> None:
    client = visitor()
    log_in(client, "sessions")
    assert post(client, "/api/sessions/logout-all/").status_code == 204


def end_on_the_page(owner: Owner, device: str) -> None:
    answer = owner.client.post("/jwt/devices/", {"device": device}, headers=owner.bearer)
    assert answer.status_code == 302


def end_by_a_session(owner: Owner, device: str) -> None:
    client = visitor()
    log_in(client, "sessions")
    assert client.delete(f"/api/sessions/devices/{device}/").status_code == 204


ENDS: dict[str, Callable[[Owner, str], Any]] = {
    "among the tokens": lambda owner, device: owner.delete(f"tokens/{device}/"),
    "among the devices": lambda owner, device: owner.delete(f"devices/{device}/"),
    "among a session's devices": end_by_a_session,
    "on the page": end_on_the_page,
    "logout-all": lambda owner, device: owner.post("logout-all/"),
    "logout-all of a session": log_out_everywhere_by_a_session,
    "password": change_password,
    "deactivation": deactivate,
    "deletion": lambda owner, device: User.objects.get(username="ada").delete(),
}


@pytest.mark.parametrize("end", ENDS)
def test_it_is_ended_at_once(owner: Owner, end: str) -> None:
    made = owner.make()
    assert use(made["token"]).status_code == ADMITTED
    ENDS[end](owner, made["id"])
    assert_refused(use(made["token"]), 401, "credential_revoked")
    assert not ProgramToken.objects.exists()


def test_reactivation_brings_none_back(owner: Owner) -> None:
    made = owner.make()
    deactivate(owner, made["id"])
    User.objects.filter(username="ada").update(is_active=True)
    assert_refused(use(made["token"]), 401, "credential_revoked")


def test_a_row_of_an_older_epoch_brings_none_back(owner: Owner) -> None:
    """The row of a token that was being made while its user logged out everywhere."""
    made = owner.make()
    row = ProgramToken.objects.get()
    owner.post("logout-all/")
    row.save(force_insert=True)
    assert_refused(use(made["token"]), 401, "credential_revoked")
    assert made["id"] not in str(Owner().get("devices/").json())


def test_logging_out_leaves_it(owner: Owner) -> None:
    """It was made to outlive the login; it is ended among the devices."""
    made = owner.make()
    assert post(owner.client, "/api/jwt/logout/").status_code == 204
    assert use(made["token"]).status_code == ADMITTED


def test_nobody_else_can_end_it(owner: Owner, grace: User) -> None:
    made = owner.make()
    client = visitor()
    bearer = f"Bearer {log_in(client, 'jwt', 'grace')['credential']['token']}"
    for path in (f"tokens/{made['id']}/", f"devices/{made['id']}/"):
        answer = client.delete(f"/api/jwt/{path}", headers={"authorization": bearer})
        assert answer.status_code == 404
    assert client.get("/api/jwt/tokens/", headers={"authorization": bearer}).json() == []
    assert use(made["token"]).status_code == ADMITTED


def test_a_login_is_no_token(owner: Owner) -> None:
    device = owner.get("whoami/").json()["device"]
    assert owner.delete(f"tokens/{device}/").status_code == 404
    assert owner.get("me/").status_code == 200


# --- where it is seen -----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["profile:read", "profile:read notes:read"])
def test_it_stands_among_the_devices(owner: Owner, scope: str) -> None:
    """Ending it bites at once, except where nobody looks it up."""
    made = owner.make(scope)
    listed = {entry["id"]: entry for entry in owner.get("devices/").json()}
    entry = listed[made["id"]]
    assert (entry["name"], entry["scope"]) == ("report bot", scope)
    assert (entry["flow"], entry["current"]) == ("jwt", False)
    at_once = "notes:read" not in scope
    assert (entry["ends_within"] == 0) == at_once
    assert at_once or 86400 < entry["ends_within"] <= 86400 + LEEWAY + 1


def test_its_use_is_noted_to_the_minute(owner: Owner, clock: time_machine.Traveller) -> None:
    made = owner.make()
    used = []
    for seconds in (0, 30, 31):
        clock.shift(seconds)
        use(made["token"])
        used.append(str(ProgramToken.objects.get().last_used))
    assert used[0] == used[1] < used[2]
    assert owner.get("tokens/").json()[0]["last_used"] is not None


def test_what_a_request_of_it_costs(owner: Owner) -> None:
    """One statement more than a login's `me/`; a login's own requests cost what they did."""
    token = owner.make()["token"]
    use(token)
    with CaptureQueriesContext(connection) as queries:
        use(token)
    assert len(queries) == 2


@pytest.mark.django_db(transaction=True)
def test_an_unreachable_database_is_no_refusal(owner: Owner) -> None:
    """Nothing was decided: the program keeps its token and tries again."""
    token = owner.make()["token"]
    with no_database():
        answer = use(token)
    assert_refused(answer, 503, "store_unavailable")
    assert answer["Retry-After"]
    assert use(token).status_code == ADMITTED


def test_it_goes_on_without_redis(owner: Owner) -> None:
    token = owner.make()["token"]
    with no_redis():
        assert use(token).status_code == ADMITTED


def test_an_admin_sees_and_ends_it(owner: Owner, ada: User) -> None:
    made = owner.make()
    User.objects.create_superuser("admin", "admin@example.org", "admin-demo-password")
    admin = visitor()
    log_in(admin, "sessions", "admin")
    listed = admin.get("/admin/jwt_api/programtoken/").content.decode()
    assert "report bot" in listed
    assert made["token"].rpartition(".")[2] not in listed
    form = {"action": "end_tokens", "_selected_action": [made["id"]]}
    admin.post("/admin/jwt_api/programtoken/", form)
    assert_refused(use(made["token"]), 401, "credential_revoked")
    event = AuthEvent.objects.get(kind="revoke")
    assert (event.user, event.device, event.detail) == (ada, made["id"], "by admin in the admin")


# --- what is left of it ---------------------------------------------------------------------------


def purged(**options: Any) -> Counter[str]:
    return sum(purge.purge(batch=2, **options), Counter())


def test_it_is_purged_after_its_end(owner: Owner, clock: time_machine.Traveller) -> None:  # R46
    for _ in range(3):
        owner.make(expires_in=3600)
    living = owner.make(expires_in=86400)
    clock.shift(3600 + LEEWAY + purge.MARGIN_SECONDS - 60)
    assert purged() == Counter()
    clock.shift(120)
    assert purged(dry_run=True)["program tokens"] == 3
    assert purged()["program tokens"] == 3
    assert [row.pk for row in ProgramToken.objects.all()] == [living["id"]]


# --- the page -------------------------------------------------------------------------------------


def on_the_page(owner: Owner, **fields: Any) -> Any:
    form = {"name": "report bot", "scope": ["profile:read", "notes:read"], "days": "7", **fields}
    return owner.client.post("/jwt/devices/", form, headers=owner.bearer)


def test_the_page_makes_one_and_shows_it_once(owner: Owner) -> None:
    answer = on_the_page(owner)
    token = answer.context["token"]
    assert token in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert use(token).status_code == ADMITTED
    row = ProgramToken.objects.get()
    assert row.expires - row.created == timedelta(days=7)
    again = owner.client.get("/jwt/devices/", headers=owner.bearer).content.decode()
    assert "report bot" in again
    assert token not in again


@pytest.mark.once
@pytest.mark.parametrize(
    "fields",
    [{"scope": []}, {"scope": ["everything"]}, {"days": "3650"}, {"days": "x"}, {"name": " "}],
    ids=str,
)
def test_the_page_explains_what_is_missing(owner: Owner, fields: dict[str, Any]) -> None:
    answer = on_the_page(owner, **fields)
    assert answer.status_code == 200
    assert answer.context["token_form"].errors.keys() == fields.keys()
    assert not ProgramToken.objects.exists()


def test_the_page_offers_no_longer_time_than_is_allowed(owner: Owner, settings: Settings) -> None:
    settings.PROGRAM_TOKEN_SECONDS = 8 * 86400
    page = owner.client.get("/jwt/devices/", headers=owner.bearer).content.decode()
    assert ">7 days<" in page
    assert ">30 days<" not in page


def test_the_page_says_when_there_are_too_many(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "MOST_TOKENS", 0)
    assert "You have 0 of them" in on_the_page(owner).content.decode()


def test_a_visitor_of_the_page_is_offered_nothing(db: None) -> None:
    assert b"Make a token" not in visitor().get("/jwt/devices/").content
