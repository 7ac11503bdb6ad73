/* SPDX-License-Identifier: ISC */

/*
 * Upper case in memory: ours, as everybody calls it and in every version that this processor runs,
 * against copying and against what other libraries do.
 *
 * usage: bench-text DIRECTORY [--size=BYTES]... [--rounds=N] [--only=SUBJECT]... [--corpus=NAME]...
 *
 * For each corpus in DIRECTORY (a file NAME.txt each) and size, every subject maps pieces of that
 * size, one after the other out of a text of 256 MiB (the corpus again and again; short ones
 * out of 1 MiB), into the same memory. The subjects take turns, ROUNDS times; printed are
 * medians, in tab-separated columns: size, corpus, subject, GB/s of input, nanoseconds for a piece.
 *
 * "upper_feed" is the public function, which has chosen the fastest version by then. What is named
 * after a version does the same without a choice: the way through a pointer is left out, and the
 * shortcut for short ASCII is inlined.
 *
 * Not its job: whether the answers are right (tests/unit).
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifdef HAVE_ICU
#include <unicode/ucasemap.h>
#endif
#ifdef HAVE_UNISTRING
#include <unicase.h>
#endif
#ifdef HAVE_GLIB
#include <glib.h>
#endif

#include "text/upper-short.h"
#include "text/upper-version.h"

#define TEXT_SIZE  ((size_t)256 << 20)
#define SAMPLE_NS  10e6
#define ROUNDS_MAX 101
#define NAMES_MAX  15

/* Short pieces come out of a text that the second cache holds: it has just been received. */
#define SHORT_MAX  4096
#define SHORT_TEXT ((size_t)1 << 20)

/* Pieces of a text: a short one in pieces of 16 bytes, less a character. */
#define PIECES_MAX (SHORT_TEXT / 12)

struct subject {
	const char *name;
	size_t (*run)(const struct subject *subject, const char *in, size_t length, char *out);
	const struct upper_version *version;
	bool ascii_only; /* means nothing for another text */
	bool valid_only; /* gives up where a text is malformed */
	double seconds_per_byte[ROUNDS_MAX], seconds_per_piece[ROUNDS_MAX];
};

static size_t run_memcpy(const struct subject *subject, const char *in, size_t length, char *out)
{
	(void)subject;
	memcpy(out, in, length);
	return length;
}

/* A plain loop over the widest registers there are: what a transform could reach at best. */
#ifdef __x86_64__
__attribute__((target("avx512f"))) static void copy_512(const char *in, size_t length, char *out)
{
	typedef char block __attribute__((vector_size(64), aligned(1)));

	for (; length >= 64; length -= 64, in += 64, out += 64) {
		__builtin_prefetch(in + 2048);
		*(block *)out = *(const block *)in;
	}
	memcpy(out, in, length);
}
#endif

static size_t run_copy(const struct subject *subject, const char *in, size_t length, char *out)
{
	(void)subject;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512f")) {
		copy_512(in, length, out);
		return length;
	}
#endif
	typedef char block __attribute__((vector_size(32), aligned(1)));
	size_t i;

	for (i = 0; i + 32 <= length; i += 32)
		*(block *)(out + i) = *(const block *)(in + i);
	memcpy(out + i, in + i, length - i);
	return length;
}

static size_t run_upper_feed(const struct subject *subject, const char *in, size_t length,
			     char *out)
{
	struct upper upper = {0};
	size_t written = upper_feed(&upper, in, length, out);

	(void)subject;
	return written + upper_finish(&upper, out + written);
}

/* The same, but by the version given. */
static size_t run_upper(const struct subject *subject, const char *in, size_t length, char *out)
{
	struct upper upper = {0};
	size_t written;

	if (length <= UPPER_SHORT_MAX && upper_short(in, length, out))
		written = length;
	else
		written = upper_feed_by(subject->version, &upper, in, length, out);
	return written + upper_finish(&upper, out + written);
}

#ifdef HAVE_ICU
static size_t run_icu(const struct subject *subject, const char *in, size_t length, char *out)
{
	static UCaseMap *case_map;
	UErrorCode error = U_ZERO_ERROR;

	(void)subject;
	if (!case_map)
		case_map = ucasemap_open("", 0, &error);
	return (size_t)ucasemap_utf8ToUpper(case_map, out, (int32_t)UPPER_ROOM(length), in,
					    (int32_t)length, &error);
}

#endif

#ifdef HAVE_UNISTRING
static size_t run_unistring(const struct subject *subject, const char *in, size_t length, char *out)
{
	size_t room = UPPER_ROOM(length);

	(void)subject;
	(void)u8_toupper((const uint8_t *)in, length, NULL, NULL, (uint8_t *)out, &room);
	return room;
}

#endif

#ifdef HAVE_GLIB
static size_t run_glib(const struct subject *subject, const char *in, size_t length, char *out)
{
	(void)subject;
	(void)out;
	g_free(g_utf8_strup(in, (gssize)length));
	return length;
}

#endif

static size_t run_toupper(const struct subject *subject, const char *in, size_t length, char *out)
{
	(void)subject;
	for (size_t i = 0; i < length; i++)
		out[i] = (char)toupper((unsigned char)in[i]);
	return length;
}

static struct subject subjects[16] = {
	{.name = "copy", .run = run_copy},
	{.name = "memcpy", .run = run_memcpy},
	{.name = "upper_feed", .run = run_upper_feed},
#ifdef HAVE_ICU
	{.name = "icu", .run = run_icu},
#endif
#ifdef HAVE_UNISTRING
	{.name = "libunistring", .run = run_unistring, .valid_only = true},
#endif
#ifdef HAVE_GLIB
	{.name = "glib", .run = run_glib, .valid_only = true},
#endif
	{.name = "toupper", .run = run_toupper, .ascii_only = true},
};

static size_t count_subjects(void)
{
	size_t n = 0;

	while (subjects[n].name)
		n++;
	return n;
}

static void add_versions(void)
{
	size_t n = count_subjects();

	for (size_t i = 0; upper_versions[i]; i++)
		if (upper_versions[i]->is_supported())
			subjects[n++] = (struct subject){.name = upper_versions[i]->name,
							 .run = run_upper,
							 .version = upper_versions[i]};
}

/* The processor's time for this thread: what else runs on the machine counts little. */
static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* How long each piece of the text is: about size bytes, cut before a character. To find out while
 * measuring would cost more than a short piece does. */
static struct {
	uint32_t lengths[PIECES_MAX];
	size_t n;
} pieces;

static void cut_text(const char *text, size_t size)
{
	size_t at = 0, end = size < SHORT_MAX ? SHORT_TEXT : TEXT_SIZE;

	for (pieces.n = 0; at + size < end && pieces.n < PIECES_MAX; pieces.n++) {
		size_t length = size;

		while (length > 1 && ((unsigned char)text[at + length] & 0xc0) == 0x80)
			length--;
		pieces.lengths[pieces.n] = (uint32_t)length;
		at += length;
	}
}

/* Where a subject is in the text. */
struct place {
	size_t piece, at;
};

/* What came out is read a little, so that no call can be left out. */
static volatile size_t sink;

static void sample(struct subject *subject, int round, const char *text, char *out,
		   struct place *place)
{
	double begin = now(), end;
	size_t bytes = 0, done = 0;

	do {
		for (size_t until = bytes + 65536; bytes < until; done++) {
			size_t length = pieces.lengths[place->piece];

			sink += subject->run(subject, text + place->at, length, out);
			bytes += length;
			place->at += length;
			if (++place->piece == pieces.n)
				*place = (struct place){0};
		}
		end = now();
	} while (end - begin < SAMPLE_NS * 1e-9);
	subject->seconds_per_byte[round] = (end - begin) / (double)bytes;
	subject->seconds_per_piece[round] = (end - begin) / (double)done;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare_doubles);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static bool is_in(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct subject *subject, const char *corpus, const char *const *only)
{
	if (subject->ascii_only && strcmp(corpus, "english") != 0)
		return false;
	if (subject->valid_only && strcmp(corpus, "random-bytes") == 0)
		return false;
	return !*only || is_in(subject->name, only);
}

static void bench(const char *corpus, const char *text, size_t size, int rounds,
		  const char *const *only, char *out)
{
	size_t n = count_subjects();
	struct place places[16] = {0};

	cut_text(text, size);
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			if (is_wanted(&subjects[i], corpus, only))
				sample(&subjects[i], round, text, out, &places[i]);
	for (size_t i = 0; i < n; i++)
		if (is_wanted(&subjects[i], corpus, only))
			printf("%zu\t%s\t%s\t%.3f\t%.1f\n", size, corpus, subjects[i].name,
			       1e-9 / median(subjects[i].seconds_per_byte, rounds),
			       1e9 * median(subjects[i].seconds_per_piece, rounds));
	(void)fflush(stdout);
}

/* Fills text with the file again and again. */
static int read_text(const char *directory, const char *name, char *text)
{
	char path[4096];
	size_t length, whole;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	length = fread(text, 1, TEXT_SIZE, file);
	(void)fclose(file);
	if (length == 0)
		return -EIO;
	for (whole = length; whole < TEXT_SIZE; whole += length)
		memcpy(text + whole, text, whole + length < TEXT_SIZE ? length : TEXT_SIZE - whole);
	return 0;
}

static int is_corpus(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
}

struct arguments {
	const char *directory, *only[NAMES_MAX + 1], *corpora[NAMES_MAX + 1];
	size_t sizes[NAMES_MAX], n_sizes;
	int rounds;
};

static void append(const char **names, const char *name)
{
	size_t n = 0;

	while (names[n])
		n++;
	if (n < NAMES_MAX)
		names[n] = name;
}

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--size=", 7) == 0 && arguments->n_sizes < NAMES_MAX)
			arguments->sizes[arguments->n_sizes++] = strtoul(argv[i] + 7, NULL, 10);
		else if (strncmp(argv[i], "--rounds=", 9) == 0)
			arguments->rounds = atoi(argv[i] + 9);
		else if (strncmp(argv[i], "--only=", 7) == 0)
			append(arguments->only, argv[i] + 7);
		else if (strncmp(argv[i], "--corpus=", 9) == 0)
			append(arguments->corpora, argv[i] + 9);
		else if (!arguments->directory)
			arguments->directory = argv[i];
		else
			return false;
	}
	if (arguments->n_sizes == 0)
		arguments->sizes[arguments->n_sizes++] = 65536;
	return arguments->directory && arguments->rounds > 0 && arguments->rounds <= ROUNDS_MAX;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.rounds = 7};
	char *text = aligned_alloc((size_t)2 << 20, TEXT_SIZE), *out;
	size_t largest = 0;
	struct dirent **files;
	int n;

	if (!parse_arguments(argc, argv, &arguments)) {
		(void)fprintf(stderr, "usage: bench-text DIRECTORY [--size=BYTES]... [--rounds=N] "
				      "[--only=SUBJECT]... [--corpus=NAME]...\n");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < arguments.n_sizes; i++)
		if (arguments.sizes[i] > largest)
			largest = arguments.sizes[i];
	add_versions();
	/* As the filter has it; half of all stores would cross a line for everybody else. */
	out = aligned_alloc(4096, (UPPER_ROOM(largest) + 4095) & ~(size_t)4095);
	n = scandir(arguments.directory, &files, is_corpus, alphasort);
	if (!text || !out || n <= 0)
		return EXIT_FAILURE;
	(void)madvise(text, TEXT_SIZE, MADV_HUGEPAGE);
	for (int i = 0; i < n; i++) {
		char name[sizeof(files[i]->d_name)];

		(void)snprintf(name, sizeof(name), "%.*s", (int)strlen(files[i]->d_name) - 4,
			       files[i]->d_name);
		if (arguments.corpora[0] && !is_in(name, arguments.corpora))
			continue;
		if (read_text(arguments.directory, files[i]->d_name, text) < 0)
			return EXIT_FAILURE;
		for (size_t j = 0; j < arguments.n_sizes; j++)
			bench(name, text, arguments.sizes[j], arguments.rounds, arguments.only,
			      out);
	}
	return EXIT_SUCCESS;
}
