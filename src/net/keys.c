/* SPDX-License-Identifier: MIT */
/*
 * A new list is read beside the old one, and takes its place when nothing is wrong with it.
 */
#include "net/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/parts.h"
#include "conf/endpoint-name.h"

#define OTHERS_READ 077
#define OTHERS_WRITE 022

/* Read a file. Return: 0; -errno with a message. @text: NULL: it is as it was */
static int read_file(const struct keys *k, struct keys_file *f, size_t limit, char **text,
		     size_t *len, char *why, size_t size)
{
	int ret = broker_file(k->broker, f->path, limit, &f->stamp, text, len);

	if (ret < 0)
		snprintf(why, size, "%.256s: %s", f->path,
			 ret == -EFBIG && limit == KEYS_FILE_BYTES
				 ? "it is too large for a key; netrelay genkey writes one"
			 : ret == -EPERM && k->broker
				 ? "the configuration does not name it"
				 : file_text_fault(ret));
	return ret;
}

/* @mask: what others must not be able to do; it is told once */
static void warn_of_mode(const struct keys *k, struct keys_file *f, unsigned mask)
{
	bool is_bad = f->stamp.mode & mask, tells = is_bad && !f->is_told && !k->is_quiet;

	f->is_told = is_bad;
	if (tells && mask == OTHERS_READ)
		log_warn("%.256s: others can read this key; chmod 600 %.256s", f->path,
			 f->path);
	else if (tells)
		log_warn("%.256s: others can change who may come; chmod go-w %.256s",
			 f->path, f->path);
}

/*
 * Read a file that has a key, if it has changed.
 * @key: as it was after an error
 *
 * Return: 1 if it has; 0; -errno with a message.
 */
static int read_key(const struct keys *k, struct keys_file *f,
		    uint8_t key[SEAL_KEY_BYTES], char *why, size_t size)
{
	uint8_t found[SEAL_KEY_BYTES];
	char *text;
	size_t len;
	int ret = read_file(k, f, KEYS_FILE_BYTES, &text, &len, why, size);

	if (ret < 0 || !text)
		return ret;
	ret = key_read_file(found, text, len);
	crypto_wipe(text, len);
	free(text);
	if (ret == 0)
		memcpy(key, found, sizeof(found));
	else
		snprintf(why, size,
			 "%.256s: it has no key: one line of 44 characters, which "
			 "netrelay genkey prints",
			 f->path);
	crypto_wipe(found, sizeof(found));
	return ret < 0 ? ret : 1;
}

/* Read a peers file, likewise. */
static int read_peers(const struct keys *k, struct keys_peers *p, char *why, size_t size)
{
	struct peers peers;
	char *text;
	size_t len;
	int ret = read_file(k, &p->file, PEERS_BYTES, &text, &len, why, size);

	if (ret < 0 || !text)
		return ret;
	warn_of_mode(k, &p->file, OTHERS_WRITE);
	ret = peers_read(&peers, p->file.path, text, len, why, size);
	free(text);
	if (ret < 0)
		return ret;
	peers_free(&p->peers);
	p->peers = peers;
	return 1;
}

/* An own key that is another one has another public key. */
static int read_own(struct keys *k, char *why, size_t size)
{
	uint8_t key[SEAL_KEY_BYTES];
	int ret = read_key(k, &k->own_file, key, why, size);

	if (ret <= 0)
		return ret;
	warn_of_mode(k, &k->own_file, OTHERS_READ);
	identity_set(&k->own, key);
	crypto_wipe(key, sizeof(key));
	return ret;
}

static void set_path(char to[BROKER_FILE_MAX], const char *path)
{
	snprintf(to, BROKER_FILE_MAX, "%s", path ? path : "");
}

/* ---- a configuration ---- */

/* The peers file of one of its listeners, or as the last of them that of --peers. */
static const char *nth_path(const struct conf *conf, size_t i)
{
	const char *path = i < conf_count(conf) ? conf_nth(conf, i)->peers_path
						: conf->peers_file;

	return path && *path ? path : NULL;
}

static struct keys_peers *find(const struct keys *k, const char *path)
{
	struct keys_peers *p = k->peers;

	while (p && strcmp(p->file.path, path) != 0)
		p = p->next;
	return p;
}

/* A peer has its name alone. */
static int check_names(const struct conf *conf, const struct keys_peers *p, char *why,
		       size_t size)
{
	for (size_t i = 0; i < conf_count(conf); i++)
		for (size_t j = 0; *conf_nth(conf, i)->port_name && j < p->peers.n; j++) {
			const struct peer *peer = &p->peers.list[j];

			if (!endpoint_may_name(conf_nth(conf, i), peer->name))
				continue;
			snprintf(why, size,
				 "%.256s:%u: the name %s is one that the endpoint "
				 "%.64s gives; choose another",
				 p->file.path, peer->line, peer->name,
				 conf_nth(conf, i)->text);
			return -EINVAL;
		}
	return 0;
}

/* Add a peers file, which is not read yet. @before: there was one of that name before; or NULL */
static struct keys_peers *add(struct keys *k, const char *path,
			      const struct keys_peers *before)
{
	struct keys_peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	set_path(p->file.path, path);
	p->file.is_told = before && before->file.is_told;
	p->next = k->peers;
	k->peers = p;
	return p;
}

static int add_all(struct keys *k, const struct conf *conf, const struct keys *before,
		   char *why, size_t size)
{
	int ret = 0;

	for (size_t i = 0; i <= conf_count(conf) && ret >= 0; i++) {
		const char *path = nth_path(conf, i);
		struct keys_peers *p;

		if (!path || find(k, path))
			continue;
		p = add(k, path, find(before, path));
		if (!p) {
			snprintf(why, size, "%.256s: no memory to read it", path);
			return -ENOMEM;
		}
		ret = read_peers(k, p, why, size);
		if (ret >= 0)
			ret = check_names(conf, p, why, size);
	}
	return ret < 0 ? ret : 0;
}

static int look_at_psk(const struct keys *k, const char *path, char *why, size_t size)
{
	struct keys_file f = { .err = 0 };
	uint8_t psk[SEAL_KEY_BYTES];
	int ret;

	set_path(f.path, path);
	ret = read_key(k, &f, psk, why, size);
	if (ret > 0)
		warn_of_mode(k, &f, OTHERS_READ);
	crypto_wipe(psk, sizeof(psk));
	return ret < 0 ? ret : 0;
}

static int look_at_psks(const struct keys *k, const struct conf *conf, char *why,
			size_t size)
{
	int ret = 0;

	for (size_t i = 0; i < conf_count(conf) && ret == 0; i++)
		if (conf_nth(conf, i)->psk_path[0])
			ret = look_at_psk(k, conf_nth(conf, i)->psk_path, why, size);
	for (const struct keys_peers *p = k->peers; p && ret == 0; p = p->next)
		for (size_t i = 0; i < p->peers.n && ret == 0; i++)
			if (p->peers.list[i].psk_path)
				ret = look_at_psk(k, p->peers.list[i].psk_path, why,
						  size);
	return ret;
}

/* Whoever dials himself has mistaken one key for the other. */
static int check_own(const struct keys *k, const struct conf *conf, char *why,
		     size_t size)
{
	for (size_t i = 0; i < conf_count(conf); i++) {
		const struct endpoint *ep = conf_nth(conf, i);

		if (!ep->has_peer ||
		    memcmp(ep->peer, k->own.pair.pub, sizeof(ep->peer)) != 0)
			continue;
		snprintf(why, size,
			 "%.64s: peer= is our own public key; give that of the host that "
			 "is dialled",
			 ep->text);
		return -EINVAL;
	}
	return 0;
}

/* @before: what was there until now; what was told of that is not told again */
static int read_all(struct keys *k, const struct conf *conf, const struct keys *before,
		    char *why, size_t size)
{
	int ret;

	set_path(k->own_file.path, conf->key_file);
	set_path(k->usual, conf->peers_file);
	if (!conf->key_file)
		return 0;
	k->own_file.is_told = before->own_file.is_told;
	ret = read_own(k, why, size);
	if (ret >= 0)
		ret = check_own(k, conf, why, size);
	return ret < 0 ? ret : add_all(k, conf, before, why, size);
}

int keys_start(struct keys *k, const struct conf *conf, char *why, size_t size)
{
	char text[KEY_TEXT_MAX];
	int ret = read_all(k, conf, k, why, size);

	if (ret == 0)
		ret = look_at_psks(k, conf, why, size);
	if (ret < 0) {
		keys_free(k);
		return ret;
	}
	key_write(text, k->own.pair.pub);
	if (conf->key_file)
		log_info("our public key is %s", text);
	return 0;
}

int keys_renew(struct keys *k, const struct conf *conf, struct keys *before, char *why,
	       size_t size)
{
	struct keys next = { .broker = k->broker,
			     .look_ms = k->look_ms,
			     .is_quiet = k->is_quiet,
			     .own.ahead = k->own.ahead };
	int ret = read_all(&next, conf, k, why, size);

	if (ret < 0) {
		keys_free(&next);
		return ret;
	}
	next.version = k->version + 1;
	*before = *k;
	*k = next;
	crypto_wipe(&next, sizeof(next));
	return 0;
}

void keys_renewed(struct keys *k, struct keys *before, bool is_good)
{
	unsigned version = k->version;

	if (!is_good) {
		keys_free(k);
		*k = *before;
		k->version = version + 1;
		before->peers = NULL;
	}
	keys_free(before);
}

bool keys_have(const struct keys *k, const char *path)
{
	path = *path ? path : k->usual;
	return *path && find(k, path);
}

/* ---- later ---- */

/* Whether the broker did not answer. */
static bool is_lost(const struct keys_file *f)
{
	return f->err == -ETIMEDOUT || f->err == -EPIPE || f->err == -EAGAIN;
}

/* Whether it is time to look at a file again. */
static bool is_due(const struct keys *k, struct keys_file *f)
{
	uint64_t now = loop_now(), pause = is_lost(f) ? KEYS_LOST_MS : k->look_ms;

	if (f->looked_at && now - f->looked_at < pause)
		return false;
	f->looked_at = now;
	return true;
}

/*
 * Tell what came of a look: what can't be read once, and what is wrong with a file once for
 * each version of that.
 * @before: its stamp until then
 */
static void tell(struct keys *k, struct keys_file *f, const struct file_stamp *before,
		 int ret, const char *why)
{
	bool is_new = memcmp(before, &f->stamp, sizeof(*before)) != 0;

	if (ret < 0 && (is_new || ret != f->err) && !k->is_quiet)
		log_warn("%s; what it had until now is in use", why);
	f->err = ret < 0 && !is_new ? ret : 0;
	if (ret > 0 && !k->is_quiet)
		log_info("%.256s: it has changed, and is in use", f->path);
	k->version += ret > 0;
}

const struct identity *keys_own(struct keys *k)
{
	struct file_stamp before = k->own_file.stamp;
	char why[PEERS_WHY_MAX];

	if (!k->own_file.path[0])
		return NULL;
	if (is_due(k, &k->own_file))
		tell(k, &k->own_file, &before, read_own(k, why, sizeof(why)), why);
	identity_look_at_clock(&k->own);
	return &k->own;
}

const struct peers *keys_peers(struct keys *k, const char *path)
{
	static const struct peers nobody = { 0 };
	char why[PEERS_WHY_MAX];
	struct file_stamp before;
	struct keys_peers *p;

	path = *path ? path : k->usual;
	if (!*path)
		return NULL;
	p = find(k, path);
	if (!p)
		p = add(k, path, NULL);
	/* Nobody may come then. */
	if (!p)
		return &nobody;
	before = p->file.stamp;
	if (is_due(k, &p->file))
		tell(k, &p->file, &before, read_peers(k, p, why, sizeof(why)), why);
	return &p->peers;
}

void keys_look_now(struct keys *k, const char *path)
{
	struct keys_peers *p = find(k, *path ? path : k->usual);

	if (p && !is_lost(&p->file))
		p->file.looked_at = 0;
}

int keys_psk(struct keys *k, const char *path, uint8_t psk[SEAL_KEY_BYTES], char *why,
	     size_t size)
{
	struct keys_file f = { .err = 0 };
	int ret;

	memset(psk, 0, SEAL_KEY_BYTES);
	if (!path || !*path)
		return 0;
	set_path(f.path, path);
	ret = read_key(k, &f, psk, why, size);
	return ret < 0 ? ret : 0;
}

/* Whether one of its peers has this secret. */
static bool has_psk(const struct peers *peers, const char *path)
{
	for (size_t i = 0; i < peers->n; i++)
		if (peers->list[i].psk_path && !strcmp(peers->list[i].psk_path, path))
			return true;
	return false;
}

size_t keys_limit(struct keys *k, const struct conf *conf, const char *path)
{
	size_t limit = 0, n = conf_count(conf);

	if (conf->key_file && !strcmp(path, conf->key_file))
		return KEYS_FILE_BYTES;
	for (size_t i = 0; i < n; i++)
		if (*path && !strcmp(path, conf_nth(conf, i)->psk_path))
			limit = KEYS_FILE_BYTES;
	for (size_t i = 0; i <= n && !limit; i++)
		if (nth_path(conf, i) && !strcmp(path, nth_path(conf, i)))
			limit = PEERS_BYTES;
	for (size_t i = 0; i <= n && !limit; i++)
		if (nth_path(conf, i) && has_psk(keys_peers(k, nth_path(conf, i)), path))
			limit = KEYS_FILE_BYTES;
	return limit;
}

void keys_free(struct keys *k)
{
	while (k->peers) {
		struct keys_peers *p = k->peers;

		k->peers = p->next;
		peers_free(&p->peers);
		free(p);
	}
	crypto_wipe(k, sizeof(*k));
}
