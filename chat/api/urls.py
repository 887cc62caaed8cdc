"""The REST paths: no prefix, no trailing slash."""

from django.urls import path

from chat.api.views import docs, files, messages, metrics, service, sessions, users

urlpatterns = [
    path("sessions", sessions.Sessions.as_view()),
    path("sessions/<session_id>", sessions.Session.as_view()),
    path("sessions/<session_id>/reset", sessions.Reset.as_view()),
    path("sessions/<session_id>/token", sessions.Token.as_view()),
    path("sessions/<session_id>/ticket", sessions.Ticket.as_view()),
    path("messages", messages.PostMessage.as_view()),
    path("sessions/<session_id>/messages", messages.Messages.as_view()),
    path("sessions/<session_id>/messages/<message_id>", messages.Message.as_view()),
    path("sessions/<session_id>/messages/<message_id>/cancel", messages.Cancel.as_view()),
    path("sessions/<session_id>/messages/<message_id>/regenerate", messages.Regenerate.as_view()),
    path("sessions/<session_id>/messages/<message_id>/feedback", messages.Feedback.as_view()),
    path("sessions/<session_id>/files", files.Files.as_view()),
    path("sessions/<session_id>/files/<file_id>", files.File.as_view()),
    path("users/<path:user>", users.User.as_view()),
    path("models", service.Models.as_view()),
    path("live", service.Live.as_view()),
    path("ready", service.Ready.as_view()),
    path("metrics", metrics.Metrics.as_view()),
    path("schema", docs.Schema.as_view(), name="schema"),
    path("docs", docs.Docs.as_view(), name="docs"),
]
