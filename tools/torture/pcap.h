/* pcap.h - what was sent and received, as a capture file: the tool's own messages under IP and TCP or UDP headers
 * made up for them, with the servers' well-known ports, so that any protocol analyser decodes them. */
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct pcap;
struct pcap *pcap_open(const char *path); /* NULL: errno */
void pcap_close(struct pcap *p);          /* NULL is fine */
/* A piece of a TCP stream; *sequence is the sender's, and moves on. ack: the receiver's. */
void pcap_tcp(struct pcap *p, const struct sockaddr_in *from, const struct sockaddr_in *to, uint32_t *sequence,
              uint32_t ack, const uint8_t *data, size_t n);
void pcap_udp(struct pcap *p, const struct sockaddr_in *from, const struct sockaddr_in *to, const uint8_t *data,
              size_t n);
