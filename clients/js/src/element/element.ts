// <parley-chat>: a chat for any page.

import { Client } from "../client.js";
import { ParleyError } from "../errors.js";
import type { NewSessionBody } from "../schema.js";
import type { Session } from "../session.js";
import { Chat } from "./chat.js";
import { isRejected, kindOf, TokenStore } from "./credentials.js";
import { LABELS, type Labels } from "./labels.js";
import css from "./style.css";
import { View } from "./view.js";

const RETRY_TIMEOUT = 10; // seconds until a failed action is shown
// Properties that a framework may set before the element is defined.
const PROPERTIES = ["params", "getToken", "labels", "open", "token"] as const;

let sheet: CSSStyleSheet | undefined;

function styleSheet(): CSSStyleSheet {
  if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(css);
  return sheet;
}

/**
 * A chat in a bubble or inline.
 *
 * Events: parley-open, parley-close, parley-session {session}, parley-message {content},
 * parley-reply {message}, parley-error {error}.
 */
export class ParleyChat extends HTMLElement {
  static observedAttributes = ["url", "token", "name", "open", "mode", "requires-token"];
  /** Fields of new sessions, such as `model` and `metadata`. */
  declare params: NewSessionBody;
  /** Returns a JWT; called before a session is opened, so that it has not expired. */
  declare getToken: (() => string | Promise<string>) | undefined;
  #labels: Labels = LABELS;
  #view: View | undefined;
  #chat: Chat | undefined;
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #isExplained = false; // a failed connection was explained to the page's developer
  #drawTime = 0; // milliseconds that the last draw took

  /** Replace texts, for example by translations. */
  set labels(labels: Partial<Labels>) {
    this.#labels = { ...LABELS, ...labels };
    if (this.isConnected) this.#rebuild();
  }

  get open(): boolean {
    return this.hasAttribute("open");
  }

  set open(open: boolean) {
    this.toggleAttribute("open", open);
  }

  get token(): string {
    return this.getAttribute("token") ?? "";
  }

  set token(token: string) {
    this.setAttribute("token", token);
  }

  /** The session, once there is one. */
  get session(): Session | undefined {
    return this.#chat?.session;
  }

  /** The address of Parley: by default, that of the script. */
  get baseURL(): string {
    const url = this.getAttribute("url");
    return (url ? new URL(url, document.baseURI) : new URL("..", import.meta.url)).href.replace(/\/*$/, "/");
  }

  /** Send a message, as if the user had. */
  send(content: string): void {
    this.#emit("message", { content });
    this.#chat?.send(content);
  }

  /** Forget the session and start a new one with the next message. */
  restart(): void {
    const unsent = this.#unsent;
    this.#store.token = null;
    this.#connect();
    for (const content of unsent) this.#chat?.send(content);
    this.focus();
  }

  override focus(options?: FocusOptions): void {
    if (this.open || !this.#isBubble) this.#view?.input.focus(options);
    else this.#view?.launcher.focus(options);
  }

  connectedCallback(): void {
    for (const name of PROPERTIES) this.#upgrade(name);
    this.#rebuild();
  }

  disconnectedCallback(): void {
    this.#chat?.close();
    this.#chat = undefined;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (!this.#view || !this.isConnected || before === after) return;
    if (name === "url") this.#rebuild();
    else if (name === "token") this.#tokenChanged(before ?? "");
    else if (name === "open") this.#opened();
    this.#configure();
  }

  get #isBubble(): boolean {
    return this.getAttribute("mode") !== "inline";
  }

  get #store(): TokenStore {
    return new TokenStore(this.baseURL, this.token);
  }

  // Use a property that was set before the element was defined.
  #upgrade(name: (typeof PROPERTIES)[number]): void {
    if (!Object.hasOwn(this, name) || !(name in ParleyChat.prototype)) return;
    const { [name]: value } = this as Record<string, unknown>;
    delete (this as Record<string, unknown>)[name];
    (this as Record<string, unknown>)[name] = value;
  }

  // A new JWT of the same user continues the session. Messages that waited for a token are sent.
  #tokenChanged(before: string): void {
    const isSame = kindOf(this.token) === "jwt" && new TokenStore("", before).name === new TokenStore("", this.token).name;
    if (isSame) return this.#chat?.retry();
    const unsent = before ? [] : this.#unsent;
    this.#connect();
    for (const content of unsent) this.#chat?.send(content);
  }

  get #unsent(): string[] {
    return (this.#chat?.unsent ?? []).filter(({ seq }) => !seq).map(({ content }) => content);
  }

  #rebuild(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [styleSheet()];
    const view = new View(this.#labels, this.baseURL, {
      toggle: () => (this.open = this.#isBubble && !this.open),
      send: (text) => this.send(text),
      stop: () => this.#attempt((chat) => chat.cancel()),
      older: () => this.#attempt((chat) => chat.loadOlder()),
      restart: () => this.restart(),
      download: (file) => this.#attempt(() => file),
      rate: (id, rating) => this.#attempt((chat) => chat.rate(id, rating)),
      regenerate: (id) => this.#attempt((chat) => chat.regenerate(id)),
      continue: () => this.#attempt((chat) => chat.continue()),
      resend: (key) => this.#chat?.resend(key),
      discard: (key) => this.#chat?.discard(key),
      copy: (text, pressed) => void this.#copy(text, pressed),
    });
    this.#view = view;
    root.replaceChildren(view.launcher, view.panel);
    this.#connect();
    this.#configure();
  }

  #configure(): void {
    const view = this.#view!;
    view.title = this.getAttribute("name") || this.#labels.title;
    view.panel.role = this.#isBubble ? "dialog" : "region";
    view.launcher.ariaExpanded = `${this.open}`;
    view.isEnabled = Boolean(this.#chat) && (!this.hasAttribute("requires-token") || Boolean(this.token));
  }

  #opened(): void {
    this.#emit(this.open ? "open" : "close", {});
    this.#draw();
    this.focus();
  }

  #connect(): void {
    this.#chat?.close();
    this.#chat = undefined;
    this.#view!.clear();
    const kind = kindOf(this.token);
    const token = kind === "session" ? this.token : "";
    try {
      if (kind === "key") throw new ParleyError("api_key", "An API key in a page is public. Use a session token or a JWT.");
      this.#chat = new Chat({
        token,
        store: this.#store,
        client: this.#client(""),
        connect: async () => this.#client(this.getToken ? await this.getToken() : this.token),
        params: () => this.params ?? {},
        onChange: () => this.#schedule(),
        onSession: (session) => this.#emit("session", { session }),
        onReply: (message) => {
          this.#view!.announceReply(message);
          this.#emit("reply", { message });
        },
        onError: (error) => this.#report(error),
        onUnreachable: () => this.#explain(),
      });
    } catch (error) {
      console.error(error); // a mistake of the page's developer
      this.#report(error);
    }
    this.#schedule();
  }

  #client(token: string): Client {
    return new Client(this.baseURL, { token, retryTimeout: RETRY_TIMEOUT });
  }

  #report(error: unknown): void {
    if (!(error instanceof ParleyError)) throw error;
    this.#view!.announce(error.message);
    this.#emit("error", { error, isRejected: isRejected(error) });
  }

  // Browsers do not tell scripts why a call to another origin failed.
  #explain(): void {
    if (this.#isExplained || !navigator.onLine || new URL(this.baseURL).origin === location.origin) return;
    this.#isExplained = true;
    console.warn(`Could not reach ${this.baseURL}. If it runs, add ${location.origin} to its setting CORS_ORIGINS.`);
  }

  #attempt(action: (chat: Chat) => Promise<void>): void {
    if (this.#chat) action(this.#chat).catch((error) => this.#report(error));
  }

  async #copy(text: string, pressed: HTMLElement): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.#view!.announce(this.#labels.copied);
    pressed.classList.add("done");
    setTimeout(() => pressed.classList.remove("done"), 1500);
  }

  #emit(name: string, detail: object): void {
    this.dispatchEvent(new CustomEvent(`parley-${name}`, { detail, bubbles: true, composed: true }));
  }

  // Draw soon: the slower the last draw was, the later, so that the page stays responsive.
  #schedule(): void {
    this.#drawTimer ??= setTimeout(() => requestAnimationFrame(() => this.#draw()), 3 * this.#drawTime);
  }

  #draw(): void {
    this.#drawTimer = undefined;
    if (!this.#chat || !this.#view || !(this.open || !this.#isBubble)) return;
    const start = performance.now();
    this.#view.draw(this.#chat);
    this.#drawTime = performance.now() - start;
  }
}

if (!customElements.get("parley-chat")) customElements.define("parley-chat", ParleyChat);

declare global {
  interface HTMLElementTagNameMap {
    "parley-chat": ParleyChat;
  }
}
