"""
Listens at a UNIX socket and takes one descriptor: what is written to a terminal is copied to stdout; of a pidfd the bytes
that came with it and the process id behind it are printed.
"""
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
    connection.close()

received = descriptors[0]
with open(f"/proc/self/fdinfo/{received}") as info:
    pids = [line.split()[1] for line in info if line.startswith("Pid:")]
if pids:
    print(name.decode(), pids[0])
    sys.exit()
while True:
    try:
        data = os.read(received, 4096)
    except OSError:
        # EIO: nobody has the other side open any more.
        break
    if not data:
        break
    os.write(1, data)
