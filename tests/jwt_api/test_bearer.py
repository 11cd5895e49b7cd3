"""In how many ways may a token come? In one: the header. (R53, R93; A53, A54)"""

import pytest
from django.test import Client

from accounts.models import User
from tests.accounts.racing import log_in

pytestmark = [pytest.mark.once, pytest.mark.django_db]

PATHS = ("/api/jwt/whoami/", "/api/jwt/me/", "/jwt/profile/", "/jwt/devices/")


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password="ada-demo-password", display_name="Ada L.")


@pytest.fixture
def token(ada: User) -> str:
    return log_in(Client(), "jwt")["credential"]["token"]


@pytest.fixture
def nobody() -> Client:
    """A browser that holds no cookie."""
    return Client()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("text", ["{token}", "another", ""])
def test_header_and_url_together_are_refused(
    nobody: Client, token: str, path: str, text: str
) -> None:
    """RFC 6750, section 2: not more than one method, whatever stands in the second."""
    headers = {"Authorization": f"Bearer {token}"}
    query = {"access_token": text.format(token=token)}
    assert nobody.get(path, headers=headers).status_code == 200
    answer = nobody.get(path, query, headers=headers)
    assert answer.status_code == 400
    assert token not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_the_api_says_so_in_its_form(nobody: Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = nobody.get("/api/jwt/me/?access_token=x", headers=headers)
    assert answer.json().keys() == {"detail", "code"}
    assert answer.json()["code"] == "invalid"


def test_header_and_form_together_change_nothing(nobody: Client, ada: User, token: str) -> None:
    headers, epoch = {"Authorization": f"Bearer {token}"}, ada.epoch
    form = {"access_token": token, "display_name": "Mallory"}
    assert nobody.post("/jwt/profile/", form, headers=headers).status_code == 400
    # The API reads no forms at all.
    for path in ("/api/jwt/logout-all/", "/api/jwt/password/"):
        assert nobody.post(path, form, headers=headers).status_code == 415
    ada.refresh_from_db()
    assert (ada.display_name, ada.epoch) == ("Ada L.", epoch)


@pytest.mark.parametrize("name", ["access_token", "token", "jwt", "bearer", "Authorization"])
@pytest.mark.parametrize("path", PATHS)
def test_a_token_in_the_url_alone_is_ignored(
    nobody: Client, token: str, path: str, name: str
) -> None:
    """A53: it would stand in every log and in every Referer on the way."""
    answer = nobody.get(path, {name: token})
    assert "Ada L." not in answer.content.decode()
    assert answer.status_code == (401 if path.startswith("/api/") else 200)


def test_a_token_in_a_form_alone_is_ignored(nobody: Client, ada: User, token: str) -> None:
    nobody.post("/jwt/profile/", {"access_token": token, "display_name": "Mallory"})
    ada.refresh_from_db()
    assert ada.display_name == "Ada L."


@pytest.mark.parametrize("header", ["{0}", "bearer", "Bearer", "Bearer {0} {0}", "Bearer {0}, {0}"])
def test_a_header_of_another_form_opens_nothing(nobody: Client, token: str, header: str) -> None:
    headers = {"Authorization": header.format(token)}
    answer = nobody.get("/api/jwt/whoami/", headers=headers)
    assert answer.status_code == 401


def test_the_schemes_name_has_no_case(nobody: Client, token: str) -> None:
    """RFC 9110, section 11.1."""
    for scheme in ("bearer", "BEARER", "Bearer"):
        headers = {"Authorization": f"{scheme} {token}"}
        assert nobody.get("/api/jwt/whoami/", headers=headers).status_code == 200
