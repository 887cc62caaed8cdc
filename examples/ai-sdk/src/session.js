// The session of this browser, and its messages.
const KEY = "parley-session";

// Return {id, token, messages}; a new session if there is none, or if it has expired.
export async function openSession() {
  const stored = JSON.parse(localStorage.getItem(KEY));
  const messages = stored && (await loadMessages(stored));
  if (messages) return { ...stored, messages };
  const response = await fetch("/sessions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: "{}",
  });
  if (!response.ok) throw new Error(await response.text());
  const { id, token } = await response.json();
  localStorage.setItem(KEY, JSON.stringify({ id, token }));
  return { id, token, messages: [] };
}

export function forgetSession() {
  localStorage.removeItem(KEY);
}

export function authorization(token) {
  return { Authorization: `Bearer ${token}` };
}

async function loadMessages({ id, token }) {
  const response = await fetch(`/ui/chat/${id}/messages`, { headers: authorization(token) });
  return response.ok ? response.json() : null;
}
