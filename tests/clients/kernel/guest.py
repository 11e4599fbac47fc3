"""guest.py - on the host: a Linux guest that is booted, told what to do, cut off and killed, and the server between
them. Runs within check-kernel's network namespace; knows nothing of what is tested."""
import json
import os
import select
import signal
import socket
import subprocess
import time

ADDRESS = '10.77.0.1'  # the server's


class Failure(Exception):
    """something is not as it should be"""


class Refused(Exception):
    """a command in a guest failed; the errno's name"""


def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Failure('%s: %s' % (' '.join(argv), (done.stdout + done.stderr).strip()))


def session(sid):
    """processes of a session, zombies left out"""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/stat' % pid) as f:
                state, _, _, owner = f.read().rsplit(')', 1)[1].split()[:4]
        except OSError:
            continue
        if int(owner) == sid and state != 'Z':
            found.append(int(pid))
    return found


class Worker:
    """A process in the guest. w.open('f', path) waits for the answer: returns its value or raises Refused."""

    def __init__(self, guest, name):
        self.guest, self.name = guest, name

    def post(self, do, *args):
        self.guest.send({'worker': self.name, 'do': do, 'args': args})

    def answered(self, seconds):
        """whether the answer to what was posted is here within that time"""
        return self.guest.receive(self.name, seconds)

    def answer(self, seconds=60):
        if not self.answered(seconds):
            raise Failure('guest %s: no answer within %g s' % (self.guest.name, seconds))
        reply = self.guest.replies[self.name].pop(0)
        if 'error' in reply:
            raise Refused(reply['error'])
        return reply['value']

    def __getattr__(self, do):
        def call(*args):
            self.post(do, *args)
            return self.answer()
        return call

    def shell_ok(self, command):
        status, out = self.shell(command)
        if status:
            raise Failure('guest %s: %s: %s' % (self.guest.name, command, out.strip()))
        return out


class Guest:
    def __init__(self, name, number, work, here):
        self.name, self.work, self.here = name, work, here
        self.address, self.tap = '10.77.0.%d' % (10 + number), 'tap%d' % number
        self.cpu = number % os.cpu_count()
        self.dir = '%s/%s' % (work, name)
        for d in ('sm', 'sm.bak'):  # rpc.statd's memory outlives the guest
            os.makedirs('%s/statd/%s' % (self.dir, d), exist_ok=True)
        self.process = None

    def boot(self):
        ours, theirs = socket.socketpair()
        argv = ['taskset', '-c', str(self.cpu), 'env', 'LD_PRELOAD=%s/shim.so' % self.work, 'linux.uml', 'mem=384M',
                'umid=' + self.name, 'uml_dir=%s/uml/' % self.dir, 'root=/dev/root', 'rootfstype=hostfs', 'rootflags=/',
                'ro', 'init=%s/init' % self.here, 'con=null', 'con0=null,fd:1', 'ssl=null',
                'ssl0=fd:%d' % theirs.fileno(), 'vec0:transport=tap,ifname=%s,depth=128,gro=1' % self.tap, 'panic=-1',
                'loglevel=4', 'random.trust_bootloader=on', 'guest.dir=' + self.work, 'guest.name=' + self.name,
                'guest.address=' + self.address, 'guest.statd=%s/statd' % self.dir, 'guest.agent=/host/agent.py']
        with open(self.dir + '/console', 'a') as console:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd='/',
                                            start_new_session=True, pass_fds=[theirs.fileno()])
        theirs.close()
        self.line, self.partial, self.replies = ours, b'', {}
        Worker(self, 'agent').answer(60)
        return self

    def send(self, command):
        self.line.sendall((json.dumps(command) + '\n').encode())

    def receive(self, worker, seconds):
        end = time.monotonic() + seconds
        while not self.replies.get(worker):
            if not select.select([self.line], [], [], max(0, end - time.monotonic()))[0]:
                return False
            data = self.line.recv(65536)
            if not data:
                raise Failure('guest %s is gone' % self.name)
            *lines, self.partial = (self.partial + data).split(b'\n')
            for line in filter(None, lines):
                reply = json.loads(line)
                self.replies.setdefault(reply['worker'], []).append(reply)
        return True

    def worker(self, name):
        return Worker(self, name)

    def cut(self, off=True):
        """the network's other end: the guest sees no more than that nobody answers"""
        run('ip', 'link', 'set', self.tap, *(['nomaster'] if off else ['master', 'bridge']))

    def kill(self):
        """Power failure: nothing is said to anybody. The guest's kernel goes first: were its processes to go before it,
        it would see them end and let go of their locks."""
        if not self.process:
            return
        sid = self.process.pid
        os.kill(sid, signal.SIGKILL)
        while left := session(sid):
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.01)
        self.process.wait()
        self.line.close()
        self.process = None


class Server:
    def __init__(self, build, options, log):
        self.argv = [build + '/src/server/concordd'] + options
        self.log, self.process = log, None

    def start(self):
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for port in (2049, 445):
            self.wait_for(port)

    def wait_for(self, port):
        end = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection((ADDRESS, port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise Failure('the server does not start: see ' + self.log)
                time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(60)
        if how == signal.SIGTERM and status:
            raise Failure('the server ended with status %d' % status)
