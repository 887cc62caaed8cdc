"""A chat page in Streamlit: history, system prompt, reset and streamed replies.

    pip install streamlit ./parley_client && streamlit run examples/streamlit_app.py

Set PARLEY_URL if your Parley server is not at http://127.0.0.1:8000.
"""

import streamlit as st

from parley_client import Client, ParleyError, Reply


def show(reply: Reply) -> None:
    """Show a message as it arrives, or the reason why there is no reply."""
    placeholder = st.chat_message(reply.message.role).empty()
    try:
        for _ in reply:
            placeholder.markdown(reply.partial_text)
    except ParleyError as error:
        placeholder.error(error.message)


st.title("Parley")
try:
    # The browser tab keeps the token; Parley keeps everything else.
    session = Client(retry_timeout=2).attach_or_open(st.session_state.get("token"), name="Web")
    st.session_state.token = session.token

    prompt = st.sidebar.text_area("System prompt", session.system_prompt)
    if prompt != session.system_prompt:
        session.update(system_prompt=prompt or None)
    if st.sidebar.button("Reset"):
        session.reset()

    for message in session.history():  # a reply continues while the page is closed
        show(Reply(session, message))
    if content := st.chat_input("Message"):
        st.chat_message("user").markdown(content)
        show(session.send(content))
except ParleyError as error:
    st.error(error.message)
