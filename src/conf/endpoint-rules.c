/* SPDX-License-Identifier: MIT */
/* Whatever the kind of an endpoint, its port has these. */
#include "conf/endpoint-rules.h"

#include <string.h>

#include "conf/endpoint-name.h"

int rule_isolated(struct parse *p, char *value)
{
	(void)value;
	p->ep->rules.is_isolated = true;
	return 0;
}

int rule_mac(struct parse *p, char *value)
{
	struct endpoint_rules *rules = &p->ep->rules;
	uint8_t mac[6];

	if (endpoint_parse_mac(mac, value))
		return part_refuse(
			p,
			QUOTED
			" must be the MAC address of one machine, as in " MAC_EXAMPLE,
			value);
	for (unsigned int i = 0; i < rules->n_macs; i++)
		if (!memcmp(rules->macs[i], mac, sizeof(mac)))
			return part_refuse(
				p, QUOTED " is given twice; give each address once",
				value);
	if (rules->n_macs == ENDPOINT_MACS_MAX)
		return part_refuse(p,
				   QUOTED " is one too many; a port has %d addresses at "
					  "most, or any without this option",
				   value, ENDPOINT_MACS_MAX);
	memcpy(rules->macs[rules->n_macs++], mac, sizeof(mac));
	return 0;
}

bool rule_is_tap(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_BRIDGE || ep->kind == ENDPOINT_TAP;
}

int rule_pad(struct parse *p, char *value)
{
	if (rule_is_tap(p->ep))
		return part_refuse(
			p, "frames to a tap are never padded; leave this option out");
	p->ep->rules.is_unpadded = !strcmp(value, "0");
	if (!p->ep->rules.is_unpadded && strcmp(value, "60") != 0)
		return part_refuse(p, QUOTED " must be 0 or 60", value);
	return 0;
}

/* The name is taken out of the text, which so stays the same if the name changes. */
int rule_port_name(struct parse *p, char *value)
{
	size_t len = strlen(value), at = (size_t)(value - p->copy);
	const char *rest = p->text + at + len;

	if (!endpoint_is_port_name(value, ENDPOINT_PORT_NAME_MAX))
		return part_refuse(p,
				   QUOTED
				   " must be 1 to %d letters, digits, ., _ or -, and "
				   "not digits alone",
				   value, ENDPOINT_PORT_NAME_MAX - 1);
	memcpy(p->ep->port_name, value, len + 1);
	memcpy(p->ep->text + at - strlen(",name="), rest, strlen(rest) + 1);
	return 0;
}
