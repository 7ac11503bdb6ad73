/* SPDX-License-Identifier: ISC */
#include "reference.h"

#include <string.h>

#include "fuzz.h"
#include "text/upper.h"

/* Appends the upper case of one whole text. */
static void append_upper(struct reference *reference, const uint8_t *text, size_t length,
			 bool finish)
{
	struct upper upper = {0};
	char *end = reference->reply + reference->length;
	size_t n = upper_feed(&upper, text, length, end);

	if (finish)
		n += upper_finish(&upper, end + n);
	reference->length += n;
}

static void make_stream(struct reference *reference, const struct exchange_options *options,
			const struct conversation *conversation)
{
	if (options->once && conversation->first_read > 0) {
		append_upper(reference, conversation->request, conversation->first_read, true);
		reference->done = true;
		return;
	}
	append_upper(reference, conversation->request, conversation->length, conversation->ended);
}

static void make_line(struct reference *reference, const struct exchange_options *options,
		      const struct conversation *conversation)
{
	const uint8_t *next = conversation->request, *end = next + conversation->length;

	while (next < end && !reference->done) {
		const uint8_t *newline = memchr(next, '\n', (size_t)(end - next));
		size_t length = (size_t)((newline ? newline : end) - next);

		if (length > options->message_max) {
			reference->bad = reference->done = true;
			return;
		}
		if (newline || conversation->ended)
			append_upper(reference, next, length, true);
		if (newline)
			reference->reply[reference->length++] = '\n';
		if (newline && options->once)
			reference->done = true;
		next += length + 1;
	}
}

static void make_length(struct reference *reference, const struct exchange_options *options,
			const struct conversation *conversation)
{
	size_t at = 0;

	while (conversation->length - at >= FRAMING_HEADER_SIZE && !reference->done) {
		size_t length = framing_read_header(conversation->request + at), header;

		if (length > options->message_max) {
			reference->bad = reference->done = true;
			return;
		}
		if (conversation->length - at < FRAMING_HEADER_SIZE + length)
			break;
		header = reference->length;
		reference->length += FRAMING_HEADER_SIZE;
		append_upper(reference, conversation->request + at + FRAMING_HEADER_SIZE, length,
			     true);
		framing_write_header((unsigned char *)reference->reply + header,
				     (uint32_t)(reference->length - header - FRAMING_HEADER_SIZE));
		at += FRAMING_HEADER_SIZE + length;
		reference->done = options->once;
	}
	if (conversation->ended && !reference->done && at < conversation->length)
		reference->bad = true;
}

void reference_make(struct reference *ret_reference, const struct exchange_options *options,
		    const struct conversation *conversation)
{
	*ret_reference = (struct reference){
		.reply = malloc(2 * UPPER_ROOM(conversation->length)),
	};
	REQUIRE(ret_reference->reply, "no memory");
	if (conversation->length == 0) {
		ret_reference->done = conversation->ended;
		return;
	}
	if (options->framing == FRAMING_STREAM)
		make_stream(ret_reference, options, conversation);
	else if (options->framing == FRAMING_LINE)
		make_line(ret_reference, options, conversation);
	else
		make_length(ret_reference, options, conversation);
	ret_reference->done |= conversation->ended;
}

void reference_free(struct reference *reference)
{
	free(reference->reply);
}
