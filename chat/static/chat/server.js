// The client of this server. Its source is in clients/js.

import { Client } from "./client.js";

// Seconds until a failed action is shown. Unsent messages are sent again when the server is back.
const RETRY_TIMEOUT = 10;

export const client = new Client(new URL(".", location), { retryTimeout: RETRY_TIMEOUT, useTokenHeader: true });
