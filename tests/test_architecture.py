"""Are the rules of the house kept? Who may import whom, what exists once, what mirrors what."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny

from accounts.contract.registry import flows

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
APPS = ("accounts", "sessions_api", "jwt_api", "lab")
ALLOWED = {
    "accounts": {"accounts"},
    "sessions_api": {"accounts", "sessions_api"},
    "jwt_api": {"accounts", "jwt_api"},
    "lab": set(APPS),
}
MIRROR = ("__init__", "apps", "authentication", "checks", "flow", "pages", "store", "urls")
# Files that one flow needs and the other has nothing like.
SESSIONS_ONLY = {"engine", "middleware", "records"}
JWT_ONLY = {
    "admin",
    "denylist",
    "forms",
    "introspection",
    "keys",
    "models",
    "programs",
    "purge",
    "revocation",
    "serializers",
    "tokens",
    "verified",
    "views",
}
JWT_ONLY |= {"hsm", "key_files", "manifest", "rotation", "signers"}  # parts of the key ring
# Before there are settings: what starts the project on a bare machine, and the settings themselves.
READS_THE_ENVIRONMENT = {
    "authdemo/asgi.py",
    "authdemo/bootstrap.py",
    "authdemo/embedded_redis.py",
    "authdemo/gunicorn_config.py",
    "authdemo/redis_supervisor.py",
    "authdemo/settings.py",
    "authdemo/wsgi.py",
    "lab/benchmark/peers/settings.py",  # of a project of its own, which is measured beside ours
    "manage.py",
}


def modules(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """The first part of the name of every module that a file imports, at the top or inside."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports relatively"
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("app", APPS)
def test_an_app_imports_only_what_it_may(app: str) -> None:
    ours = {*APPS, "authdemo", "tests"}
    wrong = {
        f"{name_of(path)} imports {name}"
        for path in modules(app)
        for name in imports(path)
        if name in ours - ALLOWED[app]
    }

    assert wrong == set()


def test_both_flows_have_the_same_files() -> None:
    files = {
        app: {path.stem for path in (ROOT / app).glob("*.py")}
        for app in ("sessions_api", "jwt_api")
    }

    assert files["sessions_api"] - SESSIONS_ONLY == set(MIRROR)
    assert files["jwt_api"] - JWT_ONLY == set(MIRROR)


def public_classes(path: Path) -> list[str]:
    body = ast.parse(path.read_text()).body
    return [node.name for node in body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("module", ["authentication", "flow", "pages"])
def test_both_flows_have_the_same_classes(module: str) -> None:
    sessions, jwt = (ROOT / app / f"{module}.py" for app in ("sessions_api", "jwt_api"))

    assert public_classes(sessions) == public_classes(jwt)


def test_both_flows_have_the_same_templates_and_scripts() -> None:
    def listing(folder: str) -> set[str]:
        return {path.name for path in (ROOT / folder).iterdir()}

    assert listing("templates/sessions_api") == listing("templates/jwt_api")
    assert listing("sessions_api/static/sessions_api") == listing("jwt_api/static/jwt_api")


def test_only_the_settings_read_the_environment() -> None:
    reading = {
        name_of(path)
        for path in [*modules(*APPS, "authdemo"), ROOT / "manage.py"]
        if re.search(r"\bos\.(environ|getenv)\b|\bimport environ\b", path.read_text())
    }

    assert reading <= READS_THE_ENVIRONMENT | {"authdemo/environment.py"}


def reads_of_settings_at_import(path: Path) -> Iterator[str]:
    """`settings.X` outside of every function: captured once, and deaf to a changed setting."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("settings", "api_settings")
        ):
            yield f"{name_of(path)}:{node.lineno} {node.value.id}.{node.attr}"
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    yield from visit(ast.parse(path.read_text()))


def test_no_setting_is_captured_at_import() -> None:
    captured = [found for path in modules(*APPS) for found in reads_of_settings_at_import(path)]

    # A foreign key is part of the table's definition; Django itself wants the name there.
    expected = re.compile(r"(jwt_api|lab)/models\.py:\d+ settings\.AUTH_USER_MODEL")
    assert [found for found in captured if not expected.fullmatch(found)] == []


@pytest.mark.parametrize(
    "folder", ["accounts", "lab", "templates", "tests/contract", "accounts/static"]
)
def test_what_serves_every_flow_asks_for_none_by_name(folder: str) -> None:
    asked = re.compile(
        r"(if|elif|case|switch)\b[^\n]*(flow|key)\b[^\n]*[=!]=+\s*[\"'](sessions|jwt)"
    )
    files = [p for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".html", ".js"}]
    asking = [name_of(path) for path in files if asked.search(path.read_text())]

    assert files
    assert asking == []


STORAGE = re.compile(
    r"localStorage|sessionStorage|indexedDB|cookieStore|\bcaches\b|document\.cookie"
)


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", path.read_text(), flags=re.DOTALL)


def test_no_script_keeps_anything_where_it_could_be_read_tomorrow() -> None:  # R87
    """`tests/browser/test_memory.py` looks into the browser."""
    scripts = [*ROOT.glob("*/static/*/*.js"), *ROOT.glob("templates/**/*.js")]
    found = {
        name_of(path): set(STORAGE.findall(without_comments(path)))
        for path in scripts
        if STORAGE.search(without_comments(path))
    }

    assert len(scripts) >= 7
    # The one strategy that is weak on purpose, and says so.
    for naive in ("strategies", "client"):
        assert found.pop(f"lab/static/lab/{naive}.js") == {"localStorage"}
    # The colour of the pages, a cookie that no server reads; and what a learner guessed.
    theme = "accounts/static/accounts/theme.js"
    assert found == {theme: {"document.cookie"}, "lab/static/lab/attacks.js": {"sessionStorage"}}
    written = re.findall(r"document\.cookie = .(\w+)=", (ROOT / theme).read_text())
    assert set(written) == {"theme"}


def views(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns, route)
        elif (view := getattr(pattern.callback, "cls", None)) is not None:
            yield route, view


def test_the_calls_that_need_no_credential_are_these() -> None:  # R74
    """The default is to answer nobody; whatever is open is open on purpose."""
    own_check = {"login/", "refresh/", "logout/"}  # CSRF, and the cookie itself
    expected = {f"api/{flow.key}/{call}" for flow in flows() for call in own_check}
    expected |= {"api/csrf/", "api/schema/", "api/docs/"}

    public = {
        route
        for route, view in views(get_resolver().url_patterns)
        if AllowAny in view.permission_classes
    }

    assert public == expected
