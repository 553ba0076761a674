/* SPDX-License-Identifier: MIT */
/*
 * The parts that can be left out when the program is built: make WITHOUT="top metrics".
 *
 * A part is entered in a few places, by a plain if (HAS_TOP). Where that is 0, the compiler
 * drops the call, and the linker drops what nobody calls any more. Who asks for a part that
 * was left out gets one line, with LEFT_OUT in it.
 *
 * A part's name for make is that of its constant in lower case; ci/parts checks the names,
 * and builds the program without each of them.
 */
#ifndef PARTS_H
#define PARTS_H

/* Made by ci/parts: WITHOUT, WITHOUT_NAMES for --version, and LACKS_NAME for each part. */
#include "base/without.h"

enum {
	PART_ACCESS = 1 << 0,	 /* allow=, max= and others that say who may connect */
	PART_BRIDGE = 1 << 1,	 /* bridges, the access list, and qemu-bridge-helper */
	PART_CAPTURE = 1 << 2,	 /* --capture, and the command of the control socket */
	PART_CTL = 1 << 3,	 /* --ctl and netrelay ctl */
	PART_DATAGRAMS = 1 << 4, /* udp:, unixgram:, mcast:, such an fd: */
	PART_EXEC = 1 << 5,	 /* exec: */
	PART_FD = 1 << 6,	 /* fd: */
	PART_LOOPS = 1 << 7,	 /* the search for bridge loops */
	PART_MCAST = 1 << 8,	 /* mcast: */
	PART_METRICS = 1 << 9,	 /* --metrics */
	PART_NAMES = 1 << 10,	 /* names of hosts */
	PART_OFFLOAD = 1 << 11,	 /* super-frames of taps, and of trunks */
	PART_PAGE = 1 << 12,	 /* the page beside the metrics */
	PART_STATUS = 1 << 13,	 /* status on SIGUSR1 and at the end */
	PART_TAP = 1 << 14,	 /* tap:, bridges, and a tap as fd: */
	PART_TOP = 1 << 15,	 /* netrelay top */
	PART_TRACE = 1 << 16,	 /* -vv */
	PART_TRUNK = 1 << 17,	 /* trunk:, also to those who dial */
	PART_USERS = 1 << 18,	 /* names of users and groups; so bridges, too */
	PART_CONFIG = 1 << 19,	 /* -f, --check, --print-config, and reading again */
	PART_SERVICE = 1 << 20,	 /* service managers, --daemon, --pidfile */
	PART_NAMING = 1 << 21,	 /* name=, the names of ports */
	PART_HINTS = 1 << 22,	 /* did you mean, and what to do about a failed connect */
	PART_KEYS = 1 << 23,	 /* --key, --peers, peer=: sealed trunks */
	PART_STORY = 1 << 24,	 /* what -v tells of each try */
	PART_VHOST = 1 << 25,	 /* vhost-user: */
};

/* Each 1 or 0; some parts are of no use without another one. */
enum {
	HAS_ACCESS = !(WITHOUT & PART_ACCESS),
	HAS_BRIDGE = !(WITHOUT & (PART_BRIDGE | PART_TAP | PART_USERS)),
	HAS_CAPTURE = !(WITHOUT & PART_CAPTURE),
	HAS_CONFIG = !(WITHOUT & PART_CONFIG),
	HAS_CTL = !(WITHOUT & PART_CTL),
	HAS_DATAGRAMS = !(WITHOUT & PART_DATAGRAMS),
	HAS_EXEC = !(WITHOUT & PART_EXEC),
	HAS_FD = !(WITHOUT & PART_FD),
	HAS_HINTS = !(WITHOUT & PART_HINTS),
	HAS_KEYS = !(WITHOUT & (PART_KEYS | PART_TRUNK)),
	HAS_LOOPS = !(WITHOUT & PART_LOOPS),
	HAS_MCAST = !(WITHOUT & (PART_MCAST | PART_DATAGRAMS)),
	HAS_METRICS = !(WITHOUT & PART_METRICS),
	HAS_NAMES = !(WITHOUT & PART_NAMES),
	HAS_NAMING = !(WITHOUT & PART_NAMING),
	HAS_OFFLOAD = !(WITHOUT & PART_OFFLOAD),
	HAS_PAGE = !(WITHOUT & (PART_PAGE | PART_METRICS)),
	HAS_SERVICE = !(WITHOUT & PART_SERVICE),
	HAS_STATUS = !(WITHOUT & PART_STATUS),
	HAS_STORY = !(WITHOUT & PART_STORY),
	HAS_TAP = !(WITHOUT & PART_TAP),
	HAS_TOP = !(WITHOUT & PART_TOP),
	HAS_TRACE = !(WITHOUT & PART_TRACE),
	HAS_TRUNK = !(WITHOUT & PART_TRUNK),
	HAS_USERS = !(WITHOUT & PART_USERS),
	HAS_VHOST = !(WITHOUT & PART_VHOST),
	HAS_ALARM = HAS_ACCESS || HAS_VHOST, /* alarm.h */
};

#define LEFT_OUT \
	"this netrelay was built without it; netrelay --version says what is left out"

#endif
