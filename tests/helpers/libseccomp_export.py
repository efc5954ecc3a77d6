"""Compiles policies with libseccomp, the reference: JSON list on stdin, JSON list of base64 programs on stdout.

One policy: {"arch": token, "default": SECCOMP_RET_*, "rules": [{"name", "ret", "conditions": [[index, op, a, b]]}]}
where a and b are decimal strings. A policy that libseccomp refuses gives {"error": ...}.
"""

import base64
import ctypes
import json
import os
import sys

OPERATORS = {"ne": 1, "lt": 2, "le": 3, "eq": 4, "ge": 5, "gt": 6, "masked_eq": 7}
ACT_BADARCH = 2
KILL_PROCESS = 0x80000000


class ArgCmp(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
lib.seccomp_init.argtypes = [ctypes.c_uint32]
lib.seccomp_release.argtypes = [ctypes.c_void_p]
lib.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
lib.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
lib.seccomp_arch_remove.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
lib.seccomp_arch_native.restype = ctypes.c_uint32
lib.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_int,
    ctypes.c_uint,
    ctypes.POINTER(ArgCmp),
]
lib.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]


def check(result, what):
    if result < 0:
        raise RuntimeError(f"{what}: {os.strerror(-result)}")


def add_rule(ctx, rule):
    number = lib.seccomp_syscall_resolve_name(rule["name"].encode())
    if number == -1:
        raise RuntimeError(f"{rule['name']}: unknown")
    conditions = (ArgCmp * max(1, len(rule["conditions"])))()
    for slot, (index, op, a, b) in zip(conditions, rule["conditions"]):
        slot.arg, slot.op, slot.datum_a, slot.datum_b = index, OPERATORS[op], int(a), int(b)
    check(
        lib.seccomp_rule_add_array(ctx, rule["ret"], number, len(rule["conditions"]), conditions),
        f"{rule['name']}",
    )


def compile_policy(policy):
    ctx = lib.seccomp_init(policy["default"])
    try:
        check(lib.seccomp_attr_set(ctx, ACT_BADARCH, KILL_PROCESS), "bad arch action")
        native = lib.seccomp_arch_native()
        if policy["arch"] != native:
            check(lib.seccomp_arch_add(ctx, policy["arch"]), "arch add")
            check(lib.seccomp_arch_remove(ctx, native), "arch remove")
        for rule in policy["rules"]:
            add_rule(ctx, rule)
        memory = os.memfd_create("filter")
        try:
            check(lib.seccomp_export_bpf(ctx, memory), "export")
            return {"program": base64.b64encode(os.pread(memory, 1 << 20, 0)).decode()}
        finally:
            os.close(memory)
    except RuntimeError as error:
        return {"error": str(error)}
    finally:
        lib.seccomp_release(ctx)


json.dump([compile_policy(policy) for policy in json.load(sys.stdin)], sys.stdout)
