from __future__ import annotations

from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import admin as auth_admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts import lifecycle
from accounts.contract.errors import CredentialRevoked
from accounts.models import AuthEvent, User


class ReadOnlyAdmin(admin.ModelAdmin):
    """A table to look at: nothing can be added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(auth_admin.UserAdmin):
    list_display = ("username", "display_name", "email", "is_active", "is_staff", "epoch")
    readonly_fields = ("epoch", "email_verified", "last_login", "date_joined")
    fieldsets = (
        *auth_admin.UserAdmin.fieldsets,  # type: ignore[misc]
        ("Credentials", {"fields": ("display_name", "email_verified", "epoch")}),
    )

    actions = ("end_logins",)

    @admin.action(description="End every login of the selected users", permissions=["change"])
    def end_logins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        by, ended = f"by {request.user.get_username()} in the admin", 0
        for user in queryset:
            with suppress(CredentialRevoked):  # deleted meanwhile: nothing is left to end
                lifecycle.end_logins(request, user, detail=by)
                ended += 1
        self.message_user(request, f"Ended every login of {ended} user{'s' * (ended != 1)}.")

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool
    ) -> None:
        if "email" in form.changed_data:
            obj.email_verified = None  # nobody has shown that they read its mail
        super().save_model(request, obj, form, change)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        # What was remembered for a user goes with the user; that those tables cannot be edited by
        # hand must not keep anybody from deleting an account.
        to_delete, counts, _, protected = super().get_deleted_objects(objs, request)
        return to_delete, counts, set(), protected


@admin.register(AuthEvent)
class AuthEventAdmin(ReadOnlyAdmin):
    list_display = ("created", "kind", "flow", "user", "device", "ip", "user_agent", "detail")
    list_filter = ("kind", "flow")
    search_fields = ("user__username", "device", "ip")
    date_hierarchy = "created"
    list_select_related = ("user",)
