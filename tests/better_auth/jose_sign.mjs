// Prints an HS256 token, signed the way a Next.js route handler does it with jose and the secret of Better Auth.
//
//   BETTER_AUTH_SECRET=… node jose_sign.mjs SUB EMAIL NAME

import { load } from "./packages.mjs";

const { SignJWT } = await load("jose");
const [sub, email, name] = process.argv.slice(2);

const token = await new SignJWT({ email, name })
  .setProtectedHeader({ alg: "HS256" })
  .setSubject(sub)
  .setIssuedAt()
  .setExpirationTime("1h")
  .sign(new TextEncoder().encode(process.env.BETTER_AUTH_SECRET));

console.log(token);
