"""Registers Parley's pages with Django's admin site."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import get_script_prefix
from django.utils.functional import lazy

from chat.admin import accounts
from chat.admin.log_entries import LogEntryAdmin
from chat.admin.login import LoginForm
from chat.admin.models import Session
from chat.admin.sessions import SessionAdmin

admin.site.site_title = admin.site.site_header = "Parley"
admin.site.index_title = "Administration"
# Django would link to the prefix without its slash.
admin.site.site_url = lazy(get_script_prefix, str)()
# base_site.html has other navigation.
admin.site.enable_nav_sidebar = False
admin.site.login_form = LoginForm
accounts.register()
admin.site.register(Session, SessionAdmin)
admin.site.register(LogEntry, LogEntryAdmin)
