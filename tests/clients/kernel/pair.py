#!/usr/bin/python3
"""pair.py BUILD WORK - two Linux guests on the same files of one server, one by NFSv3 with locking and one by CIFS
3.1.1 with its cache on: locks, data, names, and what is left of them when a client or the server dies. Prints a line
each. Called by check-kernel in a network namespace where WORK/shim.so and a tap device for each guest are ready.
Settings in the environment: APPEND_SECONDS, and ONLY, a word in the names of the scenarios to run.

Mounted as a person would: hard NFS mounts, CIFS with cache=strict, which is the default. noperm: the server decides who
may do what, not the client by modes that it made up."""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import pair_files
import pair_deaths
from stage import PASSWORD, USER, Failure, Refused, build, cifs, nfs, options, scenarios, server

ONLY = os.environ.get('ONLY', '')


def stand_again():
    """whatever the last scenario has left behind when it failed"""
    for side in (nfs, cifs):
        side.guest.cut(False)
        if not side.guest.process:
            side.guest.boot()
            side.mount()


def main():
    subprocess.run([build + '/src/server/concordctl'] + options + ['user', 'add', USER, '0', '0'],
                   input=PASSWORD + '\n', text=True, check=True, stdout=subprocess.DEVNULL)
    server.start()
    for name, play in scenarios:
        if ONLY not in name:
            continue
        stand_again()
        since = time.monotonic()
        try:
            note = play()
            print('ok - %s (%.1f s%s)' % (name, time.monotonic() - since, ': ' + note if note else ''), flush=True)
        except (Failure, Refused) as e:
            print('not ok - %s (%.1f s)\n    %s' % (name, time.monotonic() - since, e), flush=True)
    nfs.guest.kill()
    cifs.guest.kill()
    server.stop()


try:
    main()
finally:
    nfs.guest.kill()
    cifs.guest.kill()
