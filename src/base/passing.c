/* SPDX-License-Identifier: MIT */
/* Errors of rights, of wrong names and of what others have are in neither list. */
#include "base/passing.h"

#include <errno.h>

#include "base/util.h"

/* First what the host is short of, then what is not there. */
static const unsigned char errors[] = {
	ENOMEM, ENOBUFS, EMFILE,	ENFILE,	  EAGAIN,      EINTR,	     ETIMEDOUT,
	ENODEV, ENOENT,	 EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, EHOSTUNREACH,
};

#define SHORTAGES 7

bool passing_error(int err, bool waits)
{
	for (unsigned i = 0; i < (waits ? ARRAY_SIZE(errors) : SHORTAGES); i++)
		if (errors[i] == -err)
			return true;
	return false;
}
