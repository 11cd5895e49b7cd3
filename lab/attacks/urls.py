"""Where are the attacks? Below `/lab/attacks/`, where both flows are there to be attacked."""

from django.apps import apps
from django.urls import URLPattern, path

urlpatterns: list[URLPattern] = []

if apps.is_installed("sessions_api") and apps.is_installed("jwt_api"):
    from lab.attacks.page import AttacksPage, CellView, RunView

    urlpatterns += [
        path("", AttacksPage.as_view(), name="attacks"),
        path("run/", RunView.as_view(), name="attacks-run"),
        path("<slug:attack>/<slug:strategy>/", CellView.as_view(), name="attacks-cell"),
    ]
