// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows. The ratio of a row is the median of the ratios of its rounds: what a
 * busy host does to one round, it does to both sides of it.
 */
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

int bench_fail(struct bench *b, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(b->error, sizeof(b->error), fmt, args);
	va_end(args);
	return err;
}

int bench_fail_alink(struct bench *b, const char *what, int err)
{
	return bench_fail(b, err, "%s: %s", what, alink_error(b->ctx));
}

/* --- where it runs -------------------------------------------------------- */

#ifdef __x86_64__
static const char *accelerator(void)
{
	static const struct {
		const char *id;
		const char *name;
	} known[] = {
		{ "TCGTCGTCGTCG", "TCG" }, { "KVMKVMKVM", "KVM" },
	};
	unsigned int a, words[3];
	char id[13] = "";
	size_t i;

	if (!__get_cpuid(1, &a, &words[0], &words[1], &words[2]) ||
	    !(words[1] >> 31))
		return "none";
	__cpuid(0x40000000, a, words[0], words[1], words[2]);
	memcpy(id, words, sizeof(words));
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(id, known[i].id))
			return known[i].name;
	return "unknown";
}
#else
static const char *accelerator(void)
{
	return "unknown";
}
#endif

struct place {
	struct utsname uts;
	const char *accel;
	const char *qemu;
	char clock[32];
	char load[64];
	long cpus;
};

static void look_around(struct bench *b, struct place *p)
{
	uname(&p->uts);
	p->accel = accelerator();
	p->qemu = bench_host_qemu(b);
	p->cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (bench_read(p->clock, sizeof(p->clock),
		       "/sys/devices/system/clocksource/clocksource0/current_clocksource"))
		strcpy(p->clock, "unknown");
	if (bench_read(p->load, sizeof(p->load), "/proc/loadavg"))
		strcpy(p->load, "unknown");
}

void bench_head(struct bench *b)
{
	struct place p = {};

	if (b->json)
		return;
	look_around(b, &p);
	printf("Emulated devices: seconds say nothing, ratios to a peer in the same boot do.\n"
	       "Linux %s, %ld processors (%s), clock %s, QEMU %s, load %s; median of %u pairs%s\n",
	       p.uts.release, p.cpus, p.accel, p.clock,
	       p.qemu ? p.qemu : "unknown", p.load, b->rounds,
	       b->quick ? ": says nothing" : "");
	printf("  %-34s %9s %-6s %-27s %9s %7s  %-15s %7s %7s\n", "measure",
	       "ours", "", "peer", "", "ratio", "quartiles", "floor", "goal");
	fflush(stdout);
}

static struct json_object *text_or_null(const char *s)
{
	return s ? json_object_new_string(s) : NULL;
}

static struct json_object *json_place(struct bench *b)
{
	struct json_object *o = json_object_new_object();
	struct place p = {};

	look_around(b, &p);
	json_object_object_add(o, "kernel", text_or_null(p.uts.release));
	json_object_object_add(o, "accelerator", text_or_null(p.accel));
	json_object_object_add(o, "cpus", json_object_new_int64(p.cpus));
	json_object_object_add(o, "clocksource", text_or_null(p.clock));
	json_object_object_add(o, "qemu", text_or_null(p.qemu));
	json_object_object_add(o, "load", text_or_null(p.load));
	json_object_object_add(o, "pairs", json_object_new_int64(b->rounds));
	return o;
}

/* --- figures -------------------------------------------------------------- */

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return a < b ? -1 : a > b;
}

double bench_median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

struct figures {
	double own, other;
	double ratio, low, high;	/* median, quartiles */
};

static void take(const struct bench_row *r, unsigned int n, struct figures *f)
{
	double v[BENCH_MAX_ROUNDS];
	unsigned int i;

	memcpy(v, r->own, sizeof(v));
	f->own = bench_median(v, n);
	memcpy(v, r->other, sizeof(v));
	f->other = bench_median(v, n);
	for (i = 0; i < n; i++)
		v[i] = r->own[i] / r->other[i];
	f->ratio = bench_median(v, n);
	f->low = v[n / 4];
	f->high = v[3 * n / 4];
}

static const struct bench_floor *floor_of(const struct bench_row *r)
{
	return &bench_floors[r->bar];
}

static bool reaches(const struct bench_floor *f, double ratio, double bar)
{
	return f->less ? ratio <= bar : ratio >= bar;
}

/* NULL: there is nothing to judge. */
static const char *judge(const struct bench_floor *f, double ratio)
{
	if (f->floor <= 0)
		return NULL;
	if (!reaches(f, ratio, f->floor))
		return "missed";
	return f->goal > 0 && reaches(f, ratio, f->goal) ? "goal" : "met";
}

/* --- the table ------------------------------------------------------------ */

/* As many digits as a column has room for */
static void show_number(double x)
{
	printf(" %9.*f", x < 100 ? 2 : x < 10000 ? 1 : 0, x);
}

static void show_bar(const struct bench_floor *f, double bar)
{
	char text[16] = "";

	if (bar > 0)
		snprintf(text, sizeof(text), "%s%.2f", f->less ? "<=" : ">=",
			 bar);
	printf(" %7s", text);
}

static void show_row(const struct bench_row *r, const struct figures *f,
		     const char *verdict)
{
	char spread[32];

	printf("  %-34s", r->what);
	show_number(f->own);
	printf(" %-6s %-27s", r->unit, r->peer);
	show_number(f->other);
	snprintf(spread, sizeof(spread), "%.2f..%.2f", f->low, f->high);
	printf(" %7.2f  %-15s", f->ratio, spread);
	show_bar(floor_of(r), floor_of(r)->floor);
	show_bar(floor_of(r), floor_of(r)->goal);
	if (verdict)
		printf(" %s", !strcmp(verdict, "missed") ? "MISSED" : verdict);
	putchar('\n');
	fflush(stdout);
}

/* --- JSON ----------------------------------------------------------------- */

/* With more digits than are measured, and fewer than a double has */
static struct json_object *number(double x)
{
	struct json_object *o = json_object_new_double(x);

	json_object_set_serializer(o, json_object_double_to_json_string,
				   (void *)"%.9g", NULL);
	return o;
}

static struct json_object *json_row(struct bench *b, const struct bench_row *r)
{
	struct json_object *o = json_object_new_object();
	const struct bench_floor *f = floor_of(r);

	json_object_object_add(o, "measure", text_or_null(b->measure));
	json_object_object_add(o, "what", text_or_null(r->what));
	json_object_object_add(o, "peer", text_or_null(r->peer));
	json_object_object_add(o, "unit", text_or_null(r->unit));
	json_object_object_add(o, "better",
			       text_or_null(f->less ? "less" : "more"));
	json_object_object_add(o, "floor",
			       f->floor > 0 ? number(f->floor) : NULL);
	json_object_object_add(o, "goal", f->goal > 0 ? number(f->goal) : NULL);
	json_object_array_add(b->rows, o);
	return o;
}

static void keep_figures(struct json_object *o, const struct figures *f,
			 unsigned int rounds, const char *verdict,
			 const char *reason)
{
	struct json_object *quartiles = NULL;

	if (f) {
		quartiles = json_object_new_array();
		json_object_array_add(quartiles, number(f->low));
		json_object_array_add(quartiles, number(f->high));
	}
	json_object_object_add(o, "pairs", json_object_new_int64(rounds));
	json_object_object_add(o, "value", f ? number(f->own) : NULL);
	json_object_object_add(o, "peer_value", f ? number(f->other) : NULL);
	json_object_object_add(o, "ratio", f ? number(f->ratio) : NULL);
	json_object_object_add(o, "ratio_quartiles", quartiles);
	json_object_object_add(o, "verdict", text_or_null(verdict));
	json_object_object_add(o, "reason", text_or_null(reason));
}

void bench_row(struct bench *b, const struct bench_row *r, unsigned int rounds)
{
	const char *verdict;
	struct figures f;

	take(r, rounds, &f);
	verdict = judge(floor_of(r), f.ratio);
	b->missed += verdict && !strcmp(verdict, "missed");
	if (b->json)
		keep_figures(json_row(b, r), &f, rounds, verdict, NULL);
	else
		show_row(r, &f, verdict);
}

void bench_absent(struct bench *b, const struct bench_row *r, const char *why)
{
	b->absent += floor_of(r)->floor > 0;
	if (b->json) {
		keep_figures(json_row(b, r), NULL, 0, NULL, why);
		return;
	}
	printf("  %-34s not measured: %s\n", r->what, why);
	fflush(stdout);
}

void bench_print_document(const char *schema, int version, const char *key,
			  struct json_object *data)
{
	struct json_object *doc = json_object_new_object();

	json_object_object_add(doc, "schema", json_object_new_string(schema));
	json_object_object_add(doc, "version", json_object_new_int(version));
	json_object_object_add(doc, key, data);
	puts(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PLAIN |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
}

/* In JSON a boot is an element: make bench needs two of them. */
void bench_foot(struct bench *b)
{
	struct json_object *boots, *boot;

	if (!b->json) {
		printf("%u floors missed, %u not measured\n", b->missed,
		       b->absent);
		return;
	}
	boots = json_object_new_array();
	boot = json_object_new_object();
	json_object_object_add(boot, "environment", json_place(b));
	json_object_object_add(boot, "rows", json_object_get(b->rows));
	json_object_array_add(boots, boot);
	bench_print_document("alink.bench", 2, "data", boots);
}

void bench_report_error(struct bench *b, int code)
{
	struct json_object *o;

	if (!b->json) {
		fprintf(stderr, "alink-bench: %s\n", b->error);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "message", json_object_new_string(b->error));
	json_object_object_add(o, "exit_code", json_object_new_int(code));
	bench_print_document("alink.error", 1, "error", o);
}
