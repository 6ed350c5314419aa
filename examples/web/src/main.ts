import { render } from "lit-html";

import { connect } from "../../client/client.ts";
import { App } from "./app.ts";
import { token } from "./session.ts";
import { page } from "./view.ts";

const api = connect(import.meta.env.VITE_API_URL ?? "http://127.0.0.1:8000", token);
const show = () => render(page(app), document.body);
const app = new App(api, show);

// Ask what is new when somebody looks, and not all the while: a database that nobody asks can sleep.
addEventListener("online", () => void app.sync());
addEventListener("offline", show);
document.addEventListener("visibilitychange", () => document.hidden || void app.sync());

void app.start();
