/* SPDX-License-Identifier: MIT */
/*
 * Makes a running relay what a new configuration says. Ports that both name go on, and lose
 * no frame; their rules are as the new one has them.
 *
 * After it, all that the configuration names is there, and as it says, also what had failed
 * or was deleted by a control command. What the last one named, and this one does not, has
 * ended; connections outlive their listener, though. What control commands have added
 * stays, but in a cable, which has two ends.
 */
#ifndef RENEW_H
#define RENEW_H

#include "conf/conf.h"
#include "relay/relay.h"

/* How many listeners and endpoints of each kind there were. @failed: could not be added */
struct renewal {
	unsigned same, changed, added, ended, failed;
};

/*
 * relay_renew() - Apply the endpoints and listeners of a configuration.
 * @done: set to what was done
 * @tell: called with one line for each that failed
 *
 * An endpoint for a descriptor that the program was started with is not added.
 *
 * Return: 0; -ENOMEM: nothing was changed.
 */
int relay_renew(struct relay *r, const struct conf *conf, struct renewal *done,
		void (*tell)(void *arg, const char *why), void *arg);

#endif
