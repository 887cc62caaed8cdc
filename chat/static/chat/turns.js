// Groups messages into turns with their variants: edited versions of a message, and its replies.

// Return the turns in order. Each has `users` and `replies`, the versions of its message and the replies
// to the shown one; `user` and `reply` are those that are shown.
// chosen: key of a turn or user message -> {id, count}; a choice holds until there is another variant.
export function groupTurns(messages, chosen) {
  const roots = new Map(); // id of a user message -> id of its first version
  const groups = new Map(); // id of the first version -> {key, users, replies: id -> replies}
  for (const message of messages) {
    const { id, role, reply_to: replyTo, replaces } = message;
    const key = role === "user" ? (roots.get(replaces) ?? id) : (roots.get(replyTo) ?? replyTo ?? id);
    if (role === "user") roots.set(id, key);
    if (!groups.has(key)) groups.set(key, { key, users: [], replies: new Map() });
    const group = groups.get(key);
    if (role === "user") group.users.push(message);
    else group.replies.set(replyTo, [...(group.replies.get(replyTo) ?? []), message]);
  }
  return [...groups.values()].map((group) => shownTurn(group, chosen));
}

function shownTurn({ key, users, replies: all }, chosen) {
  const user = pick(key, users, chosen);
  const replies = all.get(user ? user.id : key) ?? [];
  return { key, users, user, replies, reply: pick(`${user?.id ?? key} replies`, replies, chosen) };
}

function pick(key, variants, chosen) {
  const choice = chosen.get(key);
  const found = choice?.count === variants.length && variants.find(({ id }) => id === choice.id);
  return found || variants.at(-1);
}
