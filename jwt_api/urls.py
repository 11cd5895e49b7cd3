"""Where is the jwt flow? Its contract: `/api/jwt/`; its pages: `/jwt/`."""

from django.urls import path

from accounts.contract.urls import contract_urls
from accounts.link_pages import link_urls
from jwt_api import pages, views
from jwt_api.flow import flow
from jwt_api.introspection import IntrospectionView

api_urls = (
    [
        *contract_urls(flow),
        path("tokens/", views.TokensView.as_view(flow=flow), name="tokens"),
        path("tokens/<slug:token>/", views.TokenView.as_view(flow=flow), name="token"),
        path("introspect/", IntrospectionView.as_view(), name="introspect"),
    ],
    "jwt_api",
)

page_urls = (
    [
        path("login/", pages.LoginPage.as_view(), name="login"),
        path("profile/", pages.ProfilePage.as_view(), name="profile"),
        path("devices/", pages.DevicesPage.as_view(), name="devices"),
        path("logout/", pages.LogoutPage.as_view(), name="logout"),
        *link_urls(flow),
    ],
    "jwt_pages",
)
