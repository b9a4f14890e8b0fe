# SPDX-License-Identifier: GPL-2.0-only
#
# For the Makefile of a folder of tests with C programs for the guest:
#
#	TEST_GEN_PROGS := test_this test_that	each from its .c file; run by tests/guest
#	TEST_LONG_PROGS := test_all		the same, but takes minutes: tests/guest --long
#	TEST_GEN_FILES := helper		built too, but not run by itself
#	TEST_OBJS := this_lib.o			linked into each of them
#	TEST_LIBALINK := y			link libalink too
#	include ../lib/kselftest.mk
#
# Tests are written with the kernel's kselftest_harness.h. Called with O=, the
# directory to build in, and KSRC=, where tools/testing/selftests of the kernel
# is. tools/setup/kselftests does both.
TESTS_SELF := $(CURDIR)
TESTS_TOP := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
O ?= $(error O: the directory to build in. tools/setup/kselftests does all this)
KSRC ?= $(error KSRC: see tools/setup/kernel-scripts)

CPPFLAGS += -D_GNU_SOURCE -I$(TESTS_SELF) -I$(TESTS_TOP)/include
CPPFLAGS += -I$(TESTS_TOP)/include/uapi -isystem $(KSRC)/tools/testing/selftests
CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-missing-field-initializers
CFLAGS += $(shell pkg-config --cflags libdrm)
LDLIBS += -lpthread

TESTS_OBJS := $(addprefix $(O)/,$(TEST_OBJS))
TESTS_BIN := $(addprefix $(O)/,$(TEST_GEN_PROGS) $(TEST_LONG_PROGS) \
	$(TEST_GEN_FILES))

ifdef TEST_LIBALINK
CPPFLAGS += -I$(TESTS_TOP)/tools/lib
TESTS_LIB := $(O)/lib/libalink.a
LDLIBS += $(shell pkg-config --libs libmnl)
endif

all: $(TESTS_BIN)

$(O)/%.o: $(TESTS_SELF)/%.c
	@mkdir -p $(O)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -c -o $@ $<

$(TESTS_BIN): $(O)/%: $(O)/%.o $(TESTS_OBJS) $(TESTS_LIB)
	$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(O)/lib/libalink.a: FORCE
	@$(MAKE) --no-print-directory -C $(TESTS_TOP)/tools/lib O=$(O)/lib all

# The names of what is to be run
list:
	@for p in $(TEST_GEN_PROGS); do echo "$$p"; done

list-long:
	@for p in $(TEST_LONG_PROGS); do echo "$$p"; done

-include $(wildcard $(O)/*.d)
.PRECIOUS: $(O)/%.o
.PHONY: all list list-long FORCE
