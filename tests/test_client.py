"""The client in examples/client: it compiles, and what it promises holds against a live server."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks import tokens
from tests import npm
from tests.client import Live, User
from tests.tokens import token

pytestmark = pytest.mark.django_db(databases=["default", "operator"])

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "client"
MISUSE = """
import { connect, type Task } from "./client.js";
import { Store } from "./sync.js";
const api = connect("", async () => "");
// @ts-expect-error there is no such path
void api.GET("/task");
// @ts-expect-error a task has no such field
void new Store(api).create({ title: "a" });
// @ts-expect-error it is a number
export const order = (task: Task): string => task.order;
// @ts-expect-error the server decides it
void new Store(api).open("").then((opened) => new Store(api).edit(opened, { completed_at: null }));
"""
PREAMBLE = """
import { connect } from "./client.js";
import { emptyState, Store } from "./sync.js";
const [url, token, ...given] = JSON.parse(process.env.GIVEN);
const device = (send, state) => new Store(connect(url, async () => token, send), state);
const show = (value) => console.log(JSON.stringify(value));
const texts = (store) => [...store.state.tasks.values()].map((task) => task.text);
const lost = (times) => async (request) => {
  const answer = await fetch(request);
  if (times-- > 0) throw new TypeError("the answer is lost");
  return answer;
};
"""
Run = Callable[..., Any]


def _run(*command: str, cwd: Path, **env: str) -> str:
    path = f"{Path(npm.node()).parent}:/usr/bin:/bin"
    done = subprocess.run(
        command, cwd=cwd, env={"PATH": path, **env}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, copied and compiled as it would be in a front end."""
    tsc = npm.tool("tsc")
    there = tmp_path_factory.mktemp("client")
    for source in EXAMPLE.iterdir():
        if source.is_file():
            shutil.copy(source, there)
    (there / "node_modules").symlink_to(npm.HERE / "node_modules")
    (there / "misuse.ts").write_text(MISUSE)
    _run(tsc, cwd=there)
    return there


@pytest.fixture
def transport(gunicorn: Live) -> Live:
    return gunicorn


@pytest.fixture
def run(compiled: Path, gunicorn: Live, alice: User) -> Run:
    """Run JavaScript on Alice's device, with `given`, and return what it shows."""

    def run(script: str, *given: Any) -> Any:
        what = json.dumps([gunicorn.base_url, token(str(alice.sub)), *given])
        shown = _run(npm.node(), "--input-type=module", "-e", PREAMBLE + script, cwd=compiled, GIVEN=what)
        return json.loads(shown)

    return run


def _texts(user: User) -> list[str]:
    return [task["text"] for task in user.get("/tasks").json["tasks"]]


def test_types_are_those_of_the_document(tmp_path: Path) -> None:
    command = json.loads((EXAMPLE / "package.json").read_text())["scripts"]["types"].split()
    command[1:2] = [str(ROOT / "openapi.json")]
    _run(npm.tool(command[0]), *command[1:], cwd=tmp_path)
    assert (tmp_path / "schema.d.ts").read_text() == (EXAMPLE / "schema.d.ts").read_text(), "run `make openapi`"


@pytest.mark.parametrize("example", ["client", "web"])
def test_packages_are_those_that_are_tested(example: str) -> None:
    tested = json.loads((npm.HERE / "package.json").read_text())["dependencies"]
    named = json.loads((ROOT / "examples" / example / "package.json").read_text())
    packages = named["dependencies"] | named["devDependencies"]
    assert packages == {name: tested[name] for name in packages}


def test_created_offline_is_sent_when_there_is_a_network(run: Run, alice: User) -> None:
    script = """
    let online = false;
    const store = device(async (request) => { if (!online) throw new TypeError("no network"); return fetch(request); });
    await store.create({ text: "first" });
    await store.create({ text: "second", order: 5 });
    const failed = await store.flush().catch((error) => error.message);
    const waiting = store.state.pending.length;
    online = true;
    await store.flush();
    show([failed, waiting, store.state.pending.length]);
    """
    assert run(script) == ["no network", 2, 0]
    assert _texts(alice) == ["second", "first"]


def test_creation_whose_answer_is_lost_is_done_once(run: Run, alice: User) -> None:
    run("const store = device(lost(2)); await store.create({ text: 'once' }); await store.flush(); show(0);")
    assert _texts(alice) == ["once"]


def test_creation_sent_again_after_a_restart_is_done_once(run: Run, alice: User) -> None:
    script = """
    const store = device();
    await store.create({ text: "once" });
    const saved = structuredClone(store.state);
    await store.flush();
    const restarted = device(undefined, saved);
    await restarted.flush();
    show(restarted.state.pending.length);
    """
    assert run(script) == 0
    assert _texts(alice) == ["once"]


def test_task_that_is_refused_holds_up_no_other(run: Run, alice: User) -> None:
    script = """
    const store = device();
    for (const text of [" ", "x".repeat(70_000), "fine"]) await store.create({ text });
    await store.flush();
    show(store.state.refused.map((one) => one.reason));
    """
    blank, long = run(script)
    assert "white space" in blank
    assert "large" in long
    assert _texts(alice) == ["fine"]


def test_failure_without_a_body_loses_nothing(run: Run) -> None:
    script = """
    const store = device(async () => new Response(null, { status: 502, headers: { "Content-Length": "0" } }));
    await store.create({ text: "kept" });
    show([await store.flush().catch((error) => error.status), store.state.pending.length]);
    """
    assert run(script) == [502, 1]


def test_answer_that_says_when_to_come_back_is_obeyed(run: Run, alice: User) -> None:
    script = """
    let busy = 2;
    const again = { status: 503, headers: { "Retry-After": "0" } };
    const store = device(async (request) => busy-- > 0 ? new Response(null, again) : fetch(request));
    await store.create({ text: "patience" });
    await store.flush();
    show(busy);
    """
    assert run(script) == -1
    assert _texts(alice) == ["patience"]


def test_token_that_is_refused_is_asked_for_anew(run: Run, alice: User) -> None:
    script = """
    const asked = [];
    const tokens = async (refused) => { asked.push(refused); return refused ? token : "old"; };
    const { data } = await connect(url, tokens).POST("/tasks", { body: { text: "with the new one" } });
    show([asked, data.text]);
    """
    assert run(script) == [[None, "old"], "with the new one"]
    assert _texts(alice) == ["with the new one"]


def test_token_that_stays_refused_is_told_of(run: Run) -> None:
    script = """
    const store = new Store(connect(url, async () => "old"));
    show(await store.open(crypto.randomUUID()).catch((error) => [error.status, error.message]));
    """
    assert run(script) == [401, "not a JWT: send the token from /api/auth/token"]


def test_request_that_may_not_be_done_twice_is_sent_once(run: Run) -> None:
    script = """
    let sent = 0;
    const api = connect(url, async () => token, async () => { sent++; throw new TypeError("no network"); });
    await api.POST("/tasks", { body: { text: "a" } }).catch(() => 0);
    show(sent);
    """
    assert run(script) == 1


EDIT = """
const [id, edit, theirs] = given;
const phone = device(), laptop = device();
const opened = await phone.open(id);
await laptop.edit(await laptop.open(id), theirs);
"""


def test_edits_of_two_devices_are_merged(run: Run, alice: User) -> None:
    task = alice.task("seen")
    edited = run(EDIT + "show(await phone.edit(opened, edit));", task["id"], {"text": "mine"}, {"completed": True})
    assert (edited["task"]["text"], edited["task"]["completed"]) == ("mine", True)
    answer = alice.get(f"/tasks/{task['id']}")
    assert edited == {"task": answer.json, "tag": answer.headers["etag"]}


def test_edit_of_what_somebody_else_edited_is_theirs(run: Run, alice: User) -> None:
    given = alice.task("seen")["id"], {"text": "mine", "order": 3}, {"text": "theirs"}
    task = run(EDIT + "show((await phone.edit(opened, edit)).task);", *given)
    assert (task["text"], task["order"]) == ("theirs", 3)


def test_edit_is_merged_as_the_app_wants(run: Run, alice: User) -> None:
    merge = "(edit, seen, theirs) => ({ text: [seen.text, theirs.text, edit.text].join() })"
    given = alice.task("seen")["id"], {"text": "mine"}, {"text": "theirs"}
    task = run(EDIT + f"show((await phone.edit(opened, edit, {merge})).task);", *given)
    assert task["text"] == "seen,theirs,mine"


def test_edit_whose_answer_is_lost_is_done(run: Run, alice: User) -> None:
    script = "const [id] = given; const opened = await device().open(id);"
    task = run(script + "show((await device(lost(1)).edit(opened, { text: 'b' })).task);", alice.task("a")["id"])
    assert task["text"] == "b"
    assert _texts(alice) == ["b"]


def test_edit_of_a_deleted_task_is_refused(run: Run, alice: User) -> None:
    opened = _opened(alice)
    alice.delete(f"/tasks/{opened['task']['id']}")
    script = "show(await device().edit(given[0], { text: 'b' }).catch((error) => [error.status, error.message]));"
    assert run(script, opened) == [404, "Task not found"]


REMOVE = "const phone = device(lost(given[1])); show(await phone.remove(given[0]));"


def _opened(user: User) -> dict[str, Any]:
    task = user.task("seen")
    return {"task": task, "tag": user.get(f"/tasks/{task['id']}").headers["etag"]}


@pytest.mark.parametrize("lost_answers", [0, 1])
def test_deletion_is_done(run: Run, alice: User, lost_answers: int) -> None:
    assert run(REMOVE, _opened(alice), lost_answers) is True
    assert _texts(alice) == []


def test_deletion_of_what_somebody_else_edited_is_not_done(run: Run, alice: User) -> None:
    opened = _opened(alice)
    alice.patch(f"/tasks/{opened['task']['id']}", {"text": "theirs"})
    assert run(REMOVE, opened, 0) is False
    assert _texts(alice) == ["theirs"]


def test_deletion_reaches_the_other_device(run: Run, alice: User) -> None:
    alice.task("stays")
    script = """
    const phone = device();
    await phone.pull();
    const before = texts(phone);
    await fetch(`${url}/tasks/${given[0]}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
    await phone.pull();
    show([before, texts(phone)]);
    """
    assert run(script, alice.task("goes")["id"]) == [["stays", "goes"], ["stays"]]


def test_answer_that_comes_late_brings_nothing_back(run: Run, alice: User) -> None:
    script = """
    let arrive;
    const late = new Promise((resolve) => { arrive = resolve; });
    let first = true;
    const store = device(async (request) => {
      const hold = first;
      first = false;
      const answer = await fetch(request);
      if (!hold) return answer;
      await fetch(`${url}/tasks/${given[0]}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
      void store.pull().then(arrive);
      await late;
      return answer;
    });
    await store.pull();
    show(texts(store));
    """
    assert run(script, alice.task("gone")["id"]) == []


def test_copy_is_what_the_server_has(run: Run, alice: User, bob: User) -> None:
    bob.task("not hers")
    script = """
    const phone = device(), laptop = device();
    for (const store of [phone, laptop]) for (const text of ["a", "b", "c"]) await store.create({ text });
    await Promise.all([phone.flush(), laptop.flush(), phone.pull(1), laptop.pull(2)]);
    await laptop.pull(2);
    const [first] = laptop.state.tasks.keys();
    await laptop.edit(await laptop.open(first), { text: "changed", completed: true });
    await Promise.all([phone.pull(1), phone.pull(2), laptop.pull()]);
    show([phone, laptop].map((store) => [...store.state.tasks.values()]));
    """
    copies = run(script)
    there = sorted(alice.get("/tasks").json["tasks"], key=lambda task: str(task["id"]))
    assert len(there) == 6
    for copy in copies:
        assert sorted(copy, key=lambda task: str(task["id"])) == there


@pytest.mark.parametrize("revision", [0, None], ids=["too old: 410", "of another key: 422"])
def test_copy_starts_again_where_its_token_is_no_good(run: Run, alice: User, revision: int | None) -> None:
    alice.task("there")
    since = tokens.write([revision, 0], "since", alice.sub) if revision is not None else "e30.forged"
    script = """
    const state = { ...emptyState(), since: given[0], tasks: new Map([["gone", { text: "gone" }]]) };
    const store = device(undefined, state);
    await store.pull();
    show([texts(store), store.state.since !== given[0]]);
    """
    assert run(script, since) == [["there"], True]
