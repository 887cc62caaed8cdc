"""A chat page with Streamlit: history, system prompt, reset, replies that are seen growing.

    streamlit run examples/streamlit_app.py

PARLEY_URL names the Parley, if it is not http://127.0.0.1:8000.
"""

import os
import sys
from pathlib import Path

import streamlit as st

sys.path.append(str(Path(__file__).parents[1]))  # once parley_client is installed, not needed

from parley_client import Client, ParleyError, Reply, Session

client = Client(os.environ.get("PARLEY_URL", "http://127.0.0.1:8000"), patience=2)


def visitors_session() -> Session:
    """Return the visitor's session; their tab keeps the token, Parley everything else."""
    if "token" not in st.session_state:
        st.session_state.token = client.open(name="Streamlit").token
    return client.resume(st.session_state.token)


def set_up(session: Session) -> None:
    """Offer to change the system prompt, and to start over."""
    prompt = st.sidebar.text_area("System prompt", session.system_prompt or "")
    if prompt != (session.system_prompt or ""):
        session.change(system_prompt=prompt or None)
    if st.sidebar.button("Reset"):
        session.reset()


def show(reply: Reply) -> None:
    """Show a reply while it grows, or the reason why there is none."""
    place = st.chat_message("assistant").empty()
    try:
        for _ in reply:
            place.markdown(reply.text_so_far)
    except ParleyError as error:
        place.error(error.message)


def talk(session: Session) -> None:
    """Show what has been said, and what is yet to be: a reply goes on while nobody looks."""
    for message in session.history():
        if message.role == "user":
            st.chat_message("user").markdown(message.content)
        else:
            show(Reply(session, message))
    if content := st.chat_input("Message"):
        st.chat_message("user").markdown(content)
        show(session.send(content))


st.title("Parley")
try:
    current = visitors_session()
    set_up(current)
    talk(current)
except ParleyError as error:
    st.error(error.message)
