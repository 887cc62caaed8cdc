"""Accounts of staff: Django's pages, with fields that screen readers can name."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

if TYPE_CHECKING:
    BaseUserAdmin = UserAdmin[User]
else:  # not generic at run time
    BaseUserAdmin = UserAdmin


class AccountAdmin(BaseUserAdmin):
    """Accounts; the times of their creation and last use are read-only."""

    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")


class AccountGroupAdmin(GroupAdmin):
    """Groups of accounts."""

    filter_horizontal = ()


def register() -> None:
    """Replace Django's own pages."""
    admin.site.unregister([User, Group])
    admin.site.register(User, AccountAdmin)
    admin.site.register(Group, AccountGroupAdmin)
