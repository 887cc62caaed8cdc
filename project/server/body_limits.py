"""The maximum size of a request's body, by who sends it: little before authentication."""

import re
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, close_old_connections
from django.http.cookie import parse_cookie

from chat.accounts import principals, read_limits
from chat.api import auth
from chat.conversation import sessions
from chat.domain import Caller, Principal
from chat.settings import chat_settings
from project.server.body import Environ
from project.server.body_reader import UNCHECKED_BODY_BYTES

# Bytes of JSON per byte of text: `\\u0041`.
MAX_ESCAPE = 6
# The path of a session's messages or files.
SESSION_PATH = re.compile(r"/sessions/([^/]+)/(?:messages|files)$")
# JSON around the fields.
MARGIN = 64 * 1024


def api_body_limit(environ: Environ) -> int:
    """Return the limit of a request to the API: large for messages and files of open sessions.

    Raises:
        InvalidToken, SessionNotFound, SessionExpired: the caller has no access to the session.
        RateLimited: the caller uploads large files too often, whether or not they are accepted.
        StoreUnavailable: the token of a large body could not be checked.
    """
    path = environ["PATH_INFO"].rstrip("/")
    if not path.endswith(("/messages", "/files")):
        fields = chat_settings.MAX_SYSTEM_PROMPT_BYTES + chat_settings.MAX_METADATA_BYTES
        return min(chat_settings.MAX_BODY_BYTES, MAX_ESCAPE * fields + MARGIN)
    is_file = path.endswith("/files")
    max_bytes = chat_settings.MAX_FILE_BYTES if is_file else chat_settings.MAX_BODY_BYTES
    if int(environ.get("CONTENT_LENGTH") or 0) > max_bytes:
        return max_bytes
    sender: Caller | Principal = auth.authenticate(environ)
    # Of `POST /messages`, the body names the session: a valid API key or JWT is enough.
    if match := SESSION_PATH.search(path):
        sender = auth.caller_of(sender, match[1])
        if is_file:
            read_limits.check_read(sender, environ)
    # A chunked body may turn out to be too large, which is reported before any call to Redis.
    if isinstance(sender, Caller) and "HTTP_TRANSFER_ENCODING" not in environ:
        sessions.read(sender, limit=0)
    return max_bytes


def protocol_body_limit(environ: Environ) -> int:
    """Return the limit of a request with an API key, a JWT, or the token of an open session.

    Raises:
        InvalidToken, SessionNotFound, SessionExpired, StoreUnavailable, IssuerUnavailable
    """
    token = auth.bearer_token(environ)
    if principals.is_api_key(token):
        principals.identity_of_key(token)  # the body may name the user whom it acts for
    elif isinstance(sender := auth.authenticate(environ), Caller):
        sessions.read(sender, limit=0)
    return chat_settings.MAX_BODY_BYTES


def admin_body_limit(environ: Environ) -> int:
    """Return the limit of a request to the admin; small before sign-in."""
    limit: Any = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return limit if _is_signed_in(environ) else UNCHECKED_BODY_BYTES


def _is_signed_in(environ: Environ) -> bool:
    key = parse_cookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME)
    close_old_connections()
    try:
        return key is not None and SESSION_KEY in SessionStore(key)
    except DatabaseError:
        return False
    finally:
        close_old_connections()
