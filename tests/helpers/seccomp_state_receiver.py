"""Listens at a UNIX socket as a seccomp agent does; prints each state that comes, and whether a descriptor came with it."""
import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
    temporary = sys.argv[1] + ".new"
    listener.bind(temporary)
    listener.listen(4)
    listener.settimeout(10)
    os.rename(temporary, sys.argv[1])
    connection, _ = listener.accept()
    data, descriptors, _, _ = socket.recv_fds(connection, 1 << 16, 4)
    while chunk := connection.recv(1 << 16):
        data += chunk
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in descriptors]
    print(json.dumps({"state": json.loads(data), "descriptors": links}), flush=True)
