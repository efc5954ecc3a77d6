"""Loads a seccomp filter and makes system calls under it; a real process, so that the kernel judges.

Usage: seccomp_child.py FILTER CALLS
FILTER is a file of struct sock_filter. CALLS is a JSON list of [number, argument...]. Prints a JSON list: for each
call its result in a child of its own, errno as a negative number, or "signal N" when it was killed.
The name "int80" instead of a number makes getpid(2) by the 32-bit entry, "status" gives Seccomp of /proc.
"""

import ctypes
import json
import mmap
import os
import sys

PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
# mov eax, 20; int 0x80; ret
INT80 = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Fprog(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def load(program):
    memory = ctypes.create_string_buffer(program, len(program))
    fprog = Fprog(len(program) // 8, ctypes.addressof(memory))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(fprog)) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def call(number, arguments):
    if number == "status":
        with open("/proc/self/status") as status:
            return next(line.split()[1] for line in status if line.startswith("Seccomp:"))
    if number == "int80":
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(INT80)
        return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return result if result != -1 else -ctypes.get_errno()


def call_in_child(number, *arguments):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, json.dumps(call(number, arguments)).encode())
        os._exit(0)
    os.close(write)
    answer = os.read(read, 4096)
    os.close(read)
    _, status = os.waitpid(pid, 0)
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else json.loads(answer)


with open(sys.argv[1], "rb") as file:
    load(file.read())
json.dump([call_in_child(*each) for each in json.loads(sys.argv[2])], sys.stdout)
