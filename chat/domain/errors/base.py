"""The root of all errors."""

from typing import ClassVar


class ParleyError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, param: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.param = param
        super().__init__(self.message)
