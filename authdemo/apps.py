"""Why is the wiring an app? So that Django finds its commands, `demo` and `doctor`."""

from django.apps import AppConfig


class AuthdemoConfig(AppConfig):
    name = "authdemo"
