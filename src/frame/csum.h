/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071): a one's complement sum over 16-bit words. All sums
 * here have the machine's own byte order; section 2 (B) of the RFC says why that works.
 */
#ifndef CSUM_H
#define CSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * csum_add() - Add @len bytes to a running sum, which begins as 0.
 *
 * A zero byte is added to an odd @len, so only the last piece may be odd.
 *
 * Return: the new running sum.
 */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* csum_fold() - Reduce a running sum to 16 bits. Return: those, not complemented. */
uint16_t csum_fold(uint64_t sum);

/*
 * csum_pseudo() - Sum up a pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1).
 * @ip:    the IP header, complete without options; its version is 4 or 6
 * @proto: IPPROTO_TCP or IPPROTO_UDP
 * @len:   bytes of the transport header and its payload
 *
 * Return: a running sum.
 */
uint64_t csum_pseudo(const uint8_t *ip, uint8_t proto, uint32_t len);

#endif
