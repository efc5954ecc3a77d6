"""Listens at a UNIX socket, takes one pidfd, and prints the bytes that came with it and the process id behind it."""
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
    temporary = sys.argv[1] + ".new"
    listener.bind(temporary)
    listener.listen(1)
    # The name appears when somebody listens.
    os.rename(temporary, sys.argv[1])
    connection, _ = listener.accept()
    name, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)

with open(f"/proc/self/fdinfo/{descriptors[0]}") as info:
    pid = next(line.split()[1] for line in info if line.startswith("Pid:"))
print(name.decode(), pid)
