/** A client of the Tasks API whose types come from its document: `npm run types` writes schema.d.ts. */

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type Task = components["schemas"]["Task"];
export type NewTask = components["schemas"]["NewTask"];
export type Failure = components["schemas"]["Error"];
export type Api = Client<paths, "application/json">;
type Fetch = (request: Request) => Promise<Response>;

const ATTEMPTS = 4;
const LONGEST_WAIT_SECONDS = 10;

/**
 * @param token gives a JWT that is valid now, such as Better Auth's `/api/auth/token` has: they live for minutes
 * @param send tests put a network here that loses answers
 */
export function connect(baseUrl: string, token: () => Promise<string>, send: Fetch = (request) => fetch(request)): Api {
  const api = createClient<paths, "application/json">({ baseUrl, fetch: (request) => sendPatiently(request, send) });
  api.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await token()}`);
    },
  });
  return api;
}

/** The API, or a proxy before it, did not do what was asked. */
export class Refused extends Error {
  readonly status: number;

  /** @param failure what the API says of it; a proxy may say nothing, or something else */
  constructor(status: number, failure: Failure | undefined) {
    super([failure?.message ?? `HTTP ${status}`, ...(failure?.details ?? [])].join("\n"));
    this.status = status;
  }
}

/** Send a request again while the network fails, or the answer says when to: 409, 429 and 503 have `Retry-After`. */
async function sendPatiently(request: Request, send: Fetch): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const last = attempt === ATTEMPTS || !isRepeatable(request);
    let seconds = Math.random() * 0.1 * 2 ** attempt; // not all clients at once
    try {
      const response = await send(request.clone());
      const after = Number(response.headers.get("Retry-After") ?? Infinity);
      if (last || !(after <= LONGEST_WAIT_SECONDS)) return response;
      seconds += after;
    } catch (error) {
      if (last || !(error instanceof TypeError)) throw error; // fetch's way to say that there is no network
    }
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

/** Whether doing it twice is doing it once: an answer may have been lost after it was done. */
function isRepeatable({ method, headers }: Request): boolean {
  return method === "GET" || headers.has("Idempotency-Key") || headers.has("If-Match");
}
