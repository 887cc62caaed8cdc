// This server: what the operator has set, and a client, whose source is in clients/js.

import { Client } from "./client.js";

// Seconds until a failed action is shown. Unsent messages are sent again when the server is back.
const RETRY_TIMEOUT = 10;

export const config = JSON.parse(document.getElementById("config").textContent);
export const client = new Client(new URL(".", location), { retryTimeout: RETRY_TIMEOUT, useTokenHeader: true });
