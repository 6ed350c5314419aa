/** The page, made of the App: lit-html writes what differs from the last time. */

import { html, nothing, type TemplateResult } from "lit-html";
import { live } from "lit-html/directives/live.js";
import { ref } from "lit-html/directives/ref.js";
import { repeat } from "lit-html/directives/repeat.js";

import type { Task } from "../../client/client.ts";
import type { App } from "./app.ts";
import type { Row } from "./tasks.ts";

const CROSS = html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6 6 18"/></svg>`;
const BIN = html`
  <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/></svg>`;

export function page(app: App): TemplateResult {
  if (!app.ready) return html`<main class="narrow" aria-busy="true"></main>`;
  return app.tasks ? list(app) : welcome(app);
}

function welcome(app: App): TemplateResult {
  const { signingUp } = app;
  return html`
    <main class="narrow">
      <img src="/icon.svg" alt="" width="56" height="56">
      <h1>${signingUp ? "Create your account" : "Welcome back"}</h1>
      <form class="card sign" aria-busy=${app.busy} @submit=${(event: SubmitEvent) => {
        const form = fields(event);
        void app.sign(form("name"), form("email"), form("password"));
      }}>
        ${signingUp ? field("name", "Name", "text", "name") : nothing}
        ${field("email", "E-mail", "email", "email")}
        ${field("password", "Password", "password", signingUp ? "new-password" : "current-password")}
        <button class="primary" ?disabled=${app.busy}>${signingUp ? "Sign up" : "Sign in"}</button>
      </form>
      ${note(app)}
      <p>
        ${signingUp ? "You have an account?" : "You are new here?"}
        <button class="link" @click=${() => app.change({ signingUp: !signingUp, note: undefined })}>
          ${signingUp ? "Sign in" : "Sign up"}
        </button>
      </p>
    </main>`;
}

function field(name: string, label: string, type: string, autocomplete: string): TemplateResult {
  const least = autocomplete === "new-password" ? 8 : 1;
  return html`
    <label>
      ${label}
      <input name=${name} type=${type} autocomplete=${autocomplete} minlength=${least} required>
    </label>`;
}

function list(app: App): TemplateResult {
  const { open, done } = app.tasks?.rows() ?? { open: [], done: [] };
  return html`
    <header>
      <img src="/icon.svg" alt="" width="40" height="40">
      <div>
        <h1>Tasks</h1>
        <p>${app.user?.name}</p>
      </div>
      <button class="quiet" @click=${() => app.signOut()}>Sign out</button>
    </header>
    <main>
      ${navigator.onLine ? nothing : html`<p class="offline">Offline. New tasks wait on this device.</p>`}
      <form class="card add" @submit=${(event: SubmitEvent) => {
        const text = fields(event)("text").trim();
        (event.target as HTMLFormElement).reset();
        if (text) void app.create({ text });
      }}>
        <input name="text" aria-label="New task" placeholder="What is to be done?" maxlength="500"
          autocomplete="off" enterkeyhint="done" required>
        <button class="primary">Add</button>
      </form>
      ${note(app)}
      ${open.length > 0 ? rows(app, open, "To do") : html`<p class="empty">${done.length > 0 ? "All done." : "Nothing to do yet."}</p>`}
      ${done.length > 0 ? rows(app, done, "Done") : nothing}
    </main>`;
}

function rows(app: App, shown: Row[], title: string): TemplateResult {
  return html`
    <h2>${title} <span>${shown.length}</span></h2>
    <ul class="card">
      ${repeat(shown, ({ key }) => key, (row) => html`<li>${row.task ? taskRow(app, row, row.task) : waitingRow(row)}</li>`)}
    </ul>`;
}

function waitingRow({ text }: Row): TemplateResult {
  return html`<span class="check"></span><span class="text">${text}</span><span class="hint">Not sent yet</span>`;
}

function taskRow(app: App, { text, completed }: Row, task: Task): TemplateResult {
  if (app.editing?.id === task.id) return editor(app, app.editing);
  return html`
    <label class="check">
      <input type="checkbox" aria-label="Done: ${text}" .checked=${live(completed)}
        @change=${() => app.edit(task, { completed: !completed })}>
    </label>
    <button class="text" data-id=${task.id} title="Edit" @click=${() => app.change({ editing: task })}>${text}</button>
    <button class="icon" aria-label="Delete: ${text}" @click=${() => app.remove(task)}>${BIN}</button>`;
}

function editor(app: App, seen: Task): TemplateResult {
  const close = () => {
    app.change({ editing: undefined });
    document.querySelector<HTMLElement>(`[data-id="${seen.id}"]`)?.focus();
  };
  return html`
    <form class="edit" @keydown=${(event: KeyboardEvent) => event.key === "Escape" && close()} @submit=${(event: SubmitEvent) => {
      const text = fields(event)("text").trim();
      close();
      if (text && text !== seen.text) void app.edit(seen, { text });
    }}>
      <input name="text" aria-label="Text of the task" maxlength="500" autocomplete="off" enterkeyhint="done" required
        .defaultValue=${seen.text} ${ref(takeFocus)}>
      <button class="primary">Save</button>
      <button class="icon" type="button" aria-label="Cancel" @click=${close}>${CROSS}</button>
    </form>`;
}

function note(app: App): TemplateResult {
  const shown = app.note;
  return html`
    <div class="note" role="status">
      ${shown
        ? html`
          <p>${shown.text}</p>
          ${shown.action ? html`<button class="link" @click=${shown.action.run}>${shown.action.label}</button>` : nothing}
          <button class="icon" aria-label="Dismiss" @click=${() => app.change({ note: undefined })}>${CROSS}</button>`
        : nothing}
    </div>`;
}

function fields(event: SubmitEvent): (name: string) => string {
  event.preventDefault();
  const form = new FormData(event.target as HTMLFormElement);
  return (name) => String(form.get(name) ?? "");
}

function takeFocus(input?: Element): void {
  if (input instanceof HTMLInputElement && document.activeElement !== input) {
    queueMicrotask(() => input.select());
  }
}
