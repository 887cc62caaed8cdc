// Status texts of a reply.

import { client, config } from "./server.js";

const WAIT_REASONS = {
  model_loading: "The model is loading.",
  rate_limited: "The model is busy.",
};
const OUTCOMES = {
  cancelled: "Stopped.",
  expired: "The message expired before a reply could start.",
  failed: "No reply was produced.",
  incomplete: "The reply is incomplete.",
};
const FINISH_REASONS = {
  length: "Stopped at the length limit.",
  content_filter: "Stopped by the model's content filter.",
};

// Why an active reply has no text yet. ahead: number of replies before it.
export function waitText({ status, wait, content }, ahead) {
  if (status === "in_progress") return content ? "" : "Thinking…";
  if (ahead) return `Queued behind ${ahead} ${ahead === 1 ? "reply" : "replies"}.`;
  if (wait?.reason in WAIT_REASONS) return WAIT_REASONS[wait.reason];
  return hasRetryDelay(wait) ? "The model did not respond." : "Waiting for a free worker…";
}

// Changes every second, so it is not part of `waitText`, which is announced to screen readers.
export function retryCountdown({ wait }) {
  return hasRetryDelay(wait) ? ` Retrying in ${Math.round(wait.retry_at - client.now)} s.` : "";
}

// An immediate retry has a `retry_at` too; the margin allows for clock differences.
function hasRetryDelay(wait) {
  return wait?.retry_at > client.now + 0.5;
}

export const hasFailed = ({ status }) => status === "failed" || status === "expired";

// Why a reply is missing or partial; "" if it is complete.
export function outcomeText(reply) {
  const { status, error, finish_reason: reason } = reply;
  const text = error?.message ?? FINISH_REASONS[reason] ?? OUTCOMES[status] ?? "";
  return hasFailed(reply) ? [text, contactText()].filter(Boolean).join(" ") : text;
}

// Whom to ask if a failure is not the user's; "" if the operator has named no one.
export const contactText = () => (config.contact ? `If this happens again, ask ${config.contact}.` : "");

// The message of an error. What only the operator can fix names whom to ask, and the request.
export function errorText({ message, status, requestId }) {
  if (status < 500) return message;
  return [message, contactText(), requestId && `Request ${requestId}.`].filter(Boolean).join(" ");
}
