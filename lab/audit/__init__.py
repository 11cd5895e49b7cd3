"""Is a deployment as safe as it says? Twelve points: six areas for each flow.

Each point looks at settings and asks the running service. `of_sessions.py` and `of_jwt.py` have
the points, `both.py` what the flows share, `scene.py` what a check is given to look at.
"""

from importlib import import_module

from django.apps import apps

from lab.audit.point import Point

__all__ = ["points"]

# A flow that was taken out of the project takes its points along.
_POINTS = {"sessions_api": "lab.audit.of_sessions", "jwt_api": "lab.audit.of_jwt"}


def points() -> tuple[Point, ...]:
    """Those of each flow that is installed."""
    modules = (import_module(name) for app, name in _POINTS.items() if apps.is_installed(app))
    return tuple(point for module in modules for point in module.POINTS)
