/* SPDX-License-Identifier: ISC */
#pragma once

/*
 * parse: the values that options take, from text. Each function takes the whole text or nothing.
 *
 * Not its job: addresses (net/address.h), and saying which option a bad value was given to.
 */

#include <stdint.h>

/* No end: what "infinity" means as a time. */
#define PARSE_INFINITY UINT64_MAX

/* A decimal number between minimum and maximum.
 * Returns 0, -EINVAL (no number) or -ERANGE (outside). */
int parse_number(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_number);

/* A time span as in systemd.time(7): "500ms", "5s", "1min 30s", "1.5h", a bare number in seconds,
 * "infinity". Returns 0, -EINVAL or -ERANGE; *ret_usec in microseconds. */
int parse_time(const char *text, uint64_t *ret_usec);

/* A size in bytes with an optional suffix K, M, G or T to the base 1024.
 * Returns 0, -EINVAL (no size) or -ERANGE (outside minimum and maximum). */
int parse_size(const char *text, uint64_t minimum, uint64_t maximum, uint64_t *ret_bytes);
