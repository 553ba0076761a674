/* SPDX-License-Identifier: MIT */
/*
 * pcapng, the file format of captures: its blocks, built in memory. All of it
 * is in the byte order of this machine, which the section header tells
 * (draft-ietf-opsawg-pcapng, sections 3 and 4). Timestamps are nanoseconds
 * since 1970, UTC.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_TEXT_MAX 256   /* longest text in a block, with its NUL; the rest is cut */
#define PCAPNG_BLOCK_MAX 1024 /* longest block but a packet's */
#define PCAPNG_STATISTICS_BYTES 52

/* A frame, and what is said of it. */
struct pcapng_packet {
	uint32_t interface; /* which of the section, from 0 on, as they were described */
	uint64_t time;
	uint32_t captured; /* bytes in the file, of */
	uint32_t len;	   /* so many */
	bool is_out;	   /* sent by the interface, not received */
	uint64_t gap;	   /* packets of it lost since its last one */
};

/*
 * pcapng_section() - What a file begins with, at @to, PCAPNG_BLOCK_MAX bytes.
 *
 * Texts are escaped, here and below. Return: the block's length.
 */
size_t pcapng_section(uint8_t *to, const char *hardware, const char *os, const char *app);

/* pcapng_interface() - Describe the section's next interface, of Ethernet. */
size_t pcapng_interface(uint8_t *to, const char *name, const char *description,
			uint32_t snaplen);

/* pcapng_statistics() - How many packets of an interface there were, and were lost. */
size_t pcapng_statistics(uint8_t *to, uint32_t interface, uint64_t time,
			 uint64_t received, uint64_t lost);

/* pcapng_packet_size() - The length of a packet's block. */
size_t pcapng_packet_size(const struct pcapng_packet *k);

/*
 * pcapng_packet() - All of a packet's block but the packet.
 * @to: pcapng_packet_size() bytes
 *
 * Return: where its @captured bytes go.
 */
uint8_t *pcapng_packet(uint8_t *to, const struct pcapng_packet *k);

/*
 * pcapng_whole() - How many of @len bytes are whole blocks.
 * @max: bytes of the longest block that there may be
 *
 * Return: that, at most @len; -EINVAL when they are no blocks.
 */
long pcapng_whole(const uint8_t *data, size_t len, size_t max);

#endif
