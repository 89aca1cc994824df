# SPDX-License-Identifier: MIT
"""Installs the package that `make deb` has built, runs the service as its unit says, and purges it, in the order in which
a user would. Needs root and port 80, and occwserv must not be installed. Leaves the machine as it was.

There may be no systemd to start the service. The test therefore does what the unit says itself: directories, command and
notification socket here; mounts, user, capabilities and system-call filter in service_unit.py. For what only systemd can
do, it only lets systemd verify the unit."""

import contextlib
import ctypes
import errno
import glob
import gzip
import hashlib
import http.client
import os
import pathlib
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

import pytest

import service_unit

HOME = pathlib.Path(__file__).parent.parent
CONFIGURATION = pathlib.Path("/etc/occwserv/occwserv.toml")
LOGS = pathlib.Path("/var/log/occwserv")
STATE = pathlib.Path("/var/lib/occwserv")
DEADLINE = 60

# How often the server is upgraded and reloaded under load. Set more for a long test.
UPGRADES, RELOADS = int(os.environ.get("UPGRADES", "3")), int(os.environ.get("RELOADS", "20"))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can install a package")


def run(*words, code=0, **options):
    ended = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=300, check=False, **options)
    assert ended.returncode == code, (words, ended.returncode, ended.stdout, ended.stderr)
    return ended.stdout + ended.stderr


def dpkg(*words):
    return run("dpkg", "--force-confold", *words, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})


def state():
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "occwserv"], capture_output=True, text=True)
    return asked.stdout.strip()


def ours():
    """Every file with our name, whatever created it. (Other packages may be installed meanwhile.)"""
    places = ["/etc", "/usr", "/lib", "/run", "/var", "/opt", "/srv", "/home"]
    found = subprocess.run(["find", *places, "-xdev", "-iname", "*occwserv*"], capture_output=True, text=True)
    return {f for f in found.stdout.splitlines() if "/fontconfig/" not in f}


def wait_until(condition, what):
    end = time.monotonic() + DEADLINE
    while not (value := condition()):
        assert time.monotonic() < end, f"this did not come about: {what}"
        time.sleep(0.02)
    return value


def get(path="/"):
    with urllib.request.urlopen(f"http://127.0.0.1{path}", timeout=DEADLINE) as answer:
        return answer.read().decode()


def process_of(status):
    return int(re.search(r"process (\d+), up", status).group(1))


def fields_of(process):
    """What /proc says about it."""
    with open(f"/proc/{process}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


# --- the service ------------------------------------------------------------------------------------------------------


class Service:
    """Does what systemd would do for the unit, as far as a test can."""

    def __init__(self):
        self.unit = service_unit.Unit()
        place = pathlib.Path(tempfile.mkdtemp(dir="/run", prefix="notify-"))  # the user of the service must be able to reach it
        self.user = self.unit.user
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(place / "notify"))
        os.chmod(place, 0o755)
        os.chmod(place / "notify", 0o777)
        # Read them as they arrive: the kernel queues only ten, and the server does not wait.
        self.heard = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        self.unit.make_directories()
        self.process = subprocess.Popen(
            self.unit.command(*shlex.split(self.unit["ExecStart"])), cwd="/", stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": "1000000"})
        self.place = place

    def _listen(self):
        with contextlib.suppress(OSError):
            while message := self.manager.recv(4096).decode():
                self.heard.append(message)

    def hears(self, message):
        """Waits for a message, among those of the watchdog."""
        wait_until(lambda: f"{message}\n" in self.heard, f"the manager hears {message}")
        return True

    def end(self):
        """Also after upgrades, and if it has already ended."""
        with contextlib.suppress(AssertionError, FileNotFoundError):
            run("occwserv", "stop")
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        with contextlib.suppress(OSError):
            self.manager.shutdown(socket.SHUT_RDWR)
        self.listener.join(DEADLINE)
        self.manager.close()
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.rmtree("/run/occwserv", ignore_errors=True)  # as systemd does with a RuntimeDirectory


@pytest.fixture(scope="module")
def package():
    (built,) = glob.glob(str(HOME / "build/occwserv_*.deb"))
    return pathlib.Path(built)


@pytest.fixture(scope="module")
def installed(package):
    assert state() == "", "occwserv is installed here: purge it first"
    before = ours()
    had_user = "occwserv" in {u.pw_name for u in pwd.getpwall()}
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", package,
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
    yield before
    if state():
        dpkg("--purge", "occwserv")
    if not had_user:
        subprocess.run(["userdel", "occwserv"], check=False)


@pytest.fixture(scope="module")
def service(installed):
    running = Service()
    try:
        assert running.hears("READY=1")
        yield running
    finally:
        running.end()


# --- contents ---------------------------------------------------------------------------------------------------------


def test_lintian(package):
    run("lintian", "--allow-root", "--fail-on", "error,warning", package)


def test_one_version(package, installed):
    version = run("dpkg-deb", "-f", package, "Version").strip()
    assert run("occwserv", "--version") == f"occwserv {version}\n"


def test_it_is_the_server_alone(installed):
    assert "/csp" not in dpkg("-L", "occwserv")


def test_the_user(installed):
    user = pwd.getpwnam("occwserv")
    assert user.pw_shell == "/usr/sbin/nologin" and user.pw_uid < 1000
    assert not os.path.exists(user.pw_dir)


def test_the_configuration_is_the_administrators(installed):
    assert str(CONFIGURATION) in run("dpkg-query", "-W", "-f", "${Conffiles}", "occwserv")
    assert run("occwserv", "check", "--config", CONFIGURATION) == "no mistakes, 0 warnings; 1 site\n"


@pytest.mark.parametrize("section, page", [("8", "occwserv"), ("5", "occwserv.toml")])
def test_manual_pages(installed, section, page):
    file = f"/usr/share/man/man{section}/{page}.{section}.gz"
    text = gzip.open(file, "rt").read()
    wrong = subprocess.run(["groff", "-t", "-ww", "-z", "-man", "-K", "utf8"], input=text, capture_output=True, text=True,
                           check=False)
    assert (wrong.returncode, wrong.stderr) == (0, "")
    shown = run("man", "-P", "cat", file, env=os.environ | {"MANWIDTH": "200", "LC_ALL": "C.UTF-8"})
    if section == "8":
        for option in re.findall(r"--[a-z-]+", run("occwserv", "--help")):
            assert option in shown
    else:
        assert "memory_bytes" in shown and "Default: 67108864." in shown and "[[site.route]]" in shown


COMPLETED = [("occwserv --acc", {"--access-log"}), ("occwserv --io e", {"epoll"}), ("occwserv upg", {"upgrade"}),
             ("occwserv upgrade --b", {"--binary"}), ("occwserv check --conf", {"--config"})]


@pytest.mark.parametrize("line, expected", COMPLETED)
def test_bash_completes(installed, line, expected):
    words = line.split(" ")
    script = f"""compopt() {{ :; }}
        . /usr/share/bash-completion/completions/occwserv
        COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _occwserv
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    assert set(run("bash", "-c", script, cwd="/proc").split()) == expected


@pytest.mark.parametrize("line, expected", COMPLETED)
def test_fish_completes(installed, tmp_path, line, expected):
    said = run("fish", "--no-config", "-c",
               f"source /usr/share/fish/vendor_completions.d/occwserv.fish; complete -C '{line}'", cwd="/proc",
               env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert {word.split("\t")[0] for word in said.splitlines() if not word.startswith("warning")} >= expected


@pytest.mark.parametrize("line, expected", COMPLETED)
def test_zsh_completes(installed, tmp_path, line, expected):
    """Runs zsh on its own terminal, presses Tab, and checks that the line is completed."""
    (word,) = expected
    added = word.removeprefix(line.split(" ")[-1])
    script = f"""zmodload zsh/zpty; zpty z 'PS1=; zsh -f -i'
        zpty -w z 'fpath=(/usr/share/zsh/site-functions $fpath); autoload -U compinit; compinit -D -u; PS1=; cd /proc'
        zpty -w z 'print read''y'; zpty -r z said '*ready*'
        zpty -n -w z $'{line}\\t'; zpty -r z said '*{added}*'; zpty -d z"""
    run("timeout", "20", "zsh", "-f", "-c", script, env=os.environ | {"HOME": str(tmp_path), "TERM": "dumb"})


def test_the_unit_is_hard(installed):
    file = "/lib/systemd/system/occwserv.service"
    assert run("systemd-analyze", "verify", "--man=no", file) == ""
    run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", file)


def test_all_of_the_unit_is_considered(installed):
    """By service_unit.py, by the class Service, or here: it is for the manager alone."""
    settings = set(service_unit.Unit().settings)
    assert settings - service_unit.imitated == {"Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "Restart",
                                                "RemoveIPC"}


# --- operation --------------------------------------------------------------------------------------------------------


def test_it_serves(service):
    assert "A web server you can draw" in get()
    assert get("/healthz") == "ok\n"
    for log in ("access.log", "error.log"):
        wait_until((LOGS / log).read_text, f"something is in {log}")
        assert (LOGS / log).stat().st_mode & 0o777 == 0o640


def test_it_is_nobody_much(service):
    fields = fields_of(service.process.pid)
    assert set(fields["Uid"].split()) == {str(service.user.pw_uid)}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    assert fields["NoNewPrivs"] == "1"


WHAT_IS_REFUSED = """
import ctypes, errno, mmap, os, socket
def attempt(what):
    try:
        what()
        return "allowed"
    except OSError as e:
        return errno.errorcode[e.errno]
def create(directory):
    os.close(os.open(f"{directory}/stray", os.O_CREAT | os.O_WRONLY))
    os.unlink(f"{directory}/stray")
def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
c = ctypes.CDLL(None, use_errno=True)
print(*{attempt(lambda: create(d)) for d in ("/etc", "/usr/bin", "/var", "/var/lib", "/dev", "/srv")},
      *{attempt(lambda: create(d)) for d in ("/run/occwserv", "/var/log/occwserv", "/var/lib/occwserv", "/tmp")},
      *{attempt(lambda: os.listdir(d)) for d in ("/home", "/root")},
      attempt(lambda: os.stat("/dev/kmsg")), attempt(lambda: os.stat("/proc/1")), attempt(lambda: os.stat("/proc/meminfo")),
      attempt(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)),
      attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)), attempt(socket.socket),
      attempt(lambda: os.chown("/var/lib/occwserv", -1, -1)), attempt(lambda: call(c.unshare, 0x10000000)),
      attempt(lambda: call(c.syscall, 425, 0, None)), sep="\\n")
"""


def test_a_program_is_run_as_the_unit_says(service):
    """So that the others mean something: here is what the unit forbids, asked for by a program that does not mind."""
    said = run(*service.unit.command("/usr/bin/python3", "-B", "-c", WHAT_IS_REFUSED)).split()
    assert said == ["EROFS", "allowed", "EACCES", "ENOENT", "ENOENT", "ENOENT", "EPERM", "EAFNOSUPPORT", "allowed", "EPERM",
                    "EPERM", "EFAULT"]  # the last is io_uring_setup, without its parameters


def test_it_can_write_only_to_its_directories(service):
    """Seen from outside, the mounts of the server refuse even root."""
    root = f"/proc/{service.process.pid}/root"
    for place in ("/etc", "/usr/bin", "/usr/share/occwserv/site", "/var/lib", "/srv", "/dev"):
        with pytest.raises(OSError) as refused:
            pathlib.Path(f"{root}{place}/stray").touch()
        assert refused.value.errno == errno.EROFS
    for place, _ in service.unit.directories():
        assert not os.statvfs(f"{root}{place}").f_flag & os.ST_RDONLY
        assert place.stat().st_uid == service.user.pw_uid


def what_is_in_force(said):
    """What a status says about the engine and the sandbox."""
    return re.findall("(?m)^(.*using (?:io_uring|epoll).*|sandbox: .*)$", said)


def test_it_says_what_is_in_force(service, tmp_path):
    """The unit takes nothing from it: a server without a unit says the same."""
    said = what_is_in_force(run("occwserv", "status"))
    control = tmp_path / "control"
    with subprocess.Popen(["occwserv", tmp_path, "--listen", f"unix:{tmp_path}/http", "--control", control],
                          stdin=subprocess.DEVNULL) as without:
        try:
            wait_until(control.exists, "the other server runs")
            assert what_is_in_force(run("occwserv", "status", "--control", control)) == said
        finally:
            without.terminate()
    engine, sandbox = said
    landlock_create_ruleset, version = 444, 1
    if ctypes.CDLL(None).syscall(landlock_create_ruleset, None, 0, version) > 0:
        assert "files by Landlock" in sandbox
    assert "system calls by seccomp" in sandbox
    assert sandbox.endswith(", io_uring restricted") is ("using io_uring" in engine)
    assert int(fields_of(service.process.pid)["Seccomp_filters"]) == 1 + filters_of_the_unit(service)


def filters_of_the_unit(service):
    return int(re.search(r"Seccomp_filters:\t(\d+)", run(*service.unit.command("cat", "/proc/self/status"))).group(1))


def test_it_can_be_asked(service):
    assert process_of(run("occwserv", "status")) == service.process.pid
    assert " acceptor " in run(*service.unit.command("occwserv", "ps"))


def test_it_reloads(service):
    run(*service.unit.command(*shlex.split(service.unit["ExecReload"])))
    with open(CONFIGURATION, "a", encoding="ascii") as f:
        f.write("#")
    text = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text(text.replace("listen =", "listne ="))
        said = run(*service.unit.command(*shlex.split(service.unit["ExecReload"])), code=1)
        assert "did you mean `listen`?" in said
    finally:
        CONFIGURATION.write_text(text)
    assert get("/healthz") == "ok\n"


def test_logs_are_rotated(service, tmp_path):
    if not int(fields_of(service.process.pid)["SigBlk"], 16) >> (signal.SIGUSR1 - 1) & 1:
        pytest.skip("this server does not wait for SIGUSR1")
    get("/robots.txt")
    wait_until(lambda: "/robots.txt" in (LOGS / "access.log").read_text(), "the first request is logged")
    run("logrotate", "--force", "--state", tmp_path / "state", "/etc/logrotate.d/occwserv")
    assert "/robots.txt" in (LOGS / "access.log.1").read_text()
    wait_until((LOGS / "access.log").exists, "the log file is created again")
    get("/style.css")
    wait_until(lambda: "/style.css" in (LOGS / "access.log").read_text(), "the second request is logged")
    assert (LOGS / "access.log").stat().st_mode & 0o777 == 0o640


def newer(package, place, version):
    """The same package with another version."""
    run("dpkg-deb", "-R", package, place / version)
    control = place / version / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    run("dpkg-deb", "--root-owner-group", "-b", place / version, place / f"{version}.deb")
    return place / f"{version}.deb"


class Load:
    """Sends requests on new connections without a pause, and records failures."""

    def __enter__(self):
        self.over, self.answers, self.failures = False, 0, []
        self.thread = threading.Thread(target=self._ask)
        self.thread.start()
        return self

    def _ask(self):
        while not self.over:
            try:
                self.answers += get("/robots.txt").startswith("User-agent")
            except OSError as e:
                self.failures.append(repr(e))

    def __exit__(self, *_):
        self.over = True
        self.thread.join(DEADLINE)


def test_a_new_version_of_the_package(service, package, tmp_path):
    """The new version takes over under load, and no request is refused."""
    text = CONFIGURATION.read_text()
    with Load() as load:
        wait_until(lambda: load.answers > 20, "answers come")
        said = dpkg("-i", newer(package, tmp_path, "999"))
        assert "has taken over; process" in said, said
        before = load.answers
        wait_until(lambda: load.answers > before + 20 or load.failures, "answers come after the upgrade")
    assert load.failures == []
    heir = process_of(run("occwserv", "status"))
    assert heir != service.process.pid
    assert service.hears(f"MAINPID={heir}")
    assert os.stat(f"/proc/{heir}/exe").st_ino == os.stat("/usr/bin/occwserv").st_ino
    assert CONFIGURATION.read_text() == text
    assert service.process.wait(DEADLINE) == 0


def processes_of(user):
    """The living ones."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = fields_of(process)
            if fields["Uid"].split()[0] == str(user.pw_uid) and not fields["State"].startswith("Z"):
                found.append(fields["Name"])
    return sorted(found)


def test_the_sample_programs(service):
    """With the route that the configuration proposes, they run under the mounts and the filters of the unit."""
    text, reload = CONFIGURATION.read_text(), service.unit.command(*shlex.split(service.unit["ExecReload"]))
    counter = f"/var/tmp/occwserv-counter-{service.user.pw_uid}"
    try:
        CONFIGURATION.write_text(re.sub(r"(?m)^#(?=\[\[route\]\]|path = |cgi = )", "", text))
        run(*reload)
        assert "<code>/a</code>" in get("/cgi-bin/environment/a")
        assert "<td>b</td>" in get("/cgi-bin/form?a=b")
        assert "Hello" in get("/cgi-bin/hello")
        assert "stopped" in get("/cgi-bin/clock")
        assert [re.search(r"number <strong>(\d)", get("/cgi-bin/counter")).group(1) for _ in range(2)] == ["1", "2"]
        assert not os.path.exists(counter), "the service has a /var/tmp of its own"
        body = b'--a\r\nContent-Disposition: form-data; name="file"; filename="b"\r\n\r\nc\r\n--a--\r\n'
        upload = urllib.request.Request("http://127.0.0.1/cgi-bin/upload", body,
                                        {"Content-Type": "multipart/form-data; boundary=a"})
        with urllib.request.urlopen(upload, timeout=DEADLINE) as answer:
            assert hashlib.sha256(b"c").hexdigest() in answer.read().decode()
    finally:
        CONFIGURATION.write_text(text)
        run(*reload)


def reload_to(service, text, name):
    """Adds a site, and checks that it is there."""
    CONFIGURATION.write_text(f"""{text}
        [[site]]
        names = ["reloaded.example"]
        root = "/usr/share/occwserv/site"
          [[site.route]]
          path = "/which"
          redirect = "/{name}"
        """)
    run(*service.unit.command(*shlex.split(service.unit["ExecReload"])))
    connection = http.client.HTTPConnection("127.0.0.1", timeout=DEADLINE)
    connection.request("GET", "/which", headers={"Host": "reloaded.example"})
    assert connection.getresponse().headers["Location"].endswith(f"/{name}")
    connection.close()


def test_many_upgrades_and_reloads(service):
    """No request fails, and an heir has no more filters, and no less rights, than the first server."""
    text = CONFIGURATION.read_text()
    status = run("occwserv", "status")
    filters, in_force = fields_of(process_of(status))["Seccomp_filters"], what_is_in_force(status)
    begun = time.monotonic()
    try:
        with Load() as load:
            for upgrade in range(UPGRADES):
                for number in range(RELOADS * upgrade // UPGRADES, RELOADS * (upgrade + 1) // UPGRADES):
                    reload_to(service, text, f"reload{number}")
                before = process_of(run("occwserv", "status"))
                assert "has taken over" in run("occwserv", "upgrade")
                heir = process_of(run("occwserv", "status"))
                assert heir != before and service.hears(f"MAINPID={heir}")
    finally:
        CONFIGURATION.write_text(text)
    assert load.failures == []
    print(f"{UPGRADES} upgrades, {RELOADS} reloads, {load.answers} answers in {time.monotonic() - begun:.0f} s")
    assert what_is_in_force(run("occwserv", "status")) == in_force
    assert fields_of(heir)["Seccomp_filters"] == filters
    run(*service.unit.command(*shlex.split(service.unit["ExecReload"])))
    wait_until(lambda: processes_of(service.user) == ["occw-steward", "occwserv"], "only the last server is left")


def test_a_new_version_that_cannot_start(service, package, tmp_path):
    heir = process_of(run("occwserv", "status"))
    text = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text(text + "\nlistne = 1\n")
        said = dpkg("-i", newer(package, tmp_path, "999.1"))
    finally:
        CONFIGURATION.write_text(text)
    assert "the old version keeps running" in said
    assert process_of(run("occwserv", "status")) == heir
    assert get("/healthz") == "ok\n"


# --- removal ----------------------------------------------------------------------------------------------------------


def test_it_stops(service):
    run("occwserv", "stop")
    with pytest.raises(OSError):
        get()
    assert not os.path.exists("/run/occwserv/control")
    service.end()


def test_removed_but_not_purged(service):
    assert STATE.is_dir()
    dpkg("--remove", "occwserv")
    assert not os.path.exists("/usr/bin/occwserv")
    assert CONFIGURATION.exists() and (LOGS / "access.log").exists()


def test_purged(installed, service):
    dpkg("--purge", "occwserv")
    assert state() == ""
    assert not STATE.exists() and ours() - installed == set()
    assert pwd.getpwnam("occwserv").pw_shell == "/usr/sbin/nologin"  # kept, because it may own files elsewhere
