// A real Better Auth on Node's HTTP server: e-mail and password, sessions, and the JWT and bearer plugins.
//
// Everything is as Better Auth has it by default, except where the tests need a choice:
//
//   DATABASE_URL         PostgreSQL; the tables are made at start
//   BETTER_AUTH_SECRET   signs and encrypts whatever the keys of the JWT plugin do not
//   BETTER_AUTH_URL      base URL; default: http://127.0.0.1 with the port
//   PORT                 0 (the default) takes a free one
//   JWT_ALG              EdDSA (the default), ES256, ES512, RS256 or PS256
//   AUDIENCE             JSON, a string or a list: `aud` of the tokens instead of the origin of the base URL
//   ROTATION_INTERVAL    seconds after which a signing key is replaced; default: never
//   SESSION_COOKIE_KEYS  what signs the session cookie: `secret` (HS256, the default) or `jwks` (the keys of the tokens)
//
// Prints one line of JSON, {"url": …}, once it answers. Ends with SIGTERM, and with --stop-with-stdin also when its
// standard input is closed, so that it never outlives a parent that was killed.
//
// Two routes exist for the tests only:
//
//   GET  /__test__/verification?email=…  → {"token": …}, the last e-mail verification token of that address, or 404
//   POST /__test__/rotate                → 204; every signing key has expired, the next signature makes a new one

import { createServer } from "node:http";

import { load } from "./packages.mjs";

const { betterAuth } = await load("better-auth");
const { getMigrations } = await load("better-auth/db/migration");
const { toNodeHandler } = await load("better-auth/node");
const { bearer } = await load("better-auth/plugins/bearer");
const { jwt } = await load("better-auth/plugins/jwt");
const { default: pg } = await load("pg");

const HOST = "127.0.0.1";
const { env } = process;

const verificationTokens = new Map();

function options(url) {
  return {
    baseURL: url,
    secret: env.BETTER_AUTH_SECRET,
    database: new pg.Pool({ connectionString: env.DATABASE_URL, max: 4 }),
    emailAndPassword: { enabled: true },
    emailVerification: {
      sendOnSignUp: true,
      sendVerificationEmail: async ({ user, token }) => {
        verificationTokens.set(user.email, token);
      },
    },
    session: { cookieCache: { enabled: true, strategy: "jwt" } },
    plugins: [
      bearer(),
      jwt({
        sessionCookieCache: env.SESSION_COOKIE_KEYS === "jwks",
        jwks: {
          keyPairConfig: { alg: env.JWT_ALG ?? "EdDSA" },
          rotationInterval: env.ROTATION_INTERVAL ? Number(env.ROTATION_INTERVAL) : undefined,
        },
        jwt: { audience: env.AUDIENCE ? JSON.parse(env.AUDIENCE) : undefined },
      }),
    ],
    // On, as it is in production. The keys are limited as ever; the tests sign up more users in ten seconds, and ask
    // for more tokens, than people do.
    rateLimit: { enabled: true, customRules: { "/sign-up/email": false, "/token": false } },
    logger: { log: (level, ...message) => console.error(level, ...message) }, // standard output is for the one line
    telemetry: { enabled: false },
  };
}

/** A port that is free now: the base URL, and with it every token's issuer, has to be known before listening. */
async function freePort() {
  const server = createServer().listen(0, HOST);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function verification(request, response) {
  const email = new URL(request.url, "http://localhost").searchParams.get("email");
  const token = verificationTokens.get(email);
  response.writeHead(token ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify({ token }));
}

/** Let the signing keys expire, as `rotationInterval` does: the plugin replaces a key when it next signs. */
async function rotate(auth, response) {
  const { adapter } = await auth.$context;
  await adapter.updateMany({ model: "jwks", where: [], update: { expiresAt: new Date() } });
  response.writeHead(204).end();
}

const port = Number(env.PORT ?? 0) || (await freePort());
const url = env.BETTER_AUTH_URL ?? `http://${HOST}:${port}`;
const configuration = options(url);
const { runMigrations } = await getMigrations(configuration);
await runMigrations();
const auth = betterAuth(configuration);

const betterAuthHandler = toNodeHandler(auth);
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/__test__/verification") return verification(request, response);
  if (pathname === "/__test__/rotate") return rotate(auth, response);
  return betterAuthHandler(request, response);
});

async function stop() {
  server.close();
  server.closeAllConnections();
  await configuration.database.end();
  process.exit(0);
}

process.once("SIGTERM", stop);
if (process.argv.includes("--stop-with-stdin")) process.stdin.resume().once("end", stop);
server.listen(port, HOST, () => console.log(JSON.stringify({ url })));
