"""Where is each call of the contract? The same paths under every flow's prefix."""

from typing import Any

from django.urls import URLPattern, path

from accounts.contract import views
from accounts.contract.flow import Flow


def contract_urls(flow: Flow, **options: Any) -> list[URLPattern]:
    """The contract, mounted for one flow; include it under `/api/<flow>/`.

    `options` are given to the `as_view` of every call, such as `schema=None`.
    """
    given: dict[str, Any] = {"flow": flow, **options}
    return [
        path("login/", views.LoginView.as_view(**given), name="login"),
        path("refresh/", views.RefreshView.as_view(**given), name="refresh"),
        path("whoami/", views.WhoamiView.as_view(**given), name="whoami"),
        path("me/", views.MeView.as_view(**given), name="me"),
        path("devices/", views.DevicesView.as_view(**given), name="devices"),
        path("devices/<slug:device>/", views.DeviceView.as_view(**given), name="device"),
        path("password/", views.PasswordView.as_view(**given), name="password"),
        path("logout/", views.LogoutView.as_view(**given), name="logout"),
        path("logout-all/", views.LogoutAllView.as_view(**given), name="logout-all"),
    ]
