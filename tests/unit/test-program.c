/* SPDX-License-Identifier: ISC */

/* Tests of exchange/program.h: what is returned, and what stands on standard output and error. */

#include <unistd.h>

#include "exchange/exchange-options.h"
#include "exchange/program.h"
#include "unit.h"
#include "util/error.h"

static const char *version(void)
{
	return "15.0.0";
}

static const struct service plain = {.name = "plain", .summary = "Answer plainly"};
static const struct service dated = {
	.name = "dated",
	.summary = "Answer by data",
	.data = "Unicode",
	.data_version = version,
};

static const struct option_row rows[] = {
	{"number", 'n', "N", "a number"},
	EXCHANGE_OPTION_LAST_ROWS,
};

/* Takes --number=1, and nothing else. */
static int take(struct options *options, int id, void *userdata)
{
	ck_assert_int_eq(id, 'n');
	if (strcmp(options->argument, "1") != 0)
		return options_reject(options, "not 1");
	++*(int *)userdata;
	return id;
}

static char said[2][2048]; /* on standard output, on standard error */

static FILE *capture(int fd, int *ret_kept)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	*ret_kept = dup(fd);
	ck_assert_int_ge(*ret_kept, 0);
	ck_assert_int_eq(dup2(fileno(file), fd), fd);
	return file;
}

static void release(int fd, int kept, FILE *file, char text[static 2048])
{
	ck_assert_int_eq(dup2(kept, fd), fd);
	(void)close(kept);
	rewind(file);
	text[fread(text, 1, 2047, file)] = '\0';
	(void)fclose(file);
}

static int begin(const struct service *s, const char *suffix, const char *word, int *taken)
{
	const struct program program = {s, suffix, ", head.", "Tail: ", rows, take};
	char *argv[] = {(char *)"program", (char *)word, NULL};
	int kept[2], r;
	FILE *files[2];

	(void)fflush(stdout);
	files[0] = capture(STDOUT_FILENO, &kept[0]);
	files[1] = capture(STDERR_FILENO, &kept[1]);
	r = program_begin(&program, word ? 2 : 1, argv, taken);
	release(STDOUT_FILENO, kept[0], files[0], said[0]);
	release(STDERR_FILENO, kept[1], files[1], said[1]);
	return r;
}

START_TEST(goes_on)
{
	int taken = 0;

	ck_assert_int_eq(begin(&plain, "", NULL, &taken), -1);
	ck_assert_int_eq(taken, 0);
	ck_assert_int_eq(begin(&plain, "", "-n1", &taken), -1);
	ck_assert_int_eq(taken, 1);
	ck_assert_str_eq(said[0], "");
	ck_assert_str_eq(said[1], "");
}
END_TEST

START_TEST(complains_in_one_line)
{
	static const struct {
		const char *word, *error;
	} words[] = {
		{"--number=2", "test-program: --number=2: not 1\n"},
		{"--numbre=1", "test-program: --numbre: no such option\n"},
		{"1", "test-program: 1: no operands are taken\n"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		int taken = 0;

		ck_assert_int_eq(begin(&plain, "", words[i].word, &taken), EXIT_TROUBLE);
		ck_assert_int_eq(taken, 0);
		ck_assert_str_eq(said[0], "");
		ck_assert_str_eq(said[1], words[i].error);
	}
}
END_TEST

START_TEST(shows_help)
{
	int taken = 0;

	ck_assert_int_eq(begin(&plain, "d", "--help", &taken), EXIT_ANSWERED);
	ck_assert_msg(strncmp(said[0], "Usage: plaind [OPTION...]\nAnswer plainly, head.\n\n",
			      strlen("Usage: plaind [OPTION...]\nAnswer plainly, head.\n\n")) == 0,
		      "%s", said[0]);
	ck_assert_ptr_nonnull(strstr(said[0], "  -n, --number=N "));
	ck_assert_ptr_nonnull(strstr(said[0], "\n\nTail: plaind(8).\n"));
	ck_assert_str_eq(said[1], "");
	ck_assert_int_eq(begin(&plain, "", "-h", &taken), EXIT_ANSWERED);
	ck_assert_ptr_nonnull(strstr(said[0], "\n\nTail: plain(1).\n"));
}
END_TEST

START_TEST(shows_versions)
{
	int taken = 0;

	ck_assert_int_eq(begin(&plain, "d", "--version", &taken), EXIT_ANSWERED);
	ck_assert_str_eq(said[0], "plaind " PROJECT_VERSION "\n");
	ck_assert_int_eq(begin(&dated, "", "--version", &taken), EXIT_ANSWERED);
	ck_assert_str_eq(said[0], "dated " PROJECT_VERSION " (Unicode 15.0.0)\n");
}
END_TEST

/* A disk that is full must not read as success. */
START_TEST(notices_a_full_output)
{
	const struct program program = {&plain, "", ", head.", "Tail: ", rows, take};
	char *argv[] = {(char *)"program", (char *)"--help", NULL};
	int taken = 0, kept, errors;
	FILE *file;

	(void)fflush(stdout);
	ck_assert_ptr_nonnull(freopen("/dev/full", "w", stdout));
	file = capture(STDERR_FILENO, &kept);
	errors = program_begin(&program, 2, argv, &taken);
	release(STDERR_FILENO, kept, file, said[1]);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stdout));
	ck_assert_int_eq(errors, EXIT_TROUBLE);
	ck_assert_str_eq(said[1], "test-program: write: No space left on device\n");
}
END_TEST

int main(void)
{
	const struct unit_row tests[] = {
		UNIT_ONCE("program_begin", goes_on),
		UNIT_ONCE("program_begin", complains_in_one_line),
		UNIT_ONCE("program_begin", shows_help),
		UNIT_ONCE("program_begin", shows_versions),
		UNIT_ONCE("program_begin", notices_a_full_output),
		{0},
	};

	return unit_run("program", tests);
}
