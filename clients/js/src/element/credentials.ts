// What the element's token is, and where the token of its session is kept.

import type { ParleyError } from "../errors.js";

export type TokenKind = "none" | "session" | "jwt" | "key";

/** The form of a token decides what it is. */
export function kindOf(token: string): TokenKind {
  if (!token) return "none";
  if (token.startsWith("pk_")) return "key";
  return token.split(".").length === 3 ? "jwt" : "session";
}

/**
 * The token of a session that the element has opened, in the storage of the embedding page.
 *
 * A session without a user belongs to the browser. That of a user belongs to the user of the tab: another
 * user of the same browser must not see it.
 */
export class TokenStore {
  readonly name: string;
  #isShared: boolean;
  #fallback: string | null = null; // if the storage is disabled

  constructor(baseURL: string, token: string) {
    const user = kindOf(token) === "jwt" ? userOf(token) : "";
    this.name = `parley-chat ${baseURL} ${user}`.trim();
    this.#isShared = !user;
  }

  get token(): string | null {
    try {
      return this.#storage.getItem(this.name);
    } catch {
      return this.#fallback;
    }
  }

  set token(token: string | null) {
    this.#fallback = token;
    try {
      if (token) this.#storage.setItem(this.name, token);
      else this.#storage.removeItem(this.name);
    } catch {
      // The session lasts as long as the page.
    }
  }

  get #storage(): Storage {
    return this.#isShared ? localStorage : sessionStorage;
  }
}

// The issuer and user of a JWT; its signature is for the server to check.
function userOf(token: string): string {
  try {
    const part = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const { iss, sub } = JSON.parse(atob(part));
    return `${iss} ${sub}`;
  } catch {
    return token;
  }
}

/** Whether opening a session with other credentials may help. */
export const isRejected = ({ status }: ParleyError): boolean => status === 401 || status === 403;
