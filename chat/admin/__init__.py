"""The staff's window: sessions in Django's admin, and who may come in."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry

from chat.admin.log import LogAdmin
from chat.admin.sessions import SessionAdmin
from chat.admin.sign_in import SignInForm
from chat.models import Session

admin.site.site_title = admin.site.site_header = "Parley"
admin.site.index_title = "Staff"
admin.site.index_template = "admin/chat/index.html"
admin.site.login_form = SignInForm
admin.site.register(Session, SessionAdmin)
admin.site.register(LogEntry, LogAdmin)
