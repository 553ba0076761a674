/* SPDX-License-Identifier: MIT */
/*
 * The getopt_long() of the static program. The linker takes it in place of the C library's,
 * which is five times as large: it prints messages, and reads letters of any character set.
 * It does what glibc's does for a list of letters that begins with a colon, without opterr:
 * options may stand behind operands, which come last in argv at the end, "--" ends them, and
 * a long one may be cut short as long as it is no other's beginning.
 */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

char *optarg;
int optind = 1, opterr, optopt;

/*
 * @at: of the letter that is read next in a word of several; 0: in the next word
 * @passed: operands that were passed; they are the words ahead of @end
 */
static int at, passed, end = 1;

/* The value of an option: what follows in its word, or the next word. Return: ret; ':'. */
static int take_value(int argc, char **argv, char *rest, int ret)
{
	optarg = rest ? rest : optind < argc ? argv[optind++] : NULL;
	if (optarg)
		return ret;
	optopt = ret;
	return ':';
}

static int short_option(int argc, char **argv, const char *letters)
{
	char *word = argv[optind];
	int letter = (unsigned char)word[at ? at : 1];
	const char *known = letter == ':' ? NULL : strchr(letters + 1, letter);
	char *rest = word + (at ? at : 1) + 1;

	at = (int)(rest - word);
	if (!*rest || (known && known[1] == ':')) {
		at = 0;
		optind++;
	}
	optopt = letter;
	if (!known)
		return '?';
	return known[1] == ':' ? take_value(argc, argv, *rest ? rest : NULL, letter)
			       : letter;
}

/* The option that @word is the name of, or the beginning of no other's; NULL. */
static const struct option *find(const struct option *all, const char *word, size_t len)
{
	const struct option *found = NULL;
	unsigned n = 0;

	for (const struct option *o = all; o->name; o++) {
		if (strncmp(o->name, word, len) != 0)
			continue;
		if (strlen(o->name) == len)
			return o;
		found = o;
		n++;
	}
	return n == 1 ? found : NULL;
}

static int long_option(int argc, char **argv, const struct option *all, int *index)
{
	char *word = argv[optind++] + 2;
	size_t len = strcspn(word, "=");
	const struct option *o = find(all, word, len);
	char *value = word[len] ? word + len + 1 : NULL;

	optopt = 0;
	if (!o)
		return '?';
	if (index)
		*index = (int)(o - all);
	if (o->has_arg)
		return take_value(argc, argv, value, o->val);
	optopt = value ? o->val : 0;
	return value ? '?' : o->val;
}

static bool is_operand(const char *word)
{
	return word[0] != '-' || !word[1];
}

/* Move the operands that were passed behind the words that were read since. */
static void pass_on(char **argv)
{
	for (; end < optind; end++) {
		char *word = argv[end];

		memmove(argv + end - passed + 1, argv + end - passed,
			(size_t)passed * sizeof(*argv));
		argv[end - passed] = word;
	}
}

int getopt_long(int argc, char *const *words, const char *letters,
		const struct option *all, int *index)
{
	char **argv = (char **)words;

	if (optind == 0) {
		optind = end = 1;
		at = passed = 0;
	}
	optarg = NULL;
	if (at)
		return short_option(argc, argv, letters);
	pass_on(argv);
	for (; optind < argc && is_operand(argv[optind]); optind++, end++)
		passed++;
	if (optind < argc && strncmp(argv[optind], "--", 2) != 0)
		return short_option(argc, argv, letters);
	if (optind < argc && argv[optind][2])
		return long_option(argc, argv, all, index);
	optind += optind < argc;
	pass_on(argv);
	optind -= passed;
	return -1;
}
