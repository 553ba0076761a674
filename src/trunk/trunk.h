/* SPDX-License-Identifier: MIT */
/*
 * A trunk: a stream between two netrelays that agreed to carry super-frames.
 * The one that dials begins with a preamble, the other answers with its own;
 * from then on bit 31 of a length word marks a frame behind a virtio header.
 * Plain frames may go both ways at any time, before that too.
 *
 * Preamble, TRUNK_PREAMBLE bytes, big-endian:
 *
 *   0  4  TRUNK_MAGIC: no length of QEMU's, which has bit 31 clear
 *   4  2  version, TRUNK_VERSION
 *   6  2  bytes of the preamble
 *   8  4  what the sender takes: TRUNK_TAKES_SUPER
 *  12 52  zero; room for keys, should a trunk be encrypted one day
 *
 * The virtio header is little-endian on the wire, as VIRTIO 1 has it.
 */
#ifndef TRUNK_H
#define TRUNK_H

#include <stdint.h>

#define TRUNK_MAGIC 0xff6e7472u /* 0xff "ntr" */
#define TRUNK_VERSION 1
#define TRUNK_PREAMBLE 64
#define TRUNK_TAKES_SUPER 1u

/* trunk_preamble() - Ours, at @out, TRUNK_PREAMBLE bytes. */
void trunk_preamble(uint8_t *out);

/*
 * trunk_read_preamble() - Check a peer's, TRUNK_PREAMBLE bytes.
 * @version: set to the peer's, also when it is not ours
 *
 * Return: 0; -EPROTO when it is of another version, or none at all.
 */
int trunk_read_preamble(const uint8_t *in, unsigned *version, uint32_t *takes);

#endif
