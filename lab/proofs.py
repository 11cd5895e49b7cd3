"""What shows that something is so? A measured row, an attack, a difference, a test, a page.

A claim names its proofs, and a test follows each of them: whatever does not lead anywhere fails.
"""

from __future__ import annotations

import ast
import re
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString
from django.utils.text import slugify

from lab.benchmark import figures
from lab.benchmark.page import code
from lab.benchmark.report import NoReport, Report, read
from lab.benchmark.rows import Row, find
from lab.differences import DIFFERENCES, difference
from lab.strategies import rows_of, strategy
from lab.syntax import parse

REPORT = "docs/benchmark.json"
HEADING = re.compile("#+ ")


@dataclass(frozen=True)
class Proof(ABC):
    """`words` say what it shows, `how` where it stands; `url` leads there, where the lab is on.

    `value` is the shortest answer, for a cell of a table.
    """

    @property
    def anchor(self) -> str:
        """Its id on a page that lists it."""
        values = re.sub(r"[^\w]+", "-", " ".join(map(str, astuple(self))))
        return slugify(f"{self.kind}-{values}")

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()

    @property
    @abstractmethod
    def words(self) -> str:
        """What it shows, in a sentence."""

    @property
    def marked(self) -> SafeString:
        """The words for a page: what stands between backticks is code."""
        return code(self.words)

    @property
    def value(self) -> str:
        return self.words

    @property
    @abstractmethod
    def how(self) -> str:
        """Where it stands, or by which command it is made."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the running site shows it; empty where it has no such page."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether it leads anywhere."""


# --- what was measured ----------------------------------------------------------------------


@dataclass(frozen=True)
class Measured(Proof):
    """A row of the published benchmark. `varied` are the parameters that it was measured with."""

    measure: str
    subject: str
    varied: tuple[tuple[str, float | str], ...] = ()

    def row(self) -> Row | None:
        report = published()
        return (
            find(report.rows, self.measure, self.subject, **dict(self.varied)) if report else None
        )

    @property
    def words(self) -> str:
        row = self.row()
        under = f" ({figures.varied(row)})" if row and row.parameters else ""
        return f"{figures.title(self.measure)} of {self.subject}: {self.value}{under}"

    @property
    def value(self) -> str:
        row = self.row()
        return figures.plain(row) if row else "not measured"

    @property
    def how(self) -> str:
        return f"{REPORT}, by python manage.py benchmark"

    @property
    def url(self) -> str:
        report, row = published(), self.row()
        nth = report.rows.index(row) if report and row else 0
        return code_url(REPORT, '"measure":', nth)

    def exists(self) -> bool:
        return self.row() is not None


def measured(measure: str, subject: str, **varied: float | str) -> Measured:
    return Measured(measure, subject, tuple(varied.items()))


def published() -> Report | None:
    """The report of the docs; None where it cannot be read."""
    path = settings.BASE_DIR / REPORT
    try:
        return _published(path, path.stat().st_mtime_ns)
    except (OSError, NoReport):
        return None


@cache
def _published(path: Path, changed: int) -> Report:
    return read(path)


# --- what is data, and asserted by tests ----------------------------------------------------


@dataclass(frozen=True)
class Differs(Proof):
    """An answer of `lab.differences`, for a flow or a strategy."""

    key: str
    flow: str

    @property
    def words(self) -> str:
        asked = next(each for each in DIFFERENCES if each.key == self.key)
        return f"{asked.question} {self.flow}: {self.value}"

    @property
    def value(self) -> str:
        return said(difference(self.key, self.flow))

    @property
    def how(self) -> str:
        return f'lab/differences.py, "{self.key}": the contract suite asserts it'

    @property
    def url(self) -> str:
        return code_url("lab/differences.py", f'key="{self.key}"')

    def exists(self) -> bool:
        return any(each.key == self.key for each in DIFFERENCES)


def said(answer: object) -> str:
    """`yes`, `none`, `930`, `refresh, whoami`."""
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    if isinstance(answer, tuple):
        return ", ".join(answer) or "none"
    return "none" if answer is None else str(answer)


@dataclass(frozen=True)
class Stated(Proof):
    """What the row of a strategy states about itself."""

    key: str
    field: str

    @property
    def words(self) -> str:
        return f"{strategy(self.key).title}: {self.value}"

    @property
    def value(self) -> str:
        return str(getattr(strategy(self.key), self.field))

    @property
    def how(self) -> str:
        return "lab/strategies; tests/lab/test_strategies.py holds it to that"

    @property
    def url(self) -> str:
        return code_url(rows_of(strategy(self.key).variant_of), f'key="{self.key}"')

    def exists(self) -> bool:
        return bool(self.value)


# --- what was attacked ----------------------------------------------------------------------


@dataclass(frozen=True)
class Attacked(Proof):
    """What is expected of an attack, which CI runs; on one strategy, or on all of them."""

    key: str
    strategy: str = ""

    def attack(self) -> Any:
        """None where there is no such attack, or where no attacks are installed."""
        found = (each for each in attacks() if each.key == self.key)
        return next(found, None)

    @property
    def words(self) -> str:
        attack = self.attack()
        if attack is None:
            return f"Attack {self.key}"
        return (
            f"{attack.title}, on {self.strategy}: {self.value}" if self.strategy else attack.title
        )

    @property
    def value(self) -> str:
        attack = self.attack()
        return str(attack.expected.get(self.strategy, "")) if attack else "not attacked yet"

    @property
    def how(self) -> str:
        option = f" --strategy {self.strategy}" if self.strategy else ""
        return f"python manage.py attack {self.key}{option}"

    @property
    def url(self) -> str:
        page = page_url("lab:attacks")
        return f"{page}#{self.key}" if page and self.attack() else ""

    def exists(self) -> bool:
        attack = self.attack()
        return attack is not None and (not self.strategy or self.strategy in attack.expected)


@dataclass(frozen=True)
class Counted(Proof):
    """Of the attacks that apply to a strategy: how many are stopped."""

    strategy: str

    @property
    def words(self) -> str:
        return f"Attacks on {self.strategy}: {self.value}"

    @property
    def value(self) -> str:
        verdicts = [str(each.expected.get(self.strategy)) for each in attacks()]
        stopped, through = verdicts.count("stopped"), verdicts.count("succeeds")
        return f"{stopped} of {stopped + through} stopped" if verdicts else "not attacked yet"

    @property
    def how(self) -> str:
        return f"python manage.py attack --all --strategy {self.strategy}"

    @property
    def url(self) -> str:
        return page_url("lab:attacks")

    def exists(self) -> bool:
        return bool(attacks())


def attacks() -> tuple[Any, ...]:
    """The catalogue; empty in a checkout without one."""
    if find_spec("lab.attacks.catalogue") is None:
        return ()
    found: tuple[Any, ...] = import_module("lab.attacks.catalogue").ATTACKS
    return found


# --- what is tested, and what is written ----------------------------------------------------


@dataclass(frozen=True)
class Tested(Proof):
    """A test file of the project, or one test of it: `tests/contract/test_me.py::test_…`."""

    test: str

    @property
    def words(self) -> str:
        path, _, name = self.test.partition("::")
        return name.removeprefix("test_").replace("_", " ").capitalize() if name else path

    @property
    def how(self) -> str:
        return f"pytest {self.test}"

    @property
    def url(self) -> str:
        path, _, name = self.test.partition("::")
        return code_url(path, f"def {name}(" if name else "")

    def exists(self) -> bool:
        path, _, name = self.test.partition("::")
        return (settings.BASE_DIR / path).is_file() and (not name or name in tests_of(path))


def tests_of(path: str) -> set[str]:
    """The names of all test functions in a file."""
    tree = parse((settings.BASE_DIR / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@dataclass(frozen=True)
class Written(Proof):
    """A section of the docs: `docs/security.md#sessions`."""

    section: str

    @property
    def words(self) -> str:
        return self.section

    @property
    def how(self) -> str:
        return self.section

    @property
    def url(self) -> str:
        path, _, anchor = self.section.partition("#")
        return code_url(path, self.headings().get(anchor, ""))

    def exists(self) -> bool:
        path, _, anchor = self.section.partition("#")
        return (settings.BASE_DIR / path).is_file() and (not anchor or anchor in self.headings())

    def headings(self) -> dict[str, str]:
        """The page's headings by their anchors, as GitHub makes them."""
        found = [line for line in lines_of(self.section.partition("#")[0]) if HEADING.match(line)]
        titles = {line: line.lstrip("#").strip().lower() for line in found}
        return {re.sub(r"[^\w\- ]", "", titles[line]).replace(" ", "-"): line for line in found}


# --- where the lab shows them ---------------------------------------------------------------


def page_url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def code_url(path: str, line_with: str, nth: int = 0) -> str:
    """Where the lab shows a file of the project, at a line that has `line_with`; "" if none has."""
    page = page_url("lab:code")
    lines = (n for n, text in enumerate(lines_of(path), 1) if line_with in text)
    line = next(islice(lines, nth, None), None)
    return f"{page}?{urlencode({'path': path, 'line': line})}" if page and line else ""


def lines_of(path: str) -> tuple[str, ...]:
    """The lines of a file of the project; none of one that is not there."""
    file = settings.BASE_DIR / path
    try:
        return _lines_of(file, file.stat().st_mtime_ns)
    except OSError:
        return ()


@cache
def _lines_of(file: Path, changed: int) -> tuple[str, ...]:
    return tuple(file.read_text(encoding="utf-8").splitlines())
