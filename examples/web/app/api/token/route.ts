/** Instead of the JWT plugin: a token signed with a secret that this app and the Tasks API share. */

import { SignJWT } from "jose";

import { auth } from "../../../auth.ts";

export async function GET(request: Request): Promise<Response> {
  const session = await auth.api.getSession({ headers: request.headers });
  if (!session) return Response.json({ message: "Sign in first" }, { status: 401 });
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(session.user.id)
    .setIssuedAt()
    .setExpirationTime("15m")
    .sign(new TextEncoder().encode(process.env.TASKS_SECRET));
  return Response.json({ token }, { headers: { "Cache-Control": "no-store" } });
}
