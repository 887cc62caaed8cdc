"""The pages of the host project."""

from django.contrib import admin
from django.urls import path

from shop import chat

urlpatterns = [
    path("", chat.support),
    path("chat/replies", chat.receive_reply),
    path("admin/", admin.site.urls),
]
