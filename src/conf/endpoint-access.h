/* SPDX-License-Identifier: MIT */
/*
 * Reads the options that say who may use an endpoint, into its access; only
 * endpoint-long.c needs this. Each function reads the value of an option, and refuses a
 * wrong one by itself. Return: 0 or -EINVAL.
 */
#ifndef ENDPOINT_ACCESS_H
#define ENDPOINT_ACCESS_H

#include "conf/endpoint-parts.h"

/* access_networks() - allow=CIDR+CIDR+..., IPv4 and IPv6. */
int access_networks(struct parse *p, char *value);

/* access_users() - allow=uid:NAME+gid:NAME+... */
int access_users(struct parse *p, char *value);

/* access_group() - group=NAME, whose members may then write, unless mode= says otherwise. */
int access_group(struct parse *p, char *value);

/* access_mode() - mode=0660 */
int access_mode(struct parse *p, char *value);

/* access_max(), access_per_address(), access_rate() - max=N, per-address=N, accept-rate=N. */
int access_max(struct parse *p, char *value);
int access_per_address(struct parse *p, char *value);
int access_rate(struct parse *p, char *value);

#endif
