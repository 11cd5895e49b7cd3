from django.apps import AppConfig


class JwtApiConfig(AppConfig):
    name = "jwt_api"
    verbose_name = "JWT"

    def ready(self) -> None:
        from accounts.contract.registry import register
        from jwt_api import checks  # noqa: F401  # registers the system checks
        from jwt_api.flow import flow

        register(flow)
