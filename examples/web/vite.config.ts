import { toNodeHandler } from "better-auth/node";
import { type Connect, defineConfig, loadEnv, type Plugin } from "vite";

type Handler = (request: Request) => Promise<Response>;

/** Serves the route handlers in app/ beside the pages, as Next.js does by itself. */
function routes(): Plugin {
  async function serve(middlewares: Connect.Server): Promise<void> {
    const { migrate } = await import("./auth.ts");
    const auth: Record<string, Handler> = await import("./app/api/auth/[...all]/route.ts");
    const token: Record<string, Handler> = await import("./app/api/token/route.ts");
    await migrate();
    middlewares.use((request, response, next) => {
      const path = request.url ?? "";
      const route = path.startsWith("/api/auth/") ? auth : path === "/api/token" ? token : {};
      const handler = route[request.method ?? ""];
      if (handler) toNodeHandler(handler)(request, response).catch(next);
      else next();
    });
  }
  return {
    name: "routes",
    configureServer: ({ middlewares }) => serve(middlewares),
    configurePreviewServer: ({ middlewares }) => serve(middlewares),
  };
}

export default defineConfig(({ mode }) => {
  Object.assign(process.env, loadEnv(mode, process.cwd(), "")); // .env; what is set already wins
  const server = { port: 3000, strictPort: true };
  return { plugins: [routes()], server, preview: server };
});
