/* SPDX-License-Identifier: MIT */
/*
 * The commands of the control socket, from a line of words to what the relay
 * says or does. One that is wrong changes nothing; each is over when it
 * returns.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "base/buf.h"
#include "capture/capture.h"
#include "relay/relay.h"
#include "show/show-table.h"

#define CTL_WORDS_MAX 16
#define CTL_WHY_MAX 2048

/*
 * @word, @n_words: the command, with a NULL behind it
 * @out:     what it has to say is appended here
 * @follows: it goes on: events are to be sent as they happen
 * @awaits:  a port that was added, by its number: it is being opened; what becomes
 *           of that is the answer, see ctl_added(); 0: none
 * @show:    the answer is this, from its beginning
 * @captures: it goes on: what @wish says is to be captured to the connection
 * @why:     on error, one line that says what is wrong and what would be right
 */
struct ctl_call {
	struct relay *relay;
	char *word[CTL_WORDS_MAX + 1];
	int n_words;
	struct buf *out;
	bool follows, captures;
	unsigned awaits;
	show_step *show;
	struct capture_filter wish;
	char why[CTL_WHY_MAX];
};

/*
 * ctl_command() - Do what @line says; see quote.h. It is cut up in place.
 * @call: relay and out are set, the rest is zero
 *
 * Return: 0; -errno, with the reason at @call->why.
 */
int ctl_command(struct ctl_call *call, char *line);

/*
 * ctl_added() - Say what has become of a port that was added.
 * @why: on error, one line that says why it is gone
 *
 * Return: 0, also for one that will be tried again; -EIO.
 */
int ctl_added(const struct port *p, struct buf *out, char *why, size_t size);

#endif
