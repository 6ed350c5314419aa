/** The tasks of one user on one device: there without a network, and the same as the server's whenever there is one. */

import { type Api, type NewTask, Refused, type Task } from "./client.js";

/** What a device keeps. IndexedDB takes it as it is. */
export interface State {
  /** What the server had at the last `pull`, by id. Only `pull` writes it. */
  tasks: Map<string, Task>;
  /** Up to where the changes are in `tasks`; nothing before the first time. */
  since: string | undefined;
  /** What was created here and is not known to be on the server, oldest first. */
  pending: Pending[];
  /** What the server would not take, and why: for the user to see. */
  refused: { task: NewTask; reason: string }[];
}

export interface Pending {
  key: string;
  task: NewTask;
}

/** A task as the user sees it while they edit it, and the entity tag of that. */
export interface Opened {
  task: Task;
  tag: string;
}

export type Edit = Partial<Pick<Task, (typeof FIELDS)[number]>>;

/** Decides what becomes of an edit of `seen` when somebody else has made `theirs` of it meanwhile. */
export type Merge = (edit: Edit, seen: Task, theirs: Task) => Edit;

export const FIELDS = ["text", "completed", "order"] as const;
const BAD_TASK = [400, 413, 422]; // sending it again would not help

/** Each field goes to whoever changed it; one that both changed stays as it is on the server. */
export const theirsFirst: Merge = (edit, seen, theirs) => {
  const left = { ...edit };
  for (const field of FIELDS) if (seen[field] !== theirs[field]) delete left[field];
  return left;
};

export function emptyState(): State {
  return { tasks: new Map(), since: undefined, pending: [], refused: [] };
}

export class Store {
  readonly state: State;
  readonly #api: Api;
  readonly #save: (state: State) => Promise<void>;

  /** @param save keeps the whole state, or none of it, before it returns */
  constructor(api: Api, state: State = emptyState(), save: (state: State) => Promise<void> = async () => {}) {
    this.#api = api;
    this.state = state;
    this.#save = save;
  }

  /** Create a task, with or without a network: `flush` sends it. */
  async create(task: NewTask): Promise<Pending> {
    const pending = { key: crypto.randomUUID(), task };
    this.state.pending.push(pending);
    await this.#save(this.state);
    return pending;
  }

  /**
   * Send what was created here, in order. Throws where there is no network: call it again when there is one.
   *
   * An answer that got lost does no harm, even if the app was closed meanwhile: the server knows a key for 24 hours.
   */
  async flush(): Promise<void> {
    for (let next = this.state.pending[0]; next; next = this.state.pending[0]) {
      const { key, task } = next;
      const { data, error, response } = await this.#api.POST("/tasks", {
        params: { header: { "Idempotency-Key": key } },
        body: task,
      });
      if (!data) {
        const refused = new Refused(response, error);
        if (!BAD_TASK.includes(response.status)) throw refused;
        this.state.refused.push({ task, reason: refused.message });
      }
      this.state.pending = this.state.pending.filter((one) => one.key !== key);
      await this.#save(this.state);
    }
  }

  /** Get a task for the user to edit. */
  async open(id: string): Promise<Opened> {
    const { data, error, response } = await this.#api.GET("/tasks/{task_id}", { params: { path: { task_id: id } } });
    if (!data) throw new Refused(response, error);
    return { task: data, tag: tagOf(response) };
  }

  /**
   * Change what was opened, without overwriting what others have done since.
   *
   * If they were faster (412), `merge` decides what is left of the edit. Throws `Refused` with 404 if it was deleted.
   */
  async edit(opened: Opened, edit: Edit, merge: Merge = theirsFirst): Promise<Opened> {
    while (Object.keys(edit).length > 0) {
      const { data, error, response } = await this.#api.PATCH("/tasks/{task_id}", {
        params: { path: { task_id: opened.task.id }, header: { "If-Match": opened.tag } },
        body: edit,
      });
      if (data) return { task: data, tag: tagOf(response) };
      if (response.status !== 412) throw new Refused(response, error);
      const theirs = await this.open(opened.task.id);
      [edit, opened] = [merge(edit, opened.task, theirs.task), theirs];
    }
    return opened;
  }

  /** Delete what was opened, unless somebody has changed it since. Says whether it is gone. */
  async remove({ task, tag }: Opened): Promise<boolean> {
    const { error, response } = await this.#api.DELETE("/tasks/{task_id}", {
      params: { path: { task_id: task.id }, header: { "If-Match": tag } },
    });
    if (response.status === 412) return false;
    if (!response.ok && response.status !== 404) throw new Refused(response, error);
    return true;
  }

  /** Bring `tasks` up to what the server has, `limit` changes at a time. */
  async pull(limit = 500): Promise<void> {
    for (let more = true; more; ) {
      const since = this.state.since;
      const { data, error, response } = await this.#api.GET("/tasks/changes", {
        params: { query: since === undefined ? { limit } : { since, limit } },
      });
      if (this.state.since !== since) continue; // another pull was faster: go on from there
      if (data) {
        for (const change of data.changes) {
          if (change.type === "upsert") this.state.tasks.set(change.task.id, change.task);
          else this.state.tasks.delete(change.id);
        }
        this.state.since = data.next_since;
        more = data.has_more;
      } else if (since !== undefined && (response.status === 410 || response.status === 422)) {
        this.state.tasks.clear(); // the token is too old, or the server has a new key: start again
        this.state.since = undefined;
      } else {
        throw new Refused(response, error);
      }
      await this.#save(this.state);
    }
  }
}

function tagOf(response: Response): string {
  const tag = response.headers.get("ETag");
  if (tag === null) throw new Error("no ETag: is it among the headers that CORS exposes?");
  return tag;
}
