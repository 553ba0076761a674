/* SPDX-License-Identifier: MIT */
/*
 * netrelay top. Once a second it connects to the control socket, sends "counters", and
 * draws the answer. It draws on the terminal's alternate screen, so that the previous
 * contents are there again when it ends or is stopped (^Z).
 *
 * #syscalls: close getpid ioctl kill read recvfrom rt_sigprocmask sendto signalfd4
 */
#include "client/top.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/escape.h"
#include "base/log.h"
#include "base/loop.h"
#include "client/ctl-client.h"
#include "client/top-data.h"
#include "client/top-draw.h"
#include "conf/endpoint.h"

#define PERIOD_MS 1000 /* from the end of one look to the next */
#define FIRST_MS 300   /* to the second look, which gives the first rates */
#define ANSWER_MS 3000
#define ANSWER_BYTES ((size_t)4 << 20) /* the longest answer that is accepted */
#define CHUNK 16384
#define WINDOW_MAX 500 /* columns and lines that are used at most */
#define WHY_MAX 512

/* Switch to the alternate screen, hide the cursor, do not wrap lines; and undo that. */
#define ENTER "\033[?1049h\033[?25l\033[?7l\033[2J"
#define LEAVE "\033[m\033[?7h\033[?25h\033[?1049l"

/*
 * @signals: a signalfd
 * @keys:    stdin
 * @link:    the connection to the relay, while an answer is due
 * @next:    begins the next look
 * @limit:   ends a look that takes too long
 * @path_text: @path, printable
 * @trouble: why there is no newer data; "" if there is
 * @modes:   the terminal's modes before top began
 * @answer:  the answer so far
 * @looks:   how many looks gave data
 */
struct top {
	struct loop loop;
	struct watch signals, keys, link;
	struct timer next, limit;
	const char *path;
	char path_text[4 * ENDPOINT_PATH_MAX];
	char trouble[WHY_MAX];
	struct termios modes;
	struct buf answer;
	struct top_data data;
	struct top_view view;
	unsigned looks;
};

/* ---- the terminal ---- */

static void enter(const struct top *t)
{
	struct termios raw = t->modes;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	write_all(STDOUT_FILENO, ENTER, strlen(ENTER));
}

static void leave(const struct top *t)
{
	write_all(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &t->modes);
}

static void measure(struct top_view *v)
{
	struct winsize size = { 0 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	v->width = size.ws_col ? size.ws_col : 80;
	v->height = size.ws_row ? size.ws_row : 24;
	v->width = v->width < WINDOW_MAX ? v->width : WINDOW_MAX;
	v->height = v->height < WINDOW_MAX ? v->height : WINDOW_MAX;
}

static void draw(struct top *t)
{
	struct top_view *v = &t->view;
	unsigned rows = top_rows(v);
	struct buf out = { 0 };

	v->data = t->looks ? &t->data : NULL;
	v->trouble = t->trouble[0] ? t->trouble : NULL;
	if (v->first + rows > t->data.n)
		v->first = t->data.n > rows ? t->data.n - rows : 0;
	buf_printf(&out, "\033[H");
	top_draw(v, &out);
	/* If the terminal hung up, SIGHUP comes as well. */
	if (!out.failed && write_all(STDOUT_FILENO, out.data, out.len) < 0)
		loop_stop(&t->loop);
	buf_free(&out);
}

static bool is_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

/* ---- the relay ---- */

static void look(struct timer *timer);

/* A look is over. @why: why it gave no data; "" if it did */
static void end_look(struct top *t, const char *why)
{
	int fd = t->link.fd;

	if (fd >= 0) {
		loop_del(&t->loop, &t->link);
		close(fd);
	}
	timer_cancel(&t->loop, &t->limit);
	escape_text(t->trouble, sizeof(t->trouble), why);
	timer_set(&t->loop, &t->next, t->looks == 1 ? FIRST_MS : PERIOD_MS, look);
	draw(t);
}

static void look_is_over(struct timer *timer)
{
	end_look(container_of(timer, struct top, limit),
		 "the relay does not answer; trying again");
}

static void take_answer(struct top *t)
{
	static const char error[] = "error: ";
	char *text = t->answer.data;
	struct top_data data;

	if (!text || strncmp(text, "ok\n", 3) != 0) {
		bool is_error = text && !strncmp(text, error, strlen(error));

		if (is_error)
			text[strcspn(text, "\n")] = '\0';
		end_look(t, is_error ? text + strlen(error)
				     : "the program that answers is not a relay");
		return;
	}
	/* top_read() takes over the memory. */
	memmove(text, text + 3, strlen(text + 3) + 1);
	t->answer = (struct buf){ 0 };
	if (top_read(&data, text) < 0) {
		top_free(&data);
		end_look(t,
			 "the relay's answer is not understood: it has another version; "
			 "use its own netrelay");
		return;
	}
	top_compare(&data, &t->data);
	top_sort(&data, t->view.by_id);
	top_free(&t->data);
	t->data = data;
	t->looks++;
	end_look(t, "");
}

static void link_ready(struct watch *w, uint32_t events)
{
	struct top *t = container_of(w, struct top, link);
	char chunk[CHUNK];
	ssize_t n = recv(w->fd, chunk, sizeof(chunk), 0);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		take_answer(t);
		return;
	}
	buf_add(&t->answer, chunk, (size_t)n);
	if (t->answer.failed || t->answer.len > ANSWER_BYTES)
		end_look(t, "the relay's answer is too long");
}

static void look(struct timer *timer)
{
	static const char command[] = "counters\n";
	struct top *t = container_of(timer, struct top, next);
	char why[WHY_MAX];
	int fd = ctl_connect(t->path, why, sizeof(why));

	buf_free(&t->answer);
	if (fd < 0) {
		end_look(t, why);
		return;
	}
	if (send(fd, command, strlen(command), MSG_NOSIGNAL) < 0 && errno != EPIPE) {
		close(fd);
		end_look(t, strerror(errno));
		return;
	}
	if (loop_add(&t->loop, &t->link, fd, EPOLLIN, link_ready) < 0) {
		close(fd);
		end_look(t, "no memory to ask the relay");
		return;
	}
	timer_set(&t->loop, &t->limit, ANSWER_MS, look_is_over);
}

/* ---- the user ---- */

static void scroll(struct top *t, int by)
{
	size_t *first = &t->view.first;

	if (by < 0)
		*first = *first > (size_t)-by ? *first - (size_t)-by : 0;
	else
		*first += (size_t)by;
}

static void sort_otherwise(struct top *t)
{
	t->view.by_id = !t->view.by_id;
	top_sort(&t->data, t->view.by_id);
}

/* Act on the first key in @key. Return: the bytes that it consists of. */
static size_t take_key(struct top *t, const char *key)
{
	static const struct {
		const char *key;
		int lines, pages;
	} moves[] = {
		{ "\033[A", -1, 0 },  { "\033OA", -1, 0 }, { "k", -1, 0 },
		{ "\033[B", 1, 0 },   { "\033OB", 1, 0 },  { "j", 1, 0 },
		{ "\033[5~", 0, -1 }, { "\033[6~", 0, 1 }, { " ", 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		size_t len = strlen(moves[i].key);

		if (strncmp(key, moves[i].key, len) != 0)
			continue;
		scroll(t, moves[i].lines + moves[i].pages * (int)top_rows(&t->view));
		return len;
	}
	if (*key == 'q' || *key == 'Q')
		loop_stop(&t->loop);
	else if (*key == 's')
		sort_otherwise(t);
	return 1;
}

static void keys_ready(struct watch *w, uint32_t events)
{
	struct top *t = container_of(w, struct top, keys);
	char keys[64];
	ssize_t n = read(w->fd, keys, sizeof(keys) - 1);

	/* The terminal is set to return 0 bytes if there are none: only a hang-up is the end. */
	if (n < 0 || (n == 0 && (events & (EPOLLHUP | EPOLLERR)))) {
		loop_stop(&t->loop);
		return;
	}
	keys[n] = '\0';
	for (const char *key = keys; *key;)
		key += take_key(t, key);
	draw(t);
}

static void take_signal(struct top *t, int sig)
{
	switch (sig) {
	case SIGTSTP:
		leave(t);
		kill(getpid(), SIGSTOP);
		/* We have been continued, so SIGCONT is pending, which draws anew. */
		break;
	case SIGCONT:
	case SIGWINCH:
		if (sig == SIGCONT)
			enter(t);
		measure(&t->view);
		write_all(STDOUT_FILENO, "\033[2J", 4);
		draw(t);
		break;
	default:
		loop_stop(&t->loop);
	}
}

static void signal_ready(struct watch *w, uint32_t events)
{
	struct top *t = container_of(w, struct top, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_signal(t, (int)info.ssi_signo);
}

static int watch_user(struct top *t)
{
	static const int signals[] = { SIGINT,	SIGTERM,  SIGHUP, SIGQUIT,
				       SIGTSTP, SIGWINCH, SIGCONT };
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (loop_add(&t->loop, &t->signals, fd, EPOLLIN, signal_ready) < 0 ||
	    loop_add(&t->loop, &t->keys, STDIN_FILENO, EPOLLIN, keys_ready) < 0)
		return -ENOMEM;
	return 0;
}

/* Refuse a wrong path at once. A relay that goes away later, however, is waited for. */
static int check(struct top *t)
{
	char why[WHY_MAX];
	int fd;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &t->modes) < 0) {
		log_warn(
			"top: stdin and stdout must be a terminal; for other uses there is: "
			"netrelay ctl %s status",
			t->path);
		return -ENOTTY;
	}
	fd = ctl_connect(t->path, why, sizeof(why));
	if (fd < 0) {
		log_warn("top: %s", why);
		return fd;
	}
	close(fd);
	return 0;
}

int top_run(const char *path)
{
	struct top t = {
		.path = path,
		.signals = WATCH_INIT,
		.keys = WATCH_INIT,
		.link = WATCH_INIT,
	};
	int ret = check(&t);

	if (ret < 0)
		return ret;
	escape_text(t.path_text, sizeof(t.path_text), path);
	t.view.path = t.path_text;
	t.view.is_utf8 = is_utf8();
	t.view.by_id = true;
	measure(&t.view);
	ret = loop_init(&t.loop);
	if (ret == 0)
		ret = watch_user(&t);
	if (ret < 0) {
		log_warn("top: %s", strerror(-ret));
		return ret;
	}
	ret = ctl_client_confine(getpid());
	if (ret < 0)
		return ret;
	enter(&t);
	timer_set(&t.loop, &t.next, 0, look);
	ret = loop_run(&t.loop);
	leave(&t);
	top_free(&t.data);
	buf_free(&t.answer);
	if (t.link.fd >= 0)
		close(t.link.fd);
	loop_free(&t.loop);
	return ret;
}
