"""Listens at a UNIX socket, takes one descriptor of a terminal, and copies what is written there to stdout."""
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
    _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
    connection.close()

master = descriptors[0]
while True:
    try:
        data = os.read(master, 4096)
    except OSError:
        # EIO: nobody has the other side open any more.
        break
    if not data:
        break
    os.write(1, data)
