"""What a user could write instead: a FastAPI app that awaits the model inside the POST.

`uvicorn bench.fastapi_app:app`; MODEL_URL is the model's URL, CLIENT is httpx or aiohttp.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
from fastapi import FastAPI
from pydantic import BaseModel

URL = os.environ["MODEL_URL"] + "/chat/completions"


class Message(BaseModel):
    """The body of a POST."""

    content: str


async def call_by_httpx(client: httpx.AsyncClient, body: dict[str, Any]) -> Any:
    return (await client.post(URL, json=body)).json()


async def call_by_aiohttp(client: aiohttp.ClientSession, body: dict[str, Any]) -> Any:
    async with client.post(URL, json=body) as response:
        return await response.json()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Use one pooled client for all requests, as both libraries advise."""
    if os.environ["CLIENT"] == "httpx":
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=1000)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            app.state.client, app.state.call = client, call_by_httpx
            yield
    else:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            app.state.client, app.state.call = session, call_by_aiohttp
            yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(message: Message) -> dict[str, str]:
    """Answer a message. Nothing is stored, so a client that disconnects loses the answer."""
    body = {"model": "fake-model", "messages": [{"role": "user", "content": message.content}]}
    response = await app.state.call(app.state.client, body)
    return {"reply": response["choices"][0]["message"]["content"]}
