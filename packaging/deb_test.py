# SPDX-License-Identifier: MIT
"""Installs the package that `make deb` has built, runs the service as its unit says, and purges it, in the order in which
a user would. Needs root and port 80, and occwserv must not be installed. Leaves the machine as it was.

There may be no systemd to start the service. The test therefore does what the unit says itself: user, capabilities,
directories, command, notification socket. For what only systemd can do, it only lets systemd verify the unit."""

import configparser
import contextlib
import glob
import gzip
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

HOME = pathlib.Path(__file__).parent.parent
CONFIGURATION = pathlib.Path("/etc/occwserv/occwserv.toml")
LOGS = pathlib.Path("/var/log/occwserv")
DEADLINE = 60

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


# --- the service ------------------------------------------------------------------------------------------------------


def unit():
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str
    parser.read("/lib/systemd/system/occwserv.service")
    return parser["Service"]


class Service:
    """Does what systemd would do for the unit, as far as a test can."""

    def __init__(self):
        self.unit = unit()
        place = pathlib.Path(tempfile.mkdtemp(dir="/run", prefix="notify-"))  # the user of the service must be able to reach it
        self.user = pwd.getpwnam(self.unit["User"])
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(place / "notify"))
        os.chmod(place, 0o755)
        os.chmod(place / "notify", 0o777)
        # Read them as they arrive: the kernel queues only ten, and the server does not wait.
        self.heard = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        for name, parent in (("RuntimeDirectory", "/run"), ("LogsDirectory", "/var/log")):
            at = pathlib.Path(parent) / self.unit[name]
            at.mkdir(exist_ok=True)
            at.chmod(int(self.unit[name + "Mode"], 8))
            os.chown(at, self.user.pw_uid, self.user.pw_gid)
        rights = "".join(f",+{c.lower().removeprefix('cap_')}" for c in self.unit["AmbientCapabilities"].split())
        self.as_the_unit_says = [
            "setpriv", f"--reuid={self.unit['User']}", f"--regid={self.unit['Group']}", "--init-groups",
            f"--inh-caps=-all{rights}", f"--ambient-caps=-all{rights}", f"--bounding-set=-all{rights}",
            "--no-new-privs"]
        self.process = subprocess.Popen(
            [*self.as_the_unit_says, *shlex.split(self.unit["ExecStart"])], cwd="/", stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(place / "notify"), "WATCHDOG_USEC": "1000000"},
            umask=int(self.unit["UMask"], 8))
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


# --- operation --------------------------------------------------------------------------------------------------------


def test_it_serves(service):
    assert "A web server you can draw" in get()
    assert get("/healthz") == "ok\n"
    for log in ("access.log", "error.log"):
        wait_until((LOGS / log).read_text, f"something is in {log}")
        assert (LOGS / log).stat().st_mode & 0o777 == 0o640


def test_it_is_nobody_much(service):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as f:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert set(fields["Uid"].split()) == {str(service.user.pw_uid)}
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 1 << 10  # CAP_NET_BIND_SERVICE
    assert fields["NoNewPrivs"] == "1"


def test_it_can_be_asked(service):
    assert process_of(run("occwserv", "status")) == service.process.pid
    assert " acceptor " in run(*service.as_the_unit_says, "occwserv", "ps")


def test_it_reloads(service):
    run(*service.as_the_unit_says, *shlex.split(service.unit["ExecReload"]))
    with open(CONFIGURATION, "a", encoding="ascii") as f:
        f.write("#")
    text = CONFIGURATION.read_text()
    try:
        CONFIGURATION.write_text(text.replace("listen =", "listne ="))
        said = run(*service.as_the_unit_says, *shlex.split(service.unit["ExecReload"]), code=1)
        assert "did you mean `listen`?" in said
    finally:
        CONFIGURATION.write_text(text)
    assert get("/healthz") == "ok\n"


def test_logs_are_rotated(service, tmp_path):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as f:
        blocked = int(re.search(r"^SigBlk:\t(\w+)", f.read(), re.M).group(1), 16)
    if not blocked >> (signal.SIGUSR1 - 1) & 1:
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
    dpkg("--remove", "occwserv")
    assert not os.path.exists("/usr/bin/occwserv")
    assert CONFIGURATION.exists() and (LOGS / "access.log").exists()


def test_purged(installed, service):
    dpkg("--purge", "occwserv")
    assert state() == ""
    assert ours() - installed == set()
    assert pwd.getpwnam("occwserv").pw_shell == "/usr/sbin/nologin"  # kept, because it may own files elsewhere
