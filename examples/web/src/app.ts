/** What the page shows, and what can be done on it. */

import type { Api, NewTask, Task } from "../../client/client.ts";
import { describe } from "./messages.ts";
import { auth, forgetToken, SignedOut } from "./session.ts";
import { Tasks } from "./tasks.ts";

export interface Note {
  text: string;
  action?: { label: string; run: () => void };
}

const NOT_SENT = "There is no connection. New tasks wait on this device.";
const OVERTAKEN = "This task was changed elsewhere meanwhile. Here is how it is now.";

export class App {
  ready = false;
  user: { id: string; name: string } | undefined;
  tasks: Tasks | undefined;
  /** Which form is shown to somebody who is not signed in. */
  signingUp = false;
  busy = false;
  note: Note | undefined;
  /** The task whose text is being edited, as it was when that began. */
  editing: Task | undefined;
  readonly #api: Api;
  readonly #show: () => void;

  constructor(api: Api, show: () => void) {
    this.#api = api;
    this.#show = show;
  }

  /** Go on where the user was: Better Auth's cookie outlives a reload. */
  start(): Promise<void> {
    return this.#try(async () => {
      const { data } = await auth.getSession();
      this.ready = true;
      if (data) await this.#enter(data.user);
    });
  }

  sign(name: string, email: string, password: string): Promise<void> {
    return this.#try(async () => {
      this.busy = true;
      this.#show();
      const answer = this.signingUp
        ? await auth.signUp.email({ name, email, password })
        : await auth.signIn.email({ email, password });
      if (answer.data) await this.#enter(answer.data.user);
      else this.note = { text: answer.error?.message ?? "That did not work. Try again." };
    });
  }

  async signOut(): Promise<void> {
    const waiting = this.tasks?.waiting ?? 0;
    if (waiting > 0 && !confirm(`${waiting} of your tasks have not been sent. Sign out, and lose them?`)) return;
    await this.#try(async () => {
      await auth.signOut();
      if (this.user) await Tasks.forget(this.user.id);
      this.#leave();
    });
  }

  sync(): Promise<void> {
    return this.#try(async () => this.tasks?.sync());
  }

  create(task: NewTask): Promise<void> {
    return this.#try(async () => this.tasks?.create(task));
  }

  edit(seen: Task, edit: { text: string } | { completed: boolean }): Promise<void> {
    this.editing = undefined;
    return this.#try(async () => {
      if ((await this.tasks?.edit(seen, edit)) === false) this.note = { text: OVERTAKEN };
    });
  }

  remove(seen: Task): Promise<void> {
    const { text, completed, order } = seen;
    const undo = { label: "Undo", run: () => void this.create({ text, completed, order }) };
    return this.#try(async () => {
      const gone = await this.tasks?.remove(seen);
      this.note = gone ? { text: `Deleted “${text}”.`, action: undo } : { text: OVERTAKEN };
    });
  }

  change(what: Partial<Pick<App, "signingUp" | "editing" | "note">>): void {
    Object.assign(this, what);
    this.#show();
  }

  async #enter(user: { id: string; name: string }): Promise<void> {
    this.tasks = await Tasks.of(user.id, this.#api, this.#show);
    this.user = user;
    this.#show();
    await this.tasks.sync();
  }

  #leave(): void {
    forgetToken();
    this.user = this.tasks = this.editing = undefined;
  }

  /** Do it, and say what went wrong. */
  async #try(work: () => Promise<void> | undefined): Promise<void> {
    this.note = undefined;
    try {
      await work();
      for (const { task, reason } of this.tasks?.refused() ?? []) this.note = { text: `“${task.text}”: ${reason}` };
    } catch (error) {
      if (error instanceof SignedOut) this.#leave();
      this.note = this.#noteOn(error);
    } finally {
      this.ready = true;
      this.busy = false;
      this.#show();
    }
  }

  #noteOn(error: unknown): Note {
    if (error instanceof SignedOut) return { text: "Your session has ended. Sign in again." };
    const again = { label: "Try again", run: () => void this.sync() };
    if (error instanceof TypeError && this.tasks?.waiting) return { text: NOT_SENT, action: again };
    return { text: describe(error) };
  }
}
