"""Serves the application below `URL_PREFIX`, behind proxies that remove the prefix or keep it."""

from typing import Any

from chat.accounts import client_ip
from chat.api.responses import default_headers


class URLPrefix:
    """ASGI middleware that removes the prefix from paths. Paths without it are left unchanged.

    A trusted proxy that removes the prefix can send it as `X-Forwarded-Prefix`. It is then not
    removed twice, so that `/chat/chat/admin/` does not bypass the proxy's rules for `/chat/admin/`.

    Django adds the prefix to its URLs by itself (FORCE_SCRIPT_NAME), so `root_path` stays empty.
    """

    def __init__(self, application: Any, prefix: str) -> None:
        self.application = application
        self.prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        # uvicorn's --root-path is a part of each path, whatever the proxy sends.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if not self._is_removed(scope):
            # A WebSocket with exactly this path is the tutorial's `/chat`.
            if path == self.prefix and scope["type"] == "http":
                await self._redirect(scope["query_string"], send)
                return
            if path.startswith(f"{self.prefix}/"):
                path = path[len(self.prefix) :]
        await self.application({**scope, "path": path, "root_path": ""}, receive, send)

    def _is_removed(self, scope: Any) -> bool:
        """Whether a trusted proxy has removed the prefix. A client that forges this gets a 404."""
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-prefix"]
        if not values or not client_ip.is_trusted((scope.get("client") or ("",))[0]):
            return False
        prefixes = b",".join(values).decode("latin-1").split(",")
        return any(prefix.strip().rstrip("/") == self.prefix for prefix in prefixes)

    async def _redirect(self, query: bytes, send: Any) -> None:
        """Add the slash: the page's relative URLs need it."""
        location = f"{self.prefix}/".encode() + (b"?" + query if query else b"")
        headers = [
            (b"location", location),
            (b"content-length", b"0"),
            *(
                (name.lower().encode(), value.encode())
                for name, value in default_headers(is_api=False)
            ),
        ]
        await send({"type": "http.response.start", "status": 307, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
