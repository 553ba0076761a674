/* SPDX-License-Identifier: MIT */
/*
 * Builds the blocks of pcapng, the file format of captures, in memory. Numbers have the
 * byte order of this machine, which the section header tells a reader
 * (draft-ietf-opsawg-pcapng, sections 3 and 4). Timestamps are nanoseconds since 1970,
 * UTC.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All sizes and lengths are in bytes. */
#define PCAPNG_TEXT_MAX \
	256 /* the longest text in a block, with its NUL; the rest is cut */
#define PCAPNG_BLOCK_MAX 1024 /* the longest block, except for packets */
#define PCAPNG_STATISTICS_BYTES 52

/*
 * A packet, as a block describes it.
 * @interface: the number of its interface: 0 for the first one described in the section
 * @time:      ns since 1970, UTC
 * @captured:  bytes of it that the block contains
 * @len:       bytes that it had
 * @is_out:    the interface sent it, and did not receive it
 * @gap:       packets of the interface that were lost since its last one
 */
struct pcapng_packet {
	uint32_t interface;
	uint64_t time;
	uint32_t captured;
	uint32_t len;
	bool is_out;
	uint64_t gap;
};

/*
 * pcapng_section() - Build a section header, with which a file begins.
 * @to: PCAPNG_BLOCK_MAX bytes, here and below; texts are escaped, here and below
 *
 * Return: the block's length, here and below.
 */
size_t pcapng_section(uint8_t *to, const char *hardware, const char *os, const char *app);

/* pcapng_interface() - Describe the section's next interface, an Ethernet. */
size_t pcapng_interface(uint8_t *to, const char *name, const char *description,
			uint32_t snaplen);

/*
 * pcapng_statistics() - Build the statistics of an interface.
 * @time:     now
 * @received: packets that there were, including those that were lost
 * @lost:     packets that were lost
 */
size_t pcapng_statistics(uint8_t *to, uint32_t interface, uint64_t time,
			 uint64_t received, uint64_t lost);

/* pcapng_packet_size() - The length of a packet's block. */
size_t pcapng_packet_size(const struct pcapng_packet *k);

/*
 * pcapng_packet() - Build a packet's block without the packet itself.
 * @to: pcapng_packet_size() bytes
 *
 * Return: where the caller must copy the @captured bytes of the packet to.
 */
uint8_t *pcapng_packet(uint8_t *to, const struct pcapng_packet *k);

/*
 * pcapng_whole() - Find out how many of @len bytes belong to whole blocks.
 * @max: the longest block that there may be
 *
 * Return: the number of these bytes; -EINVAL when the data is not pcapng.
 */
long pcapng_whole(const uint8_t *data, size_t len, size_t max);

#endif
