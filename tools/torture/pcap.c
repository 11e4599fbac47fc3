/* pcap.c - see pcap.h. Link type RAW: packets begin with their IP header. Checksums are left zero, as a capture on a
 * host with offloading shows them too. */
#include "pcap.h"
#include <time.h>
#include "base/bytes.h"
#include "base/util.h"
#include <arpa/inet.h>
#include <stdio.h>

enum { LINKTYPE_RAW = 101, IP_HEADER = 20, TCP_HEADER = 20, UDP_HEADER = 8, PIECE = 60000 };

struct pcap {
    FILE *f;
    uint16_t id;
};

struct pcap *pcap_open(const char *path)
{
    struct pcap *p = calloc(1, sizeof *p);
    if (!p || !(p->f = fopen(path, "wb"))) {
        free(p);
        return NULL;
    }
    uint8_t h[24] = {0};
    put_le32(h, 0xa1b23c4d); /* times in ns */
    put_le16(h + 4, 2);
    put_le16(h + 6, 4);
    put_le32(h + 16, 65535);
    put_le32(h + 20, LINKTYPE_RAW);
    fwrite(h, sizeof h, 1, p->f);
    return p;
}

void pcap_close(struct pcap *p)
{
    if (p)
        fclose(p->f);
    free(p);
}

static void packet(struct pcap *p, const struct sockaddr_in *from, const struct sockaddr_in *to, uint8_t protocol,
                   const uint8_t *header, size_t nheader, const uint8_t *data, size_t n)
{
    uint8_t record[16], ip[IP_HEADER] = {0x45};
    struct timespec now;
    size_t total = IP_HEADER + nheader + n;
    clock_gettime(CLOCK_REALTIME, &now);
    put_le32(record, (uint32_t)now.tv_sec);
    put_le32(record + 4, (uint32_t)now.tv_nsec);
    put_le32(record + 8, (uint32_t)total);
    put_le32(record + 12, (uint32_t)total);
    put_be16(ip + 2, (uint16_t)total);
    put_be16(ip + 4, ++p->id);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, &from->sin_addr, 4);
    memcpy(ip + 16, &to->sin_addr, 4);
    fwrite(record, sizeof record, 1, p->f);
    fwrite(ip, sizeof ip, 1, p->f);
    fwrite(header, nheader, 1, p->f);
    fwrite(data, n, 1, p->f);
}

void pcap_tcp(struct pcap *p, const struct sockaddr_in *from, const struct sockaddr_in *to, uint32_t *sequence,
              uint32_t ack, const uint8_t *data, size_t n)
{
    while (n) {
        uint8_t h[TCP_HEADER] = {0};
        size_t piece = MIN(n, (size_t)PIECE);
        memcpy(h, &from->sin_port, 2);
        memcpy(h + 2, &to->sin_port, 2);
        put_be32(h + 4, *sequence + 1);
        put_be32(h + 8, ack + 1);
        h[12] = TCP_HEADER / 4 << 4;
        h[13] = 0x18; /* PSH, ACK */
        put_be16(h + 14, 65535);
        packet(p, from, to, IPPROTO_TCP, h, sizeof h, data, piece);
        *sequence += (uint32_t)piece;
        data += piece;
        n -= piece;
    }
    fflush(p->f);
}

void pcap_udp(struct pcap *p, const struct sockaddr_in *from, const struct sockaddr_in *to, const uint8_t *data,
              size_t n)
{
    uint8_t h[UDP_HEADER] = {0};
    memcpy(h, &from->sin_port, 2);
    memcpy(h + 2, &to->sin_port, 2);
    put_be16(h + 4, (uint16_t)(n + UDP_HEADER));
    packet(p, from, to, IPPROTO_UDP, h, sizeof h, data, n);
    fflush(p->f);
}
