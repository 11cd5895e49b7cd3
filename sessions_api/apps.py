from django.apps import AppConfig


class SessionsApiConfig(AppConfig):
    name = "sessions_api"
    verbose_name = "Sessions"

    def ready(self) -> None:
        from accounts.contract.registry import register
        from sessions_api import checks  # noqa: F401  # registers the system checks
        from sessions_api.flow import flow

        register(flow)
