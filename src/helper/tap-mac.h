/* SPDX-License-Identifier: MIT */
/* The MAC addresses of taps that we make. */
#ifndef TAP_MAC_H
#define TAP_MAC_H

#include <stdint.h>

/*
 * tap_mac() - The address of tap @tap on @bridge ("" for none): the same each time,
 * and another one on another host, or in another network namespace.
 *
 * It begins with fe, which is above any vendor's: a bridge takes the lowest of its
 * ports' addresses for its own.
 */
void tap_mac(uint8_t mac[6], const char *bridge, const char *tap);

#endif
