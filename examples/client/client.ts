/** A client of the Tasks API whose types come from its document: `npm run types` writes schema.d.ts. */

import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type Task = components["schemas"]["Task"];
export type NewTask = components["schemas"]["NewTask"];
export type Failure = components["schemas"]["Error"];
export type Api = Client<paths, "application/json">;
type Fetch = (request: Request) => Promise<Response>;
type Tokens = (refused?: string) => Promise<string>;

const ATTEMPTS = 4;
const LONGEST_WAIT_SECONDS = 10;

/**
 * @param token gives a JWT that is good now, such as Better Auth's `/api/auth/token` has: they live for minutes. It is
 *   asked again, with the token that the API refused, and may have a newer one then
 * @param send tests put a network here that loses answers
 */
export function connect(baseUrl: string, token: Tokens, send: Fetch = (request) => fetch(request)): Api {
  const sendOnce: Fetch = (request) => sendWithToken(request, token, send);
  return createClient<paths, "application/json">({ baseUrl, fetch: (request) => sendPatiently(request, sendOnce) });
}

/** The API, or a proxy before it, did not do what was asked. */
export class Refused extends Error {
  readonly status: number;
  /** After how many seconds it may, if the answer says so (429, 503). */
  readonly retryAfter: number | undefined;
  /** What the service's log knows the request by. */
  readonly requestId: string | null;

  /** @param failure what the API says of it; a proxy may say nothing, or something else */
  constructor(response: Response, failure: Failure | undefined) {
    super([failure?.message ?? `HTTP ${response.status}`, ...(failure?.details ?? [])].join("\n"));
    this.status = response.status;
    this.retryAfter = Number(response.headers.get("Retry-After")) || undefined;
    this.requestId = response.headers.get("X-Request-ID");
  }
}

/** Send a request, and once more if its token is refused and there is a newer one: clocks differ, keys change. */
async function sendWithToken(request: Request, token: Tokens, send: Fetch): Promise<Response> {
  const first = await token();
  request.headers.set("Authorization", `Bearer ${first}`);
  const response = await send(request.clone());
  if (response.status !== 401) return response;
  const newer = await token(first);
  if (newer === first) return response;
  request.headers.set("Authorization", `Bearer ${newer}`);
  return send(request);
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
