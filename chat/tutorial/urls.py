"""The tutorial's REST paths."""

from django.urls import path

from chat.tutorial import rest

urlpatterns = [
    path("token", rest.TutorialToken.as_view()),
    path("refresh_token", rest.TutorialRefresh.as_view()),
]
