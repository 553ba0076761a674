/* SPDX-License-Identifier: MIT */
/*
 * Starts and stops all parts of the relay. The order matters: a process that is forked
 * must not inherit descriptors of other parts, and each part needs some that were
 * started before it.
 *
 * #syscalls: close dup2 open prlimit64 read rt_sigaction rt_sigprocmask signalfd4 wait4
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alarm.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/parts.h"
#include "capture/capture-writer.h"
#include "capture/capture.h"
#include "confine.h"
#include "ctl/ctl.h"
#include "helper/file-cap.h"
#include "helper/helper.h"
#include "net/keys.h"
#include "port/driver.h"
#include "relay/relay.h"
#include "relay/stats.h"
#include "reload.h"
#include "service.h"
#include "show/events-text.h"
#include "show/metrics.h"
#include "show/status.h"
#include "show/trace.h"
#include "vhost/memory.h"

struct program {
	const struct conf *conf;
	struct passed *passed;
	struct loop loop;
	struct confine confine;
	struct broker broker;
	struct watch broker_watch;
	struct helper helpers[HELPER_OPS];
	struct relay relay;
	struct event_watcher log;
	struct trace trace;
	struct metrics metrics;
	struct stats_rates rates;
	struct capture_writer writer;
	int capture_fd; /* the socket to the writer, until the capture takes it over */
	struct capture capture;
	struct ctl ctl;
	struct reload reload;
	struct keys keys;
	struct watch signals;
	struct service service;
	char why[PROGRAM_WHY_MAX];
};

/* Nobody can start it again: the relay is confined. */
static void broker_lost(struct watch *w, uint32_t events)
{
	struct program *prog = container_of(w, struct program, broker_watch);

	(void)events;
	loop_del(&prog->loop, w);
	log_warn("the broker process has ended: unix sockets can't be made any more, nor "
		 "helpers started; start netrelay again");
}

/* As PID 1 of a container we get every orphan there, so wait for any child. */
static void reap(struct program *prog)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		if (pid == prog->writer.pid)
			prog->writer.pid = 0;
		if (pid == prog->broker.pid)
			prog->broker.pid = 0;
		helper_reaped(prog->helpers, pid);
	}
}

/* Whether there is a file that may say something else by now. */
static bool can_reload(const struct conf *conf)
{
	return (HAS_CONFIG && conf->file) || (HAS_KEYS && conf->key_file);
}

static int reload(void *arg, struct buf *out, char *why, size_t size)
{
	struct program *prog = arg;
	int ret;

	if (HAS_SERVICE)
		service_reloading(&prog->service);
	ret = reload_run(&prog->reload, out, why, size);
	if (HAS_SERVICE)
		service_reloaded(&prog->service);
	return ret;
}

static void reload_by_signal(struct program *prog)
{
	struct buf out = { 0 };

	reload(prog, &out, prog->why, sizeof(prog->why));
	buf_free(&out);
}

static void log_status(struct program *prog)
{
	if (HAS_STATUS)
		status_log(&prog->relay);
	else
		log_warn("status: " LEFT_OUT);
}

static void signal_ready(struct watch *w, uint32_t events)
{
	struct program *prog = container_of(w, struct program, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			log_status(prog);
		else if (info.ssi_signo == SIGCHLD)
			reap(prog);
		else if (info.ssi_signo == SIGHUP && can_reload(prog->conf))
			reload_by_signal(prog);
		else
			loop_stop(&prog->loop);
	}
}

static void block_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };

	sigemptyset(set);
	/* If our parent ignored SIGCHLD, we would not learn that children end. */
	signal(SIGCHLD, SIG_DFL);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (!signal_is_ignored(signals[i]))
			sigaddset(set, signals[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (HAS_VHOST)
		memory_guard();
	if (HAS_ALARM)
		alarm_init();
}

static int watch_signals(struct program *prog, const sigset_t *set)
{
	int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	return loop_add(&prog->loop, &prog->signals, fd, EPOLLIN, signal_ready);
}

/* Each client of a server is a descriptor, so raise our limit as far as is allowed. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		prlimit(0, RLIMIT_NOFILE, &limit, NULL);
	}
}

/* Here and below: what is added later may need it, and then it is too late. */
static bool needs_links(const struct conf *conf)
{
	bool needs = conf->ctl_path || conf->file || conf->wait;

	for (size_t i = 0; i < conf->n_endpoints; i++)
		needs |= driver_of(&conf->endpoints[i])->uses_links;
	return needs;
}

static bool needs_helper(const struct conf *conf)
{
	if (conf->ctl_path || conf->file)
		return true;
	for (size_t i = 0; i < conf->n_endpoints; i++)
		if (driver_asks(&conf->endpoints[i], NULL))
			return true;
	return false;
}

static int add_all(struct program *prog)
{
	const struct conf *conf = prog->conf;
	int ret = 0;

	for (size_t i = 0; i < conf_count(conf) && ret == 0; i++)
		ret = relay_add(&prog->relay, conf_nth(conf, i), prog->why,
				sizeof(prog->why));
	return ret;
}

static enum relay_kind kind_of(const struct conf *conf)
{
	if (!conf->server)
		return RELAY_CABLE;
	return conf->hub ? RELAY_HUB : RELAY_SWITCH;
}

/*
 * If the writer writes to stdout, it must be the only one that has it open: otherwise the
 * reader would not notice its end.
 */
static int start_writer(struct program *prog)
{
	const char *path = prog->conf->capture;
	int null;

	if (!HAS_CAPTURE || !path)
		return 0;
	prog->capture_fd = capture_writer_start(&prog->writer, path,
						!prog->conf->no_sandbox, prog->why,
						sizeof(prog->why));
	if (prog->capture_fd < 0)
		return prog->capture_fd;
	if (!strcmp(path, "-") && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0) {
		dup2(null, STDOUT_FILENO);
		close(null);
	}
	return 0;
}

static int start_capture(struct program *prog)
{
	int ret;

	if (!HAS_CAPTURE || !prog->conf->capture)
		return 0;
	ret = capture_start(&prog->capture, &prog->relay.forward, &prog->loop,
			    prog->capture_fd, &prog->conf->capture_filter,
			    prog->conf->capture, NULL, NULL);
	if (ret == 0)
		prog->capture_fd = -1;
	return ret;
}

/* Start what observes the relay: trace, capture, metrics. */
static int set_up_views(struct program *prog)
{
	const struct conf *conf = prog->conf;
	int ret;

	if (HAS_TRACE && conf->verbose >= 2)
		trace_start(&prog->trace, &prog->relay.forward);
	/* The status that these serve has rates. */
	if ((HAS_CTL && conf->ctl_path) || (HAS_METRICS && conf->has_metrics))
		stats_start(&prog->rates, &prog->relay);
	ret = start_capture(prog);
	if (ret < 0 || !HAS_METRICS || !conf->has_metrics)
		return ret;
	return metrics_start(&prog->metrics, &prog->loop, &prog->relay, &conf->metrics,
			     prog->why, sizeof(prog->why));
}

/* The broker was forked before, and so holds no key. */
static int start_keys(struct program *prog)
{
	int ret;

	prog->keys.look_ms = KEYS_LOOK_MS;
	ret = keys_start(&prog->keys, prog->conf, prog->why, sizeof(prog->why));
	prog->keys.broker = &prog->broker;
	prog->reload.keys = &prog->keys;
	if (prog->conf->key_file || prog->conf->file)
		prog->relay.env.keys = &prog->keys;
	return ret;
}

static int set_up(struct program *prog)
{
	const struct conf *conf = prog->conf;
	const struct switching_limits limits = {
		.fdb_size = conf->fdb_size,
		.storm_limit = conf->storm_limit,
	};
	sigset_t signals;
	int ret;

	prog->signals.fd = prog->broker_watch.fd = prog->capture_fd = -1;
	/* First of all, so that they inherit nothing and hold nothing. */
	prog->confine.pidfile = &prog->service.pidfile;
	ret = confine_prepare(&prog->confine, &prog->broker, conf, needs_helper(conf),
			      prog->why, sizeof(prog->why));
	if (ret == 0)
		ret = start_writer(prog);
	if (ret < 0)
		return ret;
	snprintf(prog->why, sizeof(prog->why),
		 "not enough memory or descriptors to start");
	helper_init(prog->helpers, &prog->loop, conf->no_sandbox ? NULL : &prog->broker);
	if (!needs_helper(conf))
		file_cap_set(FILE_CAP_GONE);
	raise_fd_limit();
	block_signals(&signals);
	ret = loop_init(&prog->loop);
	if (ret < 0)
		return ret;
	ret = relay_init(&prog->relay, &prog->loop, prog->helpers, kind_of(conf),
			 &limits);
	prog->relay.env.broker = &prog->broker;
	prog->relay.env.passed = prog->passed;
	/* A host without netlink has no taps, and nobody who tells of addresses. */
	if (ret == 0 && !conf->no_sandbox)
		links_seal(&prog->relay.links, needs_links(conf));
	if (ret == 0 && conf->wait)
		relay_wait(&prog->relay);
	prog->reload.conf = conf;
	prog->reload.relay = &prog->relay;
	prog->reload.trace = &prog->trace;
	prog->log.notify = events_log;
	events_subscribe(&prog->relay.events, &prog->log);
	if (ret == 0)
		ret = watch_signals(prog, &signals);
	if (HAS_KEYS && ret == 0)
		ret = start_keys(prog);
	if (ret == 0 && prog->broker.is_on)
		ret = loop_add(&prog->loop, &prog->broker_watch, prog->broker.fd,
			       EPOLLRDHUP, broker_lost);
	if (ret == 0)
		ret = set_up_views(prog);
	if (ret == 0)
		ret = add_all(prog);
	prog->ctl.reload = can_reload(conf) ? reload : NULL;
	prog->ctl.reload_arg = prog;
	prog->ctl.has_key = conf->key_file;
	prog->ctl.has_peers = conf->peers_file;
	if (HAS_CTL && ret == 0 && conf->ctl_path)
		ret = ctl_start(&prog->ctl, &prog->relay, &conf->ctl, prog->why,
				sizeof(prog->why));
	if (ret == 0)
		ret = confine_enter(&prog->confine, prog->writer.pid, prog->why,
				    sizeof(prog->why));
	prog->broker.answer_ms = BROKER_ANSWER_MS;
	if (ret < 0)
		return ret;
	if (HAS_SERVICE)
		service_watch(&prog->service, &prog->loop, &prog->relay);
	relay_set_running(&prog->relay);
	return ret;
}

static void tear_down(struct program *prog)
{
	if (HAS_SERVICE)
		service_stopping(&prog->service);
	if (HAS_CTL)
		ctl_stop(&prog->ctl);
	if (HAS_CONFIG || HAS_KEYS)
		reload_free(&prog->reload);
	if (HAS_METRICS)
		metrics_stop(&prog->metrics);
	if (HAS_CTL || HAS_METRICS)
		stats_stop(&prog->rates);
	if (HAS_TRACE)
		trace_stop(&prog->trace, &prog->relay.forward);
	if (HAS_CAPTURE)
		capture_stop(&prog->capture);
	relay_free(&prog->relay);
	if (HAS_KEYS)
		keys_free(&prog->keys);
	/* If the capture was not started, this is what the writer waits for. */
	if (prog->capture_fd >= 0)
		close(prog->capture_fd);
	if (HAS_CAPTURE)
		capture_writer_stop(&prog->writer);
	helper_stop(prog->helpers);
	loop_del(&prog->loop, &prog->broker_watch);
	if (HAS_SERVICE)
		service_end(&prog->service);
	broker_stop(&prog->broker);
	if (prog->signals.fd >= 0) {
		int fd = prog->signals.fd;

		loop_del(&prog->loop, &prog->signals);
		close(fd);
	}
	loop_free(&prog->loop);
}

int program_run(const struct conf *conf, struct passed *passed)
{
	static struct program prog;
	bool is_alone; /* no broker removes what is left */
	int ret = 0;

	prog.conf = conf;
	prog.passed = passed;
	if (HAS_SERVICE)
		ret = service_start(&prog.service, conf, prog.why, sizeof(prog.why));
	if (ret > 0 || ret == -ECHILD)
		return ret > 0 ? 0 : ret;
	if (ret == 0)
		ret = set_up(&prog);
	if (ret < 0)
		log_warn("%s", prog.why);
	if (ret == 0 && !prog.relay.failed) {
		ret = loop_run(&prog.loop);
		if (ret < 0)
			log_warn("event loop: %s", strerror(-ret));
		if (HAS_STATUS && conf->verbose)
			status_log(&prog.relay);
	} else if (HAS_CAPTURE) {
		/* Nothing was captured, so leave the file as it was. */
		capture_drop(&prog.capture);
	}
	if (prog.relay.failed)
		ret = -EIO;
	is_alone = !prog.broker.is_on;
	if (prog.loop.epfd > 0)
		tear_down(&prog);
	if (HAS_SERVICE)
		service_end(&prog.service);
	if (HAS_SERVICE && is_alone)
		pidfile_remove(&prog.service.pidfile);
	return ret;
}
