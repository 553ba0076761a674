/* SPDX-License-Identifier: MIT */
/*
 * The parts of the load generator: its ports on a relay (port), the frames that arrive
 * there (tally), and what the relay spends meanwhile (cost). load.c says how to use it.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZE_MAX_FRAME 65536 /* bytes of the longest frame that is sent */
#define SIZE_MIN_FRAME 64
#define BURST_MAX 64 /* frames built at once */
#define WORD 4	     /* bytes of the length prefix of a frame on a stream, as in QEMU */
#define HEAD 32	     /* bytes that we fill in: MACs, EtherType, mark, number, time */
#define BROADCAST 0xffff

/*
 * How frames are sent and received.
 * @CHANNEL_STREAM:  QEMU's stream framing
 * @CHANNEL_DATAGRAM: one frame per datagram; several datagrams by sendmmsg
 * @CHANNEL_SEGMENT: UDP with UDP_GRO, and with UDP_SEGMENT if batched
 * @CHANNEL_PACKET:  a packet socket on an interface
 * @CHANNEL_GUEST:   vhost-user's front end, with plain frames
 * @CHANNEL_GUEST_SUPER: the same, with super-frames
 */
enum channel {
	CHANNEL_STREAM,
	CHANNEL_DATAGRAM,
	CHANNEL_SEGMENT,
	CHANNEL_PACKET,
	CHANNEL_GUEST,
	CHANNEL_GUEST_SUPER,
};

struct guest;

/*
 * @id:    the last two bytes of its MAC address
 * @got:   bytes at @head, of the current frame of a stream
 * @rest:  bytes of that frame that are still to be skipped
 * @next:  the lowest number that the next frame may have
 * @tail:  the rest of a frame that a stream took only in part; @n_tail bytes
 * @guest: of a CHANNEL_GUEST; else NULL
 * @holds: a guest's frames are kept until guest_go()
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
	struct guest *guest;
	bool holds;
};

/*
 * The frames that have arrived.
 * @mark:      frames without this mark are of an earlier round, or not ours
 * @size:      bytes that each frame must have
 * @is_pair:   there is one sender and one receiver
 * @delivered: frames that arrived at their destination
 * @copies:    frames that arrived at other ports, as with a hub
 * @wrong:     frames of another size, or that arrived after their successor
 * @latency:   where to note the latency of each frame; may be NULL
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

/* port_flush() - Send the tail. Return: whether all of it was sent. */
bool port_flush(struct port *p);

/* Frames that are ready to be sent; on a stream each follows its length prefix. */
struct burst {
	uint8_t *buf;
	uint32_t size;
};

uint64_t now_ns(void);

/* port_drain() - Receive once. Return: whether anything had arrived. */
bool port_drain(struct port *p, struct tally *t);

/*
 * port_send() - Send frames from @p to the port @to, or to BROADCAST.
 * @seq:   the number of the first frame
 * @n:     how many frames, at most BURST_MAX
 * @batch: send all of them by one system call, not by one each
 *
 * Return: how many were sent; fewer than @n when the kernel takes no more now.
 */
unsigned port_send(struct port *p, struct burst *b, const struct tally *t, unsigned to,
		   uint32_t seq, unsigned n, bool batch);

/* guest_open() - Start the front end at @fd. Return: NULL, with errno set. */
struct guest *guest_open(int fd, bool is_super);

/* guest_resize() - Its frames have @size bytes from now on. */
void guest_resize(struct guest *g, uint32_t size);

/* guest_call() - Whether it wants to be called when something has come. */
void guest_call(struct guest *g, bool on);

/*
 * guest_put() - Send frames with those heads; each is kicked by itself unless @batch: then
 * they are only written, and guest_go() sends them.
 *
 * Return: how many there was room for.
 */
unsigned guest_put(struct guest *g, uint8_t heads[][HEAD], unsigned n, bool batch);
void guest_go(struct guest *g);

/* guest_room() - How many frames of the size that it has its buffers hold. */
unsigned guest_room(const struct guest *g);

/* guest_await() - Wait, without sleeping, until @n frames have come, or for @ns. */
void guest_await(const struct guest *g, unsigned n, uint64_t ns);

/* guest_drain() - Show the head and length of each frame that has come. Return: whether any had. */
bool guest_drain(struct guest *g, void (*tally)(void *arg, const uint8_t *head, size_t len),
		 void *arg);

/*
 * guest_copy() - Only copy frames of @size bytes from one guest's memory to the other's, for
 * @ms, and print that as a flow is printed: no relay can be faster.
 */
void guest_copy(struct guest *from, struct guest *to, uint32_t size, uint64_t ms);

/* burst_init() - Build frames. Return: 0 or -ENOMEM. */
int burst_init(struct burst *b);
void burst_resize(struct burst *b, uint32_t size);

#define COST_PIDS_MAX 16
#define COST_TASKS_MAX 64

/*
 * What processes spend.
 * @fds: while system calls are counted: a counter for each thread
 */
struct cost {
	int pids[COST_PIDS_MAX];
	unsigned n_pids;
	int fds[COST_TASKS_MAX];
	unsigned n_fds;
};

/* cost_cpu_ns() - The CPU time that all their threads have used so far, in ns. */
uint64_t cost_cpu_ns(const struct cost *c);

/* cost_count() - Begin to count their system calls. Return: 0 or -errno. */
int cost_count(struct cost *c);

/* cost_counted() - Stop counting. Return: the number of system calls. */
uint64_t cost_counted(struct cost *c);

/*
 * The generator.
 * @n_guests: ports that have no descriptor to be watched, but are looked at
 * @epfd: watches all others
 */
struct load {
	struct port *ports;
	unsigned n;
	unsigned n_guests;
	int epfd;
	struct burst burst;
	struct tally tally;
	struct cost cost;
	uint32_t seq;
};

/*
 * A flow to send.
 * @batch:     send many frames by one system call
 * @broadcast: send to all ports; otherwise from each port to the next one, in turns
 * @pair:      send from the first port to the second, whose address is known
 * @count:     measure system calls, not CPU time
 * @window:    bytes that may be under way; 0 for no limit
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

/* flow_run() - Run a flow, and print its result, one line. */
void flow_run(struct load *l, const struct flow *f);

/*
 * rush_run() - From the first guest to the second: again and again as many frames as the rings
 * hold, which are all there when the relay is told. So it is never waiting for the generator,
 * whose time is not counted.
 */
void rush_run(struct load *l, uint32_t size, uint64_t ms);

/* ping_run() - Send frames one by one, each some time after the one before has arrived. */
void ping_run(struct load *l, uint32_t size, uint64_t count);

/* paced_run() - Send @rate frames per second for @ms, and measure how long each takes. */
void paced_run(struct load *l, uint32_t size, uint64_t rate, uint64_t ms);

#endif
