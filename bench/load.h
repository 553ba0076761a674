/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the load generator share: the ports that it has on a relay
 * (port), what arrives at them (tally), and what the relay spends meanwhile
 * (cost). load.c has the user's view of it all.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_MAX_FRAME 65536 /* the longest we send */
#define SIZE_MIN_FRAME 64
#define BURST_MAX 64 /* frames built at once */
#define WORD 4	     /* QEMU's length word, ahead of a frame on a stream */
#define HEAD 32	     /* what we write into a frame: MACs, EtherType, mark, number, time */
#define BROADCAST 0xffff

/*
 * How frames go in and out.
 * @CHANNEL_STREAM:  QEMU's stream framing
 * @CHANNEL_DATAGRAM: a frame a datagram; several by sendmmsg
 * @CHANNEL_SEGMENT: UDP with UDP_SEGMENT where batched, and UDP_GRO
 * @CHANNEL_PACKET:  a packet socket on an interface
 */
enum channel { CHANNEL_STREAM, CHANNEL_DATAGRAM, CHANNEL_SEGMENT, CHANNEL_PACKET };

/*
 * @id:    its MAC address's last two bytes
 * @got:   bytes at @head, of a stream's frame
 * @rest:  bytes of that frame still to be skipped
 * @next:  the lowest number that the next frame may have
 * @tail:  what is left of a frame that a stream took a part of; @n_tail bytes
 */
struct port {
	int fd;
	unsigned id;
	enum channel channel;
	uint8_t head[WORD + HEAD];
	size_t got, rest;
	uint32_t next;
	uint8_t *tail;
	size_t n_tail;
};

/*
 * What has arrived.
 * @mark:      frames without it are of an earlier round, or none of ours
 * @size:      that frames must have
 * @is_pair:   there is one sender and one receiver
 * @delivered: frames that came to whom they were meant for
 * @copies:    frames that came to others: a hub's
 * @wrong:     of another size, or behind their successor
 * @latency:   where to note each frame's, or NULL
 */
struct tally {
	uint32_t mark;
	uint32_t size;
	bool is_pair;
	uint64_t delivered;
	uint64_t copies;
	uint64_t wrong;
	uint32_t *latency;
	size_t n_latency, latency_max;
};

/* port_flush() - Send the tail. Return: whether there is none any more. */
bool port_flush(struct port *p);

/* Frames ready to send; on a stream each with its length word ahead. */
struct burst {
	uint8_t *buf;
	uint32_t size;
};

uint64_t now_ns(void);

/* port_drain() - Take what has arrived, one receive. Return: whether something had. */
bool port_drain(struct port *p, struct tally *t);

/*
 * port_send() - Send frames from @p to port @to, or BROADCAST.
 * @seq:   number of the first
 * @n:     how many, at most BURST_MAX
 * @batch: in one system call, not in one each
 *
 * Return: how many went; fewer when the kernel takes no more now.
 */
unsigned port_send(struct port *p, struct burst *b, const struct tally *t, unsigned to,
		   uint32_t seq, unsigned n, bool batch);

/* burst_init() - Build frames. Return: 0 or -ENOMEM. */
int burst_init(struct burst *b);
void burst_resize(struct burst *b, uint32_t size);

#define COST_PIDS_MAX 16
#define COST_TASKS_MAX 64

/*
 * What processes spend.
 * @fds: counters of system calls, one a thread, while counting
 */
struct cost {
	int pids[COST_PIDS_MAX];
	unsigned n_pids;
	int fds[COST_TASKS_MAX];
	unsigned n_fds;
};

/* cost_cpu_ns() - CPU time that all threads of them have used so far. */
uint64_t cost_cpu_ns(const struct cost *c);

/* cost_count() - Count their system calls from here on. Return: 0 or -errno. */
int cost_count(struct cost *c);

/* cost_counted() - How many it were; ends the counting. */
uint64_t cost_counted(struct cost *c);

/*
 * The generator.
 * @epfd: watches all ports
 */
struct load {
	struct port *ports;
	unsigned n;
	int epfd;
	struct burst burst;
	struct tally tally;
	struct cost cost;
	uint32_t seq;
};

/*
 * A flow to send.
 * @batch:     many frames a system call
 * @broadcast: to all; else from each port to the one after it, in turns
 * @pair:      from the first port to the second, whose address is known
 * @count:     system calls, not CPU time
 * @window:    bytes under way at most; 0 for as fast as it goes
 */
struct flow {
	uint32_t size;
	bool batch;
	bool broadcast;
	bool pair;
	bool count;
	uint64_t ms;
	uint64_t window;
};

/* Run one, and print what came of it, a line. */
void flow_run(struct load *l, const struct flow *f);

/* ping_run() - Send frames, each when the one before has come and a while has passed. */
void ping_run(struct load *l, uint32_t size, uint64_t count);

/* paced_run() - Send frames at a fixed rate a second, and note how long each takes. */
void paced_run(struct load *l, uint32_t size, uint64_t rate, uint64_t ms);

#endif
