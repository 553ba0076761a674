/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071): sums in one's complement over 16-bit
 * words, in the machine's own byte order throughout, which the arithmetic allows.
 */
#ifndef CSUM_H
#define CSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * csum_add() - Add @len bytes to a running sum.
 *
 * An odd @len is padded with a zero byte, so only the last piece may be odd.
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* csum_fold() - A running sum as 16 bits, not complemented, to be stored as it is. */
uint16_t csum_fold(uint64_t sum);

/*
 * csum_pseudo() - The running sum of a pseudo-header (RFC 9293 3.1, RFC 8200 8.1).
 * @ip:    the IP header; its version says which addresses are meant
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 * @len:   bytes of the transport header and its payload
 */
uint64_t csum_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len);

#endif
