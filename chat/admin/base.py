"""What the classes of the admin are made of."""

from typing import TYPE_CHECKING

from django.contrib import admin

from chat.admin.models import Session

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Session]
else:  # at run time it takes no parameter
    Base = admin.ModelAdmin
