/* SPDX-License-Identifier: MIT */
/* Computes the MAC addresses of taps that we make. */
#ifndef TAP_MAC_H
#define TAP_MAC_H

#include <stdint.h>

/*
 * tap_mac() - Compute the MAC address of the tap @tap on the bridge @bridge ("" for
 * none). It is the same each time, but differs between hosts and network namespaces.
 * @mac: set to it
 *
 * It begins with fe, which is greater than any vendor's first byte: a bridge takes the
 * lowest of its ports' addresses for its own (br_stp_recalculate_bridge_id() in the
 * kernel's net/bridge/br_stp_if.c), and should not take this one.
 */
void tap_mac(uint8_t mac[6], const char *bridge, const char *tap);

#endif
