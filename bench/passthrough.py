"""What a user would write instead: FastAPI that awaits the model within POST.

`uvicorn bench.passthrough:app`; MODEL_URL names the model, CLIENT is httpx or aiohttp.
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
    """What a client posts."""

    content: str


async def by_httpx(client: httpx.AsyncClient, body: dict[str, Any]) -> Any:
    """Ask the model through httpx."""
    return (await client.post(URL, json=body)).json()


async def by_aiohttp(client: aiohttp.ClientSession, body: dict[str, Any]) -> Any:
    """Ask the model through aiohttp."""
    async with client.post(URL, json=body) as response:
        return await response.json()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep one pooled client for all requests, as both libraries advise."""
    if os.environ["CLIENT"] == "httpx":
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=1000)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:
            app.state.client, app.state.ask = client, by_httpx
            yield
    else:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            app.state.client, app.state.ask = session, by_aiohttp
            yield


app = FastAPI(lifespan=lifespan)


@app.post("/chat")
async def chat(message: Message) -> dict[str, str]:
    """Answer a message; nothing is kept, and who leaves loses the answer."""
    body = {"model": "fake-model", "messages": [{"role": "user", "content": message.content}]}
    answer = await app.state.ask(app.state.client, body)
    return {"reply": answer["choices"][0]["message"]["content"]}
