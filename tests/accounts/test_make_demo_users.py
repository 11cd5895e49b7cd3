"""Who gets a published password, and where? Nobody outside of the lab."""

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.models import User

pytestmark = pytest.mark.django_db


def test_four_users_with_published_passwords(settings: Settings) -> None:
    settings.LAB = True
    call_command("make_demo_users", verbosity=0)
    roles = {user.username: user.roles for user in User.objects.all()}
    assert roles == {"ada": [], "grace": [], "mallory": [], "admin": ["staff", "admin"]}
    for name in roles:
        assert authenticate(None, username=name, password=f"{name}-demo-password")


def test_those_that_exist_are_kept(settings: Settings) -> None:
    settings.LAB = True
    mine = User.objects.create_user("ada", password="seven-swallows-over-the-mill")
    call_command("make_demo_users", verbosity=0)
    call_command("make_demo_users", verbosity=0)
    assert User.objects.count() == 4
    assert User.objects.get(username="ada").password == mine.password


def test_refused_outside_of_the_lab(settings: Settings) -> None:
    settings.LAB, settings.DEBUG = False, False
    with pytest.raises(CommandError, match="LAB=1"):
        call_command("make_demo_users", verbosity=0)
    assert not User.objects.exists()
