# SPDX-License-Identifier: MIT
"""Apache (mod_cgid) and lighttpd (mod_cgi), run beside the server with the same programs at the same paths."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from harness import free_port, living_processes, wait_until

UNPACKED = pathlib.Path(__file__).parent.parent / "build/debian/usr"  # by packaging/dependencies.sh
MODULES = pathlib.Path("/usr/lib/apache2/modules")
# Apache does not run as root; its programs run as this user then.
UNPRIVILEGED = "www-data"

APACHE = """
ServerRoot {home}
DefaultRuntimeDir {home}
PidFile {home}/pid
ScriptSock {home}/cgid
{modules}
{user}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
StartServers 1
ServerLimit 1
ThreadsPerChild 25
ThreadLimit 25
MaxRequestWorkers 25
TypesConfig /dev/null
AddType text/html .html
AddType text/css .css
ErrorLog {home}/error.log
LimitRequestBody {body_bytes}
DocumentRoot {root}
<Directory />
    AllowOverride None
    Options ExecCGI FollowSymLinks
    Require all granted
</Directory>
{routes}
"""

LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.modules = ("mod_alias", "mod_setenv", "mod_cgi")
server.upload-dirs = ("{home}")
server.errorlog = "{home}/error.log"
server.max-request-size = {body_kilobytes}
# The output is passed on as it comes, as by occwserv and Apache. Bodies are collected: streamed, those of unknown length
# are refused.
server.stream-response-body = 1
mimetype.assign = (".html" => "text/html", ".css" => "text/css")
setenv.set-environment = ({environment})
{routes}
"""


def found(name):
    places = (shutil.which(name), f"/usr/sbin/{name}", UNPACKED / "sbin" / name)
    return next((str(place) for place in places if place and os.access(place, os.X_OK)), None)


def needed(*files):
    """Skips the tests if one of the servers or of these files is missing, but not in CI."""
    missing = [name for name in ("apache2", "lighttpd") if found(name) is None]
    missing += [file for file in files if not os.path.exists(file)]
    if missing and os.environ.get("CI"):
        raise FileNotFoundError(f"what the test needs must be there in CI: {missing}")
    return pytest.mark.skipif(bool(missing), reason=f"packaging/dependencies.sh test installs {missing}")


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def living_in_session(leader):
    """The living processes of this session, also those that have groups of their own, as programs of Apache do."""
    for number, *_ in living_processes():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(number) == leader:
                yield number


@contextlib.contextmanager
def _running(command, port, home):
    with open(home / "output", "w+b") as output:
        process = subprocess.Popen([*map(str, command)], cwd=home, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, start_new_session=True)
        try:
            wait_until(lambda: process.poll() is not None or is_listening(port), f"{command[0]} listens")
            output.seek(0)
            assert process.poll() is None, output.read().decode(errors="replace")
            yield
        finally:
            process.terminate()
            process.wait()
            for number in living_in_session(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)


def hand_over(directory):
    """Gives a directory to the user as whom programs of Apache run."""
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)


@contextlib.contextmanager
def apache(home, root, programs, interpreters, environment, body_bytes):
    """Yields the port of an Apache. programs is {path: program}, interpreters {ending: program}."""
    home.mkdir()
    modules = ["mpm_event", "authz_core", "mime", "alias", "env", "actions", "cgid"]
    lines = [f'SetEnv {name} "{value}"' for name, value in environment.items()]
    lines += [f'ScriptAlias {path} {program}' for path, program in programs.items()]
    for ending, program in interpreters.items():
        lines += [f"AddHandler interpreted{ending} {ending}", f"ScriptAlias /interpreter{ending} {program}",
                  f"Action interpreted{ending} /interpreter{ending}"]
    port = free_port()
    config = home / "apache.conf"
    config.write_text(APACHE.format(
        home=home, root=root, port=port, body_bytes=body_bytes, routes="\n".join(lines),
        user=f"User {UNPRIVILEGED}\nGroup {UNPRIVILEGED}" if os.geteuid() == 0 else "",
        modules="\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules)))
    with _running([found("apache2"), "-DFOREGROUND", "-f", config], port, home):
        yield port


@contextlib.contextmanager
def lighttpd(home, root, programs, interpreters, environment, body_bytes):
    """Yields the port of a lighttpd."""
    home.mkdir()
    pairs = lambda table: ", ".join(f'"{key}" => "{value}"' for key, value in table.items())
    # The first alias that is a prefix of the path applies, even within a segment of it.
    lines = [f"alias.url = ({pairs(dict(sorted(programs.items(), reverse=True)))})"]
    lines += [f'$HTTP["url"] =~ "^{path}(/|$)" {{ cgi.assign = ("" => "") }}' for path in programs]
    lines += [f"cgi.assign = ({pairs(interpreters)})"]
    port = free_port()
    config = home / "lighttpd.conf"
    config.write_text(LIGHTTPD.format(home=home, root=root, port=port, body_kilobytes=body_bytes // 1024,
                                      environment=pairs(environment), routes="\n".join(lines)))
    program = found("lighttpd")
    modules = pathlib.Path(program).parent.parent / "lib/lighttpd"
    with _running([program, "-D", "-f", config, "-m", modules], port, home):
        yield port
