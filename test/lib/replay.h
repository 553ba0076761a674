/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer without libFuzzer: a test that runs it with each input of its corpus, which
 * test/corpus/FOLDER/NAME has for test/FOLDER/NAME-fuzz.c; or with the files that it is
 * given.
 */
#ifndef LIB_REPLAY_H
#define LIB_REPLAY_H

#include <dirent.h>
#include <string.h>

#include "lib/tap.h"

#define REPLAY_MAX (1 << 20) /* bytes of an input */

static inline void replay_file(const char *path)
{
	static uint8_t bytes[REPLAY_MAX];
	FILE *f = fopen(path, "re");
	size_t size = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	uint8_t *data = malloc(size + !size);

	if (!f || !data)
		abort();
	fclose(f);
	/* In memory of just that size: what is behind it is not to be read. */
	memcpy(data, bytes, size);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	ok(true, "%s", path);
}

static inline int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	static const char base[] = __BASE_FILE__;
	char dir[256], path[sizeof(dir) + 256];
	struct dirent **entry;
	int n;

	for (int i = 1; i < argc; i++)
		replay_file(argv[i]);
	if (argc > 1)
		return done();
	snprintf(dir, sizeof(dir), "test/corpus/%.*s",
		 (int)(strlen(base) - strlen("test/-fuzz.c")), base + strlen("test/"));
	n = scandir(dir, &entry, is_visible, alphasort);
	ok(n > 0, "%s has inputs", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry[i]->d_name);
		replay_file(path);
		free(entry[i]);
	}
	free(n < 0 ? NULL : entry);
	return done();
}

#endif
