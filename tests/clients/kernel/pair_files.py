"""pair_files.py - scenarios in which everybody lives: locks, data and names of files that both clients use."""
import os
import time
import zlib

from stage import HOLDOFF, cifs, eventually, expect, file_for, granted_at_once, nfs, refused, scenario, server

APPEND_SECONDS = float(os.environ.get('APPEND_SECONDS', 300))


# --- Locks.
@scenario('fcntl: {0} holds, {1} is refused', both=True)
def fcntl_conflict(first, second):
    _, a, b = file_for(first, second)
    a.lock('f', 'w', 0, 10)
    refused('exclusive over exclusive', b.lock, 'f', 'w', 5, 10)
    refused('shared over exclusive', b.lock, 'f', 'r', 9, 1)
    b.lock('f', 'w', 10, 10)
    refused('exclusive over exclusive, the other way', a.lock, 'f', 'w', 19, 1)
    a.lock('f', 'u', 0, 10)
    b.lock('f', 'w', 0, 10)
    refused('after the change of hands', a.lock, 'f', 'r', 0, 1)
    b.lock('f', 'u')
    a.lock('f', 'w')


@scenario('fcntl: {0} and {1} share', both=True)
def fcntl_shared(first, second):
    _, a, b = file_for(first, second)
    a.lock('f', 'r', 0, 10)
    b.lock('f', 'r', 5, 10)
    refused('exclusive over the other\'s shared', a.lock, 'f', 'w', 10, 1)
    refused('exclusive over the other\'s shared, the other way', b.lock, 'f', 'w', 0, 1)


@scenario('fcntl: NFS asks who holds a lock of CIFS')
def fcntl_who(nfs, cifs):
    _, n, c = file_for(nfs, cifs)
    c.lock('f', 'w', 20, 10)
    expect(n.getlk('f', 'w', 0, 100) == [20, 10], 'F_GETLK names another lock')
    expect(n.getlk('f', 'w', 0, 20) is None, 'F_GETLK names a lock where there is none')


@scenario('flock: {0} holds, {1} is refused', both=True)
def flock_conflict(first, second):
    _, a, b = file_for(first, second)
    a.flock('f', 'w')
    refused('exclusive over exclusive', b.flock, 'f', 'w')
    refused('shared over exclusive', b.flock, 'f', 'r')
    a.flock('f', 'u')
    b.flock('f', 'w')
    refused('after the change of hands', a.flock, 'f', 'w')
    b.flock('f', 'u')
    a.flock('f', 'r')
    b.flock('f', 'r')
    refused('exclusive beside shared', b.flock, 'f', 'w')


@scenario('flock of {0} against fcntl of {1}', both=True)
def flock_fcntl(first, second):  # both are byte ranges on the wire
    _, a, b = file_for(first, second)
    a.flock('f', 'w')
    refused('fcntl beside flock', b.lock, 'f', 'w', 3, 1)
    a.flock('f', 'u')
    b.lock('f', 'w', 3, 1)
    refused('flock beside fcntl', a.flock, 'f', 'w')


@scenario('blocking fcntl lock of {1} granted when {0} unlocks', both=True)
def fcntl_wait(first, second):
    _, a, b = file_for(first, second)
    a.lock('f', 'w', 0, 10)
    b.post('lock', 'f', 'w', 0, 10, True)
    expect(not b.answered(1.0), 'it does not wait')
    since = time.monotonic()
    a.lock('f', 'u', 0, 10)
    took = granted_at_once(b, 'blocking lock', since)
    refused('the lock is held', a.lock, 'f', 'w', 0, 1)
    return took


@scenario('blocking flock of {1} granted when {0} unlocks', both=True)
def flock_wait(first, second):
    _, a, b = file_for(first, second)
    a.flock('f', 'w')
    b.post('flock', 'f', 'w', True)
    expect(not b.answered(1.0), 'it does not wait')
    since = time.monotonic()
    a.flock('f', 'u')
    return granted_at_once(b, 'blocking lock', since)


@scenario('blocking locks of {1} and {0} in turn behind {0}', both=True)
def wait_in_turn(first, second):
    name, a, b = file_for(first, second)
    c = first.worker()
    c.open('f', first.path(name))
    a.lock('f', 'w')
    b.post('lock', 'f', 'w', 0, 0, True)
    expect(not b.answered(0.5), 'the first does not wait')
    c.post('lock', 'f', 'w', 0, 0, True)
    expect(not c.answered(0.5), 'the second does not wait')
    a.lock('f', 'u')
    granted_at_once(b, 'first in the queue', time.monotonic())
    expect(not c.answered(0.5), 'both have it')
    since = time.monotonic()
    b.lock('f', 'u')
    return granted_at_once(c, 'second in the queue', since)


@scenario('program of {0} killed: its lock goes to {1}', both=True)
def program_killed(first, second):
    _, a, b = file_for(first, second)
    a.lock('f', 'w')
    b.post('lock', 'f', 'w', 0, 0, True)
    expect(not b.answered(0.5), 'it does not wait')
    since = time.monotonic()
    a.kill()
    return granted_at_once(b, 'blocking lock', since)


# --- Data.
class Appended:
    """What a file must contain."""

    def __init__(self):
        self.size = self.crc = 0

    def add(self, text):
        self.size += len(text)
        self.crc = zlib.crc32(text.encode(), self.crc)

    def compare(self, got, who):
        expect(got == [self.size, self.crc], '%s: stale: %d bytes with CRC %x, written were %d with %x' %
               (who, *got, self.size, self.crc))


def read_back(turns, side, reader, turn):
    got, when = reader.sum_of(side.path('turns')), time.time()
    if got != [turns.size, turns.crc]:  # of what use is that to whoever has to find out why: for how long?
        while reader.sum_of(side.path('turns')) == got and time.time() - when < 5:
            time.sleep(0.001)
        turns.compare(got, '%s, turn %d, for %.0f ms from %s.%03d' % (side.name, turn, (time.time() - when) * 1000,
                      time.strftime('%T', time.gmtime(when)), when % 1 * 1000))


ROTATE = 1 << 16    # bytes after which a file is emptied
PAUSE_EVERY = 300   # turns


def leases_broken(name):
    with open(server.log) as log:
        return sum('kind=lease' in line and 'file="/share/%s"' % name in line for line in log)


@scenario('append and read back in alternation, %g s' % APPEND_SECONDS)
def alternate(nfs, cifs):
    """Two files: `turns` is opened and closed at each turn, which is where NFS promises to look again; `kept` stays
    open on both sides, which look again because they lock it. Each side reads what the other has just written. `kept`
    is only emptied by CIFS: Linux' client does not believe that a file has become shorter that it has open for writing
    (is_size_safe_to_change()), with any server. Now and then nobody does anything, so that CIFS may cache again."""
    name, n, c = file_for(nfs, cifs, text='')
    kept, turns, turn = Appended(), Appended(), 0
    sides = [(nfs, n), (cifs, c)]
    end = time.monotonic() + APPEND_SECONDS
    breaks = leases_broken('turns')
    while time.monotonic() < end:
        if turn % PAUSE_EVERY == 0:
            time.sleep(HOLDOFF)
        (side, writer), (other, reader) = sides[turn % 2], sides[1 - turn % 2]
        turn += 1
        text = 'turn %d by %s %s\n' % (turn, side.name, 'x' * (turn * 7 % 400))
        writer.append_to(side.path('turns'), text)
        turns.add(text)
        read_back(turns, other, reader, turn)
        turns.compare(writer.sum_of(side.path('turns')), '%s, turn %d, its own' % (side.name, turn))
        writer.lock('f', 'w', 0, 0, True)
        if kept.size > ROTATE and side is cifs:
            writer.truncate('f', 0)
            kept = Appended()
        writer.append('f', text)
        writer.lock('f', 'u')
        kept.add(text)
        for who, worker in [(other, reader), (side, writer)]:
            worker.lock('f', 'r', 0, 0, True)
            kept.compare(worker.sum('f'), '%s, turn %d, kept open' % (who.name, turn))
            worker.lock('f', 'u')
        if turns.size > ROTATE:
            reader.unlink(other.path('turns'))
            turns = Appended()
    breaks = leases_broken('turns') - breaks
    expect(turn > APPEND_SECONDS and breaks > 0, 'only %d turns, %d leases broken' % (turn, breaks))
    return '%d turns, %d leases broken' % (turn, breaks)


# --- Names. Linux' CIFS client asks by the handle for what it has open under the name that it opened
# (smb2_query_path_info() takes cifs_get_readable_path()'s), so it learns that the name is gone when it has closed the
# file.
@scenario('{1} renames a file that {0} has open', both=True)
def rename_open(first, second):
    name, a = file_for(first)
    new, b = name + '.new', second.worker()
    a.write('f', 'before', 0)
    b.rename(second.path(name), second.path(new))
    expect(a.read('f', 6, 0) == 'before', 'what the holder wrote before is lost')
    a.write('f', 'after!', 0)
    a.fsync('f')
    b.open('f', second.path(new))
    expect(b.read('f', 6, 0) == 'after!', 'what the holder wrote after is not there')
    expect(not b.exists(second.path(name)), 'the old name is still there')
    eventually('the new name at the holder\'s', lambda: a.exists(first.path(new)))
    a.close('f')
    eventually('no old name at the holder\'s', lambda: not a.exists(first.path(name)))


@scenario('{1} deletes a file that {0} has open', both=True)
def delete_open(first, second):
    name, a = file_for(first)
    b = second.worker()
    a.write('f', 'before', 0)
    b.unlink(second.path(name))
    expect(not b.exists(second.path(name)), 'the name is still there')
    still_there_for(first, a)
    b.append_to(second.path(name), 'another')  # the name is free for another file, which the holder's end does not harm
    a.close('f')
    expect(b.sum_of(second.path(name)) == [7, zlib.crc32(b'another')], 'the new file of that name has suffered')
    eventually('the new file at the holder\'s', lambda: a.exists(first.path(name)))


def still_there_for(side, worker):
    """A CIFS client's open keeps its file. An NFSv3 client has no opens: it renames what it deletes itself, but of
    what others delete its server knows nothing that it could keep; it gets ESTALE (RFC 1813 2.6) as soon as it asks."""
    if side is nfs:
        def write():
            worker.write('f', 'after!', 0)
            worker.fsync('f')
        refused('writing to the deleted file', write, errors=['ESTALE'])
    else:
        expect(worker.read('f', 6, 0) == 'before', 'what the holder wrote is lost')
        worker.write('f', 'after!', 0)
        worker.fsync('f')
        expect(worker.read('f', 6, 0) == 'after!', 'what the holder wrote afterwards is lost')


@scenario('{1} renames another file over one that {0} has open', both=True)
def replace_open(first, second):
    name, a = file_for(first)
    b = second.worker()
    a.write('f', 'before', 0)
    b.append_to(second.path(name + '.new'), 'replaced')
    b.rename(second.path(name + '.new'), second.path(name))
    still_there_for(first, a)
    a.close('f')
    is_new = lambda: a.sum_of(first.path(name)) == [8, zlib.crc32(b'replaced')]
    eventually('the other file at the holder\'s', is_new)
    expect(b.sum_of(second.path(name)) == [8, zlib.crc32(b'replaced')], 'the other file has suffered')
