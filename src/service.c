/* SPDX-License-Identifier: MIT */
/*
 * What must arrive is waited for, as the broker is (net/broker.h): the relay stands still
 * for half a second at most, once in its life or in a reload. A status that finds no room
 * is told when the next one is due.
 */
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/log.h"

#define WAIT_MS 500    /* for room */
#define STATUS_MS 1000 /* between two statuses, at least */

/* The first port that was asked for, and is not up though something was tried. */
static const struct port *first_down(const struct relay *r)
{
	for (const struct member *m = r->forward.members.first; m; m = m->next)
		if (!m->acceptor && m->port->state != PORT_UP && m->port->why[0])
			return m->port;
	return NULL;
}

/* In one line of printable ASCII: the reason may have text of a peer's. */
static void write_status(const struct relay *r, char *status)
{
	const struct members *all = &r->forward.members;
	const struct port *down = all->n_up < all->n ? first_down(r) : NULL;
	char text[64 + PORT_NAME_MAX + PORT_WHY_MAX];

	snprintf(text, sizeof(text), "%s, %u of %u ports up%s%s%s%s",
		 relay_kind_name(r->kind), all->n_up, all->n, down ? "; " : "",
		 down ? down->name : "", down ? ": " : "", down ? down->why : "");
	escape_text(status, SERVICE_STATUS_MAX, text);
}

static void status_due(struct timer *t)
{
	struct service *s = container_of(t, struct service, status);
	char status[SERVICE_STATUS_MAX];

	write_status(s->relay, status);
	if (!strcmp(status, s->told))
		return;
	s->told_at = loop_now();
	if (notify_send(&s->notify, 0, "STATUS=%s", status) < 0)
		timer_set(s->loop, t, STATUS_MS, status_due);
	else
		memcpy(s->told, status, sizeof(status));
}

static void put_status(struct service *s)
{
	uint64_t age = loop_now() - s->told_at;

	if (!s->status.is_set)
		timer_set(s->loop, &s->status, age < STATUS_MS ? STATUS_MS - age : 0,
			  status_due);
}

static void watchdog_due(struct timer *t)
{
	struct service *s = container_of(t, struct service, watchdog);

	timer_set(s->loop, t, s->notify.watchdog_ms, watchdog_due);
	notify_send(&s->notify, 0, "WATCHDOG=1");
}

static void ready_due(struct timer *t);

/* Return: whether anybody still waits for that. */
static bool start_is_over(struct service *s)
{
	s->is_ready = true;
	pidfile_write(&s->pidfile);
	if (daemon_ready(&s->daemon) == 0)
		return true;
	log_warn("--daemon: whoever started it has gone before it was ready, so it ends");
	loop_stop(s->loop);
	return false;
}

static void become_ready(struct service *s)
{
	int ret;

	if (!s->is_ready && !start_is_over(s))
		return;
	/* From now on there is nobody to tell. */
	if (s->notify.fd < 0) {
		relay_on_change(s->relay, NULL, NULL);
		return;
	}
	s->told_at = loop_now();
	write_status(s->relay, s->told);
	ret = notify_send(&s->notify, WAIT_MS, "READY=1\nSTATUS=%s", s->told);
	/* The manager would wait for it, and end the program after a while. */
	if (ret == -EAGAIN)
		timer_set(s->loop, &s->status, STATUS_MS, ready_due);
	else if (s->notify.watchdog_ms)
		watchdog_due(&s->watchdog);
}

static void ready_due(struct timer *t)
{
	become_ready(container_of(t, struct service, status));
}

static void on_change(void *arg)
{
	struct service *s = arg;

	if (s->is_ready)
		put_status(s);
	else if (relay_is_ready(s->relay))
		become_ready(s);
}

int service_start(struct service *s, const struct conf *conf, char *why, size_t size)
{
	int ret = daemon_start(&s->daemon, conf, why, size);

	s->pidfile.fd = s->notify.fd = -1;
	if (ret != 0)
		return ret;
	if (notify_start(&s->notify, why, size) < 0)
		log_warn("%s; the service manager is not told", why);
	return pidfile_open(&s->pidfile, conf->pidfile, why, size);
}

void service_watch(struct service *s, struct loop *loop, struct relay *relay)
{
	s->loop = loop;
	s->relay = relay;
	relay_on_change(relay, on_change, s);
}

void service_reloading(struct service *s)
{
	notify_send(&s->notify, WAIT_MS, "RELOADING=1\nMONOTONIC_USEC=%llu",
		    (unsigned long long)(loop_now_ns() / 1000));
}

void service_reloaded(struct service *s)
{
	notify_send(&s->notify, WAIT_MS, "READY=1");
}

void service_stopping(struct service *s)
{
	if (!s->loop)
		return;
	timer_cancel(s->loop, &s->status);
	timer_cancel(s->loop, &s->watchdog);
	notify_send(&s->notify, 0, "STOPPING=1");
	notify_stop(&s->notify);
}

void service_end(struct service *s)
{
	pidfile_close(&s->pidfile);
}
