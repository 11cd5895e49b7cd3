from django.apps import AppConfig, apps
from django.conf import settings


class LabConfig(AppConfig):
    name = "lab"

    def ready(self) -> None:
        from accounts.contract.registry import register_beside

        if apps.is_installed("sessions_api"):
            from lab.strategies.database_sessions import flow

            # The one strategy that keeps logins where no registered flow looks.
            register_beside(flow, is_on=lambda: settings.LAB)
