/* SPDX-License-Identifier: MIT */
/*
 * What all views have in common.
 *
 * #syscalls: getpeername
 */
#include "show/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/parts.h"
#include "conf/endpoint-name.h"

const char *show_endpoint(const struct member *m)
{
	if (m->ep)
		return m->ep->text;
	return acceptor_of(m) ? acceptor_of(m)->ep->text : m->port->name;
}

const char *show_suite(const struct port *p)
{
	static const char *const names[] = {
		[SEAL_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
		[SEAL_AES256_GCM] = "AES-256-GCM",
	};

	return HAS_KEYS && p->state == PORT_UP && p->seal.suite ? names[p->seal.suite]
								: NULL;
}

const char *show_peer(const struct member *m, char *buf)
{
	const struct port *p = m->port;
	struct sock_addr addr;

	buf[0] = '\0';
	if (p->state != PORT_UP)
		return buf;
	if (p->peer) {
		snprintf(buf, SOCK_TEXT_MAX, "%s", p->peer);
		return buf;
	}
	memset(&addr, 0, sizeof(addr));
	addr.len = sizeof(addr.storage);
	if (getpeername(p->rd.fd, &addr.sa, &addr.len) < 0)
		return buf;
	sock_text(&addr, buf);
	/* A client of a unix socket has no address, so its process is named instead. */
	if (!buf[0] && acceptor_of(m))
		sock_process(p->rd.fd, buf, SOCK_TEXT_MAX);
	return buf;
}

bool show_members(struct show *s, const struct relay *r, struct buf *out,
		  void (*one)(struct show *s, const struct member *m, struct buf *out))
{
	const struct member *m = members_after(&r->forward.members, s->last);

	for (unsigned n = 0; m && n < SHOW_PORTS_A_STEP; m = m->next, n++) {
		one(s, m, out);
		s->last = m->id;
	}
	return !m;
}

void show_listener(const struct acceptor *a, struct buf *out)
{
	const uint64_t *refused = a->listener.admit.refused;
	const char *lead = ", refused: ";
	char text[4 * ENDPOINT_TEXT_MAX],
		label[ENDPOINT_TEXT_MAX + ENDPOINT_PORT_NAME_MAX];

	escape_text(text, sizeof(text), endpoint_label(a->ep, label, sizeof(label)));
	buf_printf(out, "listener %s: %u connected, %u accepted so far", text,
		   a->listener.n, a->listener.count);
	for (int i = 0; i < ADMIT_REFUSALS; i++) {
		if (!refused[i])
			continue;
		buf_printf(out, "%s%s %" PRIu64, lead,
			   admit_refusal_name((enum admit_refusal)i), refused[i]);
		lead = ", ";
	}
}
