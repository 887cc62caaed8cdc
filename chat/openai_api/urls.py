"""The paths of the OpenAI-compatible API. `project.server.application` routes requests to them."""

from django.urls import path, re_path

from chat.api.exception_handler import not_found
from chat.openai_api import views
from chat.protocols.requests import api_view

# The stubs do not accept async views.
urlpatterns = [
    path("v1/models", api_view(get=views.list_models)),  # type: ignore[arg-type]
    path("v1/models/<path:model>", api_view(get=views.get_model)),  # type: ignore[arg-type]
    path("v1/chat/completions", api_view(post=views.create_chat_completion)),  # type: ignore[arg-type]
    path("v1/responses", api_view(post=views.create_response)),  # type: ignore[arg-type]
    path(
        "v1/responses/<response_id>",
        api_view(get=views.get_response, delete=views.delete_response),  # type: ignore[arg-type]
    ),
    path("v1/responses/<response_id>/cancel", api_view(post=views.cancel_response)),  # type: ignore[arg-type]
    path("v1/responses/<response_id>/input_items", api_view(get=views.list_input_items)),  # type: ignore[arg-type]
    path("v1/conversations", api_view(post=views.create_conversation)),  # type: ignore[arg-type]
    path(
        "v1/conversations/<conversation_id>",
        api_view(  # type: ignore[arg-type]
            get=views.get_conversation,
            post=views.update_conversation,
            delete=views.delete_conversation,
        ),
    ),
    path(
        "v1/conversations/<conversation_id>/items",
        api_view(get=views.list_items, post=views.create_items),  # type: ignore[arg-type]
    ),
    path(
        "v1/conversations/<conversation_id>/items/<item_id>",
        api_view(get=views.get_item, delete=views.delete_item),  # type: ignore[arg-type]
    ),
    re_path("", not_found),
]
