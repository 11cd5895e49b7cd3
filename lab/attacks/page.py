"""How does a person look at the matrix? On a page whose cells stay shut until they have guessed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from django.utils.dateparse import parse_datetime
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView, View

from lab.attacks import report, running
from lab.attacks.attack import Attack, Group, Verdict
from lab.attacks.catalogue import ATTACKS
from lab.attacks.documents import SIGNS
from lab.attacks.report import NoReport, Report
from lab.strategies import STRATEGIES, Strategy
from lab.weakened import WEAKENED, Weakened

# Claim B3 of the articles: "security posture" out of 100, and how many attacks get through.
ARTICLES = (
    ("Naive", "35", "85 %"),
    ("Dual", "78", "15 %"),
    ("Dual, short, rotation", "96", "<2 %"),
)


@dataclass(frozen=True)
class Row:
    """One attack, and a cell for each strategy; None where it was not run yet."""

    attack: Attack
    cells: list[tuple[Strategy, Verdict | None, str]]


def known() -> tuple[Report | None, str]:
    """What is known, and where from: this machine's last run over the committed one."""
    try:
        committed = report.read(report.committed())
    except NoReport:
        committed = None
    try:
        last = report.read(report.path())
    except NoReport:
        return committed, "docs/attacks.json, which came with the project" if committed else ""
    return report.merged(committed, last), "the last run on this machine"


@method_decorator(never_cache, name="dispatch")
class AttacksPage(TemplateView):
    """The matrix."""

    template_name = "lab/attacks/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found, source = known()
        cells = found.cells if found else ()
        verdicts = {(cell.attack, cell.strategy): cell.outcome.verdict for cell in cells}
        groups = [
            (group, [_row(attack, verdicts) for attack in ATTACKS if attack.group is group])
            for group in Group
        ]
        return super().get_context_data(
            groups=[(group, rows) for group, rows in groups if rows],
            strategies=STRATEGIES,
            weakened=[(row, _cells(row, verdicts)) for row in WEAKENED],
            source=source,
            made=parse_datetime(found.made) if found else None,
            counts=report.counts(cells),
            articles=ARTICLES,
            **kwargs,
        )


def _row(attack: Attack, verdicts: dict[tuple[str, str], Verdict]) -> Row:
    cells = []
    for strategy in STRATEGIES:
        verdict = verdicts.get((attack.key, strategy.key))
        cells.append((strategy, verdict, SIGNS[verdict] if verdict else ""))
    return Row(attack, cells)


def _cells(
    row: Weakened, verdicts: dict[tuple[str, str], Verdict]
) -> list[tuple[Attack, Verdict | None, str]]:
    """The attacks that a weak variant is there for, and what came of them."""
    cells = []
    for attack in (each for each in ATTACKS if row.key in each.expected):
        verdict = verdicts.get((attack.key, row.key))
        cells.append((attack, verdict, SIGNS[verdict] if verdict else ""))
    return cells


@method_decorator(never_cache, name="dispatch")
class CellView(View):
    """What came of one attack on one strategy, with its evidence, as JSON."""

    def get(self, request: HttpRequest, attack: str, strategy: str) -> JsonResponse:
        told = next((each for each in ATTACKS if each.key == attack), None)
        if told is None or strategy not in told.expected:
            raise Http404
        found, _ = known()
        cell = found.cell(attack, strategy) if found else None
        about = {
            "title": told.title,
            "story": told.story,
            "precondition": told.precondition,
            "catalogue": told.catalogue,
            "environment": dict(told.environment),
        }
        outcome = asdict(cell.outcome) if cell else None
        return JsonResponse({"attack": about, "outcome": outcome})


@method_decorator(never_cache, name="dispatch")
class RunView(View):
    """`POST` starts one attack; `GET` says how it goes."""

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(running.state())

    def post(self, request: HttpRequest) -> JsonResponse:
        attack, strategy = request.POST.get("attack", ""), request.POST.get("strategy", "")
        if not any(each.key == attack and strategy in each.expected for each in ATTACKS):
            detail = "There is no such attack, or no such strategy. Reload the page."
            return JsonResponse({"detail": detail, "code": "invalid"}, status=400)
        if not running.start(attack, strategy):
            detail = "Another attack is being run. Wait until it has ended, then try again."
            return JsonResponse({"detail": detail, "code": "throttled"}, status=409)
        return JsonResponse(running.state(), status=202)
