"""Files of a session."""

from io import BytesIO
from urllib.parse import quote

import orjson
from django.http import HttpResponse
from rest_framework.request import Request

from chat.api import query_params, responses, schema_serializers
from chat.api.parsers import read_file
from chat.api.schema import FILE_BODY, FILE_PARAMETERS, LIMIT_ERRORS, RATE_ERRORS, openapi
from chat.api.views.base import View
from chat.conversation import files

# A browser that opens a file must not run anything in it.
POLICY = "sandbox; default-src 'none'"


class Files(View):
    """The files of a session."""

    @openapi(
        {201: schema_serializers.File},
        body=FILE_BODY,
        errors=LIMIT_ERRORS,
        parameters=FILE_PARAMETERS,
    )
    def post(self, _: Request, session_id: str) -> HttpResponse:
        """Store the body as a file of the session; messages can refer to it."""
        caller = self.caller(session_id)
        filename = query_params.filename(self.django_request.GET)
        content = read_file(self.request.stream or BytesIO(), self.django_request.META)
        file = files.store(caller, content, filename)
        where = responses.location(f"/sessions/{session_id}/files/{file.id}")
        return responses.json(orjson.dumps(file), 201, where)


class File(View):
    @openapi({}, errors=RATE_ERRORS, media_types=files.MEDIA_TYPES)
    def get(self, _: Request, session_id: str, file_id: str) -> HttpResponse:
        """Download a file."""
        caller = self.reader(session_id)
        query_params.reject_query(self.django_request.GET)
        file, content = files.read(caller, file_id)
        headers = {
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.filename)}",
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
        }
        return HttpResponse(content, content_type=file.media_type, headers=headers)
