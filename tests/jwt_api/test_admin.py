"""What does an admin see and do? Every login, and none of its tokens; the end of one, by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import AuthEvent, User
from jwt_api.models import TokenFamily
from tests.accounts.people import make
from tests.accounts.racing import log_in, post
from tests.jwt_api.forging import Forge, visitor

pytestmark = pytest.mark.django_db

COOKIE = site_settings.REFRESH_COOKIE_NAME
READ_ONLY: list[type[Model]] = [TokenFamily, OutstandingToken, BlacklistedToken, AuthEvent]
MODELS: list[type[Model]] = [User, *READ_ONLY]


def url(model: type[Model], page: str, *args: object) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"
    return reverse(name, args=args)


def enter(username: str) -> Client:
    """Log in by the page that the admin sends visitors to."""
    client = visitor()
    answer = client.get(reverse("admin:index"), follow=True)
    login_page = answer.redirect_chain[-1][0]
    assert login_page.startswith("/sessions/login/")
    answer = client.post(
        login_page, {"username": username, "password": f"{username}-demo-password"}
    )
    assert answer.status_code == 302, answer.content[:200]
    return client


@pytest.fixture
def superuser() -> Client:
    make("admin", is_staff=True, is_superuser=True)
    return enter("admin")


class Tokens:
    """Every token that ada was given: by a login, a refresh and a refresh inside the grace."""

    def __init__(self) -> None:
        self.client = visitor()
        self.texts = [log_in(self.client, "jwt")["credential"]["token"], self.cookie()]
        again = visitor(**{COOKIE: self.cookie()})
        for client in (self.client, again):
            answer = post(client, "/api/jwt/refresh/")
            self.texts += [answer.json()["credential"]["token"], client.cookies[COOKIE].value]

    def cookie(self) -> str:
        return self.client.cookies[COOKIE].value

    def is_live(self) -> bool:
        return post(self.client, "/api/jwt/refresh/").status_code == 200


@pytest.fixture
def tokens(ada: User) -> Tokens:
    return Tokens()


@pytest.fixture
def family(tokens: Tokens) -> TokenFamily:
    return TokenFamily.objects.get()


def assert_tells_nothing(page: str, tokens: Tokens) -> None:
    assert "eyJhbGci" not in page
    for text in tokens.texts:
        assert Forge(text).signature not in page
    for user in User.objects.all():
        assert user.password not in page
        # MD5 in tests, Argon2 on the site: what follows the last `$` is the digest.
        assert user.password.rpartition("$")[2] not in page


def test_the_admin_has_no_door_of_its_own(ada: User) -> None:
    """Attempts are counted, and logins recorded, on the sessions flow's page only."""
    for _ in range(2):
        answer = visitor().post(
            "/admin/login/", {"username": "ada", "password": "ada-demo-password"}
        )
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sessions/login/")


def test_an_access_token_opens_no_admin_page(superuser: Client) -> None:
    """R72: not even the superuser's."""
    token = log_in(visitor(), "jwt", "admin")["credential"]["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert visitor().get("/admin/", headers=headers).status_code == 302


@pytest.mark.parametrize("model", MODELS)
def test_a_list_shows_its_rows_and_no_secret(
    superuser: Client, tokens: Tokens, model: type[Model]
) -> None:
    """R20, R45, A65: SimpleJWT's own pages would show the usable refresh token."""
    answer = superuser.get(url(model, "changelist"))
    assert answer.status_code == 200
    assert answer.context["cl"].result_count == model._default_manager.count() > 0
    assert_tells_nothing(answer.content.decode(), tokens)


@pytest.mark.parametrize("model", MODELS)
def test_a_row_shows_no_secret(superuser: Client, tokens: Tokens, model: type[Model]) -> None:
    for row in model._default_manager.all():
        answer = superuser.get(url(model, "change", row.pk))
        assert answer.status_code == 200
        assert_tells_nothing(answer.content.decode(), tokens)


@pytest.mark.parametrize("model", MODELS)
def test_a_search_finds_names_and_no_tokens(
    superuser: Client, tokens: Tokens, model: type[Model]
) -> None:
    def found(query: str) -> int:
        answer = superuser.get(url(model, "changelist"), {"q": query})
        assert answer.status_code == 200
        return answer.context["cl"].result_count

    OutstandingToken.objects.update(token=tokens.texts[-1])
    assert found("ada") > 0
    assert found("eyJhbGci") == found(tokens.texts[-1]) == 0
    assert found("'\"%_\\") == 0, "no error of the server"


def test_a_text_that_another_version_stored_is_not_shown(superuser: Client, tokens: Tokens) -> None:
    """Threat: rows of the time before this app, or of stock classes, hold usable tokens."""
    OutstandingToken.objects.update(token=tokens.texts[-1])
    for model in (OutstandingToken, BlacklistedToken):
        pages = [url(model, "changelist")]
        pages += [url(model, "change", row.pk) for row in model._default_manager.all()]
        for page in pages:
            assert_tells_nothing(superuser.get(page).content.decode(), tokens)


@pytest.mark.parametrize("model", READ_ONLY)
@pytest.mark.parametrize("method", ["get", "post"])
def test_nothing_is_added_changed_or_deleted_by_hand(
    superuser: Client, tokens: Tokens, model: type[Model], method: str
) -> None:
    """A row written here would be a way into the flow that no check of ours has seen."""
    before = list(model._default_manager.order_by("pk").values())
    row = model._default_manager.first()
    assert row is not None
    send: Callable[..., Any] = getattr(superuser, method)
    values = {"user": 1, "jti": "x", "token": 1, "ended": "", "ended_because": "", "post": "yes"}
    assert send(url(model, "add"), values).status_code == 403
    assert send(url(model, "delete", row.pk), values).status_code == 403
    changing = send(url(model, "change", row.pk), values)
    assert changing.status_code == (200 if method == "get" else 403)
    assert not re.search(rb'<(input|select|textarea)[^>]*name="(?!csrf|q")', changing.content)
    deleting = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    superuser.post(url(model, "changelist"), deleting)
    assert list(model._default_manager.order_by("pk").values()) == before


def test_a_family_does_not_come_back_by_a_forged_form(
    superuser: Client, tokens: Tokens, family: TokenFamily
) -> None:
    """Threat: `ended` set to nothing would revive a stolen login."""
    post(tokens.client, "/api/jwt/logout/")
    values = {"ended_0": "", "ended_1": "", "ended_because": "", "user": family.user_id}
    assert superuser.post(url(TokenFamily, "change", family.pk), values).status_code == 403
    family.refresh_from_db()
    assert family.ended is not None


def end_families(client: Client, *families: TokenFamily) -> Any:
    values = {"action": "end_families", "_selected_action": [family.pk for family in families]}
    return client.post(url(TokenFamily, "changelist"), values, follow=True)


def test_an_admin_ends_the_chosen_logins_and_no_other(
    superuser: Client, ada: User, tokens: Tokens, family: TokenFamily
) -> None:
    """R65"""
    other = Tokens()
    answer = end_families(superuser, family)
    assert "Ended 1 token families." in answer.content.decode()
    family.refresh_from_db()
    assert family.ended_because == TokenFamily.Ended.REVOKED
    assert not tokens.is_live()
    assert other.is_live()


def test_what_has_ended_already_is_not_counted_again(
    superuser: Client, tokens: Tokens, family: TokenFamily
) -> None:
    post(tokens.client, "/api/jwt/logout/")
    assert "Ended 0 token families." in end_families(superuser, family).content.decode()
    family.refresh_from_db()
    assert family.ended_because == TokenFamily.Ended.LOGOUT


def test_the_end_of_a_login_by_an_admin_is_recorded(
    superuser: Client, ada: User, tokens: Tokens, family: TokenFamily
) -> None:
    """R95: its user sees it among the recent activity, as every other end."""
    end_families(superuser, family)
    event = AuthEvent.objects.get(kind=AuthEvent.Kind.REVOKE)
    assert (event.user, event.device, event.flow) == (ada, family.pk, "jwt")


def staff_who_may(*codenames: str) -> Client:
    user = make("grace", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return enter("grace")


def test_who_may_only_look_ends_nobodys_login(
    ada: User, tokens: Tokens, family: TokenFamily
) -> None:
    """Threat: the least of the staff would log every admin out, as often as they log in."""
    end_families(staff_who_may("view_tokenfamily"), family)
    assert tokens.is_live()


def test_staff_without_permissions_sees_no_rows(tokens: Tokens) -> None:
    client = staff_who_may()
    for model in MODELS:
        assert client.get(url(model, "changelist")).status_code == 403


def test_an_ordinary_user_is_no_admin(tokens: Tokens) -> None:
    client = enter_as_ada()
    for model in MODELS:
        answer = client.get(url(model, "changelist"))
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


def enter_as_ada() -> Client:
    client = visitor()
    client.post("/sessions/login/", {"username": "ada", "password": "ada-demo-password"})
    return client


def test_password_set_by_an_admin_ends_the_users_logins(
    superuser: Client, ada: User, tokens: Tokens
) -> None:
    """R68: whoever changes it, by whichever door."""
    page = url(User, "changelist") + f"{ada.pk}/password/"
    password = "seven-swallows-over-the-mill"
    values = {"password1": password, "password2": password, "usable_password": "true"}
    assert superuser.post(page, values).status_code == 302
    assert not tokens.is_live()


@pytest.mark.parametrize("by", ["page", "list"])
def test_users_can_be_deleted_and_leave_no_live_login(
    superuser: Client, ada: User, tokens: Tokens, by: str
) -> None:
    """R71: "delete selected" never calls `User.delete`."""
    page = {"page": url(User, "delete", ada.pk), "list": url(User, "changelist")}[by]
    values = {"action": "delete_selected", "_selected_action": [ada.pk], "post": "yes"}
    superuser.post(page, values)
    assert not User.objects.filter(pk=ada.pk).exists()
    assert not TokenFamily.objects.exists()
    assert not tokens.is_live()


def test_every_table_of_the_flow_is_registered_once_and_as_ours() -> None:
    """Surprise: SimpleJWT registers pages of its own, which show the column `token`."""
    for model in READ_ONLY:
        assert type(admin.site.get_model_admin(model)).__module__ in (
            "jwt_api.admin",
            "accounts.admin",
        )
