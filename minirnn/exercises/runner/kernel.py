"""What the kernel refuses to this process from now on, and never gives back: Linux alone.

Landlock keeps files away and a seccomp filter other processes and the network, without any
privilege; root can become another user besides. Python code cannot undo one of them, and neither
can machine code. Sources: landlock(7), seccomp(2), and the tables of the kernel's headers.
"""

import contextlib
import ctypes
import os
import struct

LANDLOCK = 444, 445, 446  # system calls, on every machine: create a set, add a rule, restrict
ABOUT_FILES = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # Landlock's version: how many rights it knows
READ_FILE, READ_DIR = 1 << 2, 1 << 3
PARENT_DEATH, SECCOMP, NO_NEW_PRIVILEGES = 1, 22, 38  # of prctl(2)
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # seccomp's name; the column
OLDER = 0x40000000  # of x86_64: a second set of numbers for the same calls
ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x50001, 0x50026  # EPERM, ENOSYS
REFUSED = {  # system calls: their numbers on x86_64 and on aarch64
    # programs, signals, the memory and the limits of other processes
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "process_madvise": (440, 440), "kcmp": (312, 272),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    "migrate_pages": (256, 238), "move_pages": (279, 239),
    # the network, what is shared, what lives on, and what would pass this filter by
    "socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "shmget": (29, 194),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "perf_event_open": (298, 241), "bpf": (321, 280),
    "userfaultfd": (323, 282), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # namespaces and mounts
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "mknod": (133, None), "mknodat": (259, 33),
    # owners, rights, times and lengths of files, which Landlock does not guard
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "truncate": (76, 45),
    "ftruncate": (77, 46),
}  # fmt: skip
CLONE, CLONE3, LIMITS, PRCTL = (56, 220), (435, 435), (302, 261), (157, 167)
A_THREAD = 0x10000  # of clone(2): no process of its own
NOBODY_ELSE = 2_100_000_000, 60_000  # users are numbered from here; the second in small containers


def _called(function, *arguments):
    """What one of the C library's functions returns. Raises `OSError` with its reason."""
    returned = getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments)
    if returned == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return returned


def system_call(number, *arguments):
    """What a system call returns. Raises `OSError` with its reason."""
    return _called("syscall", ctypes.c_long(number), *arguments)


def control(option, *values):
    """prctl(2)."""
    numbers = (ctypes.c_ulong(v) if isinstance(v, int) else v for v in (*values, 0, 0, 0)[:4])
    return _called("prctl", ctypes.c_int(option), *numbers)


def die_with_parent():
    """Have the kernel end this process as soon as the thread ends that has started it."""
    control(PARENT_DEATH, 9)


def landlock(folders, names_only=()):
    """Refuse all files for good, but the reading of these files and folders; of others, the names
    of what is in them. Returns Landlock's version, 0 where the kernel has none."""
    try:
        version = system_call(LANDLOCK[0], None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0
    files = (1 << ABOUT_FILES.get(version, 16)) - 1
    network, outside = 3 * (version >= 4), 3 * (version >= 6)  # TCP; signals and named sockets
    length = 8 if version < 4 else 16 if version < 6 else 24
    wanted = ctypes.create_string_buffer(struct.pack("=QQQ", files, network, outside))
    rules = system_call(LANDLOCK[0], wanted, ctypes.c_size_t(length), ctypes.c_uint(0))
    for path in folders:
        _allow(rules, path, READ_FILE | READ_DIR if os.path.isdir(path) else READ_FILE)
    for path in names_only:
        _allow(rules, path, READ_DIR)
    control(NO_NEW_PRIVILEGES, 1)
    system_call(LANDLOCK[2], ctypes.c_int(rules), ctypes.c_uint(0))
    os.close(rules)
    return version


def _allow(rules, path, rights):
    with contextlib.suppress(OSError):  # what is not allowed stays refused
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
        system_call(LANDLOCK[1], ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint(0))
        os.close(place)


def seccomp():
    """Refuse the system calls of `REFUSED`, and those that start a process, for good.

    Returns whether this could be done: not on a machine whose numbers are not known here.
    """
    if os.uname().machine not in MACHINES:
        return False
    program = b"".join(_program(*MACHINES[os.uname().machine]))
    code = ctypes.create_string_buffer(program)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    try:
        control(NO_NEW_PRIVILEGES, 1)
        control(SECCOMP, 2, ctypes.byref(Program(len(program) // 8, ctypes.addressof(code))))
    except OSError:
        return False
    return True


def _program(machine, column):
    """The filter's instructions, one after the other, in the form of seccomp(2)."""

    def load(place):
        return struct.pack("=HBBI", 0x20, 0, 0, place)

    def jump(kind, value, yes, no):
        return struct.pack("=HBBI", {"==": 0x15, ">=": 0x35, "&": 0x45}[kind], yes, no, value)

    def end(answer):
        return struct.pack("=HBBI", 0x06, 0, 0, answer)

    numbers = [pair[column] for pair in REFUSED.values() if pair[column] is not None]
    yield from (load(4), jump("==", machine, 1, 0), end(KILL), load(0))
    yield from (jump(">=", OLDER, 0, 1), end(REFUSE))
    yield from (jump("==", CLONE3[column], 0, 1), end(UNKNOWN))  # clone is tried instead
    for call, kind, value, yes, no in (
        (CLONE, "&", A_THREAD, ALLOW, REFUSE), (LIMITS, "==", 0, ALLOW, REFUSE),  # 0: its own
        (PRCTL, "==", PARENT_DEATH, REFUSE, ALLOW),
    ):  # fmt: skip
        yield from (jump("==", call[column], 0, 4), load(16), jump(kind, value, 0, 1))
        yield from (end(yes), end(no))
    for k, number in enumerate(numbers):
        yield jump("==", number, len(numbers) - k, 0)
    yield from (end(ALLOW), end(REFUSE))


def no_capabilities():
    """Give up what root may do beyond its files."""
    number = {"x86_64": 126, "aarch64": 91}.get(os.uname().machine)
    if number and os.geteuid() == 0:
        system_call(number, struct.pack("=Ii", 0x20080522, 0), bytes(24))  # capset(2), version 3


def another_user(folder):
    """Become a user who owns nothing, with `folder` for all of the file system: only root can.

    Paths stay as they were, through a link in it. Raises `OSError` where the kernel refuses.
    """
    here = os.getcwd()
    mirror = folder + folder
    os.makedirs(os.path.dirname(mirror))
    os.symlink("/", mirror)
    number = _take_number(folder)
    for place, _, files in os.walk(folder):
        os.chown(place, 0, number)
        os.chmod(place, 0o750)
        for file in files:
            os.chown(os.path.join(place, file), 0, number)
            os.chmod(os.path.join(place, file), 0o640)
    os.chroot(folder)
    os.chdir(here)
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
    with contextlib.suppress(PermissionError):
        os.setuid(0)
        raise OSError("root's rights could not be given up")


def _take_number(folder):
    """One that no other process has now, and that may be an owner here."""
    many, few = NOBODY_ELSE
    number = many + os.getpid() % 4_194_304  # Linux numbers processes no further
    try:
        os.chown(folder, 0, number)
    except OSError:  # a container with few users
        number = few + os.getpid() % 5_000
    return number
