#!/usr/bin/python3
"""agent.py - runs in a guest: does to files what the host says, over the guest's serial line, so that it is heard also
when the network is cut. One line of JSON a command, {"worker": NAME, "do": COMMAND, "args": [...]}, and one a reply,
{"worker": NAME, "value": ...} or "error": the errno's name. A worker is a process, since fcntl locks belong to one; it
is made by its first command and does one at a time; "kill" ends it as a crash of the program would."""
import errno
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tty
import zlib

line = os.open('/dev/ttyS0', os.O_RDWR)


def reply(worker, **result):
    os.write(line, (json.dumps({'worker': worker, **result}) + '\n').encode())


class Files:
    """A worker's commands. NAME is what the host calls an open file."""

    KINDS = {'r': fcntl.F_RDLCK, 'w': fcntl.F_WRLCK, 'u': fcntl.F_UNLCK}
    FLOCKS = {'r': fcntl.LOCK_SH, 'w': fcntl.LOCK_EX, 'u': fcntl.LOCK_UN}

    def __init__(self):
        self.fd = {}

    def open(self, name, path, *flags):
        bits = 0
        for flag in flags or ['RDWR']:
            bits |= getattr(os, 'O_' + flag)
        self.fd[name] = os.open(path, bits, 0o666)

    def close(self, name):
        os.close(self.fd.pop(name))

    def lock(self, name, kind, start=0, length=0, wait=False):
        what = struct.pack('hhqqi4x', self.KINDS[kind], os.SEEK_SET, start, length, 0)
        fcntl.fcntl(self.fd[name], fcntl.F_SETLKW if wait else fcntl.F_SETLK, what)

    def getlk(self, name, kind, start=0, length=0):
        what = struct.pack('hhqqi4x', self.KINDS[kind], os.SEEK_SET, start, length, 0)
        kind, _, start, length, _ = struct.unpack('hhqqi4x', fcntl.fcntl(self.fd[name], fcntl.F_GETLK, what))
        return None if kind == fcntl.F_UNLCK else [start, length]

    def flock(self, name, kind, wait=False):
        fcntl.flock(self.fd[name], self.FLOCKS[kind] | (0 if wait else fcntl.LOCK_NB))

    def write(self, name, text, offset):
        os.pwrite(self.fd[name], text.encode(), offset)

    def append(self, name, text):
        """Asks where the end is, also on a file opened with O_APPEND: for that, Linux' CIFS client takes the size that
        it remembers; for SEEK_END it asks the server (cifs_llseek())."""
        os.lseek(self.fd[name], 0, os.SEEK_END)
        if os.write(self.fd[name], text.encode()) != len(text):
            raise OSError(errno.EIO, 'short write')

    def append_to(self, path, text):
        self.open('append_to', path, 'WRONLY', 'APPEND', 'CREAT')
        self.append('append_to', text)
        self.close('append_to')

    def fsync(self, name):
        os.fsync(self.fd[name])

    def truncate(self, name, size):
        os.ftruncate(self.fd[name], size)

    def read(self, name, length, offset):
        return os.pread(self.fd[name], length, offset).decode()

    def sum(self, name):
        """size and CRC of all of it, as reading finds them"""
        size = crc = 0
        while data := os.pread(self.fd[name], 1 << 16, size):
            size += len(data)
            crc = zlib.crc32(data, crc)
        return [size, crc]

    def sum_of(self, path):
        self.open('sum_of', path, 'RDONLY')
        try:
            return self.sum('sum_of')
        finally:
            self.close('sum_of')

    def size(self, name):
        return os.fstat(self.fd[name]).st_size

    def rename(self, old, new):
        os.rename(old, new)

    def unlink(self, path):
        os.unlink(path)

    def exists(self, path):
        try:
            os.stat(path)
            return True
        except FileNotFoundError:
            return False

    def shell(self, command):
        done = subprocess.run(['/bin/sh', '-c', command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return [done.returncode, done.stdout[-1500:]]


def work(worker, commands):
    files = Files()
    for request in commands:
        request = json.loads(request)
        try:
            reply(worker, value=getattr(files, request['do'])(*request['args']))
        except OSError as e:
            reply(worker, error=errno.errorcode.get(e.errno, str(e)))
        except Exception as e:  # a mistake of the script's: the host shows it
            reply(worker, error=repr(e))


def start(worker, workers):
    theirs, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _, pipe in workers.values():
            os.close(pipe)
        os.close(ours)
        work(worker, os.fdopen(theirs))
        os._exit(0)
    os.close(theirs)
    workers[worker] = (pid, ours)


def main():
    tty.setraw(line)
    workers = {}
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reply('agent', value='ready')
    for text in os.fdopen(os.dup(line), errors='replace'):
        request = json.loads(text)
        worker = request['worker']
        if request['do'] == 'kill':
            pid, pipe = workers.pop(worker)
            os.kill(pid, signal.SIGKILL)
            os.close(pipe)
            reply(worker, value=None)
            continue
        if worker not in workers:
            start(worker, workers)
        os.write(workers[worker][1], text.encode())


sys.exit(main())
