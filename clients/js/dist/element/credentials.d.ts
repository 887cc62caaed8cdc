import type { ParleyError } from "../errors.js";
export type TokenKind = "none" | "session" | "jwt" | "key";
/** The form of a token decides what it is. */
export declare function kindOf(token: string): TokenKind;
/**
 * The token of a session that the element has opened, in the storage of the embedding page.
 *
 * A session without a user belongs to the browser. That of a user belongs to the user of the tab: another
 * user of the same browser must not see it.
 */
export declare class TokenStore {
    #private;
    readonly name: string;
    constructor(baseURL: string, token: string);
    get token(): string | null;
    set token(token: string | null);
}
/** Whether opening a session with other credentials may help. */
export declare const isRejected: ({ status }: ParleyError) => boolean;
