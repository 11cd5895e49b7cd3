"""Where is the sessions flow? Its contract: `/api/sessions/`; its pages: `/sessions/`."""

from django.urls import path

from accounts.contract.urls import contract_urls
from accounts.link_pages import link_urls
from sessions_api import pages
from sessions_api.flow import flow

api_urls = (contract_urls(flow), "sessions_api")

page_urls = (
    [
        path("login/", pages.LoginPage.as_view(), name="login"),
        path("profile/", pages.ProfilePage.as_view(), name="profile"),
        path("devices/", pages.DevicesPage.as_view(), name="devices"),
        path("logout/", pages.LogoutPage.as_view(), name="logout"),
        *link_urls(flow),
    ],
    "sessions_pages",
)
