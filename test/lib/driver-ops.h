/* SPDX-License-Identifier: MIT */
/* For tests of what drivers share: struct port_ops of it, but for what opens the port. */
#ifndef LIB_DRIVER_OPS_H
#define LIB_DRIVER_OPS_H

#include "port/dgram.h"
#include "port/stream.h"

#define STREAM_OPS                                                                      \
	.is_stream = true, .rx = stream_rx, .rx_done = stream_rx_done, .tx = stream_tx, \
	.close = stream_close, .free = stream_free

#define DGRAM_OPS                                                               \
	.is_dgram = true, .rx = dgram_rx, .tx = dgram_tx, .close = dgram_close, \
	.free = dgram_free

#endif
