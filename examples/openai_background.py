"""Start a response in the background, and follow it: also after an interruption.

OPENAI_API_KEY=pk_... OPENAI_BASE_URL=http://127.0.0.1:8000/v1 python openai_background.py
... python openai_background.py resp_...    continues with that response
"""

import sys

from openai import OpenAI


def main() -> None:
    client = OpenAI()
    if len(sys.argv) > 1:
        response_id = sys.argv[1]
    else:
        response_id = client.responses.create(
            input="Write a long text about the sea.", background=True
        ).id
    print(response_id)
    for event in client.responses.retrieve(response_id, stream=True):
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
    print()


main()
