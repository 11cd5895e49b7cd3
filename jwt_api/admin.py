from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.admin import ReadOnlyAdmin
from accounts.audit import record
from accounts.models import AuthEvent
from jwt_api import programs, store
from jwt_api.models import ProgramToken, TokenFamily

# Threat: SimpleJWT's own pages show the column `token`. Ours holds no token, but a page that
# never shows it cannot leak what another version might store there.
admin.site.unregister(OutstandingToken)
admin.site.unregister(BlacklistedToken)


def end_each(request: HttpRequest, devices: QuerySet[Any], end: Callable[[Any], bool]) -> int:
    """End devices one by one, record each, and say how many there were that were not over yet."""
    ended = 0
    for row in list(devices):
        if end(row):
            ended += 1
            record(
                AuthEvent.Kind.REVOKE,
                request,
                flow="jwt",
                user_id=row.user_id,
                device=row.pk,
                detail=f"by {request.user.get_username()} in the admin",
            )
    return ended


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin):
    list_display = ("id", "user", "generation", "last_used", "user_agent", "ip", "ended_because")
    list_filter = ("ended_because",)
    search_fields = ("user__username", "id", "ip")
    list_select_related = ("user",)
    actions = ("end_families",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jwt_api.change_tokenfamily")

    @admin.action(description="End the selected token families", permissions=["end"])
    def end_families(self, request: HttpRequest, queryset: QuerySet[TokenFamily]) -> None:
        ended = end_each(
            request, queryset, lambda row: store.end_family(row.pk, TokenFamily.Ended.REVOKED)
        )
        self.message_user(request, f"Ended {ended} token families.")


@admin.register(ProgramToken)
class ProgramTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "scope", "created", "last_used", "expires", "ip")
    search_fields = ("user__username", "name", "id", "ip")
    list_select_related = ("user",)
    actions = ("end_tokens",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jwt_api.change_programtoken")

    @admin.action(description="End the selected tokens of programs", permissions=["end"])
    def end_tokens(self, request: HttpRequest, queryset: QuerySet[ProgramToken]) -> None:
        ended = end_each(request, queryset, lambda row: programs.end(row.user_id, row.pk))
        self.message_user(request, f"Ended {ended} tokens of programs.")


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(ReadOnlyAdmin):
    list_display = ("jti", "user", "created_at", "expires_at")
    search_fields = ("user__username", "jti")
    list_select_related = ("user",)
    exclude = ("token",)


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(ReadOnlyAdmin):
    list_display = ("jti", "user", "blacklisted_at")
    search_fields = ("token__user__username", "token__jti")
    list_select_related = ("token__user",)
    fields = ("jti", "user", "blacklisted_at")
    readonly_fields = fields

    def jti(self, blacklisted: BlacklistedToken) -> str:
        return blacklisted.token.jti

    def user(self, blacklisted: BlacklistedToken) -> str:
        return str(blacklisted.token.user)
