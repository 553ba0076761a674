/* SPDX-License-Identifier: MIT */
/*
 * Runs the commands of the control socket: takes a line of words, and does what it says
 * to the relay. A command with an error changes nothing.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "base/buf.h"
#include "capture/capture.h"
#include "relay/relay.h"
#include "show/show.h"

#define CTL_WORDS_MAX 16
#define CTL_WHY_MAX 2048 /* bytes of a message, with its NUL */

/*
 * Reads the configuration again; see reload.h.
 * @out: on success, what was done is appended
 * @why: on error, one line that says what is wrong
 */
typedef int ctl_reload(void *arg, struct buf *out, char *why, size_t size);

/*
 * A command, and what remains to be done when ctl_command() has returned.
 * @word, @n_words: the command's words, and a NULL behind them
 * @out:      the answer is appended here
 * @reload:   what the command of that name does, with its argument; NULL: there is no file
 * @has_key, @has_peers: --key, --peers was given
 * @follows:  the client is to get events as they happen
 * @captures: frames are to be captured to the client's connection, as @filter selects
 * @awaits:   the number of a port that was added and is being opened: the answer waits
 *            for the result, see ctl_added(); 0 for none
 * @show:     the view that is the answer; NULL for none
 * @why:      on error, one line that says what is wrong and what would be right
 */
struct ctl_call {
	struct relay *relay;
	char *word[CTL_WORDS_MAX + 1];
	int n_words;
	struct buf *out;
	ctl_reload *reload;
	void *reload_arg;
	bool has_key, has_peers;
	bool follows, captures;
	unsigned awaits;
	show_step *show;
	struct capture_filter filter;
	char why[CTL_WHY_MAX];
};

/*
 * ctl_command() - Run a command.
 * @call: its relay, out, reload, has_key and has_peers are set, the rest is zero; its words
 *        point into @line
 * @line: the command, as of quote.h; it is cut up in place
 *
 * Return: 0; -errno, with the reason at @call->why.
 */
int ctl_command(struct ctl_call *call, char *line);

/*
 * ctl_added() - Answer the command that added a port, now that the port is open, waits
 * to be retried, or has failed.
 * @out: the answer is appended here
 * @why: on error, one line that says why the port is gone
 *
 * Return: 0, also for a port that will be retried; -EIO when the port has failed.
 */
int ctl_added(const struct member *m, struct buf *out, char *why, size_t size);

#endif
