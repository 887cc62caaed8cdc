"""Registers Parley's pages with Django's admin site."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from chat.admin.log_entries import LogEntryAdmin
from chat.admin.login import LoginForm
from chat.admin.models import Session
from chat.admin.sessions import SessionAdmin

admin.site.site_title = admin.site.site_header = "Parley"
admin.site.index_title = "Administration"
admin.site.index_template = "admin/chat/index.html"
admin.site.login_form = LoginForm
admin.site.register(Session, SessionAdmin)
admin.site.register(LogEntry, LogEntryAdmin)
