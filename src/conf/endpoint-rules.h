/* SPDX-License-Identifier: MIT */
/*
 * Reads the options that go with every kind of endpoint that can have options at all: its
 * rules and its name; only endpoint-long.c needs this. Each function reads the value of an
 * option, and refuses a wrong one by itself. Return: 0 or -EINVAL.
 */
#ifndef ENDPOINT_RULES_H
#define ENDPOINT_RULES_H

#include "conf/endpoint-parts.h"

#define MAC_EXAMPLE "52:54:00:00:00:01"

int rule_isolated(struct parse *p, char *value);
int rule_mac(struct parse *p, char *value);
int rule_pad(struct parse *p, char *value);
int rule_port_name(struct parse *p, char *value);

/* rule_is_tap() - Whether frames go to a tap, so that they are never padded. */
bool rule_is_tap(const struct endpoint *ep);

#endif
