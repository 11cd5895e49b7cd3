"""Does the lab show the code that runs, and nothing else?"""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.test import Client
from pytest_django import Settings

from lab.receipts.code import MOST_LINES, OURS

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("lab")]

ROOT = Path(site_settings.BASE_DIR)


def asked(client: Client, path: str, line: str | int = 1, accept: str = "application/json") -> Any:
    return client.get("/lab/code/", {"path": path, "line": line}, headers={"accept": accept})


def line_of(path: str, text: str) -> int:
    return 1 + (ROOT / path).read_text().splitlines().index(text)


def test_a_function_is_shown_with_its_decorators_and_its_line(client: Client) -> None:
    path = "accounts/contract/csrf.py"
    line = line_of(path, "def enforce_csrf(request: HttpRequest) -> None:")
    code = asked(client, path, line + 2).json()
    assert (code["name"], code["line"]) == ("enforce_csrf", line + 2)
    assert code["lines"][0].startswith("@check(")
    assert code["lines"][line - code["first"]].startswith("def enforce_csrf")
    assert code["lines"][-1].strip() == "raise CsrfFailed(str(reason))"


def test_a_person_gets_a_page(client: Client) -> None:
    page = asked(client, "templates/base.html", 3, "text/html,*/*;q=0.8")
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert "&lt;!doctype html&gt;" in page.content.decode()


@pytest.mark.parametrize(
    "path",
    ["lab/static/lab/receipt.js", "jwt/api_jwt.py", "rest_framework/permissions.py", "lab/urls.py"],
)
def test_libraries_scripts_and_templates_are_shown(client: Client, path: str) -> None:
    assert 0 < len(asked(client, path, 20).json()["lines"]) <= MOST_LINES


def test_a_test_and_a_section_of_the_docs_are_shown_whole(client: Client) -> None:
    line = line_of(
        "tests/lab/test_code.py", "def test_a_person_gets_a_page(client: Client) -> None:"
    )
    assert (
        asked(client, "tests/lab/test_code.py", line).json()["name"] == "test_a_person_gets_a_page"
    )
    line = line_of("docs/lab.md", "## Audit")
    section = asked(client, "docs/lab.md", line + 2).json()
    assert (section["first"], section["lines"][0]) == (line, "## Audit")
    assert section["lines"][-1] == ""
    assert sum(text.startswith("#") for text in section["lines"]) == 1


REFUSED = {
    "settings": "authdemo/settings.py",
    "the environment": ".env",
    "an example of it": ".env.example",
    "manage.py": "manage.py",
    "keys": "var/secret_key",
    "up and down again": "accounts/../authdemo/settings.py",
    "up from the tests": "tests/../authdemo/settings.py",
    "up from the docs": "docs/../.env.example",
    "a picture": "docs/images/home-dark.png",
    "up, out of a package": "lab/../manage.py",
    "up and back into the same": "lab/../../{root}/authdemo/settings.py",
    "to the root": "accounts/../../../../../../../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "ours, absolutely": "{ROOT}/accounts/models.py",
    "out of a library": "django/../../../../pyvenv.cfg",
    "into a library that is not named": "django/../redis/client.py",
    "another library": "redis/client.py",
    "the standard library": "os.py",
    "backslashes": "accounts\\..\\authdemo\\settings.py",
    "a home": "~/accounts/models.py",
    "a NUL": "accounts/models.py\0.html",
    "another suffix": "accounts/static/accounts/style.css",
    "compiled": "accounts/__pycache__/models.cpython-311.pyc",
    "a folder": "accounts/contract",
    "a package": "accounts",
    "nothing": "",
    "not there": "accounts/nothing.py",
    "a URL": "file:///etc/passwd",
    "encoded twice": "accounts/%2e%2e/authdemo/settings.py",
    "too long": "accounts/" + "a/" * 5000 + "x.py",
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", REFUSED)
def test_nothing_else_is_shown(client: Client, name: str) -> None:
    path = REFUSED[name].replace("{ROOT}", str(ROOT)).replace("{root}", ROOT.name)
    answer = asked(client, path)
    assert answer.status_code == 404
    assert "SECRET" not in answer.content.decode()


@pytest.mark.parametrize("line", [0, -1, "x", "", "1e3", 10**5, "9" * 5000])
def test_a_line_that_is_none_is_not_found(client: Client, line: str | int) -> None:
    assert asked(client, "lab/urls.py", line).status_code == 404


def test_a_link_does_not_lead_out(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "project"
    outside = tmp_path / "outside.py"
    outside.write_text("SECRET = 1\n")
    for package in OURS:
        (settings.BASE_DIR / package).mkdir(parents=True)
        (settings.BASE_DIR / package / "own.py").write_text("mine = 1\n")
        (settings.BASE_DIR / package / "link.py").symlink_to(outside)
        (settings.BASE_DIR / package / "folder").symlink_to(tmp_path)
        assert asked(client, f"{package}/own.py").json()["lines"] == ["mine = 1"]
        for path in ("link.py", "folder/outside.py"):
            assert asked(client, f"{package}/{path}").status_code == 404
