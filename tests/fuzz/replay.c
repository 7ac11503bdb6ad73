/* SPDX-License-Identifier: ISC */

/* replay: a fuzz target's main without libFuzzer: runs it over files, and all files of folders. */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "util/cleanup.h"

#define INPUT_MAX ((size_t)1 << 20)

static unsigned inputs;

static void run_file(const char *path)
{
	_cleanup_free_ uint8_t *bytes = malloc(INPUT_MAX), *exact = NULL;
	FILE *file = fopen(path, "r");
	size_t size;

	REQUIRE(bytes && file, "%s: %s", path, strerror(errno));
	size = fread(bytes, 1, INPUT_MAX, file);
	REQUIRE(!ferror(file), "%s: %s", path, strerror(errno));
	fclose(file);
	/* Without room behind it: a read beyond the end is seen. */
	exact = malloc(size ? size : 1);
	REQUIRE(exact, "%s", path);
	memcpy(exact, bytes, size);
	fprintf(stderr, "%s\n", path);
	(void)LLVMFuzzerTestOneInput(exact, size);
	inputs++;
}

static void run_path(const char *path)
{
	struct dirent **entries;
	struct stat status;
	int count;

	REQUIRE(stat(path, &status) == 0, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(status.st_mode)) {
		run_file(path);
		return;
	}
	count = scandir(path, &entries, NULL, alphasort);
	REQUIRE(count >= 0, "%s: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char inner[4096];

		snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_path(inner);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	REQUIRE(inputs > 0, "no input in what was given");
	printf("%u inputs\n", inputs);
	return 0;
}
