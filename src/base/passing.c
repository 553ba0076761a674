/* SPDX-License-Identifier: MIT */
/* Errors of rights, of wrong names and of what others have are in neither list. */
#include "base/passing.h"

#include <errno.h>

bool passing_error(int err, bool waits)
{
	switch (-err) {
	/* The host or this process is short of something. */
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
	case EAGAIN:
	case EINTR:
	case ETIMEDOUT:
		return true;
	/* Something is not there. */
	case ENODEV:
	case ENOENT:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return waits;
	default:
		return false;
	}
}
