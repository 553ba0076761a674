/* SPDX-License-Identifier: MIT */
/*
 * A tap, and a bridge reached by one: how it comes up, and where it is.
 *
 * The helper makes and attaches it. A tap that was deleted shows that on its descriptor;
 * all other changes to it, or to its bridge, are known from rtnetlink only. Such news
 * leads to a look: a moment later, when a program that changes several things is done,
 * we ask the kernel where the tap is, and find_place() decides whether it belongs there.
 * If it does not, the port goes down, and the remedy is tried at once, and again with
 * the port's back-off:
 *
 *   gone	the tap or its bridge is deleted, or elsewhere: begin anew
 *   astray	the tap is on no bridge, or down: have the helper put it back
 *   waits	the tap is on another bridge, or its bridge is down: somebody else
 *		wants it so, and will have to undo it
 *
 * In the latter two the tap is kept, and only its port goes down.
 *
 * #syscalls: close fcntl
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parts.h"
#include "net/nl.h"
#include "port/driver.h"
#include "port/tap-io.h"

#define LOOK_MS 100	  /* between the news and the look */
#define REMADE_MS 5000	  /* in which a tap that was deleted may be made again */
#define FIRST_LOOK_MS 500 /* for changes from before we knew the tap's index */
#define CHECK_MS 2000	  /* between looks at an inherited tap, which has no news */

enum place { PLACE_RIGHT, PLACE_GONE, PLACE_ASTRAY, PLACE_WAITS };

static struct tap *to_tap(struct port *p)
{
	return container_of(p, struct tap, port);
}

/* Ask the kernel about a link. */
static int look_up(const struct tap *t, int index, struct nl_link *link)
{
	struct mnl_socket *sock = links_ask(t->port.env->links);

	return sock ? nl_link_at(sock, index, link) : -EAGAIN;
}

static bool has_bridge(const struct tap *t)
{
	return HAS_BRIDGE && t->ep->kind == ENDPOINT_BRIDGE;
}

/* ---- where it is ---- */

/* Note changes that are no fault: its MTU, its name. */
static void learn(struct tap *t, const struct nl_link *tap)
{
	t->link.mtu = tap->mtu;
	if (!strcmp(t->link.name, tap->name))
		return;
	log_info("%s: tap %s is called %s now", t->port.name, t->link.name, tap->name);
	memcpy(t->link.name, tap->name, sizeof(t->link.name));
}

static enum place bridge_is_down(struct tap *t)
{
	port_why(&t->port, -ENETDOWN, "bridge %s is down; set it up: ip link set %s up",
		 t->ep->name, t->ep->name);
	return PLACE_WAITS;
}

/* The tap is on another bridge, or on none. */
static enum place find_master(struct tap *t, const struct nl_link *tap)
{
	struct nl_link master;

	if (tap->master && !look_up(t, tap->master, &master)) {
		port_why(
			&t->port, -EBUSY,
			"tap %s was moved to %s by someone else, and is left there until "
			"it is free: ip link set %s nomaster",
			t->link.name, master.name, t->link.name);
		return PLACE_WAITS;
	}
	port_why(&t->port, -ENOTCONN, "tap %s was taken off bridge %s by someone else",
		 t->link.name, t->ep->name);
	return PLACE_ASTRAY;
}

static void follow_mtu(struct tap *t, uint32_t mtu);

static enum place find_bridge(struct tap *t, const struct nl_link *tap)
{
	struct nl_link bridge;
	int ret = look_up(t, t->link.bridge, &bridge);

	if (ret == -ENODEV) {
		port_why(&t->port, ret, "bridge %s was deleted", t->ep->name);
		return PLACE_GONE;
	}
	if (tap->master != t->link.bridge)
		return find_master(t, tap);
	if (ret < 0)
		return PLACE_RIGHT;
	if (!bridge.is_up)
		return bridge_is_down(t);
	follow_mtu(t, bridge.mtu);
	return PLACE_RIGHT;
}

/*
 * Whether the tap is where it belongs; if not, port_why() says what is wrong. This asks
 * the kernel and waits for its answer, so it is called only when there is news. If the
 * kernel can't tell, all is taken to be well.
 */
static enum place find_place(struct tap *t)
{
	enum place place = PLACE_RIGHT;
	struct nl_link tap;
	int ret = look_up(t, t->link.index, &tap);

	if (ret == -ENODEV) {
		port_why(&t->port, ret, "tap %s%s", t->link.name,
			 tap_is_there(t->link.fd)
				 ? " was moved to another network namespace"
				 : ": was deleted");
		return PLACE_GONE;
	}
	if (ret < 0)
		return PLACE_RIGHT;
	learn(t, &tap);
	if (has_bridge(t))
		place = find_bridge(t, &tap);
	if (place == PLACE_RIGHT && !tap.is_up) {
		port_why(&t->port, -ENETDOWN, "tap %s was set down by someone else",
			 t->link.name);
		return PLACE_ASTRAY;
	}
	return place;
}

/* ---- up ---- */

static int use(struct tap *t)
{
	if (has_bridge(t))
		log_info("%s: by tap %s, MTU %u", t->port.name, t->link.name,
			 t->link.mtu);
	t->is_kept = false;
	return tap_io_begin(t);
}

/* Use a tap that was kept; frames that came meanwhile are old, or of another bridge. */
static int use_again(struct tap *t)
{
	tap_io_drain(t);
	return use(t);
}

static void let_go(struct tap *t)
{
	if (t->link.fd >= 0 && t->link.existed && !tap_is_there(t->link.fd))
		t->lost_at = loop_now();
	if (t->link.fd >= 0)
		close(t->link.fd);
	t->link.fd = -1;
	t->is_kept = false;
}

static void look_due(struct timer *timer);

static void attached(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct tap *t = container_of(call, struct tap, call);

	t->port.is_mistake = true;
	if (answer->err) {
		port_opened(&t->port, port_why(&t->port, answer->err, "%s", answer->why));
		return;
	}
	t->link = answer->attach;
	t->link.fd = fd;
	t->lost_at = 0;
	t->is_dark = false;
	port_tell(&t->port, "tap %s %s", t->link.name,
		  t->link.existed ? "was there already, and is taken" : "is made");
	links_follow(t->port.env->links, &t->news, t->link.index,
		     has_bridge(t) ? t->link.bridge : 0);
	timer_set(t->port.env->loop, &t->look, FIRST_LOOK_MS, look_due);
	if (has_bridge(t) && !t->link.is_bridge_up) {
		/* Somebody may be about to set it up, so it is no mistake. */
		t->port.is_mistake = false;
		t->is_kept = true;
		bridge_is_down(t);
		port_opened(&t->port, t->port.why_err);
		return;
	}
	port_opened(&t->port, use(t));
}

/* The helper has put the tap back; if it failed, the next try makes another tap. */
static void put_back(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct tap *t = container_of(call, struct tap, call);

	(void)fd;
	if (answer->err) {
		let_go(t);
		port_opened(&t->port, port_why(&t->port, answer->err, "%s", answer->why));
		return;
	}
	t->link.mtu = answer->attach.mtu;
	t->link.bridge_mtu = answer->attach.bridge_mtu;
	port_opened(&t->port, use_again(t));
}

/*
 * Whether to leave the name of a deleted tap for a while to those who had made that tap:
 * one of ours would be in their way, and lack their settings.
 */
static bool may_be_remade(const struct tap *t, const char *name)
{
	struct mnl_socket *sock = links_ask(t->port.env->links);
	struct nl_link link;

	return sock && t->lost_at && loop_now() - t->lost_at < REMADE_MS &&
	       nl_link_get(sock, name, &link) == -ENODEV;
}

/* Which tap, and which bridge, an endpoint leads to. */
static void name_tap(const struct endpoint *ep, struct tap_request *req)
{
	bool has_bridge = HAS_BRIDGE && ep->kind == ENDPOINT_BRIDGE;

	snprintf(req->bridge, sizeof(req->bridge), "%s", has_bridge ? ep->name : "");
	snprintf(req->tap, sizeof(req->tap), "%s", has_bridge ? ep->tap : ep->name);
}

/* A tap that the relay has open goes by its number, and may go to no other bridge. */
bool port_tap_asks(const struct endpoint *ep, const struct helper_request *req)
{
	struct tap_request own;

	if (!req || req->op != HELPER_ATTACH)
		return !req;
	if (req->attach.index && !req->attach.bridge[0])
		return true;
	name_tap(ep, &own);
	return !strcmp(own.bridge, req->attach.bridge) &&
	       !strcmp(own.tap, req->attach.tap);
}

static void tell_asked(struct tap *t, const struct tap_request *req)
{
	const char *on = req->bridge[0] ? " on bridge " : "";

	if (!HAS_STORY)
		return;
	if (req->index)
		port_tell(&t->port, "asking the helper to put tap %s back%s%s",
			  t->link.name, on, req->bridge);
	else if (req->tap[0])
		port_tell(&t->port, "asking the helper for tap %s%s%s", req->tap, on,
			  req->bridge);
	else
		port_tell(&t->port, "asking the helper for a tap%s%s", on, req->bridge);
}

/* @index: the kept tap's; 0: get another tap */
static int attach(struct tap *t, int index)
{
	struct helper_request req = { .op = HELPER_ATTACH };
	struct port *p = &t->port;
	int ret;

	name_tap(t->ep, &req.attach);
	req.attach.mtu = t->ep->mtu;
	req.attach.index = index;
	if (may_be_remade(t, req.attach.tap))
		return port_why(p, -ENODEV, "tap %s: was deleted", req.attach.tap);
	tell_asked(t, &req.attach);
	ret = helper_ask(p->env->helpers, &t->call, &req, index ? put_back : attached);
	return ret < 0 ? port_why(p, ret, "%s", strerror(-ret)) : -EINPROGRESS;
}

static void mtu_set(struct helper_call *call, const struct helper_answer *answer, int fd)
{
	struct tap *t = container_of(call, struct tap, call);

	(void)fd;
	if (answer->err)
		log_warn(
			"%s: bridge %s has a larger MTU than tap %s, which stays at %u: %s",
			t->port.name, t->ep->name, t->link.name, t->link.mtu,
			answer->why);
	else
		t->link.mtu = answer->attach.mtu;
}

/*
 * The bridge's MTU is @mtu. If it has grown, the tap's grows too. The tap's does not
 * shrink: a bridge takes the least MTU of its ports, so it could never grow again.
 */
static void follow_mtu(struct tap *t, uint32_t mtu)
{
	struct helper_request req = { .op = HELPER_ATTACH };
	bool has_grown = mtu > t->link.bridge_mtu && mtu > t->link.mtu;

	t->link.bridge_mtu = mtu;
	if (!has_grown || t->ep->mtu || t->port.state != PORT_UP || t->call.is_waiting)
		return;
	req.attach.index = t->link.index;
	req.attach.mtu = mtu;
	helper_ask(t->port.env->helpers, &t->call, &req, mtu_set);
}

/* ---- news ---- */

/* Look at the tap. A port that waits is tried again instead, and looks then. */
static void look_due(struct timer *timer)
{
	struct tap *t = container_of(timer, struct tap, look);
	enum place place;

	port_retry_now(&t->port);
	if (t->port.state != PORT_UP)
		return;
	place = find_place(t);
	if (place == PLACE_RIGHT)
		return;
	t->is_kept = place != PLACE_GONE;
	port_down(&t->port);
}

/* Whether the news is of a link of ours that is not as it should be. */
static bool is_amiss(struct tap *t, const struct nl_link *link)
{
	bool is_off = link->gone || !link->is_up;

	if (link->index == t->link.bridge)
		return is_off || link->mtu > t->link.bridge_mtu;
	if (link->index != t->link.index)
		return false;
	if (!is_off && (!has_bridge(t) || link->master == t->link.bridge)) {
		learn(t, link);
		return false;
	}
	return true;
}

/* Whether the news may be what a waiting port waits for. */
static bool is_awaited(const struct tap *t, const struct nl_link *link)
{
	if (t->link.fd >= 0 &&
	    (link->index == t->link.index || link->index == t->link.bridge))
		return true;
	return !link->gone && (!has_bridge(t) || link->is_up) &&
	       !strcmp(link->name, t->ep->name);
}

/*
 * The more tries have failed, the longer it takes until news leads to another try: if a
 * try makes news itself, the two do not chase each other.
 */
static void on_news(struct links_user *u, const struct nl_link *link)
{
	struct tap *t = container_of(u, struct tap, news);
	bool waits = t->port.state == PORT_WAITING;

	if (link && !(waits ? is_awaited(t, link) : is_amiss(t, link)))
		return;
	if (!t->look.is_set)
		timer_set(t->port.env->loop, &t->look,
			  LOOK_MS + (waits ? t->port.backoff_ms / 8 : 0), look_due);
}

static int tap_open(struct port *p)
{
	struct tap *t = to_tap(p);
	int ret = links_join(p->env->links, &t->news, t->ep->name);

	if (ret < 0)
		return port_why(p, ret, "rtnetlink: %s", strerror(-ret));
	if (t->link.fd < 0)
		return attach(t, 0);
	switch (find_place(t)) {
	case PLACE_RIGHT:
		return use_again(t);
	case PLACE_WAITS:
		return p->why_err;
	case PLACE_ASTRAY:
		return attach(t, t->link.index);
	case PLACE_GONE:
		break;
	}
	let_go(t);
	return attach(t, 0);
}

/* Kernels before 4.20 can't, and leave the carrier on. */
static void tap_carrier(struct port *p, bool is_on)
{
	struct tap *t = to_tap(p);

	if (t->is_dark != is_on || tap_set_carrier(t->link.fd, is_on) < 0)
		return;
	t->is_dark = !is_on;
	if (HAS_STORY)
		log_info("%s: %s", p->name,
			 is_on ? "tap has its carrier, for the other end is up"
			       : "tap has no carrier until the other end is up");
}

static void tap_close(struct port *p)
{
	struct tap *t = to_tap(p);

	helper_forget(&t->call);
	if (!t->is_kept)
		let_go(t);
}

static void tap_free(struct port *p)
{
	struct tap *t = to_tap(p);

	timer_cancel(p->env->loop, &t->look);
	links_leave(p->env->links, &t->news);
	let_go(t);
	free(t);
}

static const struct port_ops ops = {
	.kind = "tap",
	.has_backpressure = true,
	.open = tap_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.carrier = tap_carrier,
	.close = tap_close,
	.free = tap_free,
};

static void check_fd(struct timer *timer)
{
	struct tap *t = container_of(timer, struct tap, look);

	if (!tap_is_there(t->link.fd)) {
		port_why(&t->port, -ENODEV, "tap %s: was deleted", t->link.name);
		port_down(&t->port);
		return;
	}
	timer_set(t->port.env->loop, timer, CHECK_MS, check_fd);
}

static int tap_fd_open(struct port *p)
{
	struct tap *t = to_tap(p);

	timer_set(p->env->loop, &t->look, CHECK_MS, check_fd);
	return tap_io_begin(t);
}

static void tap_fd_close(struct port *p)
{
	struct tap *t = to_tap(p);

	timer_cancel(p->env->loop, &t->look);
	fcntl(t->link.fd, F_SETFL, t->flags);
	tap_close(p);
}

static const struct port_ops fd_ops = {
	.kind = "tap",
	.has_backpressure = true,
	.one_shot = true,
	.open_error_is_fatal = true,
	.open = tap_fd_open,
	.rx = tap_rx,
	.tx = tap_tx,
	.carrier = tap_carrier,
	.close = tap_fd_close,
	.free = tap_free,
};

static struct tap *tap_new(const struct port_ops *tap_ops, const struct endpoint *ep,
			   const struct port_env *env)
{
	struct tap *t = port_new(sizeof(*t), tap_ops, env, ep->text);

	if (!t)
		return NULL;
	t->ep = ep;
	t->link.fd = -1;
	t->news.changed = on_news;
	return t;
}

struct port *port_tap_new(const struct endpoint *ep, const struct port_env *env)
{
	struct tap *t = tap_new(&ops, ep, env);

	return t ? &t->port : NULL;
}

struct port *port_tap_from_fd(const struct tap_dev *link, const struct endpoint *ep,
			      const struct port_env *env, int flags)
{
	struct tap *t = tap_new(&fd_ops, ep, env);

	if (!t)
		return NULL;
	t->link = *link;
	t->flags = flags;
	return &t->port;
}
