/** The tasks as the user sees them: those of the device's copy, and on top of it what they have just done. */

import { del, get, set } from "idb-keyval";

import { type Api, type NewTask, Refused, type Task } from "../../client/client.ts";
import { type Edit, FIELDS, type Opened, type Pending, type State, Store, theirsFirst } from "../../client/sync.ts";

/** A line of the list; `task` is undefined as long as the server does not have it. */
export interface Row {
  key: string;
  text: string;
  completed: boolean;
  task: Task | undefined;
}

export class Tasks {
  readonly #store: Store;
  readonly #changed: () => void;
  readonly #opened = new Map<string, Opened>(); // the last answers, with their entity tags
  readonly #edits = new Map<string, Edit[]>(); // shown, and not answered yet
  readonly #removed = new Set<string>();
  readonly #turns = new Map<string, Promise<unknown>>();
  #sending: Pending[] = [];
  #syncing: Promise<void> | undefined;

  /** @param changed is called whenever there is something else to show */
  constructor(store: Store, changed: () => void) {
    this.#store = store;
    this.#changed = changed;
  }

  /** Begin with what this device has kept for the user. */
  static async of(userId: string, api: Api, changed: () => void): Promise<Tasks> {
    const kept = await get<State>(userId);
    return new Tasks(new Store(api, kept, (state) => set(userId, state)), changed);
  }

  /** Leave nothing of the user on this device. */
  static forget(userId: string): Promise<void> {
    return del(userId);
  }

  get waiting(): number {
    return this.#store.state.pending.length;
  }

  /** What the server would not take since this was last asked. */
  refused(): State["refused"] {
    return this.#store.state.refused.splice(0);
  }

  rows(): { open: Row[]; done: Row[] } {
    const waiting = [...new Set([...this.#sending, ...this.#store.state.pending])].map(newRow).reverse();
    const ids = new Set([...this.#store.state.tasks.keys()].filter((id) => !this.#removed.has(id)));
    const rows = [...ids].flatMap((id) => this.#latest(id) ?? []).map((task) => this.#row(task));
    rows.sort((a, b) => (a.task.created_at < b.task.created_at ? 1 : -1));
    return { open: [...waiting, ...rows.filter((row) => !row.completed)], done: rows.filter((row) => row.completed) };
  }

  /** Show a new task, and send it now or later: its Idempotency-Key makes it one task however often it is sent. */
  async create(task: NewTask): Promise<void> {
    await this.#store.create(task);
    this.#changed();
    await this.sync();
  }

  /** Send what was created here, and get what has changed elsewhere. */
  sync(): Promise<void> {
    this.#syncing ??= this.#sync().finally(() => {
      this.#syncing = undefined;
      this.#sending = [];
      this.#changed();
    });
    return this.#syncing;
  }

  async #sync(): Promise<void> {
    do {
      this.#sending = [...this.#store.state.pending]; // shown until the copy has them
      await this.#store.flush();
      await this.#store.pull();
    } while (this.waiting > 0);
  }

  /**
   * Change a task that the user saw as `seen`. It is shown at once, and again as it was if it cannot be done.
   *
   * Says whether the task is as they wanted it. Otherwise somebody else has changed the same of it meanwhile, which is
   * left alone, and shown from now on.
   */
  async edit(seen: Task, edit: Edit): Promise<boolean> {
    const { id } = seen;
    this.#edits.set(id, [...(this.#edits.get(id) ?? []), edit]);
    this.#changed();
    try {
      return await this.#inTurn(id, async () => {
        const opened = await this.#open(id);
        const now = await this.#store.edit(opened, theirsFirst(edit, seen, opened.task));
        this.#opened.set(id, now);
        return FIELDS.every((field) => edit[field] === undefined || edit[field] === now.task[field]);
      });
    } finally {
      this.#edits.set(id, this.#edits.get(id)?.filter((one) => one !== edit) ?? []);
      this.#changed();
    }
  }

  /** Delete a task that the user saw as `seen`, unless somebody has changed it meanwhile. Says whether it is gone. */
  async remove(seen: Task): Promise<boolean> {
    this.#removed.add(seen.id);
    this.#changed();
    let gone = false;
    try {
      gone = await this.#inTurn(seen.id, async () => {
        const opened = await this.#open(seen.id);
        if (FIELDS.every((field) => opened.task[field] === seen[field]) && (await this.#store.remove(opened))) return true;
        this.#opened.set(seen.id, await this.#store.open(seen.id));
        return false;
      });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      gone = true; // somebody else was faster
    } finally {
      if (!gone) this.#removed.delete(seen.id);
      this.#changed();
    }
    return gone;
  }

  /** The task with its entity tag: the list has none, so the first write to a task asks for it. */
  async #open(id: string): Promise<Opened> {
    const known = this.#opened.get(id);
    return known && known.task === this.#latest(id) ? known : this.#store.open(id);
  }

  /** What is newer, the copy or the last answer. */
  #latest(id: string): Task | undefined {
    const kept = this.#store.state.tasks.get(id);
    const answered = this.#opened.get(id)?.task;
    return kept && answered && answered.updated_at >= kept.updated_at ? answered : kept;
  }

  #row(task: Task): Row & { task: Task } {
    const shown = Object.assign({}, task, ...(this.#edits.get(task.id) ?? [])) as Task;
    return { key: task.id, text: shown.text, completed: shown.completed, task: shown };
  }

  /** One write to a task after the other. */
  #inTurn<T>(id: string, write: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(write, write);
    this.#turns.set(id, turn);
    return turn;
  }
}

function newRow({ key, task: { text, completed = false } }: Pending): Row {
  return { key, text, completed, task: undefined };
}
