/* SPDX-License-Identifier: MIT */
/*
 * Commands of the control socket, for a switch with two ports: each is answered, or one
 * line says what is wrong, and then it has changed nothing. The relay is about to end, so
 * that no command opens anything.
 *
 * Input: the commands, a newline behind each.
 */
#include "lib/fuzz.h"

#include <errno.h>

#include "ctl/ctl-command.h"
#include "lib/fake-port.h"
#include "lib/members.h"

#define TEXT_MAX ((size_t)1 << 20)

static struct loop loop;
static struct relay relay;

static void add_port(const char *name)
{
	struct fake_port *f = fake_new(sizeof(*f), &fake_plain, &relay.env, name);

	members_add(&relay, &f->port, false);
}

static void begin(void)
{
	static const struct switching_limits limits = { 100, 1000 };

	must(loop_init(&loop) == 0);
	must(relay_init(&relay, &loop, NULL, RELAY_SWITCH, &limits) == 0);
	add_port("one");
	add_port("with \"blanks\" \\ and \n");
	strcpy(relay.forward.members.last->name, "web-2");
	relay_set_running(&relay);
	drain_begin(&relay.drain, &loop, &relay.forward);
}

/* Whether the two are the same in all that a command may change. */
static void must_be_unchanged(const struct endpoint_rules *rules)
{
	unsigned i = 0;

	for (const struct member *m = relay.forward.members.first; m; m = m->next, i++) {
		must(m->port->state == PORT_UP);
		must(!memcmp(&rules[i], &m->rules, sizeof(m->rules)));
	}
	must(i == 2);
}

static void show(struct ctl_call *call)
{
	struct show s = { 0 };

	while (call->show && !call->show(&s, &relay, call->out))
		must(call->out->len < TEXT_MAX);
}

/* Return: whether a port may be gone now. */
static bool run(char *line)
{
	struct endpoint_rules rules[2];
	struct buf out = { 0 };
	struct ctl_call *call = calloc(1, sizeof(*call));
	int ret;

	must(call);
	rules[0] = relay.forward.members.first->rules;
	rules[1] = relay.forward.members.last->rules;
	call->relay = &relay;
	call->out = &out;
	ret = ctl_command(call, line);
	must(ret <= 0 && !call->awaits);
	if (ret < 0) {
		must(memchr(call->why, '\0', sizeof(call->why)) && *call->why);
		must(!out.len && !call->show && !call->follows && !call->captures);
		must_be_unchanged(rules);
	} else {
		must(relay.forward.members.last->rules.n_macs <= ENDPOINT_MACS_MAX);
		show(call);
		must(!out.failed);
	}
	buf_free(&out);
	ret = ret == 0 && !strcmp(call->word[0], "del");
	free(call);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, size };
	bool is_over = false;

	begin();
	while (in.left && !is_over) {
		char *line = fuzz_text(&in);

		is_over = run(line);
		free(line);
	}
	relay_free(&relay);
	loop_free(&loop);
	return 0;
}
