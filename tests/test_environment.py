"""Is a mistake in the environment refused at start, in one sentence that names it?"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from authdemo.environment import Environment

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.delenv("SOME_FLAG", raising=False)
    return Environment(tmp_path / ".env")


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("Yes", True), ("off", False), ("", False)]
)
def test_flag_takes_the_usual_spellings(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, text: str, value: bool
) -> None:
    monkeypatch.setenv("SOME_FLAG", text)

    assert environment.flag("SOME_FLAG", default=not value) is value


def test_misspelt_flag_is_not_taken_for_false(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_FLAG", "ture")

    with pytest.raises(ImproperlyConfigured, match="SOME_FLAG is either 1 or 0, not 'ture'"):
        environment.flag("SOME_FLAG", default=False)


def test_number_that_is_none_is_refused_by_name(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_NUMBER", "many")

    with pytest.raises(ImproperlyConfigured, match="SOME_NUMBER"):
        environment.int("SOME_NUMBER")


def test_unknown_choice_is_refused_with_the_known_ones(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_CHOICE", "green")

    with pytest.raises(ImproperlyConfigured, match="one of red, blue, not 'green'"):
        environment.one_of("SOME_CHOICE", ("red", "blue"), default="red")


def test_database_url_that_is_none_is_refused_without_showing_it(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_DATABASE", "ada:her-password@host")

    with pytest.raises(ImproperlyConfigured) as refusal:
        environment.database("SOME_DATABASE", default="sqlite://:memory:")

    assert "SOME_DATABASE" in str(refusal.value)
    assert "her-password" not in str(refusal.value)


def test_misspelt_name_in_the_file_is_refused_with_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\nSESION_IDLE_SECONDS=60\n")
    environment = Environment(file)
    environment.int("SESSION_IDLE_SECONDS", default=1)

    with pytest.raises(ImproperlyConfigured, match="Did you mean SESSION_IDLE_SECONDS"):
        environment.refuse_unknown()


def test_refusal_reaches_the_reader_as_one_sentence() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "authdemo.settings", "PORT": "many"},
        capture_output=True,
        text=True,
    )

    assert result.returncode != 0
    assert "PORT" in result.stderr
    assert "Traceback" not in result.stderr


def test_example_file_explains_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    explained = set(re.findall(r"^#?([A-Z_]+)=", text, flags=re.MULTILINE))

    assert explained == settings.ENVIRONMENT_NAMES


def test_example_file_as_it_stands_is_accepted(tmp_path: Path) -> None:
    clean = {
        name: value for name, value in os.environ.items() if name not in settings.ENVIRONMENT_NAMES
    }
    result = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={
            **clean,
            "DJANGO_SETTINGS_MODULE": "authdemo.settings",
            "ENV_FILE": str(ROOT / ".env.example"),
            "VAR_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.thorough
def test_web_server_refuses_an_insecure_configuration(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "import authdemo.wsgi"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "authdemo.settings",
            "VAR_DIR": str(tmp_path),
            "ACCESS_SECONDS": "86400",
        },
        capture_output=True,
        text=True,
    )

    assert result.returncode != 0
    assert "access tokens live longer than 15 minutes" in result.stderr
