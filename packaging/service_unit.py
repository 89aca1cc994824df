# SPDX-License-Identifier: MIT
"""Runs a program as a systemd unit says, without systemd: in mounts of its own, as its user, under its system-call filter.

    service_unit.py UNIT PROGRAM ARGUMENT...

Does what the settings of occwserv.service do, in the order of systemd: namespaces and mounts, limits, user and capabilities,
no_new_privs, the filters, and execve(). What of systemd's it does not do: there is no control group, which would forbid the
use of other devices than those in the private /dev; calls that are newer than systemd are answered as any other that the
filter refuses."""

import ctypes
import functools
import os
import pathlib
import pwd
import resource
import subprocess
import sys

# Settings of which only one value is imitated.
as_it_must_be = dict(
    ProtectSystem="strict", ProtectHome="yes", PrivateTmp="yes", PrivateMounts="yes", PrivateDevices="yes",
    ProtectProc="invisible", ProcSubset="pid", PrivateIPC="yes", ProtectHostname="yes", ProtectControlGroups="yes",
    ProtectClock="yes", ProtectKernelTunables="yes", ProtectKernelModules="yes", ProtectKernelLogs="yes",
    NoNewPrivileges="yes", RestrictNamespaces="yes", RestrictRealtime="yes", LockPersonality="yes",
    MemoryDenyWriteExecute="yes", SystemCallArchitectures="native", SystemCallErrorNumber="EPERM")

imitated = frozenset(
    """User Group AmbientCapabilities CapabilityBoundingSet UMask LimitNOFILE RuntimeDirectory RuntimeDirectoryMode
    LogsDirectory LogsDirectoryMode StateDirectory RestrictAddressFamilies SystemCallFilter""".split()) | set(as_it_must_be)


def settings_of(file):
    """Every setting of [Service] and its values, in their order."""
    found, section = {}, ""
    for line in pathlib.Path(file).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value.strip())
    return found


class Unit:
    def __init__(self, file="/lib/systemd/system/occwserv.service"):
        self.file, self.settings = file, settings_of(file)
        for key, value in as_it_must_be.items():
            assert self[key] == value, f"{key}={self[key]} is not imitated"

    def __getitem__(self, key):
        """The value of a setting that occurs once."""
        (value,) = self.settings[key]
        return value

    @property
    def user(self):
        return pwd.getpwnam(self["User"])

    def directories(self):
        """The directories that the manager makes for the service, and that it may write to, each with its mode."""
        for kind, parent in (("Runtime", "/run"), ("Logs", "/var/log"), ("State", "/var/lib")):
            (mode,) = self.settings.get(f"{kind}DirectoryMode", ["0755"])
            yield pathlib.Path(parent) / self[f"{kind}Directory"], int(mode, 8)

    def make_directories(self):
        for directory, mode in self.directories():
            directory.mkdir(exist_ok=True)
            directory.chmod(mode)
            os.chown(directory, self.user.pw_uid, self.user.pw_gid)

    def command(self, *words):
        """The command line that runs a program as the unit says."""
        return [sys.executable, "-B", __file__, self.file, *map(str, words)]


# --- calls of the system ----------------------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(what))


def prctl(*arguments):
    checked(libc.prctl(*(ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:5])), f"prctl{arguments}")


READ_ONLY, NOSUID, NODEV, NOEXEC, BIND, MOVE, REC, SLAVE = 1, 2, 4, 8, 4096, 8192, 16384, 1 << 19


def mount(source, target, kind=None, flags=0, options=None):
    encoded = [None if text is None else str(text).encode() for text in (source, target, kind)]
    checked(libc.mount(*encoded, ctypes.c_ulong(flags), options and options.encode()), target)


def set_read_only(target, read_only, recursive=True):
    """mount_setattr(), which has one number on all architectures, and no wrapper in the C library of Debian 12."""
    number, here, beneath = 442, -100, 0x8000
    attributes = (ctypes.c_uint64 * 4)(1, 0, 0, 0) if read_only else (ctypes.c_uint64 * 4)(0, 1, 0, 0)
    checked(libc.syscall(number, here, str(target).encode(), beneath if recursive else 0, attributes,
                         ctypes.sizeof(attributes)), target)


# --- mounts -----------------------------------------------------------------------------------------------------------

devices = ("null", "zero", "full", "random", "urandom", "tty")


def mount_private_devices():
    """A /dev with the devices that every program may have. It is built in /tmp, which is private by then."""
    place = pathlib.Path("/tmp/dev")
    place.mkdir()
    mount("tmpfs", place, "tmpfs", NOSUID, "mode=755")
    for name in devices:
        os.mknod(place / name, 0o666 | 0o020000, os.stat(f"/dev/{name}").st_rdev)
        (place / name).chmod(0o666)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (place / name).symlink_to(f"/proc/self/fd{target}")
    for name in ("pts", "shm", "mqueue"):
        if os.path.isdir(f"/dev/{name}"):
            (place / name).mkdir()
            mount(f"/dev/{name}", place / name, flags=BIND | REC)
    if os.path.exists("/dev/log"):
        (place / "log").symlink_to(os.path.realpath("/dev/log"))
    mount(place, "/dev", flags=MOVE)
    place.rmdir()


def hide(place):
    if os.path.isdir(place):
        mount("tmpfs", place, "tmpfs", READ_ONLY | NOSUID | NODEV | NOEXEC, "mode=000")


def set_up_mounts(unit):
    """Namespaces, and ProtectSystem=strict with all that belongs to it."""
    new_mounts, new_host_name, new_ipc = 0x00020000, 0x04000000, 0x08000000
    checked(libc.unshare(new_mounts | new_host_name | new_ipc), "unshare")
    mount(None, "/", flags=REC | SLAVE)
    writable = [directory for directory, _ in unit.directories()]
    for directory in writable:
        mount(directory, directory, flags=BIND)
    for place in ("/tmp", "/var/tmp"):
        mount("tmpfs", place, "tmpfs", NOSUID | NODEV, "mode=1777")
    mount_private_devices()
    mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC, "hidepid=invisible,subset=pid")
    for place in ("/home", "/root", "/run/user", "/lib/modules"):
        hide(place)
    set_read_only("/", True)  # with /sys and the control groups
    for place in ["/proc", "/dev", "/tmp", "/var/tmp", *writable]:
        set_read_only(place, False)
    set_read_only("/dev", True, recursive=False)


# --- user and capabilities --------------------------------------------------------------------------------------------

names_of_capabilities = {"CAP_NET_BIND_SERVICE": 10}


def capabilities(unit, key):
    return {names_of_capabilities[name] for name in unit[key].split()}


def set_limits(unit):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = int(unit["LimitNOFILE"])
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except ValueError:  # not even root may raise it here
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    os.umask(int(unit["UMask"], 8))


def bound_capabilities(unit):
    PR_CAPBSET_READ, PR_CAPBSET_DROP = 23, 24
    known = {capability for capability in range(64) if libc.prctl(PR_CAPBSET_READ, capability) >= 0}
    for capability in known - capabilities(unit, "CapabilityBoundingSet"):
        prctl(PR_CAPBSET_DROP, capability)


def become_user(unit):
    """With the ambient capabilities, and without any way to get others."""
    PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 38, 47, 2
    prctl(PR_SET_KEEPCAPS, 1)
    os.initgroups(unit["User"], unit.user.pw_gid)
    os.setresgid(*[unit.user.pw_gid] * 3)
    os.setresuid(*[unit.user.pw_uid] * 3)
    kept = capabilities(unit, "AmbientCapabilities")
    bits = sum(1 << capability for capability in kept)
    version_3 = 0x20080522
    sets = (ctypes.c_uint32 * 6)(*[bits & 0xffffffff] * 3, *[bits >> 32] * 3)
    checked(libc.capset((ctypes.c_uint32 * 2)(version_3, 0), sets), "capset")
    for capability in kept:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


# --- filters ----------------------------------------------------------------------------------------------------------

ALLOW = 0x7fff0000
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
LESS, EQUAL, GREATER, MASKED_EQUAL = 2, 4, 6, 7  # enum scmp_compare


def refuse(error):
    return 0x00050000 | error


class Argument(ctypes.Structure):
    _fields_ = [("position", ctypes.c_uint), ("how", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """A filter of libseccomp. A call of another architecture than the machine's own ends the process."""

    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p

    def __init__(self, default):
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(default)))
        assert self.context

    def add(self, action, call, *arguments):
        """A rule for a call, all of whose arguments are as described. One that this architecture lacks is passed over."""
        number = self.library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return
        array = (Argument * max(1, len(arguments)))(*arguments)
        done = self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(arguments), array)
        assert done == 0, (call, os.strerror(-done))

    def load(self):
        done = self.library.seccomp_load(self.context)
        assert done == 0, os.strerror(-done)


@functools.cache
def groups():
    """The groups of systemd: the calls in each, and the groups that it contains."""
    said = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True)
    found, name = {}, ""
    for line in said.stdout.splitlines():
        word = line.split("#")[0].strip()
        if not line.startswith(" "):
            name = word
        elif word:
            found.setdefault(name, []).append(word)
    return found


def named(word):
    """The calls that are meant by a name of a call or of a group."""
    return frozenset().union(*map(named, groups()[word])) if word.startswith("@") else frozenset([word])


def allowed_calls(lines):
    """Those that the lines SystemCallFilter= leave: each adds its words, or removes them after a tilde."""
    allowed = named("@default")
    for line in lines:
        for word in line.removeprefix("~").split():
            allowed = allowed - named(word) if line.startswith("~") else allowed | named(word)
    return allowed


def only_families(words):
    families = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}
    wanted = {families[word] for word in words.split()}
    f = Filter(ALLOW)
    f.add(refuse(EAFNOSUPPORT), "socket", Argument(0, LESS, min(wanted)))
    f.add(refuse(EAFNOSUPPORT), "socket", Argument(0, GREATER, max(wanted)))
    for family in set(range(min(wanted), max(wanted))) - wanted:
        f.add(refuse(EAFNOSUPPORT), "socket", Argument(0, EQUAL, family))
    return f


def no_written_code(_):
    write, execute, attach_executable = 2, 4, 0o100000
    f = Filter(ALLOW)
    f.add(refuse(EPERM), "mmap", Argument(2, MASKED_EQUAL, write | execute, write | execute))
    for call in ("mprotect", "pkey_mprotect"):
        f.add(refuse(EPERM), call, Argument(2, MASKED_EQUAL, execute, execute))
    f.add(refuse(EPERM), "shmat", Argument(2, MASKED_EQUAL, attach_executable, attach_executable))
    return f


def no_realtime(_):
    f = Filter(ALLOW)
    for policy in (1, 2, 6):  # SCHED_FIFO, SCHED_RR, SCHED_DEADLINE
        f.add(refuse(EPERM), "sched_setscheduler", Argument(1, EQUAL, policy))
    f.add(refuse(EPERM), "sched_setscheduler", Argument(1, GREATER, 6))
    return f


def no_namespaces(_):
    f = Filter(ALLOW)
    for kind in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00000080):
        for call in ("unshare", "clone"):
            f.add(refuse(EPERM), call, Argument(0, MASKED_EQUAL, kind, kind))
    f.add(refuse(EPERM), "setns")
    f.add(refuse(ENOSYS), "clone3")  # its flags are in memory
    return f


def same_personality(_):
    f = Filter(ALLOW)
    f.add(refuse(EPERM), "personality", Argument(0, GREATER, 0))
    return f


conditional = {"RestrictAddressFamilies": only_families, "MemoryDenyWriteExecute": no_written_code,
               "RestrictRealtime": no_realtime, "RestrictNamespaces": no_namespaces, "LockPersonality": same_personality}


def filters_of(unit):
    """The last one may forbid what is needed to load the others."""
    calls = Filter(refuse(EPERM))
    for call in sorted(allowed_calls(unit.settings["SystemCallFilter"])):
        calls.add(ALLOW, call)
    return [*(make(unit[key]) for key, make in conditional.items()), calls]


def main(unit, words):
    filters = filters_of(unit)  # by systemd-analyze, which must not run under them
    set_up_mounts(unit)
    os.chdir("/")
    set_limits(unit)
    bound_capabilities(unit)
    become_user(unit)
    for each in filters:
        each.load()
    os.execvp(words[0], words)


if __name__ == "__main__":
    main(Unit(sys.argv[1]), sys.argv[2:])
