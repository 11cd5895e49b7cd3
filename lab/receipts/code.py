"""Which code ran, and what proves a claim? The function around a line, out of the file here.

Read-only, and only what anybody may read: our packages' code and templates, the tests and docs
that proofs name, and the libraries that receipts name. No settings, nothing below `var/`, nothing
that a link leads out to.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from lab.syntax import parse

OURS = ("accounts", "docs", "jwt_api", "lab", "sessions_api", "templates", "tests")
LIBRARIES = ("django", "jwt", "rest_framework", "rest_framework_simplejwt")
SUFFIXES = {".py", ".html", ".js", ".md", ".json"}
MOST_CHARACTERS = 300  # of a path
MOST_LINES = 120
AROUND = 12  # lines to each side, where no function is
Code = dict[str, Any]


@method_decorator(never_cache, name="dispatch")
class CodePage(View):
    """`/lab/code/?path=accounts/contract/csrf.py&line=27`: a page, or JSON for who asks for it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        path, line = request.GET.get("path", ""), request.GET.get("line", "")
        code = code_around(path, int(line) if line.isdecimal() and len(line) < 7 else 0)
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            return JsonResponse(code)
        return render(request, "lab/receipts/code.html", {"code": code})


def code_around(name: str, line: int) -> Code:
    """The function that the line is in: `path`, `name`, `first` and `line`, counted from 1, and
    `lines`. Raises `Http404` for what nobody is shown, and for what is not there.
    """
    lines = _file(name).read_text().splitlines()
    if not 1 <= line <= len(lines):
        raise Http404("no such line")
    called, first, last = _function_at(name, lines, line)
    last = min(last, first + MOST_LINES - 1, len(lines))
    return {
        "path": name,
        "name": called,
        "first": first,
        "line": line,
        "lines": lines[first - 1 : last],
    }


def _file(name: str) -> Path:
    """The file of that name, where it really lies.

    Threat: `..`, an absolute path or a link would lead to the signing keys and the environment's
    secrets. What counts is where the name leads after all of that: below its own package.
    """
    package = name.partition("/")[0]
    home = _home_of(package) if len(name) <= MOST_CHARACTERS else None
    if home is None:
        raise Http404("not a package that is shown")
    try:
        found = (home.parent / name).resolve(strict=True)
    except (OSError, ValueError) as error:
        raise Http404("no such file") from error
    if not found.is_relative_to(home) or found.suffix not in SUFFIXES or not found.is_file():
        raise Http404("not a file that is shown")
    return found


def _home_of(package: str) -> Path | None:
    if package in OURS:
        return (Path(settings.BASE_DIR) / package).resolve()
    spec = find_spec(package) if package in LIBRARIES else None
    return Path(spec.origin).resolve().parent if spec and spec.origin else None


def _function_at(name: str, lines: list[str], line: int) -> tuple[str, int, int]:
    """The innermost function with its decorators, or class, around a line: name, first, last.

    Of a page of the docs: the section.
    """
    if name.endswith(".md"):
        headings = [n for n, text in enumerate(lines, 1) if text.startswith("#")]
        first = max((n for n in headings if n <= line), default=1)
        return "", first, min((n for n in headings if n > line), default=len(lines) + 1) - 1
    if name.endswith(".py"):
        found = [
            (_first(node), node.end_lineno or line, node.name)
            for node in ast.walk(parse("\n".join(lines)))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        ]
        around = [each for each in found if each[0] <= line <= each[1]]
        if around:
            first, last, called = max(around)
            return called, first, last
    return "", max(1, line - AROUND), line + AROUND


def _first(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])
