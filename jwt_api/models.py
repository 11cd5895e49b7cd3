"""What is a token family? All refresh tokens descended from one login, as one row."""

from django.conf import settings
from django.db import models
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.suspicion.history import History
from accounts.suspicion.policy import Verdict


class TokenFamily(models.Model):
    """One login of the jwt flow: the user's device, and the state of its refresh tokens.

    A refresh token is good only if this row exists, is live, and names it as `current`.
    A lost or restored `token_blacklist` table can therefore never make a token valid.
    """

    class Ended(models.TextChoices):
        LOGOUT = "logout", "logged out"
        REVOKED = "revoked", "ended by the user"
        EVERYWHERE = "everywhere", "logged out everywhere, or password changed"
        REUSE = "reuse", "a refresh token was used twice"
        SUSPICION = "suspicion", "used from elsewhere"

    id = models.CharField(primary_key=True, max_length=16, help_text="the device; claim `sid`")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="token_families"
    )
    epoch = models.PositiveBigIntegerField(help_text="the user's epoch at login")
    created = models.DateTimeField()
    last_used = models.DateTimeField()
    absolute_end = models.DateTimeField()
    ip = models.GenericIPAddressField()
    user_agent = models.CharField(max_length=80)
    generation = models.PositiveIntegerField(default=1, help_text="1 at login, +1 per refresh")
    current = models.OneToOneField(
        OutstandingToken, null=True, on_delete=models.SET_NULL, related_name="family"
    )
    previous = models.OneToOneField(
        OutstandingToken, null=True, on_delete=models.SET_NULL, related_name="successor_family"
    )
    rotated = models.DateTimeField(null=True, help_text="when `current` replaced `previous`")
    ended = models.DateTimeField(null=True)
    history = models.JSONField(default=dict, help_text="where it was used: `accounts.suspicion`")
    ended_because = models.CharField(max_length=12, choices=Ended, blank=True)

    noticed: Verdict | None = None
    """What was odd about the refresh under way; no column."""

    class Meta:
        verbose_name_plural = "token families"
        ordering = ["-last_used"]

    def __str__(self) -> str:
        return f"{self.user_agent}, generation {self.generation}"

    @property
    def past(self) -> History:
        """From where it was used, for the rules of suspicion."""
        created = int(self.created.timestamp())
        return History.decode(self.history, ip=self.ip, user_agent=self.user_agent, created=created)


class ProgramToken(models.Model):
    """One limited token that a user made for an outside program; ended means deleted.

    The token's text stands nowhere: a row is found by what the verified token says of itself.
    """

    id = models.CharField(
        primary_key=True, max_length=16, help_text="the device; claims `sid` and `client_id`"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="program_tokens"
    )
    jti = models.CharField(max_length=43)
    epoch = models.PositiveBigIntegerField(help_text="the user's epoch when it was made")
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=200)
    created = models.DateTimeField()
    expires = models.DateTimeField(db_index=True)
    last_used = models.DateTimeField(null=True)
    ip = models.GenericIPAddressField(help_text="where it was last used, or made")
    user_agent = models.CharField(max_length=80)

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.name
