"""What the APIs in other vendors' protocols share: requests, senders, and the events of a turn.

`chat.openai_api` and `chat.ui_api` translate with it. There is no second store, queue or
subscription.
"""
