/** Who is signed in, and the token that the API knows them by. */

import { createAuthClient } from "better-auth/client";
import { jwtClient } from "better-auth/client/plugins";
import { decodeJwt } from "jose";

export const auth = createAuthClient({ plugins: [jwtClient()] });

const SPARE_SECONDS = 30; // a token is not used to its very end: requests take time

/** Better Auth no longer knows the user: they have to sign in again. */
export class SignedOut extends Error {}

let current: { token: string; until: number } | undefined;
let asking: Promise<string> | undefined;

/**
 * Give a token for the API: the same one until its 15 minutes are nearly over, or the API has `refused` it.
 *
 * It is in memory only. After a reload Better Auth's cookie, which no script can read, gets another one.
 */
export async function token(refused?: string): Promise<string> {
  if (current && current.token !== refused && Date.now() < current.until) return current.token;
  asking ??= ask().finally(() => {
    asking = undefined;
  });
  return asking;
}

export function forgetToken(): void {
  current = undefined;
}

async function ask(): Promise<string> {
  const { data, error } = await auth.token();
  if (error?.status === 401) throw new SignedOut();
  if (!data) throw new TypeError("Better Auth cannot be reached");
  const { exp = 0, iat = 0 } = decodeJwt(data.token);
  // By the time it lives, not by its end: this device's clock may be wrong.
  current = { token: data.token, until: Date.now() + (exp - iat - SPARE_SECONDS) * 1000 };
  return data.token;
}
