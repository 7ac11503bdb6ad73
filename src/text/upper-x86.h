/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * upper-x86: what an x86 processor and its operating system can do, and constants for both
 * versions.
 *
 * The compiler's __builtin_cpu_supports() would do, but links code that asks at every start of the
 * process. Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, sections 14.3
 * and 15.2 to 15.4.
 */

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	X86_BMI1 = 1 << 3, /* CPUID leaf 7, EBX */
	X86_AVX2 = 1 << 5,
	X86_BMI2 = 1 << 8,
	X86_AVX512F = 1 << 16,
	X86_AVX512BW = 1 << 30,
	X86_AVX512_VBMI = 1 << 1, /* ECX */
	X86_AVX512_VBMI2 = 1 << 6,
	X86_GFNI = 1 << 8,

	X86_STATE_AVX = 0x06,    /* XCR0: the operating system keeps these registers: XMM, YMM */
	X86_STATE_AVX512 = 0xe6, /* and masks, ZMM */
};

/* Every byte four times over, 1 KiB: what a vector of one byte is loaded from. */
extern const uint32_t upper_four_times[256];

/* Whether all of these are there: bits of CPUID leaf 7, and registers that are kept. */
static inline bool x86_has(unsigned int ebx_wanted, unsigned int ecx_wanted, unsigned int state)
{
	unsigned int eax, ebx, ecx, edx, kept, high;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE) || !(ecx & bit_POPCNT))
		return false;
	__asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
	if ((kept & state) != state || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return false;
	return (ebx & ebx_wanted) == ebx_wanted && (ecx & ecx_wanted) == ecx_wanted;
}
