# SPDX-License-Identifier: MIT
"""Reloading the configuration: what changes at once, what is refused, and the effect on running clients."""

import concurrent.futures
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

from harness import (DEADLINE, ENGINES, Client, activate, asks_until_refused, binary, engine_refused, fill_tree, free_port,
                     free_ports, operate, toml, wait_until)

RELOADS = int(os.environ.get("OCCWSERV_RELOADS", "20"))


class Reloadable:
    """A server whose addresses are only in its file: one on the command line would override them."""

    def __init__(self, place, engine):
        self.place, self.engine, self.control, self.file = place, engine, place / "c", place / "conf.toml"
        self.site, self.error_log = place / "site", place / "error.log"
        fill_tree(self.site, {"a.txt": "the letter a\n"})
        self.port, self.process = free_port(), None

    def write(self, text="", ports=None, listen=None):
        listen = listen or [f"127.0.0.1:{p}" for p in (ports or [self.port])]
        self.file.write_text(f"{toml({'listen': listen})}{text}")
        return self

    def start(self, *words, workers=2, logs_in_file=False, engine_in_file=False):
        self.error_log.unlink(missing_ok=True)
        logs = [] if logs_in_file else ["--access-log", "", "--error-log", str(self.error_log)]
        command = [binary(), str(self.site), "--config", str(self.file), "--control", str(self.control), "--workers",
                   str(workers), *([] if engine_in_file else ["--io", self.engine]), *logs, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.process.poll() is not None or "notice: using " in self.log(), "it serves")
        if self.process.returncode is not None:
            ended, self.process = self.process, None  # already ended
            with ended.stderr:
                said = ended.stderr.read()
            if "io_uring" in said:
                engine_refused(said)
            raise AssertionError(said)
        return self

    def log(self):
        return self.error_log.read_text() if self.error_log.exists() else ""

    def reload(self):
        return operate("reload", self.control)

    def status(self):
        return operate("status", self.control).stdout

    def pid(self):
        return int(re.search(r"process (\d+), up", self.status()).group(1))

    def answers(self, port):
        with Client(port) as c:
            return c.ask("/a.txt").body == b"the letter a\n"

    def refuses(self, port):
        try:
            with socket.create_connection(("127.0.0.1", port), DEADLINE):
                return False
        except ConnectionRefusedError:
            return True


@pytest.fixture
def server(place, engine):
    s = Reloadable(place, engine)
    yield s
    if s.process is None:
        return
    said = operate("stop", s.control)
    assert said.returncode == 0, said.stderr + s.log()
    with s.process.stderr:
        assert s.process.wait(DEADLINE) == 0


# --- addresses --------------------------------------------------------------------------------------------------------


def test_addresses_come_and_go(server):
    first, second = free_ports(2)
    server.write(ports=[first]).start()
    with Client(first) as parked:
        assert parked.ask("/a.txt").status == 200
        said = server.write(ports=[second]).reload()
        assert said.returncode == 0
        assert f"now listening on http://127.0.0.1:{second}\n" in said.stdout
        assert f"no longer listening on http://127.0.0.1:{first}\n" in said.stdout
        for _ in range(20):  # on any core
            assert server.answers(second)
        wait_until(lambda: server.refuses(first), "the first address is left")
        assert parked.ask("/a.txt").status == 200, "who has come stays"
    status = server.status()
    assert f"127.0.0.1:{second} " in status and f":{first} " not in status
    assert server.write(ports=[second, first]).reload().returncode == 0
    assert server.answers(first) and server.answers(second)
    assert server.reload().stdout == "configuration reloaded\n"


@pytest.mark.parametrize("order", ["reload", "upgrade"])
def test_from_one_address_to_all(server, order):
    server.write(ports=[server.port]).start()
    server.file.write_text(f'listen = [":{server.port}", "[::]:{server.port}"]\n')
    said = operate(order, server.control)
    assert said.returncode == 0, said.stderr
    for _ in range(20):
        assert server.answers(server.port)
    with socket.create_connection(("127.0.0.2", server.port), DEADLINE) as c:
        c.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
        assert c.recv(100).startswith(b"HTTP/1.1 200")


def test_an_address_that_is_taken_changes_nothing(server, place):
    other, free = free_ports(2)
    fill_tree(place / "new", {"index.html": "new"})
    server.write().start()
    with socket.create_server(("127.0.0.1", other)):
        site = f'[[site]]\nnames = "new.example"\nroot = "{place}/new"\n'
        said = server.write(site, ports=[free, other]).reload()
    assert said.returncode == 1
    assert f"127.0.0.1:{other} is in use by " in said.stderr
    assert "The configuration is unchanged." in said.stderr
    assert server.answers(server.port) and server.refuses(free)
    assert "new.example" not in server.status() and str(free) not in server.status()


def test_no_client_is_lost_while_an_address_is_removed(server):
    """Connections accepted before are answered, whether they had sent a request yet or not."""
    kept, leaving = free_ports(2)
    server.write(ports=[kept, leaving]).start()
    for _ in range(5):
        with contextlib.ExitStack() as all_clients:
            clients = [all_clients.enter_context(Client(leaving)) for _ in range(100)]
            for c in clients[50:]:
                assert c.ask("/a.txt").status == 200
            wait_until(lambda: "connections 100," in server.status(), "all are let in")
            assert server.write(ports=[kept]).reload().returncode == 0
            for c in clients:
                assert c.ask("/a.txt").status == 200
        wait_until(lambda: server.refuses(leaving), "nobody listens there")
        assert server.write(ports=[kept, leaving]).reload().returncode == 0
        assert server.answers(leaving)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give rights up")
def test_a_low_port_after_dropping_privileges(server, place):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as f:
        if int(f.read()) <= 3:
            pytest.skip("here everybody may open it")
    os.chmod(place, 0o755)
    server.write().start("--user", "nobody")
    said = server.write(ports=[server.port, 3]).reload()
    assert said.returncode == 1
    assert "127.0.0.1:3: ports below 1024 need root" in said.stderr and "has switched to the user `nobody`" in said.stderr
    assert server.answers(server.port)


# --- addresses at upgrades --------------------------------------------------------------------------------------------


def test_an_upgrade_reads_the_addresses_again(server):
    kept, leaving, coming = free_ports(3)
    server.write(ports=[kept, leaving]).start()
    before = server.process.pid
    server.write(ports=[coming, kept])
    said = operate("upgrade", server.control)
    assert said.returncode == 0, said.stderr
    for _ in range(20):
        assert server.answers(kept) and server.answers(coming)
    wait_until(lambda: server.refuses(leaving), "the predecessor has left it")
    assert server.process.wait(DEADLINE) == 0
    assert server.pid() != before
    assert server.reload().stdout == "configuration reloaded\n", "nothing differs"
    assert server.write(ports=[leaving]).reload().returncode == 0
    assert server.answers(leaving)
    wait_until(lambda: server.refuses(kept), "an inherited address can be left too")


def test_an_upgrade_to_another_engine(server):
    """The sockets stay the same, whichever server created them and whichever accepts on them."""
    other = next(e for e in ENGINES if e != server.engine)
    server.write(f'io = "{server.engine}"\n').start(engine_in_file=True)
    assert server.engine in server.status()
    for engine in (other, server.engine, other):
        with contextlib.ExitStack() as all_clients:
            before = [all_clients.enter_context(Client(server.port)) for _ in range(20)]
            said = operate("upgrade", server.write(f'io = "{engine}"\n').control)
            if said.returncode != 0 and "io_uring" in said.stderr:
                engine_refused(said.stderr)
            assert said.returncode == 0, said.stderr
            for c in before:
                assert c.ask("/a.txt").status == 200
        with contextlib.ExitStack() as all_clients:
            for c in [all_clients.enter_context(Client(server.port)) for _ in range(100)]:
                assert c.ask("/a.txt").status == 200
        assert engine in server.status()
    assert server.process.wait(DEADLINE) == 0


# --- unix addresses ---------------------------------------------------------------------------------------------------


def answers_at(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(DEADLINE)
        s.connect(str(path))
        s.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
        with s.makefile("rb") as f:
            return f.read().endswith(b"\r\n\r\nthe letter a\n")


def test_a_unix_address_begins_and_ends(server, place):
    path = place / "s"
    server.write(listen=[f"unix:{path}"]).start()
    assert all(answers_at(path) for _ in range(20))
    said = subprocess.run([binary(), str(server.site), "--listen", f"unix:{path}"], capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    assert said.returncode == 1 and f"unix:{path} is in use by process {server.process.pid}" in said.stderr
    assert answers_at(path)
    with server.process.stderr:
        server.process.kill()
        server.process.wait(DEADLINE)
    assert path.exists()
    server.start()
    assert answers_at(path), "a socket file of a dead server is replaced"
    assert operate("stop", server.control).returncode == 0
    with server.process.stderr:
        assert server.process.wait(DEADLINE) == 0
    assert not path.exists()
    path.write_text("precious")
    said = subprocess.run([binary(), str(server.site), "--listen", f"unix:{path}"], capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    assert said.returncode == 1 and "a file that is not a socket is there" in said.stderr
    assert path.read_text() == "precious"
    path.unlink()
    server.start()


def test_a_unix_address_comes_and_goes(server, place):
    path, other = place / "s", place / "other"
    server.write().start()
    assert server.write(listen=[f"127.0.0.1:{server.port}", f"unix:{path}"]).reload().returncode == 0
    assert all(answers_at(path) for _ in range(20))
    said = server.write(listen=[f"unix:{path}", f"unix:{other}"]).reload()
    assert said.returncode == 0 and f"now listening on http://unix:{other}" in said.stdout
    assert answers_at(path) and answers_at(other)
    assert server.write(listen=[f"unix:{path}"]).reload().returncode == 0
    wait_until(lambda: not other.exists(), "the steward removes the file")
    assert answers_at(path)


def test_a_unix_address_at_upgrades(server, place):
    path = place / "s"
    server.write(listen=[f"unix:{path}"]).start()
    for _ in range(3):
        before = server.pid()
        said = operate("upgrade", server.control)
        assert said.returncode == 0, said.stderr
        assert server.pid() != before
        assert all(answers_at(path) for _ in range(20))
    assert server.process.wait(DEADLINE) == 0
    assert answers_at(path)
    assert server.reload().stdout == "configuration reloaded\n", "nothing differs"
    assert answers_at(path)


def test_what_a_manager_has_opened_stays(server, place):
    """Inherited sockets of systemd replace `listen`, at reloads and upgrades as at the start."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        given = s.getsockname()[1]
        server.write()
        server.process = activate(s, server.site, "--config", server.file, "--control", server.control, "--io",
                                  server.engine, "--error-log", server.error_log, "--access-log", "", "--workers", "2")
        wait_until(lambda: "notice: using " in server.log(), "it serves")
    for order in ("reload", "upgrade", "reload"):
        said = operate(order, server.control)
        assert said.returncode == 0 and "listen" not in said.stdout, said.stderr
        assert server.answers(given) and server.refuses(server.port)
        assert f"127.0.0.1:{given} " in server.status()


# --- logs -------------------------------------------------------------------------------------------------------------


def logs(access, error, form="combined"):
    return toml({"log": {"access": str(access), "error": str(error), "format": form}})


def asked_in(file, form="combined"):
    """The targets in an access log; each line must be complete and in this format."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    if form == "json":
        return [json.loads(line)["target"] for line in lines if line.endswith("\n")]
    pattern = r'127\.0\.0\.1 - - \[.*\] "GET (\S+) HTTP/1\.1" 200 13 "-" "-"\n'
    return [re.fullmatch(pattern, line).group(1) for line in lines if line.endswith("\n")]


def test_logs_go_elsewhere(server, place):
    first, second, other_errors = place / "first", place / "second", place / "errors"
    server.write(logs(first, server.error_log)).start(logs_in_file=True)
    before = [f"/a.txt?before-{i}" for i in range(5)]
    after = [f"/a.txt?after-{i}" for i in range(5)]
    with Client(server.port) as c:
        assert [c.ask(target).status for target in before] == [200] * 5
        said = server.write(logs(second, other_errors, "json")).reload()
        assert said.returncode == 0, said.stderr
        assert f"the access log now goes to `{second}`\n" in said.stdout
        assert f"the error log now goes to `{other_errors}`\n" in said.stdout
        assert "logs are now in JSON form\n" in said.stdout
        assert "after a restart" not in said.stdout
        kept = asked_in(first)  # the file is complete when the reload is
        assert [c.ask(target).status for target in after] == [200] * 5
        wait_until(lambda: len(kept) + len(asked_in(second, "json")) == 10, "all lines are written")
        assert kept + asked_in(second, "json") == before + after
        assert "configuration reloaded" not in server.log()
        wait_until(lambda: other_errors.read_text().count("\n") >= 4, "the other log has the reload's lines")
        assert [json.loads(line)["severity"] for line in other_errors.read_text().splitlines()] == ["notice"] * 4
        open_files = [os.readlink(f.path) for f in os.scandir(f"/proc/{server.process.pid}/fd")]
        assert str(second) in open_files and str(first) not in open_files

        assert "the access log is now off\n" in server.write(logs("", other_errors)).reload().stdout
        assert c.ask("/a.txt?unseen").status == 200
        assert server.write(logs(first, server.error_log)).reload().returncode == 0
        assert c.ask("/a.txt?seen").status == 200
        wait_until(lambda: asked_in(first) == [*kept, "/a.txt?seen"], "the first log goes on")
    assert asked_in(second, "json") == (before + after)[len(kept):]
    wait_until(lambda: "configuration reloaded" in server.log(), "the first log tells of the reload")


def test_a_log_that_cannot_be_opened_changes_nothing(server, place):
    log, errors = place / "log", place / "errors"
    server.write(logs(log, server.error_log)).start(logs_in_file=True)
    said = server.write('[headers]\nX-New = "1"\n' + logs(place / "none" / "log", errors)).reload()
    assert said.returncode == 1
    assert f"the log {place}/none/log cannot be opened: No such file or directory\n" in said.stderr
    assert "The configuration is unchanged.\n" in said.stderr
    assert not errors.exists()
    with Client(server.port) as c:
        assert c.ask("/a.txt?still").get("X-New") is None
    wait_until(lambda: asked_in(log) == ["/a.txt?still"], "the old log goes on")
    wait_until(lambda: f"the log {place}/none/log cannot be opened" in server.log(), "the log tells it")


def test_logs_change_under_load(server, place):
    """No line is lost, and each is complete and in the format of its file."""
    files = {"combined": place / "combined", "json": place / "json"}
    server.write(logs(files["combined"], server.error_log)).start(logs_in_file=True)
    over, asked = threading.Event(), [0] * 4

    def ask(me):
        with Client(server.port) as c:
            while not over.is_set():
                assert c.ask(f"/a.txt?{me}-{asked[me]}").status == 200
                asked[me] += 1

    with concurrent.futures.ThreadPoolExecutor(len(asked)) as pool:
        jobs = [pool.submit(ask, me) for me in range(len(asked))]
        try:
            for i in range(RELOADS):
                form = ("json", "combined")[i % 2]
                before = list(asked)
                said = server.write(logs(files[form], server.error_log, form)).reload()
                assert said.returncode == 0, said.stderr
                wait_until(lambda: all(a > b for a, b in zip(asked, before))  # noqa: B023
                           or any(j.done() for j in jobs), "all are answered")
        finally:
            over.set()
        for job in jobs:
            job.result()
    everything = {f"/a.txt?{me}-{i}" for me in range(len(asked)) for i in range(asked[me])}

    def logged():
        return [*asked_in(files["combined"]), *asked_in(files["json"], "json")]

    wait_until(lambda: len(logged()) >= sum(asked), "all lines are written")
    assert len(logged()) == len(everything) and set(logged()) == everything
    assert all(file.stat().st_size > 0 for file in files.values())


# --- limits and patience ----------------------------------------------------------------------------------------------


def test_limits_for_one_address(server):
    server.write().start(workers=1)
    with contextlib.ExitStack() as clients:
        kept = [clients.enter_context(Client(server.port)) for _ in range(3)]
        for c in kept:
            assert c.ask("/a.txt").status == 200
        assert server.write("[limits]\nconnections_per_address = 3\n").reload().returncode == 0
        with Client(server.port) as c:
            refused = c.request("/a.txt").response()
            assert (refused.status, refused.get("Retry-After")) == (429, "1"), "who came before the limit counts"
        for c in kept:
            assert c.ask("/a.txt").status == 200, "and stays"
        limits = "[limits]\nrequests_per_second_per_address = 1\nrequests_burst_per_address = 2\n"
        assert server.write(limits).reload().returncode == 0
        asks_until_refused(lambda: kept[0].ask("/a.txt"), burst=2, a_second=1)
        assert server.write().reload().returncode == 0
        with Client(server.port) as c:
            assert c.ask("/a.txt").status == 200


def test_the_grace_of_the_end(server):
    server.write("[patience]\ngrace_seconds = 3600\n").start()
    assert server.write("[patience]\ngrace_seconds = 77\n").reload().stdout.count("\n") == 1
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "requests in progress have 77 s to finish" in server.log(), "the new grace is in force")
    assert server.process.wait(DEADLINE) == 0
    server.start()  # so that the fixture can stop it


def test_the_memory_of_the_cache(server):
    """Pages that no longer fit are evicted, and come back when there is room."""
    fill_tree(server.site, {f"{i}.txt": "x" * 10_000 for i in range(20)})

    def cache():
        with Client(server.port) as c:
            for i in range(20):
                assert c.ask(f"/{i}.txt").status == 200
            return json.loads(c.ask("/stats.json").text)["cores"][0]["cache"]

    server.write().start(workers=1)
    wait_until(lambda: cache()["kept"] >= 20, "all are kept")
    said = server.write("[cache]\nmemory_bytes = 60000\n").reload()
    assert said.stdout == "configuration reloaded\n"
    little = cache()
    assert little["most_bytes"] == 60_000 and little["bytes"] <= 60_000 and 0 < little["kept"] <= 5
    server.write().reload()
    wait_until(lambda: cache()["kept"] >= 20, "all are kept again")


def test_settings_that_need_a_restart(server):
    server.write().start()
    said = server.write('spare_workers = 9\nuser = "daemon"\n[cache]\npages = 7\n').reload()
    assert said.returncode == 0
    for name in ("spare_workers", "user", "pages"):
        assert f"`{name}` takes effect after a restart\n" in said.stdout
    assert "listen" not in said.stdout


# --- what reload reports ----------------------------------------------------------------------------------------------


def test_mistakes_with_their_place(server):
    server.write().start()
    server.file.write_text('lisen = ":80"\n[limits]\nconnections = "many"\n')
    said = server.reload()
    assert (said.returncode, said.stdout) == (1, "")
    assert f"{server.file}:1:1: unknown key `lisen`; did you mean `listen`?" in said.stderr
    assert f"{server.file}:3:15: expected a whole number" in said.stderr
    assert said.stderr.endswith("The configuration is unchanged.\n")
    server.file.write_text("[limits\n")
    said = server.reload()
    assert said.returncode == 1 and re.search(rf"{server.file}:1:\d+: ", said.stderr)
    assert server.answers(server.port)
    assert f"127.0.0.1:{server.port} " in server.status()


def test_a_configuration_that_is_not_there(server):
    server.write().start()
    server.file.unlink()
    said = server.reload()
    assert said.returncode == 1 and f"{server.file}: cannot be read: No such file or directory" in said.stderr
    server.file.mkdir()
    said = server.reload()
    assert said.returncode == 1 and f"{server.file}: cannot be read: Is a directory" in said.stderr
    server.file.rmdir()
    assert server.answers(server.port)
    assert server.write().reload().returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_configuration_that_may_not_be_read(server, place):
    os.chmod(place, 0o755)
    server.write().start("--user", "nobody")
    server.file.chmod(0o600)
    said = server.reload()
    assert said.returncode == 1 and f"{server.file}: cannot be read: Permission denied" in said.stderr


def test_status_is_of_the_present(server, place):
    fill_tree(place / "one", {"index.html": "one"})
    server.write().start()
    assert f"serving {server.site} on " in server.status()
    server.write(f'[[site]]\nnames = ["one.example", "1.example"]\nroot = "{place}/one"\n').reload()
    status = server.status()
    assert "serving 2 sites on " in status
    assert f"\nsite one.example, 1.example: {place}/one\nsite by default: {server.site}\n" in status
    many = "".join(f'[[site]]\nnames = "s{i}.example"\nroot = "{place}/one"\n' for i in range(1000))
    assert server.write(many).reload().returncode == 0
    assert "and 981 more sites\n" in server.status() and len(server.status().splitlines()) < 30
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < 200, "a root is opened once for all its sites"


def test_a_thousand_sites_and_routes(server, place):
    routes = "".join(f'[[route]]\npath = "/r{i}/*"\nstatus = 410\n' for i in range(1000))
    sites = ""
    for i in range(1000):
        (place / f"s{i}").mkdir()
        sites += f'[[site]]\nnames = "s{i}.example"\nroot = "{place}/s{i}"\n' \
                 f'[[site.route]]\npath = "/a/*"\nstatus = 410\n[[site.route]]\npath = "/a/b"\nstatus = 410\n'
    server.write().start()
    server.write(routes + sites)
    checked = subprocess.run([binary(), "check", str(server.site), "--config", str(server.file)], capture_output=True,
                             text=True, timeout=DEADLINE, check=False)
    said = server.reload()
    assert checked.returncode == 0 and checked.stderr.count("is never used") == 1000
    assert said.returncode == 0 and said.stdout.count("is never used") == 1000
    with Client(server.port) as c:
        assert c.ask("/r999/x").status == 410 and c.ask("/a.txt").status == 200


def test_reloads_one_after_another(server):
    """Of any number of concurrent reloads, each reports the result for a file read after it began."""
    server.write().start()
    said = [None] * 20

    def ask(me):
        said[me] = server.reload()

    threads = [threading.Thread(target=ask, args=(me,)) for me in range(len(said))]
    for t in threads:
        t.start()
        server.process.send_signal(signal.SIGHUP)
    for t in threads:
        t.join()
    assert [s.returncode for s in said] == [0] * len(said)
    wait_until(lambda: len(re.findall(r"reload by process \d+: configuration reloaded", server.log())) ==
               len(said), "the log tells of each")
    assert server.answers(server.port)


# --- load -------------------------------------------------------------------------------------------------------------


def test_reloads_under_load(server, place):
    """No request fails or is refused: on kept and new connections, for old and new sites."""
    kept, *others = free_ports(4)
    fill_tree(place / "one", {"a.txt": "a of one"})
    fill_tree(place / "two", {"a.txt": "a of two"})

    def configuration(i):
        sites = f'[headers]\nX-Turn = "{i}"\n[[site]]\nnames = "one.example"\nroot = "{place}/one"\n'
        if i % 2:
            sites += f'[[site]]\nnames = "two.example"\nroot = "{place}/two"\nheaders = {{ X-Two = "{i}" }}\n'
        if i % 3:
            sites += '[[site.route]]\npath = "/gone/*"\nstatus = 410\n'
        return {"text": sites, "ports": [kept, *others[: i % 4]]}

    server.write(**configuration(0)).start()
    over, failures, answers, connections = threading.Event(), [], [0] * 4, [0] * 4

    def ask(me):
        keeps, host, body = me % 2 == 0, *(("one.example", "a of one") if me < 2 else ("localhost", "the letter a\n"))
        close = "" if keeps else "Connection: close\r\n"
        head = f"GET /a.txt HTTP/1.1\r\nHost: {host}\r\n{close}\r\n"
        try:
            while not over.is_set():
                connections[me] += 1
                with Client(kept) as c:
                    while not over.is_set():
                        r = c.send(head).response()
                        assert (r.status, r.text) == (200, body)
                        assert int(r.get("X-Turn")) >= 0
                        answers[me] += 1
                        if r.closes:
                            assert not keeps
                            break
        except Exception as e:  # noqa: BLE001  any error is a failure
            failures.append(repr(e))

    threads = [threading.Thread(target=ask, args=(me,)) for me in range(4)]
    for t in threads:
        t.start()
    try:
        for i in range(1, RELOADS + 1):
            before = list(answers)
            said = server.write(**configuration(i)).reload()
            assert said.returncode == 0, said.stderr
            for port in others[: i % 4]:
                assert server.answers(port)
            with Client(kept) as c:
                assert c.ask("/a.txt").get("X-Turn") == str(i)
            wait_until(lambda: failures or all(a > b for a, b in zip(answers, before)), "all are answered")  # noqa: B023
            if failures:
                break
    finally:
        over.set()
        for t in threads:
            t.join(DEADLINE)
    assert failures == []
    print(f"{RELOADS} reloads, {sum(answers)} answers, {sum(connections)} connections, none failed")
    for port in others:
        if port not in others[: RELOADS % 4]:
            wait_until(lambda: server.refuses(port), "the last configuration is in force")  # noqa: B023
