// What has become of a reply, in words.

import { serverNow } from "./api.js";

const REASONS = {
  model_loading: "The model is loading.",
  rate_limited: "The model is busy.",
};
const ENDINGS = {
  cancelled: "Stopped.",
  expired: "This waited too long for its turn.",
  failed: "There is no reply.",
  incomplete: "The reply was cut off.",
};
const CUT_OFF = {
  length: "Cut off: the reply has reached its greatest length.",
  content_filter: "Cut off by the model's content filter.",
};

// What an open reply waits for, with so many before it.
export function waiting({ status, wait, content }, ahead) {
  if (status === "in_progress") return content ? "" : "Thinking…";
  if (ahead) return `Waiting: ${ahead} ${ahead === 1 ? "reply" : "replies"} before this one.`;
  if (wait?.reason in REASONS) return REASONS[wait.reason];
  return isLater(wait) ? "The model did not answer." : "Waiting for a free worker…";
}

// The part that changes every second, and is shown but not read out.
export function countdown({ wait }) {
  return isLater(wait) ? ` Next try in ${Math.ceil(wait.retry_at - serverNow())} s.` : "";
}

// What is begun anew at once bears the time of that, by a clock that may be a little off.
function isLater(wait) {
  return wait?.retry_at > serverNow() + 0.5;
}

// How a reply ended, if not well.
export function ended({ status, error, finish_reason }) {
  return error?.message ?? CUT_OFF[finish_reason] ?? ENDINGS[status] ?? "";
}
