#!/usr/bin/env python3
"""Writes the seed corpora of fuzz_smb, fuzz_negotiate and fuzz_spnego below corpus/."""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
OPEN = struct.pack("<QQ", 1000, 1000)
RELATED = b"\xff" * 16


def write(target, name, data):
    os.makedirs(f"{HERE}/corpus/{target}", exist_ok=True)
    with open(f"{HERE}/corpus/{target}/{name}", "wb") as f:
        f.write(data)


def request(command, body, flags=0, next_=0, mid=0):
    return struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 1, 0, command, 64, flags, next_, mid, 0, 1, 0, b"") + body


def chain(*parts):
    out = b""
    for i, (command, body) in enumerate(parts):
        last = i + 1 == len(parts)
        m = request(command, body, 4 if i else 0)
        pad = b"" if last else b"\0" * (-len(m) % 8)
        out += request(command, body, 4 if i else 0, 0 if last else len(m) + len(pad)) + pad
    return out


def message(data, mode=1):
    return struct.pack("<HB", len(data), mode) + data


def create(name, access=0x1F01FF, options=0x40, disposition=3, oplock=0, contexts=b"", share=7):
    n = name.encode("utf-16-le")
    pad = b"\0" * (-(120 + len(n)) % 8) if contexts else b""
    at = 120 + len(n) + len(pad)
    return 5, struct.pack("<HBBI16sIIIIIHHII", 57, 0, oplock, 2, b"", access, 0x80, share, disposition, options, 120, len(n),
                          at if contexts else 0, len(contexts)) + n + pad + contexts + (b"" if n or contexts else b"\0")


def context(tag, data):
    return struct.pack("<IHHHHI", 0, 16, 4, 0, 24, len(data)) + tag + b"\0" * 4 + data


GUID = b"G" * 16
DHNQ = context(b"DHnQ", b"\0" * 16)
DHNC = context(b"DHnC", OPEN)
DH2Q = context(b"DH2Q", struct.pack("<IIQ", 50, 2, 0) + GUID)
DH2C = context(b"DH2C", OPEN + GUID + struct.pack("<I", 0))
LEASE = context(b"RqLs", b"K" * 16 + struct.pack("<IIQ", 7, 0, 0))


def close(fid):
    return 6, struct.pack("<HHI", 24, 1, 0) + fid


def write_(fid, data, at=0):
    return 9, struct.pack("<HHIQ", 49, 112, len(data), at) + fid + struct.pack("<IIHHI", 0, 0, 0, 0, 0) + data


def read(fid, n, at=0):
    return 8, struct.pack("<HBBIQ", 49, 80, 0, n, at) + fid + struct.pack("<IIIHHB", 0, 0, 0, 0, 0, 0)


def query(fid, kind, level, n=1024, extra=0):
    return 16, struct.pack("<HBBIHHIII", 41, kind, level, n, 0, 0, 0, extra, 0) + fid + b"\0"


def set_(fid, kind, level, data, extra=0):
    return 17, struct.pack("<HBBIHHI", 33, kind, level, len(data), 96, 0, extra) + fid + data


def find(fid, level=37, pattern="*"):
    p = pattern.encode("utf-16-le")
    return 14, struct.pack("<HBBI", 33, level, 0, 0) + fid + struct.pack("<HHI", 96, len(p), 4096) + p


def lock(fid, at, n, flags):
    return 10, struct.pack("<HHI", 48, 1, 0) + fid + struct.pack("<QQII", at, n, flags, 0)


def ioctl(fid, code, data=b"", out=1024):
    return 11, struct.pack("<HHI", 57, 0, code) + fid + struct.pack("<IIIIIIII", 120, len(data), 0, 0, 0, out, 1, 0) + data


def notify(fid):
    return 15, struct.pack("<HHI", 32, 1, 1000) + fid + struct.pack("<II", 0xFFF, 0)


def one(part, mode=1, flags=0):
    return message(request(*part, flags=flags), mode)


def requests():
    f, d = create("file"), create("dir", options=1)
    rename = "other".encode("utf-16-le")
    yield "chain", message(chain(f, write_(RELATED, b"hello"), read(RELATED, 5), query(RELATED, 1, 18), close(RELATED)))
    yield "list", one(d) + message(chain(create("dir\\a"), close(RELATED))) + one(find(OPEN)) + one(close(OPEN))
    yield "notify", one(d) + one(notify(OPEN)) + message(chain(create("dir\\b"), close(RELATED)), 5) + one((12, b"\4\0\0\0"))
    yield "lock", one(f) + one(create("file"), 5) + one(lock(OPEN, 0, 10, 2)) + \
        one(lock(struct.pack("<QQ", 1001, 1001), 0, 10, 2), 5) + one(lock(OPEN, 0, 10, 4))
    yield "lease", one(create("file", oplock=255, contexts=LEASE)) + one(create("file"), 5) + \
        one((18, struct.pack("<HHI", 36, 0, 0) + b"K" * 16 + struct.pack("<IQ", 1, 0)))
    yield "oplock", one(create("file", oplock=9)) + one(create("file", oplock=8), 13) + \
        one((18, struct.pack("<HBBI", 24, 1, 0, 0) + OPEN))
    yield "rename", one(f) + one(set_(OPEN, 1, 10, struct.pack("<QQI", 1, 0, len(rename)) + rename)) + \
        one(set_(OPEN, 1, 13, b"\1")) + one(close(OPEN))
    yield "info", one(f) + b"".join(one(query(OPEN, 1, level)) for level in (4, 5, 6, 7, 8, 9, 14, 15, 16, 22, 28, 34, 35)) + \
        one(query(OPEN, 3, 0, 1024, 7)) + b"".join(one(query(OPEN, 2, level)) for level in (1, 3, 4, 5, 7, 11))
    yield "set", one(f) + one(set_(OPEN, 1, 4, b"\0" * 40)) + one(set_(OPEN, 1, 20, b"\0\x10" + b"\0" * 6)) + \
        one(set_(OPEN, 1, 19, b"\0" * 8)) + one(set_(OPEN, 1, 15, struct.pack("<IBBH", 0, 0, 1, 1) + b"A\0v"))
    yield "ioctl", one(f) + one(ioctl(OPEN, 0x140078)) + one(ioctl(OPEN, 0x900C4, b"\1")) + \
        one(ioctl(OPEN, 0x940CF, struct.pack("<QQ", 0, 100))) + one(ioctl(OPEN, 0x980C8, struct.pack("<QQ", 0, 10))) + \
        one(ioctl(RELATED, 0x140204, b"\0" * 28)) + one(ioctl(RELATED, 0x1401FC))
    yield "stream", one(create("file:s")) + one(write_(OPEN, b"x")) + one(query(OPEN, 1, 22)) + one(close(OPEN))
    yield "pipe", one(create("srvsvc"), 3) + one(ioctl(OPEN, 0x11C017, b"\5\0\x0b\3" + b"\0" * 60), 3)
    replay = 0x20000000
    yield "durable", one(create("file", oplock=9, contexts=DHNQ)) + one(create("file", contexts=DHNC)) + \
        one((2, b"\4\0\0\0")) + one(create("file", contexts=DHNC)) + one(create("file"), 5)
    yield "durable-v2", one(create("file", oplock=9, contexts=DH2Q)) + one(create("file", oplock=9, contexts=DH2Q), 1, replay) + \
        one(create("file", oplock=9, contexts=DH2Q)) + one(write_(OPEN, b"x"), 1, replay) + \
        one(create("file", contexts=DH2C)) + one((2, b"\4\0\0\0"))
    yield "ends", one(f) + one((4, b"\4\0\0\0")) + one((13, b"\4\0\0\0")) + one((2, b"\4\0\0\0"))
    yield "parked-chain", one(create("file", oplock=9)) + \
        message(chain(create("x"), close(RELATED), create("file"), read(RELATED, 1), close(RELATED)), 13)


for seed, data in requests():
    for dialect in (0, 4):
        write("smb", f"{seed}-{dialect}", bytes([dialect]) + data)

DIALECTS = struct.pack("<HHHHI16sIHHHHHHH", 36, 5, 1, 0, 0x7F, b"guid", 104 + 8, 4, 0, 0x202, 0x210, 0x300, 0x302, 0x311)
CONTEXTS = struct.pack("<HHIHHH2x", 1, 6, 0, 1, 0, 1) + struct.pack("<HHIHHHHH6x", 2, 10, 0, 4, 2, 1, 4, 3) + \
    struct.pack("<HHIHHH2x", 8, 6, 0, 2, 2, 1) + struct.pack("<HHI", 5, 8, 0) + "host".encode("utf-16-le")
NEGOTIATE = request(0, DIALECTS + b"\0" * (112 - 64 - len(DIALECTS)) + CONTEXTS)
NTLM1 = b"NTLMSSP\0" + struct.pack("<II", 1, 0xE2088297) + b"\0" * 24
OID_NTLM = bytes.fromhex("060a2b06010401823702020a")
OID_KRB = bytes.fromhex("06092a864886f712010202")


def der(tag, data):
    n = len(data)
    return bytes([tag]) + (bytes([n]) if n < 128 else bytes([0x82]) + struct.pack(">H", n)) + data


def init(mechs, token):
    body = der(0xA0, der(0x30, mechs)) + (der(0xA2, der(4, token)) if token else b"")
    return der(0x60, bytes.fromhex("06062b0601050502") + der(0xA0, der(0x30, body)))


def ntlm3(user, nt):
    u, fields, payload = user.encode("utf-16-le"), b"", b""
    for data in (b"", nt, b"", u, b"W\0", b"k" * 16):
        fields += struct.pack("<HHI", len(data), len(data), 88 + len(payload))
        payload += data
    return b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", 0x62088215) + b"\0" * 24 + payload


def response(token):
    return der(0xA1, der(0x30, der(0xA2, der(4, token)) + der(0xA3, der(4, b"m" * 16))))


def setup(token):
    return request(1, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token)


NT = b"p" * 16 + b"\1\1" + b"\0" * 26 + struct.pack("<HHIHH", 6, 4, 2, 0, 0)
write("negotiate", "smb311", message(NEGOTIATE) + message(setup(init(OID_NTLM, NTLM1))))
write("negotiate", "smb302", message(request(0, struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 64, b"g", 0, 0x302))) +
      message(setup(NTLM1)))
names = b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"
smb1 = b"\xffSMB\x72" + b"\0" * 27 + struct.pack("<BH", 0, len(names)) + names
write("negotiate", "smb1", message(smb1, 0) + message(NEGOTIATE))
write("negotiate", "sealed", message(b"\xfdSMB" + b"\0" * 100, 0))
for seed, tokens in {
    "raw": (NTLM1, ntlm3("ann", NT)), "first": (init(OID_NTLM, NTLM1), response(ntlm3("ann", NT))),
    "second": (init(OID_KRB + OID_NTLM, b"krb"), response(NTLM1), response(ntlm3("u", NT))),
    "anonymous": (NTLM1, ntlm3("", b"")),
}.items():
    write("spnego", seed, b"".join(struct.pack("<H", len(t)) + t for t in tokens))
