"""pair_deaths.py - scenarios in which a client loses its power or its network, or the server dies: who has the locks then."""
import signal
import time

from stage import GRACE, SILENCE, Failure, Refused, cifs, expect, file_for, granted_at_once, nfs, refused, scenario, server


# --- Death of a client. The waiting lock tells when the dead one's is free.
@scenario('NFS client loses power with a lock: free after its reboot\'s SM_NOTIFY')
def nfs_power(nfs, cifs):
    name, n, c = file_for(nfs, cifs)
    n.lock('f', 'w', 0, 10)
    nfs.guest.kill()
    refused('the lock of the dead client', c.lock, 'f', 'w', 0, 10)
    c.post('lock', 'f', 'w', 0, 10, True)
    expect(not c.answered(2), 'the lock is free before the client is back')
    since = time.monotonic()
    nfs.guest.boot()
    took = granted_at_once(c, 'the lock', since, limit=20)
    nfs.mount()
    n = nfs.worker()
    n.open('f', nfs.path(name))
    refused('the lock that has changed hands', n.lock, 'f', 'w', 0, 10)
    return took + ' after power-on'


def lock_of_cifs(nfs, cifs, cached):
    """The CIFS client has a lock on bytes 0 to 9, by itself under a lease, or (`cached`: no) at the server: it gets no
    lease as long as somebody else has a lock of another range."""
    name, n = file_for(nfs)
    if not cached:
        n.lock('f', 'r', 90, 1)
    c = cifs.worker()
    c.open('f', cifs.path(name))
    c.lock('f', 'w', 0, 10)
    if not cached:
        refused('CIFS holds the lock', n.lock, 'f', 'w', 0, 10)
    return n


for cached in (False, True):
    where = 'its cache' if cached else 'the server'

    @scenario('CIFS client loses power with a lock in %s, and is back' % where)
    def cifs_power(nfs, cifs, cached=cached):
        n = lock_of_cifs(nfs, cifs, cached)
        cifs.guest.kill()
        n.post('lock', 'f', 'w', 0, 10, True)
        expect(not n.answered(0.5), 'the lock is free before anybody knows that the client is dead')
        since = time.monotonic()
        cifs.guest.boot()
        took = granted_at_once(n, 'the lock', since, limit=2 * SILENCE)
        cifs.mount()
        return took + ' after power-on'

    @scenario('CIFS client falls silent with a lock in %s' % where)
    def cifs_silent(nfs, cifs, cached=cached):
        n = lock_of_cifs(nfs, cifs, cached)
        cifs.guest.cut()
        since = time.monotonic()
        n.post('lock', 'f', 'w', 0, 10, True)
        try:
            return granted_at_once(n, 'the lock', since, limit=2 * SILENCE)
        finally:
            cifs.guest.cut(False)


# --- A network that is away for a while.
@scenario('network of NFS away for a while: its lock stays')
def nfs_away(nfs, cifs):
    """NLM has no leases: only the client's restart, or an administrator, frees its locks."""
    _, n, c = file_for(nfs, cifs)
    n.lock('f', 'w', 0, 10)
    nfs.guest.cut()
    time.sleep(SILENCE + 2)
    refused('the lock of the absent', c.lock, 'f', 'w', 0, 10)
    nfs.guest.cut(False)
    refused('the lock of who is back', c.lock, 'f', 'w', 0, 10)
    n.lock('f', 'u')
    c.lock('f', 'w', 0, 10)


@scenario('network of CIFS away until the server has given it up: durable, its lock stays')
def cifs_away(nfs, cifs):
    name, n = file_for(nfs)
    c = cifs.worker()
    c.open('f', cifs.path(name))
    c.lock('f', 'w', 0, 10)
    cifs.guest.cut()
    time.sleep(SILENCE * 2)
    cifs.guest.cut(False)
    c.write('f', 'after!', 0)
    c.fsync('f')
    refused('the lock of who is back', n.lock, 'f', 'w', 0, 10)
    c.lock('f', 'u')
    n.lock('f', 'w', 0, 10)
    expect(n.read('f', 6, 0) == 'after!', 'what was written after the break is not there')


# --- Death of the server. Each client has its own page, since NFS clients read and write pages, and reading what SMB
# has locked is refused.
NFS_LOCK, CIFS_LOCK = 0, 1 << 20


def restart(how):
    server.stop(how)
    time.sleep(0.5)
    server.start()
    return time.monotonic()


class Thief:
    """Waits for a lock that a client has, by another program of the other client; again and again, since Linux' CIFS
    client has a blocking lock fail with EAGAIN when its connection is lost."""

    def __init__(self, side, path, start):
        self.name, self.start, self.worker = side.name, start, side.worker()
        self.worker.open('f', path)
        refused('%s before the restart' % side.name, self.worker.lock, 'f', 'w', start, 10)
        self.wait()

    def wait(self):
        self.worker.post('lock', 'f', 'w', self.start, 10, True)

    def has_it(self, seconds):
        if not self.worker.answered(seconds):
            return False
        try:
            self.worker.answer()
        except Refused:
            self.wait()
            return False
        return True


def keep_off(thieves, since, seconds):
    while time.monotonic() - since < seconds:
        for thief in thieves:
            stolen = thief.has_it(0.2)
            expect(not stolen, '%s stole a lock %.1f s after the restart' % (thief.name, time.monotonic() - since))


def still_working(n, c):
    n.write('f', 'by nfs', NFS_LOCK)
    n.fsync('f')
    c.write('f', 'by cifs', CIFS_LOCK)
    c.fsync('f')


def hand_over(holder, start, thief):
    holder.lock('f', 'u', start, 10)
    end = time.monotonic() + 5
    while not thief.has_it(0.2):
        expect(time.monotonic() < end, '%s did not get the lock that was given up' % thief.name)


for how, words in ((signal.SIGKILL, 'killed'), (signal.SIGTERM, 'stopped')):
    @scenario('server %s and started while both hold locks: nobody steals' % words)
    def server_restarted(nfs, cifs, how=how):
        """On a share with continuous availability, where Linux' CIFS client asks for persistent handles by itself.
        Others try to take the locks from the moment that the server is back until some time after the grace period."""
        name, n, c = file_for(nfs, cifs, share='ca')
        n.lock('f', 'w', NFS_LOCK, 10)
        c.lock('f', 'w', CIFS_LOCK, 10)
        thieves = [Thief(nfs, nfs.path(name, 'ca'), CIFS_LOCK), Thief(cifs, cifs.path(name, 'ca'), NFS_LOCK)]
        since = restart(how)
        keep_off(thieves, since, GRACE + 5)
        still_working(n, c)
        hand_over(c, CIFS_LOCK, thieves[0])
        hand_over(n, NFS_LOCK, thieves[1])


@scenario('server killed while CIFS has a lock in its cache: it is asked first')
def server_killed_cached(nfs, cifs):
    """The server knows of no lock, only of the lease that it gives back with the persistent open."""
    name, n = file_for(nfs, share='ca')
    c, thief = cifs.worker(), nfs.worker()
    c.open('f', cifs.path(name, 'ca'))
    c.lock('f', 'w', CIFS_LOCK, 10)
    restart(signal.SIGKILL)
    thief.open('f', nfs.path(name, 'ca'))
    thief.post('lock', 'f', 'w', CIFS_LOCK, 10, True)
    expect(not thief.answered(GRACE + 20), 'NFS stole the lock')
    still_working(n, c)
    since = time.monotonic()
    c.lock('f', 'u', CIFS_LOCK, 10)
    return granted_at_once(thief, 'the lock', since)


@scenario('server killed, share without continuous availability: CIFS locks again what it uses')
def server_killed_plain(nfs, cifs):
    """Such opens end with the server ([MS-SMB2] 3.3.1.10); Linux' CIFS client opens a file again, and locks it again,
    when it is next used. In the grace period nobody else gets a lock meanwhile."""
    name, n, c = file_for(nfs, cifs)
    n.lock('f', 'w', NFS_LOCK, 10)
    c.lock('f', 'w', CIFS_LOCK, 10)
    thief = Thief(cifs, cifs.path(name), NFS_LOCK)
    since = restart(signal.SIGKILL)
    still_working(n, c)
    refused('what CIFS has locked', n.lock, 'f', 'w', CIFS_LOCK, 10)
    keep_off([thief], since, GRACE + 5)
    refused('what CIFS has locked, after the grace period', n.lock, 'f', 'w', CIFS_LOCK, 10)
    hand_over(n, NFS_LOCK, thief)
