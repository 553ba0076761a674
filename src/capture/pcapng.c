/* SPDX-License-Identifier: MIT */
/*
 * Builds pcapng blocks. A block consists of its type, its length in bytes, a body,
 * options, and its length again. Each part is padded to a multiple of four bytes.
 */
#include "capture/pcapng.h"

#include <errno.h>
#include <string.h>

#include "base/escape.h"
#include "base/util.h"

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a,
};

/* Options; the same number means something else in another type of block. */
enum {
	OPTION_END = 0,
	SECTION_HARDWARE = 2,
	SECTION_OS = 3,
	SECTION_APP = 4,
	INTERFACE_NAME = 2,
	INTERFACE_DESCRIPTION = 3,
	INTERFACE_TSRESOL = 9,
	STATISTICS_RECEIVED = 4,
	STATISTICS_DROPPED = 5,
	PACKET_FLAGS = 2,
	PACKET_GAP = 4,
};

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define VERSION_MAJOR 1
#define LENGTH_UNKNOWN 0xffffffffu /* twice: a section of any length */
#define LINKTYPE_ETHERNET 1
#define TSRESOL_NS 9 /* 10 to the power of -9 */
#define FLAG_IN 1
#define FLAG_OUT 2

#define BLOCK_HEAD 8
#define BLOCK_MIN 12
#define PACKET_HEAD 28
#define OPTION_HEAD 4

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static uint8_t *put16(uint8_t *to, unsigned v)
{
	uint16_t value = (uint16_t)v;

	memcpy(to, &value, sizeof(value));
	return to + sizeof(value);
}

static uint8_t *put32(uint8_t *to, uint32_t v)
{
	memcpy(to, &v, sizeof(v));
	return to + sizeof(v);
}

static uint8_t *put_time(uint8_t *to, uint64_t ns)
{
	to = put32(to, (uint32_t)(ns >> 32));
	return put32(to, (uint32_t)ns);
}

static uint8_t *put_option(uint8_t *to, unsigned code, const void *value, size_t len)
{
	to = put16(to, code);
	to = put16(to, (unsigned)len);
	memset(to, 0, padded(len));
	memcpy(to, value, len);
	return to + padded(len);
}

/* The format wants UTF-8. The text is escaped, so that a reader can show it on a terminal. */
static uint8_t *put_text(uint8_t *to, unsigned code, const char *text)
{
	char escaped[PCAPNG_TEXT_MAX];
	size_t len = escape_text(escaped, sizeof(escaped), text);

	return put_option(to, code, escaped, len);
}

static uint8_t *put_head(uint8_t *to, enum block_type type)
{
	/* put_end() fills in the length. */
	return put32(to, type) + sizeof(uint32_t);
}

/* Options end at @end. Return: the block's length. */
static size_t put_end(uint8_t *block, uint8_t *end)
{
	size_t len;

	end = put32(end, OPTION_END);
	len = (size_t)(end - block) + sizeof(uint32_t);
	put32(end, (uint32_t)len);
	put32(block + sizeof(uint32_t), (uint32_t)len);
	return len;
}

size_t pcapng_section(uint8_t *to, const char *hardware, const char *os, const char *app)
{
	uint8_t *at = put_head(to, BLOCK_SECTION);

	at = put32(at, BYTE_ORDER_MAGIC);
	at = put16(at, VERSION_MAJOR);
	at = put16(at, 0);
	at = put32(at, LENGTH_UNKNOWN);
	at = put32(at, LENGTH_UNKNOWN);
	at = put_text(at, SECTION_HARDWARE, hardware);
	at = put_text(at, SECTION_OS, os);
	at = put_text(at, SECTION_APP, app);
	return put_end(to, at);
}

size_t pcapng_interface(uint8_t *to, const char *name, const char *description,
			uint32_t snaplen)
{
	uint8_t *at = put_head(to, BLOCK_INTERFACE);
	uint8_t resolution = TSRESOL_NS;

	at = put16(at, LINKTYPE_ETHERNET);
	at = put16(at, 0);
	at = put32(at, snaplen);
	at = put_text(at, INTERFACE_NAME, name);
	at = put_text(at, INTERFACE_DESCRIPTION, description);
	at = put_option(at, INTERFACE_TSRESOL, &resolution, sizeof(resolution));
	return put_end(to, at);
}

size_t pcapng_statistics(uint8_t *to, uint32_t interface, uint64_t time,
			 uint64_t received, uint64_t lost)
{
	uint8_t *at = put_head(to, BLOCK_STATISTICS);

	at = put32(at, interface);
	at = put_time(at, time);
	at = put_option(at, STATISTICS_RECEIVED, &received, sizeof(received));
	at = put_option(at, STATISTICS_DROPPED, &lost, sizeof(lost));
	return put_end(to, at);
}

size_t pcapng_packet_size(const struct pcapng_packet *k)
{
	size_t options = OPTION_HEAD + sizeof(uint32_t) + OPTION_HEAD;

	if (k->gap)
		options += OPTION_HEAD + sizeof(k->gap);
	return PACKET_HEAD + padded(k->captured) + options + sizeof(uint32_t);
}

uint8_t *pcapng_packet(uint8_t *to, const struct pcapng_packet *k)
{
	uint32_t flags = k->is_out ? FLAG_OUT : FLAG_IN;
	uint8_t *at = put_head(to, BLOCK_PACKET), *data;

	at = put32(at, k->interface);
	at = put_time(at, k->time);
	at = put32(at, k->captured);
	at = put32(at, k->len);
	data = at;
	at += padded(k->captured);
	memset(data + k->captured, 0, (size_t)(at - data) - k->captured);
	at = put_option(at, PACKET_FLAGS, &flags, sizeof(flags));
	if (k->gap)
		at = put_option(at, PACKET_GAP, &k->gap, sizeof(k->gap));
	put_end(to, at);
	return data;
}

long pcapng_whole(const uint8_t *data, size_t len, size_t max)
{
	size_t at = 0;
	uint32_t size;

	while (len - at >= BLOCK_HEAD) {
		memcpy(&size, data + at + sizeof(uint32_t), sizeof(size));
		if (size < BLOCK_MIN || size % 4 || size > max)
			return -EINVAL;
		if (size > len - at)
			break;
		at += size;
	}
	return (long)at;
}
