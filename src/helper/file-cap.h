/* SPDX-License-Identifier: MIT */
/*
 * The capability that the program file gives: `setcap cap_net_admin+p netrelay` lets
 * every user who may run the program make taps. The user has no right to it
 * otherwise, so it is used for nothing but what the access list allows (see
 * bridge-acl.h), and only by the one process that attaches a tap, while it does so:
 *
 *	relay, helper		keep it aside: permitted, but not effective
 *	attaching a tap		uses it if the access list allows that, otherwise loses it
 *	all other processes	lose it
 *
 * Root, and a user to whom the starter of the program gave the capability (an ambient
 * one, see capabilities(7)), have the right without us. They need no leave, and
 * nothing here changes what they have.
 */
#ifndef FILE_CAP_H
#define FILE_CAP_H

#include <stdbool.h>

/* Where CAP_NET_ADMIN comes from. */
enum net_right {
	NET_RIGHT_NONE, /* this process does not have it */
	NET_RIGHT_FILE, /* from the program file */
	NET_RIGHT_OWN	/* from whoever started the program */
};

enum file_cap {
	FILE_CAP_GONE,	/* for good */
	FILE_CAP_ASIDE, /* permitted: this process can take it in use */
	FILE_CAP_IN_USE /* effective */
};

/*
 * net_right() - Find out where this process has CAP_NET_ADMIN from.
 *
 * A file with capabilities clears the ambient ones when it is executed
 * (cap_bprm_creds_from_file() in the kernel's security/commoncap.c), and a user other
 * than root is permitted nothing else. So what is permitted and not ambient is the
 * file's.
 */
enum net_right net_right(void);

/*
 * file_cap_begin() - Put the file's capability aside. Call it first of all.
 *
 * It gives up the file's other capabilities, and the inheritable ones, so that a
 * command cannot get any. It also switches off core dumps and ptrace(2), as the kernel
 * does for such a program unless fs.suid_dumpable says otherwise.
 *
 * Return: 0; -EPERM when the program file is set-user-ID or set-group-ID.
 */
int file_cap_begin(void);

/*
 * file_cap_set() - Change what this process has of the file's capability. If it has
 * none, that is no error, and nothing is done. If the kernel refuses, which it has no
 * reason to, the process is aborted.
 */
void file_cap_set(enum file_cap state);

#endif
