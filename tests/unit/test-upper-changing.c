/* SPDX-License-Identifier: ISC */

/*
 * upper's versions on a text that changes while they read it, as a mapped file does that somebody
 * writes to. The processor stops behind each instruction, and there the text may become another
 * one: nothing may be read or written outside, and there is an end.
 */

#undef NDEBUG
#include "unit.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "random.h"
#include "text/upper-version.h"

#define PAGE       ((size_t)4096)
#define LENGTH_MAX 700

/* What a text consists of, over and over, before and after it changed. */
static const char *const scraps[] = {
	"abc ",
	"\304\261",           /* dotless i, which gets shorter */
	"\316\220",           /* becomes three times as long */
	"\303\237",           /* sharp s */
	"x\303\244b\305\202", /* Latin */
	"\341\273\207n",      /* Vietnamese */
	"\320\261\321\217 ",  /* Russian */
	"\343\201\202",       /* Japanese */
	"\360\220\220\250",   /* four bytes, cased */
	"\360\317",           /* leads */
	"\261",               /* a trail */
};

#define SCRAPS (int)(sizeof(scraps) / sizeof(scraps[0]))

/* The first two more often: much is done for ASCII alone, and where a text gets shorter what is
 * before it is near. */
static const char *any_scrap(void)
{
	return scraps[random_below(3) ? random_below(2) : random_below(SCRAPS)];
}

static unsigned char *text;
static size_t length;

static void fill(const char *scrap, size_t from)
{
	size_t size = strlen(scrap);

	for (size_t i = from; i < length; i++)
		text[i] = (unsigned char)scrap[i % size];
}

/* After so many instructions the text changes. */
static uint32_t steps_left;
static const char *scrap_after;
static int changes;

#ifdef __x86_64__
/* A bit of the flags: the processor stops behind each instruction (Intel 64 and IA-32 Architectures
 * Software Developer's Manual, volume 3, section 17.3.1.4). */
#define TRAP_FLAG 0x100

/* What is below the stack's end may be in use. */
static inline __attribute__((always_inline)) void start_stepping(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::"i"(TRAP_FLAG)
			 : "memory", "cc");
}

/* All of the text changes, or some of it, and then once more, or no more. */
static void handle_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *stopped = context;

	(void)number;
	(void)info;
	if (steps_left-- > 0)
		return;
	fill(scrap_after, random_below(2) ? 0 : random_below((uint32_t)length));
	changes++;
	steps_left = random_below(50);
	scrap_after = any_scrap();
	if (random_below(2))
		stopped->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

static void stop_stepping(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::"i"(~TRAP_FLAG)
			 : "memory", "cc");
}

static const char *lacks_steps(void)
{
	return unit_is_in_valgrind() ? "steps but valgrind's" : NULL;
}
#else
static void start_stepping(void)
{
}

static void handle_step(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	(void)context;
}

static void stop_stepping(void)
{
}

static const char *lacks_steps(void)
{
	return "single steps";
}
#endif

/* Pages that two which are none stand beside. */
#define PAGES 3

static unsigned char *fence(void)
{
	unsigned char *all =
		mmap(NULL, (PAGES + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(all != MAP_FAILED);
	ck_assert_int_eq(mprotect(all + PAGE, PAGES * PAGE, PROT_READ | PROT_WRITE), 0);
	return all + PAGE;
}

/* What stands behind the room for the reply. */
#define UNTOUCHED 0xaa

static void map_changing(const struct upper_version *version, unsigned char *out)
{
	struct upper upper = {.pending = {0xc4, 0xb1, 0xf0},
			      .pending_length = (unsigned char)random_below(4)};
	size_t n;

	memset(out, UNTOUCHED, PAGES * PAGE);
	fill(any_scrap(), 0);
	scrap_after = any_scrap();
	steps_left = random_below(50 + 3 * (uint32_t)length);
	start_stepping();
	n = upper_feed_by(version, &upper, text, length, out);
	stop_stepping();
	ck_assert_uint_le(n, UPPER_GROWTH * (length + sizeof(upper.pending)));
	ck_assert_uint_le(upper.pending_length, sizeof(upper.pending));
	for (size_t i = UPPER_ROOM(length); i < PAGES * PAGE; i++)
		if (out[i] != UNTOUCHED)
			ck_abort_msg("written behind the room");
}

/* Short ones, whose ends are many, and long enough for the loops. */
static size_t any_length(void)
{
	if (random_below(10) == 0)
		return 1 + random_below(LENGTH_MAX);
	return (16U << random_below(3)) + random_below(40);
}

START_TEST(stays_within_its_room)
{
	struct sigaction action = {.sa_sigaction = handle_step, .sa_flags = SA_SIGINFO};
	const struct upper_version *version = upper_versions[_i];
	unsigned char *in = fence(), *out = fence();

	if (!version->is_supported())
		return;
	ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
	for (int i = 0; i < 2500; i++) {
		length = any_length();
		text = random_below(2) ? in : in + PAGES * PAGE - length;
		map_changing(version, out);
	}
	ck_assert_int_gt(changes, 1000);
}
END_TEST

int main(void)
{
	int versions = 0;

	while (upper_versions[versions])
		versions++;

	const struct unit_row rows[] = {
		UNIT_LOOP_UNLESS(lacks_steps(), "upper_feed_by", stays_within_its_room, 0,
				 versions),
		{0},
	};

	return unit_run("upper-changing", rows);
}
