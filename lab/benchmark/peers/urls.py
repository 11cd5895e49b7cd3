"""Where does each peer answer? Their own views where they have some; `whoami` for all."""

from django.urls import include, path
from knox.views import LogoutView as KnoxLogoutView
from rest_framework_simplejwt.views import (
    TokenBlacklistView,
    TokenObtainPairView,
    TokenRefreshView,
)

from lab.benchmark.peers import views

urlpatterns = [
    path("floor/whoami/", views.FloorView.as_view()),
    *(
        path(f"{key}/whoami/", views.WhoamiView.as_view(authentication_classes=[authentication]))
        for key, authentication in views.WHOAMI.items()
    ),
    path("django-sessions/login/", views.SessionLoginView.as_view()),
    path("django-sessions/logout/", views.SessionLogoutView.as_view()),
    path("simplejwt/token/", TokenObtainPairView.as_view()),
    path("simplejwt/token/refresh/", TokenRefreshView.as_view()),
    path("simplejwt/token/blacklist/", TokenBlacklistView.as_view()),
    path("knox/login/", views.KnoxLoginView.as_view()),
    path("knox/logout/", KnoxLogoutView.as_view()),
    path("_allauth/", include("allauth.headless.urls")),
    path("accounts/", include("allauth.urls")),
    path("dj-rest-auth/", include("dj_rest_auth.urls")),
]
