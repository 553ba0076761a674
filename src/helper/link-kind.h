/* SPDX-License-Identifier: MIT */
/* What an interface is that somebody took for a bridge, or for a tap. */
#ifndef LINK_KIND_H
#define LINK_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "net/nl.h"

/*
 * link_no_bridge() - Say what @link is, as it is no bridge, and what would do.
 * @is_wireless: it is a wireless card, which rtnetlink does not tell
 */
void link_no_bridge(const struct nl_link *link, bool is_wireless, char *why, size_t size);

/* link_no_tap() - The same of one that is no tap. */
void link_no_tap(const struct nl_link *link, char *why, size_t size);

/* link_is_wireless() - Whether the interface called @name is a wireless card. */
bool link_is_wireless(const char *name);

#endif
