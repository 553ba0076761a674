/* SPDX-License-Identifier: MIT */
/* The view of a relay for programs. */
#ifndef SHOW_JSON_H
#define SHOW_JSON_H

#include "show/show.h"

/* show_json() - A JSON object; the manual lists its members. */
show_step show_json;

#endif
