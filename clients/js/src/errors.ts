// ParleyError
// ├── APIStatusError         the server returned an error status
// ├── APIConnectionError     the server could not be reached
// └── ReplyFailed            the message was accepted, but no reply was produced

const RETRYABLE_STATUSES = [408, 429, 502, 503, 504];
// Codes with a retryable status that waiting does not resolve.
const PERMANENT_CODES = ["session_full"];
// Statuses of a proxy that wants credentials, or that shows its own page.
const FOREIGN_STATUSES = [200, 401, 403, 407];
// Codes of tokens without a session: invalid, expired or deleted.
const GONE_CODES = ["invalid_token", "session_expired", "session_not_found"];

/** Base class. `code` is stable; `message` is a sentence for users. */
export class ParleyError extends Error {
  readonly code: string;
  /** HTTP status; 0 if there was no response. */
  readonly status: number = 0;
  /** Seconds to wait before the next attempt. */
  readonly retryAfter: number = 0;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }

  /** Whether another attempt may succeed. */
  get isRetryable(): boolean {
    return RETRYABLE_STATUSES.includes(this.status) && !PERMANENT_CODES.includes(this.code);
  }

  /** Whether the token is invalid or its session has ended. */
  get isGone(): boolean {
    return GONE_CODES.includes(this.code);
  }
}

/** The server returned an error status. */
export class APIStatusError extends ParleyError {
  override readonly status: number;
  override readonly retryAfter: number;
  /** Dotted path of the invalid request field. */
  readonly param: string | null;
  /** Identifies the request in the server's logs. */
  readonly requestId: string | null;
  /** Whether a server in front of Parley answered, such as a proxy that wants a password. */
  readonly isForeign: boolean;

  constructor(response: Response, error: Record<string, any> = {}) {
    const { status } = response;
    const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
    super(error.code ?? (isRedirect ? "redirected" : `http_${status}`), error.message ?? foreign(response, isRedirect));
    this.isForeign = !error.code;
    this.status = status;
    this.param = error.param ?? null;
    this.retryAfter = error.retry_after ?? (Number(response.headers.get("Retry-After")) || 0);
    this.requestId = error.request_id ?? null;
  }

  // What a proxy answers instead of Parley, such as a sign-in page, may change at any time.
  override get isRetryable(): boolean {
    return super.isRetryable || (this.isForeign && (FOREIGN_STATUSES.includes(this.status) || this.status >= 500));
  }
}

// The message of a response that is not Parley's. It says who answered, if that is known.
function foreign({ status, headers }: Response, isRedirect: boolean): string {
  if (isRedirect) return "You need to sign in again: the request was redirected to another page.";
  return `The request did not reach Parley: ${headers.get("Server") ?? "another server"} answered with status ${status}.`;
}

/** The server did not respond. A message that was being posted may have been accepted. */
export class APIConnectionError extends ParleyError {
  constructor(cause?: unknown) {
    super("unreachable", "Could not reach the server.", { cause });
  }

  override get isRetryable(): boolean {
    return true;
  }
}

/** The turn ended without a reply; `message` gives the reason. */
export class ReplyFailed extends ParleyError {}
