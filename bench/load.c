/* SPDX-License-Identifier: MIT */
/*
 * The load generator of the benchmark: sends frames to ports of a relay, counts the frames
 * that come out of other ports, and asks the kernel what the relay spent on them.
 *
 *	load PID,PID,... CHANNEL:FD CHANNEL:FD ...
 *
 * bench/run opens and connects a descriptor for each port, which the generator inherits.
 * It reads commands from stdin, and answers each with one line:
 *
 *	flow SIZE one|batch MS WINDOW           CPU time
 *	calls SIZE one|batch MS WINDOW          system calls
 *	broadcast SIZE one|batch MS WINDOW      CPU time, every frame to every port
 *	pair SIZE one|batch MS WINDOW           CPU time, from the first to the second
 *	rush SIZE one|batch MS WINDOW           CPU time, from guest to guest, a ring at once
 *	copy SIZE one|batch MS WINDOW           CPU time of memcpy() from guest to guest
 *	ping SIZE COUNT                         latency of single frames
 *	paced SIZE RATE MS                      latency under that load
 *
 * If there are two ports, the first sends to the second. If there are more, each sends to
 * the next one, in turns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "load.h"

static const char *const channels[] = {
	[CHANNEL_STREAM] = "stream",
	[CHANNEL_DATAGRAM] = "datagram",
	[CHANNEL_SEGMENT] = "segment",
	[CHANNEL_PACKET] = "packet",
	[CHANNEL_GUEST] = "guest",
	[CHANNEL_GUEST_SUPER] = "guest-super",
};

static void add_pids(struct cost *c, const char *text)
{
	char *end;

	while (*text && c->n_pids < COST_PIDS_MAX) {
		c->pids[c->n_pids++] = (int)strtol(text, &end, 10);
		text = *end ? end + 1 : end;
	}
}

static int add_port(struct load *l, const char *text)
{
	struct port *p = &l->ports[l->n];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = p };
	const char *colon = strchr(text, ':');

	if (!colon)
		return -1;
	for (unsigned i = 0; i < sizeof(channels) / sizeof(*channels); i++) {
		if (strlen(channels[i]) != (size_t)(colon - text) ||
		    strncmp(text, channels[i], (size_t)(colon - text)) != 0)
			continue;
		p->channel = (enum channel)i;
		p->fd = atoi(colon + 1);
		p->id = l->n++;
		if (p->channel >= CHANNEL_GUEST) {
			l->n_guests++;
			p->guest = guest_open(p->fd, p->channel == CHANNEL_GUEST_SUPER);
			return p->guest ? 0 : -1;
		}
		return epoll_ctl(l->epfd, EPOLL_CTL_ADD, p->fd, &event);
	}
	return -1;
}

/* Each port sends a frame, so that a switch knows its address. */
static void announce(struct load *l)
{
	l->tally.mark++;
	burst_resize(&l->burst, SIZE_MIN_FRAME);
	for (unsigned i = 0; i < l->n; i++) {
		if (l->ports[i].guest)
			guest_resize(l->ports[i].guest, SIZE_MIN_FRAME);
		port_send(&l->ports[i], &l->burst, &l->tally, BROADCAST, 0, 1, false);
	}
}

static bool obey_flow(struct load *l, const char *line)
{
	struct flow f = { 0 };
	char verb[16], how[16];

	if (sscanf(line, "%15s %" SCNu32 " %15s %" SCNu64 " %" SCNu64, verb, &f.size, how,
		   &f.ms, &f.window) != 5)
		return false;
	if (f.size < SIZE_MIN_FRAME || f.size > SIZE_MAX_FRAME)
		return false;
	if (!strcmp(verb, "copy") && l->n == 2 && l->n_guests == 2) {
		guest_copy(l->ports[0].guest, l->ports[1].guest, f.size, f.ms);
		return true;
	}
	if (!strcmp(verb, "rush") && l->n == 2 && l->n_guests == 2) {
		rush_run(l, f.size, f.ms);
		return true;
	}
	f.batch = !strcmp(how, "batch");
	f.count = !strcmp(verb, "calls");
	f.broadcast = !strcmp(verb, "broadcast");
	f.pair = !strcmp(verb, "pair");
	flow_run(l, &f);
	return true;
}

static bool obey(struct load *l, const char *line)
{
	uint64_t count, ms;
	uint32_t size;

	if (sscanf(line, "ping %" SCNu32 " %" SCNu64, &size, &count) == 2)
		ping_run(l, size, count);
	else if (sscanf(line, "paced %" SCNu32 " %" SCNu64 " %" SCNu64, &size, &count,
			&ms) == 3)
		paced_run(l, size, count, ms);
	else
		return obey_flow(l, line);
	return true;
}

int main(int argc, char **argv)
{
	struct load l = { .epfd = epoll_create1(0) };
	char line[128];

	l.ports = calloc((size_t)argc, sizeof(*l.ports));
	if (argc < 4 || l.epfd < 0 || !l.ports || burst_init(&l.burst) < 0) {
		fprintf(stderr, "usage: load PID,... CHANNEL:FD CHANNEL:FD ...\n");
		return 2;
	}
	add_pids(&l.cost, argv[1]);
	for (int i = 2; i < argc; i++) {
		if (add_port(&l, argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	announce(&l);
	while (fgets(line, sizeof(line), stdin)) {
		if (!obey(&l, line)) {
			fprintf(stderr, "load: not understood: %s", line);
			return 1;
		}
	}
	return 0;
}
