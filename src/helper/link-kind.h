/* SPDX-License-Identifier: MIT */
/* Explains an interface that was taken for a bridge, or for a tap. */
#ifndef LINK_KIND_H
#define LINK_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "net/nl.h"

/*
 * link_no_bridge() - Say what @link, which is not a bridge, is, and what to use instead.
 * @is_wireless: it is a wireless card; rtnetlink does not tell that
 * @why:         set to the message, one line, cut to @size bytes
 */
void link_no_bridge(const struct nl_link *link, bool is_wireless, char *why, size_t size);

/* link_no_tap() - As link_no_bridge(), for a link that is not a tap. */
void link_no_tap(const struct nl_link *link, char *why, size_t size);

/* link_is_wireless() - Whether the interface @name is a wireless card: /sys has its phy80211. */
bool link_is_wireless(const char *name);

#endif
