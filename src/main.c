/* SPDX-License-Identifier: MIT */
/*
 * Start, wire together, stop. Only here does the program end.
 *
 * #syscalls: close dup2 fcntl open prlimit64 read rt_sigaction rt_sigprocmask signalfd4
 * #syscalls: wait4 writev
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "capture/capture-writer.h"
#include "capture/capture.h"
#include "client/ctl-client.h"
#include "client/top.h"
#include "conf/conf.h"
#include "ctl/ctl.h"
#include "helper/helper.h"
#include "port/driver.h"
#include "relay/relay.h"
#include "show/metrics.h"
#include "show/trace.h"

#define WHY_MAX 1200

enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

struct program {
	struct conf conf;
	struct loop loop;
	struct helper helper;
	struct relay relay;
	struct trace trace;
	struct metrics metrics;
	struct capture_writer writer;
	int capture_fd; /* to the writer, until the capture has it */
	struct capture capture;
	struct ctl ctl;
	struct watch signals;
	char why[WHY_MAX];
};

/* Also whom we never knew: as PID 1 of a container we get all orphans there are. */
static void reap(struct program *prog)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		if (pid == prog->writer.pid)
			prog->writer.pid = 0;
		helper_reaped(&prog->helper, pid);
	}
}

static void signal_ready(struct watch *w, uint32_t events)
{
	struct program *prog = container_of(w, struct program, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			relay_status(&prog->relay);
		else if (info.ssi_signo == SIGCHLD)
			reap(prog);
		else
			loop_stop(&prog->loop);
	}
}

/* By nohup, say. A signalfd would get it all the same, for it is blocked, too. */
static bool is_ignored(int sig)
{
	struct sigaction old;

	return sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

static void block_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };

	sigemptyset(set);
	/* Ignored by whoever started us, the ends of children would not be told. */
	signal(SIGCHLD, SIG_DFL);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (!is_ignored(signals[i]))
			sigaddset(set, signals[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int watch_signals(struct program *prog, const sigset_t *set)
{
	int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	return loop_add(&prog->loop, &prog->signals, fd, EPOLLIN, signal_ready);
}

/* A server's clients are descriptors; the limit we were given may be raised. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* What is added later may need it, and then it is too late to start it. */
static bool needs_helper(const struct conf *conf)
{
	if (conf->ctl_path)
		return true;
	for (size_t i = 0; i < conf->n_endpoints; i++)
		if (driver_needs_helper(&conf->endpoints[i]))
			return true;
	return false;
}

/*
 * Before we open anything ourselves, which would take the number of a descriptor
 * that is not there.
 */
static int check_inherited(struct program *prog)
{
	for (size_t i = 0; i < prog->conf.n_endpoints; i++) {
		const struct endpoint *ep = &prog->conf.endpoints[i];
		int ret = 0;

		if (ep->kind == ENDPOINT_STDIO) {
			ret = port_stdio_check(prog->why, sizeof(prog->why));
		} else if (ep->kind == ENDPOINT_FD && fcntl(ep->fd, F_GETFD) < 0) {
			ret = -errno;
			snprintf(prog->why, sizeof(prog->why), "%s: %s", ep->text,
				 port_fd_why(-ret));
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* A socket of ours must not become what messages, or a child, write to. */
static int fill_standard_fds(struct program *prog)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", O_RDWR) == fd)
			continue;
		snprintf(prog->why, sizeof(prog->why),
			 "descriptor %d is closed, and /dev/null can't stand in", fd);
		return -EBADF;
	}
	return 0;
}

static int add_all(struct program *prog, const struct endpoint *eps, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && ret == 0; i++)
		ret = relay_add(&prog->relay, &eps[i], prog->why, sizeof(prog->why));
	return ret;
}

static enum relay_kind kind_of(const struct conf *conf)
{
	if (!conf->server)
		return RELAY_CABLE;
	return conf->hub ? RELAY_HUB : RELAY_SWITCH;
}

/* Nobody but the writer holds its stdout open, so that a reader sees its end. */
static int start_writer(struct program *prog)
{
	const char *path = prog->conf.capture;
	int null;

	if (!path)
		return 0;
	prog->capture_fd =
		capture_writer_start(&prog->writer, path, prog->why, sizeof(prog->why));
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

	if (!prog->conf.capture)
		return 0;
	ret = capture_start(&prog->capture, &prog->relay.forward, &prog->loop,
			    prog->capture_fd, &prog->conf.capture_filter,
			    prog->conf.capture, NULL, NULL);
	if (ret < 0)
		close(prog->capture_fd);
	return ret;
}

/* What shows the relay from the start. */
static int set_up_views(struct program *prog)
{
	const struct conf *conf = &prog->conf;
	int ret;

	if (conf->verbose >= 2)
		trace_start(&prog->trace, &prog->relay.forward);
	ret = start_capture(prog);
	if (ret < 0 || !conf->has_metrics)
		return ret;
	return metrics_start(&prog->metrics, &prog->loop, &prog->relay, &conf->metrics,
			     prog->why, sizeof(prog->why));
}

static int set_up(struct program *prog)
{
	const struct conf *conf = &prog->conf;
	const struct switching_limits limits = {
		.fdb_size = conf->fdb_size,
		.storm_limit = conf->storm_limit,
	};
	sigset_t signals;
	int ret;

	prog->helper.watch.fd = prog->signals.fd = -1;
	/* First of all, so that they inherit nothing and hold nothing. */
	ret = start_writer(prog);
	if (ret < 0)
		return ret;
	snprintf(prog->why, sizeof(prog->why),
		 "not enough memory or descriptors to start");
	if (needs_helper(conf))
		ret = helper_start(&prog->helper);
	if (ret < 0)
		return ret;
	raise_fd_limit();
	block_signals(&signals);
	ret = loop_init(&prog->loop);
	if (ret < 0)
		return ret;
	ret = relay_init(&prog->relay, &prog->loop, &prog->helper, kind_of(conf),
			 &limits);
	if (ret == 0)
		ret = watch_signals(prog, &signals);
	if (ret == 0 && prog->helper.pid)
		ret = helper_attach(&prog->helper, &prog->loop);
	if (ret == 0)
		ret = set_up_views(prog);
	if (ret == 0)
		ret = add_all(prog, conf->listeners, conf->n_listeners);
	if (ret == 0)
		ret = add_all(prog, conf->endpoints, conf->n_endpoints);
	if (ret == 0 && conf->ctl_path)
		ret = ctl_start(&prog->ctl, &prog->relay, conf->ctl_path, prog->why,
				sizeof(prog->why));
	return ret;
}

static void tear_down(struct program *prog)
{
	ctl_stop(&prog->ctl);
	metrics_stop(&prog->metrics);
	trace_stop(&prog->trace, &prog->relay.forward);
	capture_stop(&prog->capture);
	relay_free(&prog->relay);
	capture_writer_stop(&prog->writer);
	helper_stop(&prog->helper);
	if (prog->signals.fd >= 0) {
		int fd = prog->signals.fd;

		loop_del(&prog->loop, &prog->signals);
		close(fd);
	}
	loop_free(&prog->loop);
}

static enum exit_status run(struct program *prog)
{
	int ret = set_up(prog);

	if (ret < 0)
		log_warn("%s", prog->why);
	if (ret == 0 && !prog->relay.failed) {
		ret = loop_run(&prog->loop);
		if (ret < 0)
			log_warn("event loop: %s", strerror(-ret));
		if (prog->conf.verbose)
			relay_status(&prog->relay);
	} else {
		/* What is in the file from an earlier time stays. */
		capture_drop(&prog->capture);
	}
	if (prog->relay.failed)
		ret = -EIO;
	if (prog->loop.epfd > 0)
		tear_down(prog);
	return ret < 0 ? STATUS_FAILED : STATUS_OK;
}

static enum exit_status print(const char *text)
{
	if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return STATUS_OK;
	log_warn("stdout: %s", strerror(errno));
	return STATUS_FAILED;
}

int main(int argc, char **argv)
{
	static struct program prog;
	enum exit_status status = STATUS_OK;
	int ret = conf_read(&prog.conf, argc, argv, prog.why, sizeof(prog.why));

	log_verbosity(prog.conf.verbose);
	if (ret == 0 && prog.conf.action == CONF_RUN)
		ret = check_inherited(&prog);
	if (ret == 0 && prog.conf.action == CONF_RUN)
		ret = fill_standard_fds(&prog);
	if (ret < 0) {
		log_warn("%s", prog.why);
		status = ret == -EINVAL || ret == -ENOTTY ? STATUS_USAGE : STATUS_FAILED;
	} else if (prog.conf.action == CONF_HELP) {
		status = print(conf_help());
	} else if (prog.conf.action == CONF_VERSION) {
		status = print("netrelay " VERSION " (" LIBC ", " LIBMNL ")\n");
	} else if (prog.conf.action == CONF_CTL) {
		status = ctl_client(prog.conf.ctl_path, prog.conf.command) ? STATUS_FAILED
									   : STATUS_OK;
	} else if (prog.conf.action == CONF_TOP) {
		status = top_run(prog.conf.ctl_path) ? STATUS_FAILED : STATUS_OK;
	} else {
		status = run(&prog);
	}
	conf_free(&prog.conf);
	return (int)status;
}
