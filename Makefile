# netrelay: `make help` lists the targets.

# What VERSION says, and +gCOMMIT[.dirty] unless exactly this commit is tagged as that version.
VERSION := $(shell cat VERSION)
TAG     := $(shell git describe --tags --exact-match --match v$(VERSION) --dirty 2>/dev/null)
COMMIT  := $(shell git describe --always --exclude '*' --dirty=.dirty 2>/dev/null)
VERSION := $(VERSION)$(if $(filter v$(VERSION),$(TAG)),,$(COMMIT:%=+g%))
PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
BUILD   ?= build

# The static build uses musl-gcc if it is installed, otherwise gcc: on Alpine that is musl's.
ifeq ($(origin CC),default)
CC := $(if $(shell command -v musl-gcc),musl-gcc,gcc)
endif
HOST_CC ?= gcc
STRIP   ?= strip
# Optimise for size, and the HOT files, which every frame passes through, for speed.
CFLAGS  ?= -Os -g
HOT := base/loop base/byte-ring \
	frame/csum frame/gso frame/gro frame/gro-packet frame/stream-layout frame/frame-queue \
	trunk/channel trunk/deframer port/port port/stream port/dgram port/dgram-rx port/tap-io \
	relay/relay relay/forward relay/deliver relay/fdb capture/capture-queue capture/pcapng

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wformat=2
# 64-bit file sizes and times, also where the C library has 32 bits by default.
WIDE := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
BASE := -std=gnu11 -D_GNU_SOURCE $(WIDE) -Isrc -I$(BUILD) $(WARNINGS) -MMD -MP \
	$(if $(WERROR),-Werror) -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
# No RELRO: nothing makes it read-only in a static program of musl, it would only pad the file.
LINK := -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,norelro -Wl,--build-id=none

SRC := $(filter-out net/mnl-builtin.c,$(patsubst src/%,%,$(wildcard src/*.c src/*/*.c)))

# libmnl for a static build: LIBMNL_PREFIX, else pkg-config's static one, else our
# built-in subset of it. `netrelay --version` says which.
ifdef LIBMNL_PREFIX
MNL_STATIC := $(LIBMNL_PREFIX)/lib/libmnl.a
MNL_CFLAGS := -I$(LIBMNL_PREFIX)/include
else ifeq ($(findstring musl-gcc,$(CC)),)
MNL_STATIC := $(wildcard $(shell pkg-config --variable=libdir libmnl 2>/dev/null)/libmnl.a)
endif
ifneq ($(findstring musl-gcc,$(CC)),)
# The kernel's headers, which are searched after musl's own.
HOST_INCLUDE := -idirafter /usr/include -idirafter \
	/usr/include/$(shell $(HOST_CC) -print-multiarch)
endif
SRC_MNL := $(if $(MNL_STATIC),,net/mnl-builtin.c)
MNL_NAME := libmnl$(if $(MNL_STATIC),, stand-in)

STATIC_OBJ := $(addprefix $(BUILD)/static/,$(patsubst %.c,%.o,$(SRC) $(SRC_MNL)))
SHARED_OBJ := $(addprefix $(BUILD)/shared/,$(SRC:.c=.o))

TEST_NAMES := -DVERSION='"test"' -DLIBC='"test"' -DLIBMNL='"test"' -DFRAME_ASSERTS -DNO_SANDBOX
SANITIZE := -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all

Q := $(if $(filter 1,$(V)),,@)

all: $(BUILD)/netrelay ## the static binary, build/netrelay
shared: $(BUILD)/netrelay-shared ## build/netrelay-shared, with the host's libc and libmnl

$(foreach d,static shared,$(HOT:%=$(BUILD)/$(d)/%.o)): CFLAGS += -O2

# What each role of the sandbox may call, by what its sources say of themselves.
CALLS := $(BUILD)/sandbox/syscalls.h
$(CALLS): src/sandbox/syscalls.awk $(sort $(wildcard src/*.c src/*/*.c))
	@mkdir -p $(@D) && LC_ALL=C awk -f $^ > $@

$(BUILD)/netrelay: $(STATIC_OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(CFLAGS) -static -no-pie $(LINK) $(LDFLAGS) -o $@.debug $^ $(MNL_STATIC)
	$(Q)$(STRIP) -o $@ $@.debug

$(BUILD)/netrelay-shared: $(SHARED_OBJ)
	@echo "  LINK    $@"
	$(Q)$(HOST_CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lmnl

$(BUILD)/static/%.o: src/%.c | $(CALLS)
	@mkdir -p $(@D); echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(BASE) $(CFLAGS) -fno-pie $(HOST_INCLUDE) $(MNL_CFLAGS) -c -o $@ $<

$(BUILD)/shared/%.o: src/%.c | $(CALLS)
	@mkdir -p $(@D); echo "  CC      $< (shared)"
	$(Q)$(HOST_CC) $(CPPFLAGS) $(BASE) $(CFLAGS) -c -o $@ $<

# $(call names,LIBC,LIBMNL): for the one file that shows the version
names = -DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' -DLIBC='"$(1)"' -DLIBMNL='"$(2)"'
$(BUILD)/static/base/version.o: CPPFLAGS += $(call names,static,$(MNL_NAME))
$(BUILD)/shared/base/version.o: CPPFLAGS += $(call names,shared,libmnl)
$(BUILD)/static/base/version.o $(BUILD)/shared/base/version.o: $(BUILD)/version

# Written only when one of them changes, so that a new commit compiles only version.c.
$(BUILD)/version: FORCE | $(BUILD)
	@printf '%s\n' '$(VERSION)' '$(SYSCONFDIR)' > $@.new; cmp -s $@.new $@ || cp $@.new $@

$(BUILD):
	@mkdir -p $@
-include $(STATIC_OBJ:.o=.d) $(SHARED_OBJ:.o=.d)

# ---- tests ----

# All sources but main.c are one shared library, so that a change is linked once, not in each test.
# FOLDER, COMPILER, test or fuzz, FLAGS of objects, FLAGS of programs
define sanitized_rules
$(BUILD)/$(1)/src/%.o: src/%.c Makefile | $(CALLS)
	@mkdir -p $$(@D); echo "  CC      $$< ($(1))"
	$(Q)$(2) $(BASE) $$(SANITIZE) -fPIC $(4) $(TEST_NAMES) -c -o $$@ $$<
$(BUILD)/$(1)/src.so: $(patsubst %.c,$(BUILD)/$(1)/src/%.o,$(filter-out main.c,$(SRC)))
	@echo "  LINK    $$@"
	$(Q)$(2) $$(SANITIZE) -shared -Wl,-soname,src.so -o $$@ $$^ -lmnl
$(BUILD)/$(1)/%-$(3): test/%-$(3).c Makefile | $(BUILD)/$(1)/src.so
	@mkdir -p $$(@D); echo "  CC      $$< ($(1))"
	$(Q)$(2) $(BASE) $$(SANITIZE) $(5) -Itest -MF $$@.d -o $$@ $$< $$| -lmnl \
		-Wl,-z,now,-rpath,'$$$$ORIGIN/..'
tests-$(1:test-%=%): $(patsubst test/%.c,$(BUILD)/$(1)/%,$(wildcard test/*/*-$(3).c))
-include $(wildcard $(BUILD)/$(1)/*/*.d $(BUILD)/$(1)/src/*.d $(BUILD)/$(1)/src/*/*.d)
endef
$(eval $(call sanitized_rules,test-gcc,gcc,test))
$(eval $(call sanitized_rules,test-clang,clang,test))
$(eval $(call sanitized_rules,fuzz,clang,fuzz,-fsanitize=fuzzer-no-link,-fsanitize=fuzzer))
$(eval $(call sanitized_rules,coverage,gcc,test))
$(BUILD)/coverage/%: SANITIZE := -g -O0 --coverage -include test/lib/coverage.h

# The whole program with sanitizers, from the unit tests' objects; itest/chaos uses it.
sanitized: $(BUILD)/netrelay-sanitized $(BUILD)/refuse.so ## stops at the first error, for chaos

$(BUILD)/netrelay-sanitized: $(SRC:%.c=$(BUILD)/test-gcc/src/%.o)
	@echo "  LINK    $@"
	$(Q)gcc $(SANITIZE) -o $@ $^ -lmnl

$(BUILD)/refuse.so: itest/refuse.c | $(BUILD)
	@echo "  CC      $@"
	$(Q)$(HOST_CC) $(filter-out -MMD -MP -Wpedantic,$(BASE)) -O1 -g -fPIC -shared -o $@ $<

# Programs of libFuzzer; the inputs that fail are left in build/fuzz.
FUZZ := $(patsubst test/%-fuzz.c,%,$(wildcard test/*/*-fuzz.c))
FUZZ_LIMIT ?= -max_total_time=20
FUZZ_FLAGS := -verbosity=0 -max_len=256 -len_control=0 -artifact_prefix=$(BUILD)/fuzz/

fuzz: $(FUZZ:%=$(BUILD)/fuzz/%-fuzz) ## feed random input to all parsers, 20 s each
	$(Q)for f in $^; do echo "  FUZZ    $$f"; $$f $(FUZZ_FLAGS) $(FUZZ_LIMIT) || exit; done

frames offload: %: $(BUILD)/%

$(BUILD)/frames: $(wildcard itest/frames*.[ch])
$(BUILD)/offload: itest/offload.c $(addprefix src/frame/,csum.c frame.c gso.c gro.c gro-packet.c)
$(BUILD)/frames $(BUILD)/offload: test/lib/packet.h test/lib/pieces.h | $(BUILD)
	@echo "  CC      $@"
	$(Q)$(HOST_CC) $(filter-out -MMD -MP,$(BASE)) -Iitest -Itest -O2 -g -o $@ \
		$(filter %.c,$^) -lpthread

test: ## all tests, QUICK=1: no slow ones; installs what they need (Debian)
	@ci/test $(TESTS)

check: ## static build and unit tests by gcc; T=relay/fdb: only that test
	@ci/test check

unit: ## unit tests by gcc and clang, and fuzzing
itest: ## end-to-end tests, as root; T=50-bridge: one file, F=MTU: by names
test-real: ## tests with other programs, which it installs or unpacks
unit itest test-real:
	@ci/test build $(@:test-%=%)

chaos: all sanitized ## SEED=n N=1000: a storm of so many accidents, N=0: for ever, or 10 min
coverage: ## show which lines of src/ the unit tests run
lint: ## check the sources without running them
chaos coverage lint:
	@ci/$@

format: ## format the sources with clang-format
	clang-format -i src/*.[ch] src/*/*.[ch] test/*/*.[ch] itest/*.[ch]

demo: ## boot two virtual machines joined by netrelay, and ping
bench: ## measure netrelay beside other relays; as root, about 10 minutes
demo bench:
	@ci/deps build $@
	@$(MAKE) --no-print-directory all
	@$(if $(filter demo,$@),ci/demo,bench/run)

install: all ## into PREFIX (/usr/local), with an access list in SYSCONFDIR (/etc)
install-setcap: install ## the same, and users may join bridges that the list allows
uninstall: ## remove that; an access list that was changed stays
install install-setcap uninstall:
	@BUILD=$(BUILD) DESTDIR='$(DESTDIR)' PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) ci/install $@

clean: ## remove build/
	rm -rf $(BUILD)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

FORCE:
.PHONY: all shared sanitized tests-gcc tests-clang tests-fuzz tests-coverage frames offload fuzz \
	test test-real check unit itest chaos coverage lint format demo bench install \
	install-setcap uninstall clean help FORCE
.DELETE_ON_ERROR:
