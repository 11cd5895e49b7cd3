"""Where are the attacks? Below `/lab/attacks/`."""

from django.urls import path

from lab.attacks.page import AttacksPage, CellView, RunView

urlpatterns = [
    path("", AttacksPage.as_view(), name="attacks"),
    path("run/", RunView.as_view(), name="attacks-run"),
    path("<slug:attack>/<slug:strategy>/", CellView.as_view(), name="attacks-cell"),
]
