/* SPDX-License-Identifier: ISC */

/*
 * Standard input to standard output in upper case, for tests of the text alone: they compare it
 * with other implementations. The argument is how many bytes a piece has (default: 65536), or
 * --unicode-version to print that and no more.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/upper.h"

int main(int argc, char **argv)
{
	static unsigned char in[65536], out[UPPER_ROOM(sizeof in)];
	size_t piece = argc > 1 ? strtoul(argv[1], NULL, 10) : sizeof in, length;
	struct upper upper = {0};

	if (argc > 1 && strcmp(argv[1], "--unicode-version") == 0)
		return puts(upper_unicode_version()) < 0;
	if (piece == 0 || piece > sizeof in)
		return EXIT_FAILURE;
	while ((length = fread(in, 1, piece, stdin)) > 0)
		(void)fwrite(out, 1, upper_feed(&upper, in, length, out), stdout);
	(void)fwrite(out, 1, upper_finish(&upper, out), stdout);
	return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
