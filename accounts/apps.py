from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import checks  # noqa: F401  # registers the system checks
        from accounts.metrics import make_directory

        make_directory()
