/* SPDX-License-Identifier: MIT */
/*
 * What a port says of its link. The reason of an outage is a warning, once. Under -v each
 * new reason is told, too, and the first try after the start or a loss is told step by step:
 * which name is resolved, which address is tried. Later tries are told by their result, if
 * that is another one, so a peer that is away for hours takes a few lines.
 */
#include "port/port-tell.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parts.h"

int port_why(struct port *p, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	p->why_err = err;
	return err;
}

void port_tell(struct port *p, const char *fmt, ...)
{
	char text[PORT_WHY_MAX];
	va_list ap;

	if (!HAS_STORY || p->is_quiet)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("%s: %s", p->name, text);
}

bool port_tell_down(struct port *p, bool will_retry)
{
	const char *and = will_retry ? "; trying again" : "";
	bool is_orderly = !will_retry && p->why_err == PORT_CLOSED;
	uint64_t hash = text_hash(p->why);
	bool is_news;

	if (!p->told && !is_orderly)
		log_warn("%s: %s%s", p->name, p->why, and);
	else if (p->told != hash)
		log_info("%s: %s%s", p->name, p->why, and);
	/* What was up, and for long enough, begins another story. */
	p->is_quiet = p->told || p->state != PORT_UP;
	is_news = p->told != hash;
	p->told = hash;
	return is_news;
}

void port_tell_next(const struct port *p, uint64_t ms, bool is_news, bool is_steady)
{
	unsigned tenths = (unsigned)(ms + 99) / 100;

	if (is_news)
		log_info("%s: next try in %u.%u s", p->name, tenths / 10, tenths % 10);
	else if (is_steady)
		log_info(
			"%s: still so; tries go on, at most 5 s apart, and only news is told",
			p->name);
}
