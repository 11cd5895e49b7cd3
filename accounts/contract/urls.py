"""Where is each call of the contract? The same paths under every flow's prefix."""

from django.urls import URLPattern, path

from accounts.contract import views
from accounts.contract.flow import Flow


def contract_urls(flow: Flow) -> list[URLPattern]:
    """The contract, mounted for one flow; include it under `/api/<flow>/`."""
    return [
        path("login/", views.LoginView.as_view(flow=flow), name="login"),
        path("refresh/", views.RefreshView.as_view(flow=flow), name="refresh"),
        path("whoami/", views.WhoamiView.as_view(flow=flow), name="whoami"),
        path("me/", views.MeView.as_view(flow=flow), name="me"),
        path("devices/", views.DevicesView.as_view(flow=flow), name="devices"),
        path("devices/<slug:device>/", views.DeviceView.as_view(flow=flow), name="device"),
        path("password/", views.PasswordView.as_view(flow=flow), name="password"),
        path("logout/", views.LogoutView.as_view(flow=flow), name="logout"),
        path("logout-all/", views.LogoutAllView.as_view(flow=flow), name="logout-all"),
    ]
