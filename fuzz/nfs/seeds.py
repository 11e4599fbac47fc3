#!/usr/bin/env python3
"""Writes the seed corpora of fuzz_nfs and fuzz_rpc: one small file per procedure, and some sequences."""
import os, struct

here = os.path.dirname(os.path.abspath(__file__))
u32 = lambda v: struct.pack(">I", v & 0xffffffff)
u64 = lambda v: struct.pack(">Q", v)
def opaque(b):
    b = b.encode() if isinstance(b, str) else b
    return u32(len(b)) + b + b"\0" * (-len(b) % 4)
fh = lambda n: u32(8) + b"FH\0" + bytes([n])
ROOT, DIR, FILE, LINK, GONE = map(fh, range(5))
none = u32(0) * 6
mode = u32(1) + u32(0o644) + u32(0) * 5
every = u32(1) + u32(0o600) + u32(1) + u32(1) + u32(1) + u32(2) + u32(1) + u64(100) + u32(2) + u32(5) + u32(6) + u32(1)
NFS, MOUNT1, MOUNT3, NLM1, NLM3, NLM4, NSM = range(7)
xid = [0]
def call(prog, proc, args, host=0, late=False, same=False):
    if not same:
        xid[0] = (xid[0] + 1) & 255
    return bytes([prog | host << 4 | (0x80 if late else 0), proc, xid[0]]) + struct.pack("<H", len(args)) + args

nfs = {
    "null": (0, b""), "getattr": (1, FILE), "stale": (1, GONE), "setattr": (2, FILE + every + u32(1) + u64(0)),
    "lookup": (3, DIR + opaque("file")), "dotdot": (3, DIR + opaque("..")), "access": (4, FILE + u32(63)), "readlink": (5, LINK),
    "read": (6, FILE + u64(0) + u32(4096)), "write": (7, FILE + u64(3) + u32(5) + u32(2) + opaque("hello")),
    "create": (8, DIR + opaque("new") + u32(0) + mode), "exclusive": (8, DIR + opaque("ex") + u32(2) + u64(7)),
    "mkdir": (9, ROOT + opaque("sub") + every), "symlink": (10, ROOT + opaque("sl") + none + opaque("to")),
    "mknod": (11, ROOT + opaque("dev") + u32(4) + mode + u64(5)), "fifo": (11, ROOT + opaque("pipe") + u32(7) + mode),
    "remove": (12, DIR + opaque("file")), "rmdir": (13, ROOT + opaque("dir")),
    "rename": (14, DIR + opaque("file") + ROOT + opaque("moved")), "link": (15, FILE + ROOT + opaque("hard")),
    "readdir": (16, ROOT + u64(0) + u64(0) + u32(4096)), "readdirplus": (17, ROOT + u64(0) + u64(0) + u32(512) + u32(4096)),
    "fsstat": (18, ROOT), "fsinfo": (19, ROOT), "pathconf": (20, ROOT), "commit": (21, FILE + u64(0) + u32(0)),
}
def lock(wide, host="h", svid=1, off=0, n=10):
    r = u64(off) + u64(n) if wide else u32(off) + u32(n)
    return opaque(host) + FILE + opaque("oh") + u32(svid) + r
def nlm_args(proc, wide, block=0, ex=1, reclaim=0, **k):
    base = proc - 5 if 5 < proc < 11 else 2 if proc == 22 else proc
    l = lock(wide, **k)
    return opaque("c") + {1: u32(ex) + l, 2: u32(block) + u32(ex) + l + u32(reclaim) + u32(3), 3: u32(block) + u32(ex) + l,
                          4: l, 5: u32(ex) + l}[base]

out = {}
for name, (proc, args) in nfs.items():
    out[name] = call(NFS, proc, args)
out["all"] = b"".join(call(NFS, p, a) for p, a in nfs.values())
out["duplicate"] = call(NFS, 12, DIR + opaque("file")) + call(NFS, 12, DIR + opaque("file"), same=True)
for v in (MOUNT1, MOUNT3):
    out["mount%d" % v] = (call(v, 1, opaque("/share/dir")) + call(v, 2, b"") + call(v, 5, b"") + call(v, 3, opaque("/share/dir"))
                          + call(v, 4, b"") + call(v, 6, b""))
for v in (NLM1, NLM3, NLM4):
    wide = v == NLM4
    out["nlm%d" % v] = b"".join(call(v, p, nlm_args(p, wide)) for p in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 22)) + call(v, 15, opaque("c") + u32(0))
    a, b = dict(host="a"), dict(host="b", svid=2)
    first, second = nlm_args(2, wide, **a), nlm_args(2, wide, block=1, **b)
    out["block%d" % v] = call(v, 2, first) + call(v, 2, second, late=True) + call(v, 2, second) + call(v, 4, nlm_args(4, wide, **a), late=True)
    out["cancel%d" % v] = call(v, 2, first) + call(v, 2, second, 1, True) + call(v, 3, nlm_args(3, wide, block=1, **b), 1) + call(v, 4, nlm_args(4, wide, **a))
    out["message%d" % v] = call(v, 7, first) + call(v, 7, second, late=True) + call(v, 9, nlm_args(4, wide, **a), late=True)
share = opaque("c") + opaque("pc") + FILE + opaque("oh") + u32(2) + u32(1) + u32(0)
out["share"] = call(NLM4, 20, share) + call(NLM4, 20, share.replace(b"pc", b"pd")) + call(NLM4, 21, share) + call(NLM4, 23, opaque("pc") + u32(1))
my = opaque("me") + u32(100021) + u32(1) + u32(16)
out["nsm"] = (call(NSM, 1, opaque("x")) + call(NSM, 2, opaque("127.0.0.1") + my + b"p" * 16) + call(NLM4, 2, nlm_args(2, True, host="127.0.0.1"))
              + call(NSM, 6, opaque("127.0.0.1") + u32(5)) + call(NSM, 3, opaque("127.0.0.1") + my) + call(NSM, 4, my) + call(NSM, 5, b""))
os.makedirs(here + "/corpus/nfs", exist_ok=True)
for name, data in out.items():
    open(here + "/corpus/nfs/" + name, "wb").write(data)

def rpc(prog, vers, proc, args, cred=u32(0) + opaque(b""), rpcvers=2, verf=u32(0) + opaque(b"")):
    return u32(1) + u32(0) + u32(rpcvers) + u32(prog) + u32(vers) + u32(proc) + cred + verf + args
record = lambda b: u32(0x80000000 | len(b)) + b
sys = u32(1) + opaque(u32(1) + opaque("host") + u32(1) + u32(2) + u32(2) + u32(3) + u32(4))
null = rpc(100003, 3, 0, b"")
raw = {
    "null": b"\0" + record(null), "sys": b"\0" + record(rpc(100003, 3, 0, b"", sys)),
    "fragments": b"\x04" + b"".join(u32(4 | (0x80000000 if i + 4 >= len(null) else 0)) + null[i:i + 4] for i in range(0, len(null), 4)),
    "two": b"\0" + record(null) * 2, "mismatch": b"\0" + record(rpc(100003, 2, 0, b"") + rpc(1, 1, 1, b"")),
    "version": b"\0" + record(rpc(100003, 3, 0, b"", rpcvers=3)), "gss": b"\0" + record(rpc(100003, 3, 0, b"", u32(6) + opaque("x"))),
    "mount": b"\0" + record(rpc(100005, 3, 1, opaque("/share"), sys)), "reply": b"\0" + record(u32(1) + u32(1) + u32(0) * 4),
    "pmap_dump": b"\x01" + record(rpc(100000, 2, 4, b"")), "pmap_getport": b"\x01" + record(rpc(100000, 2, 3, u32(100003) + u32(3) + u32(6) + u32(0))),
    "pmap_set": b"\x01" + record(rpc(100000, 2, 1, u32(5) + u32(3) + u32(6) + u32(99))) + record(rpc(100000, 2, 2, u32(5) + u32(3) + u32(6) + u32(0))),
    "rpcb_getaddr": b"\x01" + record(rpc(100000, 4, 3, u32(100003) + u32(3) + opaque("tcp") + opaque("10.0.0.1.0.111") + opaque(""))),
    "rpcb_set": b"\x01" + record(rpc(100000, 3, 1, u32(7) + u32(1) + opaque("udp") + opaque("0.0.0.0.4.1") + opaque("me"))),
    "rpcb_dump": b"\x01" + record(rpc(100000, 3, 4, b"")), "rpcb_time": b"\x01" + record(rpc(100000, 4, 6, b"")),
}
os.makedirs(here + "/corpus/rpc", exist_ok=True)
for name, data in raw.items():
    open(here + "/corpus/rpc/" + name, "wb").write(data)
