"""A chat page with Streamlit: history, system prompt, reset, replies that are seen growing.

    pip install streamlit ./parley_client && streamlit run examples/streamlit_app.py

PARLEY_URL names the Parley, if it is not http://127.0.0.1:8000.
"""

import streamlit as st

from parley_client import Client, ParleyError, Reply


def show(reply: Reply) -> None:
    """Show a message while it grows, or the reason why there is none."""
    place = st.chat_message(reply.message.role).empty()
    try:
        for _ in reply:
            place.markdown(reply.text_so_far)
    except ParleyError as error:
        place.error(error.message)


st.title("Parley")
try:
    # The visitor's tab keeps the token, Parley everything else.
    session = Client(patience=2).resume_or_open(st.session_state.get("token"), name="Streamlit")
    st.session_state.token = session.token

    prompt = st.sidebar.text_area("System prompt", session.system_prompt)
    if prompt != session.system_prompt:
        session.change(system_prompt=prompt or None)
    if st.sidebar.button("Reset"):
        session.reset()

    for message in session.history():  # a reply goes on while nobody looks
        show(Reply(session, message))
    if content := st.chat_input("Message"):
        st.chat_message("user").markdown(content)
        show(session.send(content))
except ParleyError as error:
    st.error(error.message)
