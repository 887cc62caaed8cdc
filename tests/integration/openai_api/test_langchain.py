"""LangChain's ChatOpenAI."""

import httpx
import pytest
from pydantic import SecretStr


@pytest.mark.parametrize("use_responses_api", [False, True])
def test_langchain_invokes_and_streams(
    base_url: str, api_key: str, *, use_responses_api: bool
) -> None:
    # Importing it takes seconds; every test process imports this module.
    from langchain_openai import ChatOpenAI  # noqa: PLC0415

    messages = [("system", "Be brief."), ("human", "My name is Ann."), ("ai", "Hi.")]
    question = [*messages, ("human", "What is my name?")]
    with httpx.Client() as http:
        model = ChatOpenAI(
            model="default",
            base_url=base_url,
            api_key=SecretStr(api_key),
            use_responses_api=use_responses_api,
            http_client=http,
        )
        assert "Ann" in model.invoke(question).text
        assert "Ann" in "".join(chunk.text for chunk in model.stream(question))
