"""How does a token pair begin, go on and end? Its twin is `sessions_api.flow`."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from redis.exceptions import RedisError
from rest_framework_simplejwt.exceptions import TokenError

from accounts.audit import record
from accounts.client_info import client_ip, user_agent
from accounts.contract import flow as contract
from accounts.contract.errors import (
    CredentialReused,
    CredentialRevoked,
    NotAuthenticated,
)
from accounts.contract.flow import Credential, Device, EndedDevice, Family, Remembered
from accounts.lifecycle import revoked_if_deleted
from accounts.models import AuthEvent, User
from accounts.suspicion.consequences import carry_out
from accounts.suspicion.history import sighting_of
from accounts.suspicion.notify import tell_user
from accounts.suspicion.policy import Action, Verdict, judge
from accounts.suspicion.rules import Use
from jwt_api import denylist, programs, store
from jwt_api.authentication import Authentication, token_errors
from jwt_api.models import TokenFamily
from jwt_api.purge import purge
from jwt_api.tokens import AccessToken, RefreshToken


class Flow(contract.Flow):
    """The client holds a signed access token and a refresh cookie; the server, a row per login."""

    key = "jwt"
    title = "JWT"
    icon = "⛭"
    scheme = "Bearer"
    summary = (
        "The browser holds a signed access token in memory and a refresh token in a cookie. "
        "Checking needs no lookup; after a logout the access token lives until it expires."
    )
    authentication = Authentication

    @property
    def revocation(self) -> str:
        """What a request learns of a revocation: `expiry`, `lookup` or `push`."""
        return settings.JWT_REVOCATION

    @property
    def denies(self) -> bool:
        """Whether a revocation has to be on the denylist to have happened."""
        return self.revocation != "expiry"

    @store.again_on_conflict
    def issue(self, request: HttpRequest, user: User) -> Credential:
        with transaction.atomic():
            family, token = store.start_family(
                user, ip=client_ip(request), user_agent=user_agent(request)
            )
            update_last_login(User, user)
            # Threat: the cookie of the login so far is about to be overwritten, and a stolen copy
            # of it would outlive the login that was meant to end it. Last, as whoever ends all
            # logins has the user's row first, too: neither waits for the other.
            self.revoke(request)
        return self._credential(family, token, user)

    def renew(self, request: HttpRequest) -> Credential:
        token = self._refresh_token(request)
        try:
            with revoked_if_deleted(token.user_id):
                family, successor = store.rotate(token, Use(sighting_of(request)))
        except CredentialReused:
            self._end_reused(request, token)
            raise
        except store.Suspected as suspected:
            self._end_suspected(request, suspected)
            raise
        if family.noticed is not None and family.noticed.action:
            self._carry_out(request, family, family.noticed)
        return self._credential(family, successor, family.user)

    @store.again_on_conflict
    def _end_reused(self, request: HttpRequest, token: RefreshToken) -> None:
        """End the family of a token that came twice, and record it: both or neither, once.

        Threat: a thief who refreshes first stays in for good. A refresh token seen twice
        therefore ends the whole family, the honest device included (RFC 9700, section 4.14).
        """
        user_id, device = token.user_id, token.device
        with transaction.atomic():
            if not store.end_family(device, TokenFamily.Ended.REUSE, deny=self.denies):
                raise CredentialRevoked("ended meanwhile")
            record(AuthEvent.Kind.REUSE, request, flow=self.key, user_id=user_id, device=device)
            self._judge_reuse(request, TokenFamily.objects.get(pk=device))

    def _judge_reuse(self, request: HttpRequest, family: TokenFamily) -> None:
        """What else a reuse leads to: a mail, or the end of every login of the user."""
        verdict = judge(family.past, Use(sighting_of(request), reused=True))
        if verdict.action is Action.END_ALL:
            self._carry_out(request, family, verdict)
        elif verdict.action >= Action.NOTIFY:
            tell_user(request, family.user_id, verdict.sentence, ended=True)

    @store.again_on_conflict
    def _end_suspected(self, request: HttpRequest, suspected: store.Suspected) -> None:
        """End the family of a token that is used by somebody else, and record it: both, once.

        The access token that was issued last is good until it expires: nobody looks it up.
        """
        family = suspected.family
        with transaction.atomic():
            if not store.end_family(family.pk, TokenFamily.Ended.SUSPICION, deny=self.denies):
                raise CredentialRevoked("ended meanwhile")
            self._carry_out(request, family, suspected.verdict)

    def _carry_out(self, request: HttpRequest, family: TokenFamily, verdict: Verdict) -> None:
        user_id, device, epoch = family.user_id, family.pk, family.epoch
        carry_out(request, verdict, flow=self.key, user_id=user_id, device=device, epoch=epoch)

    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        text = request.COOKIES.get(settings.REFRESH_COOKIE_NAME, "")
        try:
            # Logout takes a token whose time is over: its family may still be live.
            token = RefreshToken.even_expired(text)
        except TokenError:
            return None
        user_id, device, because = token.user_id, token.device, TokenFamily.Ended.LOGOUT
        if not store.end_family(device, because, user_id=user_id, deny=self.denies):
            return None
        return EndedDevice(user_id=user_id, device=device)

    def revoke_device(self, user_id: int, device: str) -> bool:
        because = TokenFamily.Ended.REVOKED
        ended = store.end_family(device, because, user_id=user_id, deny=self.denies)
        return ended or programs.end(user_id, device)

    def serving(self) -> None:
        # The sooner the list begins, the fewer tokens are older than it.
        if denylist.is_kept():
            with suppress(RedisError):
                denylist.begin()

    def user_changing(self, user_id: int) -> None:
        store.end_outdated_families(user_id)
        programs.end_outdated(user_id)
        denylist.user_changing(user_id)

    def user_changed(self, user_id: int) -> None:
        denylist.user_changed(user_id)

    def devices(self, user_id: int) -> list[Device]:
        logins = [
            Device(
                id=family.pk,
                flow=self.key,
                created=family.created,
                last_seen=family.last_used,
                expires=family.current.expires_at,
                ip=family.ip,
                user_agent=family.user_agent,
                ends_within=0 if self.denies else settings.ACCESS_SECONDS + settings.LEEWAY_SECONDS,
            )
            for family in store.live_families(user_id)
            if family.current is not None
        ]
        return [*logins, *programs.devices(user_id)]

    def remembered(self, user_id: int) -> list[Remembered]:
        denied = []
        if self.denies:
            devices = [family.device for family in self.families(user_id)]
            denied = denylist.remembered(user_id, devices)
        return [*denied, *store.remembered(user_id), *programs.remembered(user_id)]

    def families(self, user_id: int) -> list[Family]:
        return store.families(user_id)

    def purge(self, *, batch: int, dry_run: bool = False) -> Iterator[Counter[str]]:
        return purge(batch=batch, dry_run=dry_run)

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        response.set_cookie(
            settings.REFRESH_COOKIE_NAME,
            credential.secret or "",
            max_age=credential.secret_expires_in,
            path="/",
            secure=settings.REFRESH_COOKIE_SECURE,
            httponly=True,
            samesite=settings.REFRESH_COOKIE_SAMESITE,
        )

    def discard(self, response: HttpResponseBase) -> None:
        response.delete_cookie(
            settings.REFRESH_COOKIE_NAME, path="/", samesite=settings.REFRESH_COOKIE_SAMESITE
        )

    def _refresh_token(self, request: HttpRequest) -> RefreshToken:
        """The token in the cookie, and only there (RFC 6750 has no refresh tokens in URLs)."""
        text = request.COOKIES.get(settings.REFRESH_COOKIE_NAME)
        if not text:
            raise NotAuthenticated("no refresh cookie")
        with token_errors("refresh token"):
            return RefreshToken(text)  # type: ignore[arg-type]

    def _credential(self, family: TokenFamily, token: RefreshToken, user: User) -> Credential:
        access = AccessToken()
        access["sub"] = str(user.pk)
        access["client_id"] = settings.JWT_CLIENT_ID
        access["sid"] = family.pk
        access["epoch"] = family.epoch
        access["roles"] = user.roles
        end = min(access.current_time + access.lifetime, family.absolute_end)
        access.set_exp(from_time=end, lifetime=timedelta())
        return Credential(
            scheme=self.scheme,
            token=str(access),
            expires_in=access["exp"] - access["iat"],
            user_id=user.pk,
            device=family.pk,
            secret=str(token),
            secret_expires_in=token["exp"] - access["iat"],
        )


flow = Flow()
