/* SPDX-License-Identifier: MIT */
/* Views of a relay for programs. */
#ifndef SHOW_JSON_H
#define SHOW_JSON_H

#include "show/show.h"

/* show_json() - A JSON object; the manual lists its members. */
show_step show_json;

/* show_json_fdb() - A JSON object with the addresses that a switch knows, in no order. */
show_step show_json_fdb;

#endif
