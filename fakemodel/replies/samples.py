"""Sample texts: what the chat page has to render, and text of any length."""

LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt "
    "ut labore et dolore magna aliqua."
)

DEFAULT = """You wrote:

{quote}

This reply comes from the **fake model**, which runs on this machine and needs no API key. \
Ask `What can you do?` for a list of its replies."""

HELP = """I am the **fake model**: a real HTTP server with fixed replies. Try:

1. `My name is Ada.`, then `What is my name?`
2. `What did I say before?` for the messages that the model receives
3. `Show me code`, `Show me a table` or `Show me a list`
4. `Write a long text [[rate=15]]` for 15 tokens per second
5. `Hello [[fault:429 retry_after=3 times=1]]` for an error and a retry"""

CODE = """Here is a function in Python:

```python
def count(items: list[str]) -> dict[str, int]:
    \"\"\"Return how often each item occurs.\"\"\"
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


print(count(["tea", "milk", "tea"]))
```

It prints `{'tea': 2, 'milk': 1}`."""

LIST = """Here is a list:

1. **First** item
2. **Second** item
   - nested item
   - [link](https://example.org/)
3. **Third** item

> And a quotation."""

TABLE = """Here is a table:

| planet | moons | diameter in km |
|--------|------:|---------------:|
| Earth | 1 | 12,756 |
| Mars | 2 | 6,792 |
| Neptune | 16 | 49,528 |"""

LONG_TEXT = "\n\n".join(f"## Section {number}\n\n{LOREM}" for number in range(1, 13))
