"""Is what the environment says a setting, and a possible value? If not, one sentence says so.

django-environ reads; this adds the refusals: it would take `DEBUG=ture` for false
and never notice `SESION_IDLE_SECONDS` in `.env`.
"""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


class Environment(environ.Env):
    """The process's environment, over a `.env` file; remembers which names were asked for."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.asked: set[str] = set()
        self.read_env(file)

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        """Raises `ImproperlyConfigured`, by name, for a value of the wrong kind."""
        self.asked.add(var)
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{var} is set to something it cannot be: {error}."
            ) from error

    def flag(self, var: str, *, default: bool) -> bool:
        """1 or 0, in the usual spellings; anything else is refused instead of taken for 0."""
        value = self.str(var, default=str(int(default))).strip().lower()
        if value not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{var} is either 1 or 0, not {value!r}.")
        return value in TRUE

    def one_of(self, var: str, choices: Collection[str], *, default: str) -> str:
        """One of the named values."""
        value = self.str(var, default=default)
        if value not in choices:
            raise ImproperlyConfigured(f"{var} is one of {', '.join(choices)}, not {value!r}.")
        return value

    def database(self, var: str, *, default: str) -> dict[str, Any]:
        """A database URL as Django wants it; errors never show it, since it holds a password."""
        config = self.db_url(var, default=default)
        if "." not in config.get("ENGINE", ""):  # it takes an unknown scheme for an engine
            raise ImproperlyConfigured(
                f"{var} is not the URL of a database, such as postgres://user:password@host/name."
            )
        return config

    def email(self, var: str, *, files: Path) -> dict[str, Any]:
        """Django's `EMAIL_…` settings of a mail URL, `smtp+tls://…`; errors never show it.

        Without one, mails become files in the folder `files`.
        """
        if not (url := self.str(var, default="")):
            return self.email_url_config("filemail:") | {"EMAIL_FILE_PATH": str(files)}
        try:
            return self.email_url_config(url)
        except (ImproperlyConfigured, ValueError):
            raise ImproperlyConfigured(
                f"{var} is not the URL of a mail server, such as smtp+tls://user:password@host:587."
            ) from None  # the URL holds a password

    def refuse_unknown(self) -> None:
        """Call when everything was asked for: what else stands in the file is a mistake."""
        for name in _names_in(self.file):
            if name not in self.asked:
                near = get_close_matches(name, self.asked, n=1)
                hint = f" Did you mean {near[0]}?" if near else " See .env.example."
                raise ImproperlyConfigured(
                    f"{self.file.name} sets {name}, which is not a setting.{hint}"
                )


def _names_in(file: Path) -> list[str]:
    if not file.is_file():
        return []
    lines = [line.strip().removeprefix("export ") for line in file.read_text().splitlines()]
    return [line.partition("=")[0].strip() for line in lines if "=" in line and line[0] != "#"]
