"""Django's ModelAdmin, with the model as its type parameter."""

from typing import TYPE_CHECKING

from django.contrib import admin

from chat.admin.models import Session

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Session]
else:  # not generic at run time
    ModelAdmin = admin.ModelAdmin
