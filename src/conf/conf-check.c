/* SPDX-License-Identifier: MIT */
/*
 * Finds endpoints that cannot be used together: each is compared with those before
 * it, and with --capture -, which needs stdout. And what has to do with keys: a part of it
 * that was forgotten must not make a trunk that is in clear text, or a listener for all.
 */
#include "conf/conf-check.h"

#include <string.h>
#include <unistd.h>

#include "base/parts.h"
#include "conf/endpoint-long.h"
#include "conf/endpoint-name.h"

/* "-" has no long form; as an fd: endpoint it consists of descriptors. */
static const char *find_fault(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind == ENDPOINT_FD && b->kind == ENDPOINT_STDIO)
		return find_fault(b, a);
	if (a->kind == ENDPOINT_STDIO && b->kind == ENDPOINT_FD)
		return b->fd <= 1 ? "this descriptor belongs to -, which is given as well"
				  : NULL;
	if (a->kind != b->kind)
		return NULL;
	if (a->kind == ENDPOINT_STDIO)
		return "stdin and stdout can be one endpoint only; use another endpoint in "
		       "place of one of them";
	return endpoint_long_conflict(a, b);
}

static bool has_stdout(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_STDIO ||
	       (ep->kind == ENDPOINT_FD && ep->fd == STDOUT_FILENO);
}

static bool listens(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_TCP_LISTEN || ep->kind == ENDPOINT_UNIX_LISTEN;
}

const char *conf_check_keys(const struct endpoint *ep, bool has_key, bool has_peers)
{
	if (ep->psk_path[0] && !ep->has_peer)
		return "psk= is a secret that is shared with one peer; add "
		       "peer=PUBKEY, or leave psk= out";
	if (ep->takes_plain && !ep->peers_path[0] && !has_peers)
		return "plain lets in others than the peers, and there are none; add "
		       "peers=FILE, or leave plain out";
	if (ep->keepalive && !ep->is_udp)
		return "keepalive= is for trunks over UDP; add udp, or leave it out";
	if (ep->is_udp && ep->takes_plain)
		return "over UDP nobody comes without a key; leave plain out";
	if (ep->is_udp && ep->kind == ENDPOINT_TRUNK && !ep->has_peer)
		return "over UDP a trunk is sealed; add peer=PUBKEY, or leave udp out";
	if (ep->is_udp && listens(ep) && !ep->peers_path[0] && !has_peers)
		return "over UDP a listener takes peers only; add peers=FILE, or leave udp "
		       "out";
	if (has_key || !(ep->has_peer || ep->peers_path[0]))
		return NULL;
	return ep->has_peer ? "peer= needs a key of our own; add --key FILE, which "
			      "netrelay genkey writes"
			    : "peers= needs a key of our own; add --key FILE, which "
			      "netrelay genkey writes";
}

/* Whether any endpoint, or all listeners by --peers, are sealed. */
static bool uses_key(const struct conf *conf, bool only_listeners)
{
	bool is_used = false;

	for (size_t i = 0; i < conf_count(conf) && !is_used; i++) {
		const struct endpoint *ep = conf_nth(conf, i);

		is_used = only_listeners ? listens(ep) && !ep->peers_path[0]
					 : ep->has_peer || ep->peers_path[0];
	}
	/* An endpoint may be added later. */
	return is_used || conf->ctl_path;
}

const char *conf_check_key_files(const struct conf *conf)
{
	if (conf->peers_file && !conf->key_file)
		return "--peers needs a key of our own; add --key FILE, which netrelay "
		       "genkey writes";
	if (conf->peers_file && !uses_key(conf, true))
		return "--peers is for listeners, and there is none without a peers= of "
		       "its own; leave --peers out";
	if (conf->key_file && !conf->peers_file && !uses_key(conf, false))
		return "--key: nothing is sealed by it; add peer=PUBKEY to a trunk, or "
		       "--peers FILE for listeners";
	return NULL;
}

const char *conf_check(const struct conf *conf, size_t i)
{
	const struct endpoint *ep = conf_nth(conf, i);
	const char *fault = NULL;

	for (size_t j = 0; j < i && !fault; j++) {
		fault = find_fault(conf_nth(conf, j), ep);
		if (!fault)
			fault = endpoint_name_conflict(conf_nth(conf, j), ep);
	}
	if (HAS_KEYS && !fault)
		fault = conf_check_keys(ep, conf->key_file, conf->peers_file);
	if (!fault && conf->daemon && ep->kind == ENDPOINT_STDIO)
		return "with --daemon there is no stdin and stdout; give two "
		       "endpoints, or leave --daemon out";
	if (!fault && conf->capture && !strcmp(conf->capture, "-") && has_stdout(ep))
		return "--capture - writes to stdout; name a file there, "
		       "or another endpoint here";
	return fault;
}
