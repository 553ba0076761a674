/* SPDX-License-Identifier: MIT */
/*
 * Reads the body of each kind of endpoint, the options that only one or two kinds have, and
 * checks whole endpoints; only endpoint-long.c needs this. Each function refuses what is wrong
 * by itself. Return: 0 or -EINVAL.
 */
#ifndef ENDPOINT_BODY_H
#define ENDPOINT_BODY_H

#include "conf/endpoint-parts.h"

/*
 * Bodies: of unix: and of all else that is a path; of mcast:, bridge:, tap:, fd:, exec:; and of
 * the option --metrics. Those of tcp:, udp: and trunk: are part_remote() and part_local().
 */
int body_unix(struct parse *p, char *body);
int body_group(struct parse *p, char *body);
int body_bridge(struct parse *p, char *body);
int body_tap(struct parse *p, char *body);
int body_fd(struct parse *p, char *body);
int body_command(struct parse *p, char *body);
int body_metrics(struct parse *p, char *body);

/* Whole endpoints: what their body and their options say together. */
int body_check_udp(struct parse *p);
int body_check_unixgram(struct parse *p);
int body_check_bridge(struct parse *p);

/* Options: dead=SECONDS; local=PATH of unixgram:; if=ADDR of mcast:; tap=NAME and mtu=N. */
int option_dead(struct parse *p, char *value);
int option_local_path(struct parse *p, char *value);
int option_group_if(struct parse *p, char *value);
int option_bridge_tap(struct parse *p, char *value);
int option_bridge_mtu(struct parse *p, char *value);

/* option_vhost() - vhost-user of fd: */
int option_vhost(struct parse *p, char *value);

#endif
