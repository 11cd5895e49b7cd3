"""Where is the jwt flow? Its contract: `/api/jwt/`; its pages: `/jwt/`."""

from django.urls import path

from accounts.contract.urls import contract_urls
from accounts.link_pages import link_urls
from jwt_api import pages
from jwt_api.flow import flow

api_urls = (contract_urls(flow), "jwt_api")

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
