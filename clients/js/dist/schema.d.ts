/*! Generated from the OpenAPI schema: .venv/bin/python -m checks --write */
/** An accepted message and its reply, which is queued. */
export interface AcceptedTurn {
    /** null if a reset has deleted it since. */
    message: Message | null;
    reply: Message;
    /** Number of earlier turns in the session. */
    queue_position: number;
}
/** A session in the tutorial's format. */
export interface ChatSchema {
    token: string;
    name: string;
    messages: EntrySchema[];
    /** Date and time (UTC). */
    session_start: string;
}
/** The part of the history that is sent to the model. */
export interface Context {
    messages: number;
    tokens: number;
}
/** The part of the history that is sent to the model. A change replaces both fields. */
export interface ContextBody {
    /** Maximum number of messages, including the new one. Earlier ones are included in pairs of user message and reply. */
    messages?: number | null;
    /** Maximum number of tokens of the prompt; 0 means the model's limit. */
    tokens?: number | null;
}
export type DetailEnum = "auto" | "low" | "high";
/** A message in the tutorial's format. */
export interface EntrySchema {
    id: string;
    /** The text, with the prefix `Human: ` or `Bot: `. */
    msg: string;
    /** Date and time (UTC). */
    timestamp: string;
}
/** What was deleted. */
export interface ErasedUser {
    deleted_sessions: number;
}
/** The body of every error response. */
export interface Error {
    error: ErrorDetail;
    /** The same as `error.message`. */
    detail: string;
}
export type ErrorCode = "invalid_request" | "unknown_model" | "unsupported_parameter" | "unsupported_content" | "stream_trimmed" | "forbidden_url" | "invalid_host" | "headers_too_large" | "request_timeout" | "body_too_large" | "unsupported_media_type" | "method_not_allowed" | "idempotency_mismatch" | "invalid_token" | "session_expired" | "auth_timeout" | "not_allowed" | "banned" | "not_found" | "session_not_found" | "message_not_found" | "file_not_found" | "conflict" | "session_busy" | "not_editable" | "not_last_turn" | "not_regenerable" | "nothing_to_continue" | "feedback_not_allowed" | "unavailable" | "rate_limited" | "token_budget_exceeded" | "budget_exceeded" | "address_quota_exceeded" | "quota_exceeded" | "session_queue_full" | "owner_queue_full" | "session_full" | "session_files_full" | "queue_full" | "issuer_unavailable" | "store_unavailable" | "store_full" | "slow_consumer" | "error";
/** Details of an error. */
export interface ErrorDetail {
    code: ErrorCode;
    message: string;
    /** The field or parameter that is not valid, as a dotted path. */
    param: string | null;
    /** Identifies the request in the logs. */
    request_id: string;
    /** Seconds to wait before a retry, with 429 and 503. */
    retry_after: number | null;
}
/** Feedback on a reply. */
export interface Feedback {
    rating: RatingEnum;
    comment: string;
}
/** Feedback on a reply. */
export interface FeedbackBody {
    rating: RatingEnum;
    comment?: string | null;
}
/** A file of a session. */
export interface File {
    id: string;
    /** Detected from the content. */
    media_type: string;
    bytes: number;
    sha256: string;
    filename: string;
}
export type FinishReasonEnum = "stop" | "length" | "content_filter" | "cancelled" | "error";
/** The result of a health check. */
export interface Health {
    status: HealthStatusEnum;
}
export type HealthStatusEnum = "ok";
/** A part of a reply: reasoning or text. */
export interface Item {
    type: ItemType;
    text: string;
}
export type ItemType = "reasoning" | "text";
/** A message. Times are seconds since the epoch (UTC). */
export interface Message {
    /** Seq of the last event that changed the message. */
    seq: number;
    status: MessageStatus;
    /** Of a reply in progress, the text so far. */
    content: string;
    /** Of a user message with more than text. */
    parts?: Part[];
    /** Of a reply with reasoning: what the model has sent, in order. */
    items?: Item[];
    id: string;
    role: RoleEnum;
    created_at: number;
    started_at: number | null;
    completed_at: number | null;
    reply_to: string | null;
    attempt: number;
    model: string | null;
    finish_reason: FinishReasonEnum | null;
    usage: Usage | null;
    error: ReplyError | null;
    wait: Wait | null;
    feedback: Feedback | null;
    /** Id of the message that this one is an edited version of; missing in others. */
    replaces?: string;
}
/** A page of messages. */
export interface MessagePage {
    data: Message[];
    first_id: string | null;
    last_id: string | null;
    /** Whether there are more messages in the requested order. */
    has_more: boolean;
}
export type MessageStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled" | "expired";
/** A model that a session can use. */
export interface Model {
    name: string;
    is_default: boolean;
    /** Maximum tokens of prompt and reply. */
    context_tokens: number;
    /** Maximum tokens of a reply. */
    max_tokens: number;
    /** Whether the text of a reply is streamed. */
    streams: boolean;
    /** What messages may contain. */
    inputs: PartType[];
}
/** All configured models. */
export interface ModelList {
    data: Model[];
}
/** A new user message. */
export interface NewMessageBody {
    options?: OptionsBody | null;
    /** Required, unless there are `parts` or `continue` is true. */
    content?: string | null;
    /** Instead of `content`: texts, images and files. */
    parts?: PartBody[] | null;
    /** Id of the session. It must match the token. */
    session?: string | null;
    /** Id of the user message of the last turn: the new message is an edited version of it. The old message and its replies are kept, but the model no longer reads them. */
    replaces?: string | null;
    /** What happens if a turn of the session is queued or running: the message is queued, rejected, or replaces that turn. */
    on_busy?: OnBusyEnum | null;
    /** Seconds within which the turn must end. */
    deadline?: number | null;
    /** Instead of `content`: ask for the rest of a reply that ended at its maximum length (`finish_reason` is `length`). */
    continue?: boolean | null;
}
/** A new session and its token. Keep the token: it cannot be retrieved later. */
export interface NewSession {
    id: string;
    name: string;
    status: SessionStatus;
    model: string;
    system_prompt: string | null;
    context: Context;
    metadata: Record<string, unknown>;
    /** Set to null when the receiver responds with 410 Gone. */
    webhook_url: string | null;
    created_at: number;
    last_active_at: number;
    expires_at: number;
    /** Seq of the newest event. Send it as `after` to get later changes. */
    seq: number;
    messages: Message[];
    /** Whether there are older messages. */
    has_more: boolean;
    /** Recommended seconds until the next poll. */
    next_poll: number;
    token: string;
}
/** Fields of a new session; all are optional. */
export interface NewSessionBody {
    /** A display name. */
    name?: string | null;
    /** Instructions for the model, sent before the conversation. */
    system_prompt?: string | null;
    /** A name from GET /models. */
    model?: string | null;
    context?: ContextBody | null;
    /** Any JSON object of at most 4096 bytes. */
    metadata?: Record<string, unknown> | null;
    /** An https URL that receives a signed POST at the end of each turn. */
    webhook_url?: string | null;
    /** Seconds after the last activity until the session expires. */
    ttl?: number | null;
}
/** A ticket, which replaces the token in a URL. */
export interface NewTicket {
    /** Opens one WebSocket or event stream. */
    ticket: string;
    /** Seconds until the ticket expires. */
    expires_in: number;
}
/** The new token of a session. */
export interface NewToken {
    id: string;
    token: string;
    expires_at: number;
}
export type OnBusyEnum = "enqueue" | "reject" | "interrupt";
/** Sampling options. The model's configuration applies to those that are missing or null. */
export interface OptionsBody {
    max_tokens?: number | null;
    temperature?: number | null;
    top_p?: number | null;
    /** Strings that end the reply. */
    stop?: string[] | null;
    seed?: number | null;
}
/** A part of a user message. */
export interface Part {
    type: PartType;
    text?: string;
    file_id?: string;
    filename?: string;
    media_type?: string;
    size?: number;
    url?: string;
    detail?: string;
}
/** A part of a message. */
export interface PartBody {
    type: PartType;
    /** Of a text. */
    text?: string | null;
    /** Of an image or a file. */
    file_id?: string | null;
    /** Of an image, instead of `file_id`, if the model accepts URLs. */
    url?: string | null;
    /** Of an image. */
    detail?: DetailEnum | null;
}
export type PartType = "text" | "image" | "file";
export type RatingEnum = "up" | "down";
export type ReasonEnum = "queue" | "own_share" | "circuit" | "rate_limited" | "model_loading";
/** Options of another reply. */
export interface RegenerateBody {
    options?: OptionsBody | null;
}
/** Why a reply, or its last attempt, failed. */
export interface ReplyError {
    code: string;
    message: string;
}
export type RoleEnum = "system" | "user" | "assistant";
/** A session and its newest messages. Times are seconds since the epoch (UTC). */
export interface Session {
    id: string;
    name: string;
    status: SessionStatus;
    model: string;
    system_prompt: string | null;
    context: Context;
    metadata: Record<string, unknown>;
    /** Set to null when the receiver responds with 410 Gone. */
    webhook_url: string | null;
    created_at: number;
    last_active_at: number;
    expires_at: number;
    /** Seq of the newest event. Send it as `after` to get later changes. */
    seq: number;
    messages: Message[];
    /** Whether there are older messages. */
    has_more: boolean;
    /** Recommended seconds until the next poll. */
    next_poll: number;
}
/** A page of a user's sessions, most recently active first. */
export interface SessionPage {
    data: SessionSummary[];
    /** `before` of the next page; null at the end. */
    next_before: string | null;
}
export type SessionStatus = "idle" | "busy" | "expired";
/** A session in a list. */
export interface SessionSummary {
    id: string;
    name: string;
    status: SessionSummaryStatusEnum;
    model: string;
    last_active_at: number;
}
export type SessionSummaryStatusEnum = "idle" | "busy";
/** Fields of a session that can be changed. */
export interface SessionUpdateBody {
    /** A display name. */
    name?: string | null;
    /** Instructions for the model, sent before the conversation. */
    system_prompt?: string | null;
    /** A name from GET /models. */
    model?: string | null;
    context?: ContextBody | null;
    /** Any JSON object of at most 4096 bytes. */
    metadata?: Record<string, unknown> | null;
    /** An https URL that receives a signed POST at the end of each turn. */
    webhook_url?: string | null;
    /** Seconds after the last activity until the session expires. */
    ttl?: number | null;
}
export type SourceEnum = "provider" | "estimated";
/** Token usage of a reply. */
export interface Usage {
    prompt_tokens: number;
    completion_tokens: number;
    total_tokens: number;
    cached_tokens: number;
    /** Missing in replies of older versions. */
    reasoning_tokens?: number;
    source: SourceEnum;
}
/** Why a reply is still queued. */
export interface Wait {
    reason: ReasonEnum;
    retry_at: number | null;
    /** Sessions that call the model before this one, at most. */
    ahead: number;
    /** Number of earlier turns in the session. */
    position: number;
}
