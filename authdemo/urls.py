"""Where is everything? The contract of both flows, their pages, and what stands beside them."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from accounts import health
from accounts.contract.views import CsrfView
from accounts.pages import HomePage
from jwt_api import urls as jwt_api
from jwt_api.views import JwksView
from sessions_api import urls as sessions_api
from sessions_api.pages import LogoutPage

urlpatterns = [
    path("", HomePage.as_view(), name="home"),
    path("sessions/", include(sessions_api.page_urls)),
    path("jwt/", include(jwt_api.page_urls)),
    path("api/sessions/", include(sessions_api.api_urls)),
    path("api/jwt/", include(jwt_api.api_urls)),
    path("api/csrf/", CsrfView.as_view(), name="csrf"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path(".well-known/jwks.json", JwksView.as_view(), name="jwks"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    # The admin has no door of its own: it logs in and out by the sessions flow's pages, where
    # attempts are counted and everything is recorded.
    path(
        "admin/login/", RedirectView.as_view(pattern_name="sessions_pages:login", query_string=True)
    ),
    path("admin/logout/", LogoutPage.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="sessions_pages:profile")),
    path("admin/", admin.site.urls),
]

handler400 = "accounts.pages.bad_request"
handler404 = "accounts.pages.not_found"
handler500 = "accounts.pages.server_error"

if settings.LAB:
    urlpatterns += [path("lab/", include("lab.urls"))]
