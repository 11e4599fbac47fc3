"""stage.py - what the scenarios of pair.py share: the server and its settings, the two clients, and words to say what is
expected of them."""
import functools
import os
import sys
import time

from guest import ADDRESS, Failure, Guest, Refused, Server

build, work = sys.argv[1:3]
HERE = os.path.dirname(os.path.realpath(__file__))
USER, PASSWORD = 'tester', 'Secret-1'
SILENCE = 6  # seconds after which a silent SMB client is given up; the default is 60
GRACE = 20   # seconds; the default is 45
HOLDOFF = 3  # seconds after a break until CIFS may cache again; the default is 10
REFUSED = 'EAGAIN', 'EACCES'  # Linux' CIFS client says EACCES where fcntl(2) and flock(2) know EAGAIN
# How long names and attributes may be remembered: CIFS 1 s (actimeo), NFS 3 s after a change (acregmin); and then some.
ATTRIBUTES = 10

SHARES = {'share': [], 'ca': ['continuous_availability=yes']}
settings = ['server.state_dir=%s/state' % work, 'nfs.listen=%s:2049' % ADDRESS, 'nfs.portmap=builtin',
            'smb.listen=%s:445' % ADDRESS, 'log.level=info', 'smb.stall_timeout=%ds' % SILENCE,
            'lock.grace_period=%ds' % GRACE, 'lock.regrant_holdoff=%ds' % (HOLDOFF - 1)]
for share, more in SHARES.items():
    os.makedirs('%s/%s' % (work, share), exist_ok=True)
    more = ['path=%s/%s' % (work, share), 'clients=*(rw,no_root_squash)'] + more
    settings += ['share %s.%s' % (share, s) for s in more]
options = [word for s in settings for word in ('--set', s)]
server = Server(build, options, work + '/log')


class Side:
    """One client: its guest, with the shares mounted by its protocol."""

    MOUNTS = {'nfs': 'mount -t nfs -o vers=3 server:/%s %s',
              'cifs': 'mount -t cifs -o vers=3.1.1,noperm,username=' + USER + ',password=' + PASSWORD + ' //server/%s %s'}

    def __init__(self, name, number):
        self.name = name
        self.guest = Guest(name, number, work, HERE)
        self.count = 0

    def mount(self):
        for share in SHARES:
            where = self.path('', share)
            self.worker().shell_ok('mkdir -p %s && ' % where + self.MOUNTS[self.name] % (share, where))

    def worker(self):
        self.count += 1
        return self.guest.worker('%s%d' % (self.name, self.count))

    def path(self, name, share='share'):
        return '/mnt/%s/%s' % (share, name)


nfs, cifs = Side('nfs', 1), Side('cifs', 2)
scenarios = []


def scenario(name, both=False):
    """`both`: once with either client in the first role; {0} and {1} in the name are the roles"""
    def add(function):
        for first, second in [(nfs, cifs), (cifs, nfs)] if both else [(nfs, cifs)]:
            scenarios.append((name.format(first.name, second.name), functools.partial(function, first, second)))
        return function
    return add


def expect(condition, what):
    if not condition:
        raise Failure(what)


def refused(what, call, *args, errors=REFUSED):
    try:
        call(*args)
    except Refused as e:
        expect(str(e) in errors, '%s: %s instead of %s' % (what, e, ' or '.join(errors)))
    else:
        raise Failure('%s: was allowed' % what)


def eventually(what, condition, seconds=ATTRIBUTES):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, '%s: not within %g s' % (what, seconds))
        time.sleep(0.1)


fresh = iter(range(1000000))


def file_for(*sides, share='share', text='0123456789' * 10):
    """a file that each of the sides has open by a worker of its own, as 'f'"""
    name = 'file%d' % next(fresh)
    sides[0].worker().append_to(sides[0].path(name, share), text)
    workers = [side.worker() for side in sides]
    for side, worker in zip(sides, workers):
        worker.open('f', side.path(name, share))
    return [name] + workers


def granted_at_once(waiter, what, since, limit=2.0):
    expect(waiter.answered(limit), '%s: not granted within %g s' % (what, limit))
    waiter.answer()
    return '%.0f ms' % ((time.monotonic() - since) * 1000)
