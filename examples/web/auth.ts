/** The app's Better Auth. Its JWT plugin signs the tokens that the Tasks API takes. */

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { jwt } from "better-auth/plugins/jwt";
import { Pool } from "pg";

export const auth = betterAuth({
  baseURL: process.env.BETTER_AUTH_URL ?? "http://localhost:3000",
  database: new Pool({ connectionString: process.env.DATABASE_URL }),
  emailAndPassword: { enabled: true },
  plugins: [
    // The API asks for nothing but the user's id: what else Better Auth knows of them stays out of the tokens.
    jwt({ jwt: { definePayload: () => ({}) } }),
  ],
});

/** Make Better Auth's tables, where they are missing. */
export async function migrate(): Promise<void> {
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
}
