"""What has the audit seen? Its report, kept as JSON, so that the page can show the last one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.db import DatabaseError

from lab.audit.point import Check, Point, Result, Seen, Status, Unseen, overall
from lab.audit.scene import NoAnswer, Scene


@dataclass(frozen=True)
class Report:
    """`made`: when, in ISO 8601. `site`: the address, or empty for this deployment, from inside."""

    made: str
    site: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.status is Status.FAIL]

    @property
    def in_short(self) -> str:
        """`11 pass, 1 fail`."""
        counts = Counter(result.status for result in self.results)
        return ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])


def audit(
    scene: Scene, points: Iterable[Point], tell: Callable[[Point], None] = lambda point: None
) -> Report:
    """Look at all of them. Raises `NoAnswer` where the site cannot be asked at all."""
    results = []
    for point in points:
        tell(point)
        results.append(look_at(scene, point))
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Report(made, "" if scene.inside else scene.url, tuple(results))


def look_at(scene: Scene, point: Point) -> Result:
    seen = tuple(look(scene, check) for check in point.checks)
    status = overall(each.status for each in seen)
    return Result(point.key, point.flow, point.area, point.title, status, seen)


def look(scene: Scene, check: Check) -> Seen:
    """Whatever an unknown service answers is something that was seen: it is no reason to stop."""
    try:
        found = check.look(scene)
    except Unseen as why:
        return Seen(Status.UNSEEN, check.holds, "", str(why), check.otherwise)
    except httpx.TransportError as error:
        raise NoAnswer(f"{scene.url} does not answer: {error or type(error).__name__}.") from error
    except (NoAnswer, DatabaseError):
        raise
    except Exception as error:  # noqa: BLE001  an answer of any shape may come
        answer = f"not as the contract has it ({type(error).__name__}: {error})"[:200]
        return Seen(Status.FAIL, check.holds, "", answer, check.otherwise)
    status = Status.PASS if found.holds else Status.FAIL
    return Seen(status, check.holds, found.asked, found.answer, check.otherwise)


# --- as JSON --------------------------------------------------------------------------------


def encode(report: Report) -> str:
    return json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"


def decode(text: str) -> Report:
    """Raises `ValueError`, `TypeError` or `LookupError` for anything that is no report."""
    found = json.loads(text)
    results = tuple(_result(each) for each in found.pop("results"))
    datetime.fromisoformat(found["made"])
    return Report(results=results, **found)


def _result(values: dict[str, Any]) -> Result:
    checks = tuple(Seen(**{**c, "status": Status(c["status"])}) for c in values["checks"])
    return Result(**{**values, "status": Status(values["status"]), "checks": checks})


def kept_in() -> Path:
    return settings.VAR_DIR / "audit" / "last.json"


def keep(report: Report) -> None:
    """The last one of this deployment; it appears whole."""
    path = kept_in()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(encode(report), encoding="utf-8")
    draft.replace(path)


def last() -> Report | None:
    """None where there was none, or one that this version cannot read: another is soon made."""
    try:
        return decode(kept_in().read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, LookupError):
        return None
